"""Pool keys: sealed at once, tried by a worker, and never shown again."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from customers import tenancy
from customers.models import AuditEntry
from mining.models import Credential, PoolLogin, SyncRun
from mining.pool.rights import ENDPOINTS
from portal.templatetags.rights import RIGHTS
from tests.logins import login_of
from tests.portal.staff.reading import heading, rows, text
from tests.world import NOW, Tenant, World

pytestmark = pytest.mark.django_db

PAGE, PASTE = "/staff/keys/", "/staff/keys/paste/"
API_KEY = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
SECRET = "5ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7e7"


def form(north: Tenant, **fields: str) -> dict[str, object]:
    return north.owner.form(**({"login": "second", "api_key": API_KEY, "secret": SECRET} | fields))


def test_pasting_seals_the_key_and_asks_a_worker_to_try_it(
    north: Tenant, django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr("celery.Celery.send_task", lambda _app, name, args, **_kwargs: sent.append((name, args)))
    with django_capture_on_commit_callbacks(execute=True):
        north.owner.browser().post(PASTE, form(north))
    (stored,) = rows(north, Credential, login__name="second")
    assert (stored.state, stored.key_hint) == ("checking", API_KEY[-4:])
    assert API_KEY not in stored.sealed_api_key
    assert SECRET not in stored.sealed_secret
    assert sent == [("mining.tasks.verify_credential", (north.provider.pk, stored.pk))]
    page = north.owner.browser().get(PAGE)
    assert heading(page) == "A key is being tried"
    assert 'hx-trigger="every 3s"' in page.content.decode()
    assert "second key ending in e1f0" in text(page)


def test_pasting_twice_keeps_one_key(north: Tenant) -> None:
    browser = north.owner.browser()
    for _ in range(2):
        browser.post(PASTE, form(north))
    assert [row.state for row in rows(north, Credential, login__name="second") if row.state != "retired"] == [
        "checking"
    ]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"login": ""}, "This field is required."),
        ({"login": "a/b"}, "A login's name has at most 64 letters"),
        ({"api_key": SECRET, "secret": API_KEY}, "API key and secret look swapped"),
        ({"secret": f"{SECRET[:9]} {SECRET[9:]}"}, "The secret has a space or line break inside."),
        ({"api_key": "short"}, "The API key is 5 characters long, which no key is."),
        ({"secret": "x" * 5000}, "The secret is 5000 characters long"),
        ({"secret": ""}, "This field is required."),
    ],
)
def test_a_refused_key_is_told_in_a_sentence_stored_nowhere_and_not_echoed(
    north: Tenant, fields: dict[str, str], says: str
) -> None:
    answer = north.owner.browser().post(PASTE, form(north, **fields))
    assert says in text(answer)
    assert len(rows(north, Credential)) == 1
    assert rows(north, AuditEntry, action="credential.pasted") == []
    for typed in (API_KEY, SECRET, "x" * 5000):
        assert typed not in answer.content.decode()


def test_a_refused_key_can_be_tried_again(north: Tenant) -> None:
    with tenancy.access_context(north.system):
        Credential.objects.filter(pk=north.credential.pk).update(state="refused", problem="The signature is wrong.")
    browser = north.owner.browser()
    page = browser.get(PAGE)
    assert heading(page) == "The pool refuses 1 key"
    assert "The signature is wrong." in text(page)
    assert "Try again" in text(page)
    answer = browser.post(reverse("staff:key_verify", args=[north.credential.code]), north.owner.form(), follow=True)
    assert [row.state for row in rows(north, Credential)] == ["checking"]
    assert "A worker tries the key of main at the pool" in text(answer)
    assert '<span class="sub">last time: The signature is wrong.</span>' in answer.content.decode()
    assert (heading(answer), 'hx-trigger="every 3s"' in answer.content.decode()) == ("A key is being tried", True)


def test_a_working_key_shows_its_hint_and_nothing_more(north: Tenant) -> None:
    page = north.auditor.browser().get(PAGE)
    assert heading(page) == "The pool key works"
    assert (
        "main key ending in 9f3a , pasted 4 Nov 2026 Works checked just now last answer within the last hour"
        in text(page)
    )
    for hidden in (north.credential.sealed_secret, north.credential.sealed_api_key, north.credential.key_digest):
        assert not hidden or hidden not in page.content.decode()


def test_only_an_owner_pastes_and_tries(world: World) -> None:
    north = world.north
    for who in (north.finance, north.support, north.auditor):
        assert "Paste a new key" not in text(who.browser().get(PAGE))
        assert who.browser().post(PASTE, form(north) | who.form()).status_code == 403
    theirs = reverse("staff:key_verify", args=[world.south.credential.code])
    assert north.owner.browser().post(theirs, north.owner.form()).status_code == 404
    assert len(rows(north, Credential)) == 1


def test_replaced_keys_are_listed_apart(north: Tenant) -> None:
    with tenancy.access_context(north.system):
        Credential.objects.create(
            provider=north.provider,
            login=north.login,
            state="retired",
            key_digest="old",
            key_hint="0ld1",
            created_at=NOW,
        )
    assert "Replaced nothing of them is kept main key ending in 0ld1" in text(north.owner.browser().get(PAGE))


# --- Throwing one away


def withdraw_page(north: Tenant, key: Credential) -> str:
    return text(north.owner.browser().get(f"/staff/keys/{key.code}/withdraw/"))


def second_key(north: Tenant, login_name: str, **facts: Any) -> Credential:
    with tenancy.access_context(north.system):
        login = login_of(north.provider, login_name)
        facts |= {"key_digest": "2", "key_hint": "5ec2", "created_at": NOW, "sealed_secret": "sealed"}
        return Credential.objects.create(provider=north.provider, login=login, **facts)


def test_a_key_that_never_worked_is_thrown_away_after_a_page_says_what_it_does(north: Tenant) -> None:
    second = second_key(north, "second", state="refused")

    assert "The 0 accounts of second are not read now" in withdraw_page(north, second)
    assert rows(north, Credential, login__name="second")[0].state == "refused"
    form = north.owner.form(seen_as="refused")
    answer = north.owner.browser().post(f"/staff/keys/{second.code}/withdraw/", form, follow=True)
    assert "The key of second ending in 5ec2 is thrown away." in text(answer)
    (second,) = rows(north, Credential, login__name="second")
    assert (second.state, second.sealed_secret) == ("retired", "")


def test_one_in_use_is_thrown_away_only_by_who_was_shown_what_ends(north: Tenant) -> None:
    address = f"/staff/keys/{north.credential.code}/withdraw/"
    words = withdraw_page(north, north.credential)
    assert words.startswith("Pool keys / main Stop reading main?")
    assert "2 accounts of main are read no more: no rewards" in words
    assert "No other key takes over." in words
    for seen_as in ("refused", "checking", ""):  # it has begun to work since
        answer = north.owner.browser().post(address, north.owner.form(seen_as=seen_as), follow=True)
        assert "This key is in use." in text(answer)
        assert rows(north, Credential)[0].state == "active"

    north.owner.browser().post(address, north.owner.form(seen_as="active"))
    (key,) = rows(north, Credential)
    assert (key.state, key.sealed_secret) == ("retired", "")
    (told,) = rows(north, AuditEntry, action="credential.withdrawn")
    assert told.subject == key.code
    answer = north.owner.browser().post(address, north.owner.form(seen_as="active"), follow=True)
    assert "thrown away or replaced already" in text(answer)


def test_the_page_says_which_other_key_reads_or_takes_over(north: Tenant) -> None:
    second = second_key(north, "main", state="refused")
    assert "Nothing changes in what is read: another key reads the 2 accounts of main, ending in 9f3a" in withdraw_page(
        north, second
    )
    with tenancy.access_context(north.system):
        Credential.objects.filter(pk=second.pk).update(state="checking")
    words = withdraw_page(north, north.credential)
    assert "The key ending in 5ec2 is being tried, and takes over once the pool accepts it." in words
    assert "No other key" not in words


def test_another_providers_key_has_no_such_page(world: World) -> None:
    address = f"/staff/keys/{world.south.credential.code}/withdraw/"
    assert world.north.owner.browser().get(address).status_code == 404


# --- How a key fares


@pytest.mark.parametrize(
    ("hours", "says"),
    [(0.9, "within the last hour"), (1.9, "1 hour ago"), (23.9, "23 hours ago"), (24, "on 3 Nov")],
)
def test_the_last_answer_is_told_as_coarsely_as_it_is_kept(north: Tenant, hours: float, says: str) -> None:
    assert f"last answer {says} " in set_key(north, last_success_at=NOW - timedelta(hours=hours))


def test_a_key_that_was_mistyped_beside_one_that_works_has_stopped_nothing(north: Tenant) -> None:
    second_key(north, "main", state="refused", problem="The signature is wrong.")
    page = north.owner.browser().get(PAGE)
    assert (heading(page), "The signature is wrong." in text(page)) == ("1 key was not accepted, 1 works", True)
    assert 'class="is-bad"' not in page.content.decode()

    set_key(north, state="retired")  # nobody reads its accounts now
    page = north.owner.browser().get(PAGE)
    assert (heading(page), 'class="is-bad"' in page.content.decode()) == ("The pool refuses 1 key", True)


def test_one_that_was_mistyped_before_any_key_worked_was_not_accepted(north: Tenant) -> None:
    second_key(north, "second", state="refused")
    set_key(north, state="retired")
    assert heading(north.owner.browser().get(PAGE)) == "1 key was not accepted"


def set_key(north: Tenant, **facts: Any) -> str:
    with tenancy.access_context(north.system):
        Credential.objects.filter(pk=north.credential.pk).update(**facts)
    return text(north.owner.browser().get(PAGE))


@pytest.mark.parametrize(
    ("days", "headline", "says"),
    [
        (2, "The pool key works", "Works"),
        (3, "1 key gets no answer from the pool", "The pool has not answered this key for 3 days"),
        (7, "1 key gets no answer from the pool", "The pool has not answered this key for 7 days"),
        (14, "1 key gets no answer from the pool", "switches off what is not used for 14"),
    ],
)
def test_a_key_that_gets_no_answer_is_told_before_the_pool_switches_it_off(
    north: Tenant, days: int, headline: str, says: str
) -> None:
    words = set_key(north, last_success_at=NOW - timedelta(days=days, minutes=1))
    assert words.startswith(headline)
    assert says in words
    assert "The pool switches off a key that was not used for 14 days." in words
    row = re.search(r'list--named">\s*<li( class="[^"]*")?>', north.owner.browser().get(PAGE).content.decode())
    assert row is not None
    assert row[1] == (None if days < 3 else ' class="is-warn"' if days < 7 else ' class="is-bad"')


def test_rights_are_told_in_plain_words_and_what_was_not_found_out_is_unknown(north: Tenant) -> None:
    words = set_key(
        north, accounts_seen=1200, endpoints={"rewards": True, "accounts": True, "watcher-links/create": False}
    )
    assert "When checked just now , it saw 1,200 accounts. It has 2 of 11 rights, lacks 1, 8 unknown" in words
    assert "It may list accounts, read rewards It may not make watcher links Allow it in WhiteBIT's" in words
    assert "Unknown read hashrate, count machines, read where rewards go" in words
    assert "Not known until it is used: the pool did not tell, and what acts is never tried out." in words


def test_an_act_that_the_pool_has_done_is_a_right_with_its_day(north: Tenant) -> None:
    words = set_key(north, accounts_seen=2, endpoints={"accounts/create": "2026-11-03", "watcher-links/create": False})
    assert "has 1 of 11 rights, lacks 1, 9 unknown" in words
    assert "It may create accounts (used on 3 Nov 2026) It may not make watcher links" in words


def test_a_key_whose_accounts_were_not_counted_sees_an_unknown_number(north: Tenant) -> None:
    words = set_key(north, accounts_seen=None, verified_at=NOW - timedelta(days=2))
    assert "When checked 2 Nov, 14:32 UTC , it saw an unknown number of accounts. It has 0 of 11 rights" in words


def test_every_endpoint_of_the_pool_has_its_words() -> None:
    assert set(RIGHTS) == set(ENDPOINTS)


def test_a_working_key_is_checked_on_request_and_the_page_follows_it(north: Tenant) -> None:
    answer = north.owner.browser().post(f"/staff/keys/{north.credential.code}/verify/", north.owner.form(), follow=True)
    assert "A worker tries the key of main at the pool; this page shows what comes of it." in text(answer)
    assert [row.state for row in rows(north, Credential)] == ["active"]
    with tenancy.access_context(north.system):
        SyncRun.objects.create(
            provider=north.provider,
            login=north.login,
            subject="key",
            state="running",
            queued_at=NOW,
            started_at=NOW,
        )
    page = north.owner.browser().get(PAGE)
    assert "being checked now" in text(page)
    assert "Check now" not in text(page)
    again = north.owner.browser().post(f"{PAGE}{north.credential.code}/verify/", north.owner.form(), follow=True)
    assert re.search(r"is being tried, or was less than a minute ago\. Ask again in [0-9]+ seconds\.", text(again))
    assert 'hx-trigger="every 3s"' in page.content.decode()


# --- Renaming a login


def rename(north: Tenant, name: str) -> str:
    address = f"/staff/keys/logins/{north.login.code}/rename/"
    return text(north.owner.browser().post(address, north.owner.form(name=name), follow=True))


def test_a_login_is_renamed_from_the_keys_page(north: Tenant) -> None:
    address = f"/staff/keys/logins/{north.login.code}/rename/"
    assert f'href="{address}"' in north.owner.browser().get(PAGE).content.decode()
    assert 'value="main"' in north.owner.browser().get(address).content.decode()

    page = rename(north, "Prime")

    assert "main is called Prime from now on." in page
    assert "Prime key ending in 9f3a" in page


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("SECOND", "There is a login 'second' already"),
        ("a/b", "A login's name has at most 64 letters"),
        ("", "This field is required."),
    ],
)
def test_a_name_that_cannot_be_is_refused_and_the_page_still_says_which_login(
    north: Tenant, name: str, says: str
) -> None:
    second_key(north, "second", state="refused")

    page = rename(north, name)

    assert says in page
    assert "Rename main" in page
    assert [login.name for login in rows(north, PoolLogin)] == ["main", "second"]


def test_a_key_pasted_with_other_capitals_is_of_the_login_that_is_there(north: Tenant) -> None:
    north.owner.browser().post(PASTE, form(north, login="MAIN"))

    assert [key.login_id for key in rows(north, Credential)] == [north.login.pk] * 2
