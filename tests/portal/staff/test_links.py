"""Watcher links for staff: all of them in one list, one customer's with what can be done, and what cannot be undone."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from customers import tenancy
from customers.models import AuditEntry, Customer
from mining.models import MiningAccount, PoolIntent, WatcherLink
from tests.portal.staff.reading import heading, rows, text
from tests.portal.watcher_links import WEEK, make_link
from tests.world import NOW, ClientOfProvider, Person, Tenant, World

pytestmark = pytest.mark.django_db

LIST = "/staff/watcher-links/"


def names(answer: Any) -> list[str]:
    return [row.link.name for row in answer.context["rows"]]


# --- The list


def test_the_list_begins_with_what_ends_first_and_ends_with_what_never_ends(north: Tenant) -> None:
    alder, birch = (client.account for client in north.clients)
    make_link(north, alder, number=1, name="endless", live_until=None, lifetime="always")
    make_link(north, alder, number=2, name="week")
    make_link(north, birch, number=3, name="tomorrow", live_until=NOW + timedelta(days=1), renews=True)
    make_link(north, birch, number=4, name="lost", state="unknown", live_until=None)
    answer = north.auditor.browser().get(LIST)
    assert names(answer) == ["lost", "tomorrow", "week", "endless"]
    assert heading(answer) == "3 watcher links"
    words = text(answer)
    assert "1 ends within 2 days, 1 never ends" in words
    assert (
        "Birch Mining client_1 Active Dashboard and workers issued here 4 Nov 2026 ends in 24 hours renews by itself"
        in words
    )
    assert "Alder & Finch client_0 Active Dashboard and workers issued here 4 Nov 2026 never ends" in words
    assert "Outcome unknown Dashboard and workers issued here 4 Nov 2026 unknown" in words


@pytest.mark.parametrize(
    ("facts", "shown"),
    [
        ({"live_until": NOW - timedelta(hours=23)}, True),
        ({"live_until": NOW - timedelta(hours=25)}, False),
        ({"state": "failed", "problem": "The pool allows no more."}, True),
        ({"state": "failed", "created_at": NOW - timedelta(hours=25)}, False),
        ({"state": "creating", "url": None, "pool_id": None, "seen_at": None}, True),
        ({"state": "gone"}, False),
        ({"state": "gone", "ended_at": NOW - timedelta(hours=23), "problem": "The pool no longer lists it."}, True),
        ({"state": "gone", "ended_at": NOW - timedelta(hours=25)}, False),
        ({"renews": True, "live_until": NOW - timedelta(days=6)}, True),
        ({"renews": True, "live_until": NOW - timedelta(days=8)}, False),
    ],
)
def test_what_is_over_stays_in_sight_for_a_day(north: Tenant, facts: dict[str, Any], shown: bool) -> None:
    make_link(north, north.clients[0].account, **facts)
    answer = north.owner.browser().get(LIST)
    assert len(names(answer)) == shown
    assert heading(answer) == "0 watcher links"
    assert (str(facts.get("problem")) in text(answer)) is ("problem" in facts)


def test_a_link_of_an_account_without_a_customer_is_listed(north: Tenant) -> None:
    with tenancy.access_context(north.system):
        stray = MiningAccount.objects.create(
            provider=north.provider, login=north.login, name="stray", state="active", first_seen_at=NOW
        )
    make_link(north, stray, origin="pool", lifetime=None)
    assert "No customer stray Active Dashboard and workers outside the portal" in text(north.owner.browser().get(LIST))


def test_a_link_that_shows_other_accounts_too_is_flagged(north: Tenant) -> None:
    make_link(north, north.clients[0].account, origin="pool", lifetime=None, shows_others=True)
    assert "other accounts too: not shown to the customer" in text(north.owner.browser().get(LIST))


def test_a_link_that_shows_two_customers_is_counted_once(north: Tenant) -> None:
    for client in north.clients:
        make_link(
            north, client.account, pool_id="both", origin="pool", lifetime=None, shows_others=True,
            live_until=NOW + timedelta(days=1),
        )  # fmt: skip
    answer = north.auditor.browser().get(LIST)
    assert (heading(answer), len(names(answer))) == ("1 watcher link", 2)
    assert "1 ends within 2 days, 0 never end" in text(answer)


def test_links_are_found_by_their_customer_or_account(north: Tenant) -> None:
    alder, birch = (client.account for client in north.clients)
    make_link(north, alder, name="alders")
    make_link(north, birch, name="birchs")
    with tenancy.access_context(north.system):
        stray = MiningAccount.objects.create(
            provider=north.provider, login=north.login, name="stray", state="active", first_seen_at=NOW
        )
    make_link(north, stray, name="strays", origin="pool", lifetime=None)
    browser = north.auditor.browser()
    for words, found in (("alder &", ["alders"]), ("CLIENT_1", ["birchs"]), ("tray", ["strays"]), ("%", [])):
        assert names(browser.get(LIST, {"q": words})) == found
    nothing = browser.get(LIST, {"q": "nobody"})
    assert "No link is found." in text(nothing)
    assert heading(nothing) == "3 watcher links"


def test_a_search_finds_none_of_the_neighbours(world: World) -> None:
    make_link(world.south, world.south.clients[0].account, name="theirs")
    link = make_link(world.north, world.north.clients[0].account, name="ours")
    same = world.north.clients[0].customer.name
    assert names(world.north.owner.browser().get(LIST, {"q": same})) == [link.name]


def test_the_neighbours_links_are_not_listed(world: World) -> None:
    link = make_link(world.south, world.south.clients[0].account)
    browser = world.north.owner.browser()
    assert names(browser.get(LIST)) == []
    assert browser.get(LIST, {"after": link.code}).status_code == 404


def test_pages_follow_each_other_without_a_gap(north: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.views.paging.keyset.__kwdefaults__", {"size": 2})
    for number, ends in enumerate([None, NOW + timedelta(days=5), None, NOW + timedelta(days=5), NOW]):
        make_link(north, north.clients[0].account, number=number, name=f"n{number}", live_until=ends)
    browser, seen, address = north.owner.browser(), [], LIST
    while address:
        answer = browser.get(address)
        seen += names(answer)
        after = answer.context["after"]
        address = f"{LIST}?after={after}" if after else ""
    assert seen == ["n4", "n1", "n3", "n0", "n2"]


def test_it_is_in_the_menu(north: Tenant) -> None:
    assert re.search(r'<a href="/staff/watcher-links/"', north.owner.browser().get("/staff/").content.decode())


# --- One customer's


def of(client: ClientOfProvider) -> str:
    return f"/staff/customers/{client.customer.code}/"


def issue(tenant: Tenant, who: Person, **fields: Any) -> Any:
    given = {"permissions": ["dashboard", "workers"], "lifetime": "7d"} | fields
    return who.browser().post(f"{of(tenant.clients[0])}watcher-links/new/", who.form(**given), follow=True)


def test_a_customers_page_says_how_many_are_in_use_and_what_each_shows(north: Tenant) -> None:
    client = north.clients[0]
    link = make_link(north, client.account, permissions=["rewards"], live_until=NOW + timedelta(hours=3))
    html = north.support.browser().get(of(client)).content.decode()
    words = text(north.support.browser().get(of(client)))
    assert "Issue a link 1 of 3 in use; the pool's list has not been read yet Rewards earnings by day" in words
    assert "earnings by day issued here on 4 Nov 2026 ends in 3 hours" in words
    assert "A page at the pool that shows one mining account to whoever has its address" in words
    assert f'data-copy="{link.url}"' in html
    assert f'href="{link.url}"' in html
    assert "hx-trigger" not in html


def test_issuing_asks_a_worker_and_the_part_refreshes_itself_until_it_is_there(
    north: Tenant, django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr("celery.Celery.send_task", lambda _app, name, args, **_kwargs: sent.append((name, args)))
    with django_capture_on_commit_callbacks(execute=True):
        answer = issue(north, north.support, renews="on")
    (link,), (intent,) = rows(north, WatcherLink), rows(north, PoolIntent)
    assert (link.state, link.permissions, link.lifetime, link.renews) == (
        "creating",
        ["dashboard", "workers"],
        "7d",
        True,
    )
    assert sent == [("mining.tasks.settle_intent", (north.provider.pk, intent.pk))]
    assert answer.redirect_chain == [(of(north.clients[0]), 302)]
    assert "A worker asks the pool for the link. It appears below within a minute. See below" in text(answer)
    assert '<a href="#links">See below</a>' in answer.content.decode()
    part = f"{of(north.clients[0])}watcher-links/"
    assert f'hx-get="{part}"' in answer.content.decode()
    with tenancy.access_context(north.system):
        WatcherLink.objects.filter(pk=link.pk).update(
            state="active", pool_id="x", url="https://whitebit.com/x", seen_at=NOW, live_until=NOW + WEEK
        )
    swapped = north.support.browser().get(part, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in swapped
    assert "hx-trigger" not in swapped
    assert 'data-copy="https://whitebit.com/x"' in swapped


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"permissions": []}, "Choose at least one page that it shows."),
        ({"permissions": ["money"]}, "Select a valid choice."),
        ({"lifetime": ""}, "This field is required."),
        ({"lifetime": "1y"}, "Select a valid choice."),
        ({"lifetime": "24h", "renews": "on"}, "Only a link of 7 days can renew itself."),
    ],
)
def test_a_wrong_choice_is_told_beside_it_and_makes_nothing(north: Tenant, fields: dict[str, Any], says: str) -> None:
    assert says in text(issue(north, north.owner, **fields))
    assert rows(north, WatcherLink) == []


def test_a_link_that_shows_the_same_is_used_again(north: Tenant) -> None:
    link = make_link(north, north.clients[0].account)
    assert "There is a link that shows the same and lives long enough" in text(issue(north, north.support))
    assert rows(north, WatcherLink) == [link]


def test_one_that_never_ends_needs_its_own_confirmation(north: Tenant) -> None:
    answer = issue(north, north.owner, lifetime="always")
    assert heading(answer) == "A link to Alder & Finch that never ends"
    assert "Nobody can take this link back: not we, not the customer, not the pool." in text(answer)
    assert rows(north, WatcherLink) == []
    fields = re.findall(r'name="(permissions|lifetime|confirmed)" +value="([^"]+)"', _flat(answer))
    assert fields == [
        ("permissions", "dashboard"),
        ("permissions", "workers"),
        ("lifetime", "always"),
        ("confirmed", "forever"),
    ]
    issue(north, north.owner, lifetime="always", confirmed="forever")
    (link,) = rows(north, WatcherLink)
    assert (link.state, link.lifetime) == ("creating", "always")


def _flat(answer: Any) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


def test_only_an_owner_may_issue_one_that_never_ends(north: Tenant) -> None:
    page = north.support.browser().get(f"{of(north.clients[0])}watcher-links/new/")
    assert 'value="always"' not in page.content.decode()
    assert "Only an owner can issue one that never ends." in text(page)
    assert "Select a valid choice." in text(issue(north, north.support, lifetime="always", confirmed="forever"))
    assert rows(north, WatcherLink) == []


def test_at_the_cap_there_is_no_form_and_the_page_says_when_the_next_ends(north: Tenant) -> None:
    client = north.clients[0]
    for number, ends in enumerate([None, NOW + timedelta(days=2, minutes=1), NOW + WEEK]):
        make_link(north, client.account, number=number, live_until=ends)
    says = "All 3 are in use. The pool allows no more for one account and cannot take one back: the next ends in 2 days"
    words = text(north.owner.browser().get(of(client)))
    assert says in words
    assert "Issue a link" not in words
    page = north.owner.browser().get(f"{of(client)}watcher-links/new/")
    assert says in text(page)
    assert heading(page) == "No watcher link can be issued to Alder & Finch before 6 Nov 2026, 14:33 UTC"
    assert "of 3 in use" not in text(page)
    assert 'name="permissions"' not in page.content.decode()
    assert "the pool allows 3" in text(issue(north, north.owner, permissions=["rewards"]))
    assert len(rows(north, WatcherLink)) == 3


def test_a_link_is_renewed_once_and_the_old_one_stays(north: Tenant) -> None:
    client = north.clients[0]
    link = make_link(north, client.account, live_until=NOW + timedelta(days=3))
    browser, address = north.support.browser(), f"/staff/watcher-links/{link.code}/renew/"
    assert "Renew for 7 days" in text(browser.get(of(client)))
    for _ in range(2):
        browser.post(address, north.support.form())
    old, new = rows(north, WatcherLink)
    assert (old.state, old.successor_id, new.state, new.permissions) == ("active", new.pk, "creating", old.permissions)
    words = text(browser.get(of(client)))
    assert "A new one that shows the same has been made; this one lives to its end." in words
    assert "Renew for 7 days" not in words


def test_a_link_that_has_most_of_its_life_left_is_renewed_only_after_a_confirmation(north: Tenant) -> None:
    client = north.clients[0]
    link = make_link(north, client.account)
    browser, address = north.support.browser(), f"/staff/watcher-links/{link.code}/renew/"
    page = browser.get(of(client))
    assert "Renew early… This link works: hand it on. A second one gets an address of its own" in text(page)
    assert re.search(r'<input type="hidden" name="confirmed" value="early">', page.content.decode())

    refused = browser.post(address, north.support.form(), follow=True)
    assert "This link still works until 2026-11-11 at 14:32 UTC: hand that one on, or confirm" in text(refused)
    assert rows(north, WatcherLink) == [link]

    browser.post(address, north.support.form(confirmed="early"))
    assert [row.state for row in rows(north, WatcherLink)] == ["active", "creating"]


def test_the_count_says_how_old_it_is_and_what_only_the_pool_knows(north: Tenant) -> None:
    client = north.clients[0]
    make_link(north, client.account)
    with tenancy.access_context(north.system):
        MiningAccount.objects.filter(pk=client.account.pk).update(
            links_read_at=NOW - timedelta(hours=5), links_unseen=1
        )
    says = "2 of 3 in use, 1 of them known to the pool only; the pool's list was read 4 Nov, 09:32 UTC"
    browser = north.support.browser()
    assert says in text(browser.get(of(client)))
    assert f"{says} This may be one more" in text(browser.get(f"{of(client)}watcher-links/new/"))
    make_link(north, client.account, number=2)
    # So old a word closes no form: the one that only the pool knew may have ended.
    says = "3 of 3 in use, 1 of them known to the pool only; the pool's list was read"
    assert f"{says} 4 Nov, 09:32 UTC This may be one more" in text(browser.get(f"{of(client)}watcher-links/new/"))
    with tenancy.access_context(north.system):
        MiningAccount.objects.filter(pk=client.account.pk).update(links_read_at=NOW - timedelta(minutes=5))
    full = text(browser.get(f"{of(client)}watcher-links/new/"))
    assert "All 3 are in use." in full
    assert "1 of them known to the pool only; the pool's list was read 5 min" in full


def test_a_renewal_that_will_find_no_place_is_told_beforehand(north: Tenant) -> None:
    client = north.clients[0]
    link = make_link(north, client.account, number=1)
    make_link(north, client.account, number=2, live_until=None, lifetime="always")
    browser, address = north.support.browser(), f"/staff/watcher-links/{link.code}/renewal/"
    late, in_time = "A new link is made once this one has ended", "A new link is made before this one ends."
    assert in_time in text(browser.post(address, north.support.form(renews="yes"), follow=True))

    make_link(north, client.account, number=3, live_until=None, lifetime="always")

    says = (
        "Renews itself from 10 Nov 2026, 14:32 UTC on, but needs a free place for that, and all 3 are taken until it"
        " ends: its new address comes some minutes after 11 Nov 2026, 14:32 UTC , and in between neither works."
    )
    assert says in text(north.auditor.browser().get(of(client)))
    assert says not in text(browser.post(address, north.support.form(renews="no"), follow=True))
    answer = text(browser.post(address, north.support.form(renews="yes"), follow=True))
    assert f"{late}: no place is free for it before that." in answer
    assert says in answer


def test_in_the_demo_an_address_is_copied_and_not_opened(north: Tenant, settings: Any) -> None:
    link = make_link(north, north.clients[0].account)
    settings.PORTAL_MODE = "demo"
    html = north.owner.browser().get(of(north.clients[0])).content.decode()
    assert f'data-copy="{link.url}"' in html
    assert f'href="{link.url}"' not in html
    assert "It exists only in the demo's pool: nothing opens there." in html


def test_renewing_by_itself_is_switched_on_and_off(north: Tenant) -> None:
    client = north.clients[0]
    link = make_link(north, client.account)
    browser, address = north.support.browser(), f"/staff/watcher-links/{link.code}/renewal/"
    for renews, button in (("yes", "Stop renewing by itself"), ("no", "Renew by itself")):
        answer = browser.post(address, north.support.form(renews=renews), follow=True)
        assert [row.renews for row in rows(north, WatcherLink)] == [renews == "yes"]
        assert button in text(answer)


@pytest.mark.parametrize("facts", [{"lifetime": "24h"}, {"lifetime": None, "origin": "pool"}])
def test_only_what_can_renew_itself_offers_it(north: Tenant, facts: dict[str, Any]) -> None:
    link = make_link(north, north.clients[0].account, **facts)
    browser = north.owner.browser()
    assert "Renew by itself" not in text(browser.get(of(north.clients[0])))
    answer = browser.post(f"/staff/watcher-links/{link.code}/renewal/", north.owner.form(renews="yes"), follow=True)
    assert "Only links of 7 days" in text(answer)


@pytest.mark.parametrize(
    ("ours", "state", "says"),
    [
        ("yes", "unknown", "A person says that the pool did it: it is being looked up."),
        ("no", "failed", "A person found that the pool had not made the link."),
    ],
)
def test_a_person_decides_what_became_of_a_link(north: Tenant, ours: str, state: str, says: str) -> None:
    client = north.clients[0]
    issue(north, north.owner)
    (link,), (intent,) = rows(north, WatcherLink), rows(north, PoolIntent)
    with tenancy.access_context(north.system):
        WatcherLink.objects.filter(pk=link.pk).update(state="unknown", problem="The answer was lost.")
        PoolIntent.objects.filter(pk=intent.pk).update(state="unknown", problem="The answer was lost.")
    browser = north.support.browser()
    assert f"The answer was lost. Look for {link.name} among the account's watcher links" in text(
        browser.get(of(client))
    )
    address = f"/staff/intents/{intent.code}/decide/"
    assert f'action="{address}"' in browser.get(of(client)).content.decode()
    assert f'action="{address}"' not in north.finance.browser().get(of(client)).content.decode()
    browser.post(address, north.support.form(ours=ours))
    assert [row.state for row in rows(north, WatcherLink)] == [state]
    (intent,) = rows(north, PoolIntent)
    assert (intent.state, intent.problem) == (state, says)
    assert [entry.details for entry in rows(north, AuditEntry, action="intent.decided")] == [{"ours": ours}]


def test_a_link_that_is_not_made_says_why_and_can_be_given_up(north: Tenant) -> None:
    client = north.clients[0]
    issue(north, north.owner)
    (link,), (intent,) = rows(north, WatcherLink), rows(north, PoolIntent)
    why = "There is no active pool key for 'main'."
    part, browser = f"{of(client)}watcher-links/", north.support.browser()
    for minutes, gives_up, polls in ((0, False, True), (2, True, True), (6, True, False)):
        with tenancy.access_context(north.system):
            asked_at = NOW - timedelta(minutes=minutes)
            WatcherLink.objects.filter(pk=link.pk).update(created_at=asked_at, problem=why)
            PoolIntent.objects.filter(pk=intent.pk).update(created_at=asked_at, problem=why)
        answer = browser.get(part, headers={"HX-Request": "true"})
        assert ("Give it up" in text(answer)) is gives_up
        assert ("hx-trigger" in answer.content.decode()) is polls
        assert why in text(answer)

    said = browser.post(f"/staff/intents/{intent.code}/decide/", north.support.form(ours="no"), follow=True)

    assert "It is settled: the link was not made." in text(said)
    assert [row.state for row in rows(north, WatcherLink)] == ["failed"]


def test_one_that_ended_without_a_new_one_can_be_left_alone(north: Tenant) -> None:
    client = north.clients[0]
    link = make_link(north, client.account, renews=True, live_until=NOW - timedelta(days=2))
    browser = north.support.browser()
    assert "Stop renewing by itself" in text(browser.get(of(client)))
    browser.post(f"/staff/watcher-links/{link.code}/renewal/", north.support.form(renews="no"))
    assert "Stop renewing by itself" not in text(browser.get(of(client)))


def test_finance_decides_nothing_about_links(north: Tenant) -> None:
    issue(north, north.owner)
    (intent,) = rows(north, PoolIntent)
    with tenancy.access_context(north.system):
        PoolIntent.objects.filter(pk=intent.pk).update(state="unknown")
    address = f"/staff/intents/{intent.code}/decide/"
    answer = north.finance.browser().post(address, north.finance.form(ours="no"), follow=True)
    assert "Your role here (finance) may not decide this." in text(answer)
    assert [row.state for row in rows(north, PoolIntent)] == ["unknown"]


def test_what_is_over_and_what_shows_others_is_told_on_the_page(north: Tenant) -> None:
    client = north.clients[0]
    make_link(north, client.account, number=1, origin="pool", lifetime=None, shows_others=True)
    make_link(north, client.account, number=2, state="failed", problem="The pool allows no more.")
    make_link(north, client.account, number=3, state="gone", live_until=NOW - timedelta(days=3))
    words = text(north.auditor.browser().get(of(client)))
    assert "Shows other accounts too. It was made outside the portal, and this customer does not see it here." in words
    assert "Dashboard and workers Not made" in words
    assert "The pool allows no more." in words
    assert "Earlier links Dashboard and workers: ended, 4 Nov 2026 to 1 Nov 2026" in words
    assert "Renew" not in words


def test_a_hostile_name_address_or_problem_is_only_text(north: Tenant) -> None:
    evil = 'javascript:alert(1)"><script>alert(1)</script>'
    client = north.clients[0]
    make_link(north, client.account, number=1, name=evil, url=evil, origin="pool", lifetime=None)
    make_link(north, client.account, number=2, name=evil, state="unknown", problem=evil)
    for page in (of(client), LIST):
        html = north.owner.browser().get(page).content.decode()
        assert "<script>alert" not in html
        assert 'href="javascript' not in html


def test_the_neighbours_links_cannot_be_touched(world: World) -> None:
    link = make_link(world.south, world.south.clients[0].account)
    owner = world.north.owner
    for act in ("renew", "renewal"):
        assert owner.browser().post(f"/staff/watcher-links/{link.code}/{act}/", owner.form()).status_code == 404
    assert owner.browser().get(f"{of(world.south.clients[0])}watcher-links/new/").status_code == 404
    assert [row.renews for row in rows(world.south, WatcherLink)] == [False]


def test_a_customer_without_an_account_gets_no_link(north: Tenant) -> None:
    with tenancy.access_context(north.system):
        bare = Customer.objects.create(provider=north.provider, name="Cedar", email="c@c.example", created_at=NOW)
    address = f"/staff/customers/{bare.code}/"
    assert "this customer has none yet" in text(north.owner.browser().get(address))
    answer = north.owner.browser().get(f"{address}watcher-links/new/", follow=True)
    assert "Cedar has no mining account" in text(answer)
