"""Pool keys: what is pasted, how it is checked, and how one takes over from another."""

from __future__ import annotations

import re
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from customers.sealing import SealError, seal, unseal
from mining import key_check, keys, sync
from mining.errors import NoKey, Refused
from mining.keys import NEEDED_ENDPOINTS as NEEDED
from mining.models import Credential, SyncRun
from mining.models.runs import Subject
from mining.pool.rights import ACTING, ENDPOINTS, harmless
from tests.mining.hosting import Hosting
from tests.sandbox import PoolKey, Sandbox

State = Credential.State


def paste(hosting: Hosting, api_key: str, secret: str, label: str = "second") -> Credential:
    with hosting.context():
        return keys.paste_key(hosting.access, label=label, api_key=api_key, secret=secret, now=timezone.now())


def states(hosting: Hosting) -> list[tuple[str, str]]:
    with hosting.context():
        return list(Credential.objects.order_by("pk").values_list("label", "state"))


def add_key(pool: Sandbox, login: str) -> PoolKey:
    made = pool.edit("add_key", login=login)
    return PoolKey(login, made["api_key"], made["secret"])


def accounts_at_pool(hosting: Hosting, login: str = "alpha") -> list[str]:
    user = next(user for user in hosting.pool.truth()["users"] if user["login"] == login)
    return sorted(account["name"] for account in user["accounts"])


def test_a_good_key_becomes_active(north: Hosting) -> None:
    credential = north.credential()

    assert (credential.state, credential.problem) == (State.ACTIVE, "")
    assert credential.verified_at is not None
    with north.context():
        (run,) = SyncRun.objects.all()
    assert (run.subject, run.state, run.calls >= 2) == ("key", SyncRun.State.OK, True)


def test_the_secret_is_sealed_and_opens_only_in_its_place(north: Hosting) -> None:
    key, credential = north.pool.key("alpha"), north.credential()

    assert key.secret not in credential.sealed_secret
    assert key.api_key not in credential.sealed_api_key
    with north.context():
        place = Credential.objects.select_related("provider").get(pk=credential.pk).place
    assert unseal(credential.sealed_secret, place("secret")).reveal() == key.secret
    with pytest.raises(SealError):
        unseal(credential.sealed_secret, place("api_key"))


def test_a_process_without_private_keys_opens_nothing(north: Hosting, settings: Any) -> None:
    settings.POOL_SEALING_PRIVATE_KEYS = {}

    with pytest.raises(NoKey, match="only workers open pool keys"):
        keys.pool_client(north.provider.pk, "main")


@pytest.mark.parametrize(
    ("api_key", "secret", "sentence"),
    [
        ("", "s" * 64, "The API key is empty"),
        ("k" * 32, "  \n", "The secret is empty"),
        ("k" * 16 + " " + "k" * 15, "s" * 64, "The API key has a space"),
        ("k" * 32, "s" * 30 + "\n" + "s" * 30, "The secret has a space or line break"),
        ("k" * 15, "s" * 64, "15 characters long"),
        ("k" * 32, "s" * 257, "257 characters long"),
        ("k" * 31 + "é", "s" * 64, "characters that no key has"),
        ("k" * 32, "k" * 32, "look swapped"),
        ("s" * 64, "k" * 32, "look swapped"),
    ],
)
def test_what_cannot_be_a_key_is_refused(north: Hosting, api_key: str, secret: str, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence) as refused:
        paste(north, api_key, secret)

    assert secret.strip() == "" or secret not in str(refused.value)
    assert states(north) == [("main", State.ACTIVE)]


@pytest.mark.parametrize("label", ["", "  ", "l" * 65, "a\nb", "<b>"])
def test_a_label_must_be_a_name(north: Hosting, label: str) -> None:
    with pytest.raises(Refused, match="The label names"):
        paste(north, "k" * 32, "s" * 64, label)


def test_a_label_is_written_one_way(north: Hosting) -> None:
    with pytest.raises(Refused, match="There is a label 'main'"):
        paste(north, "k" * 32, "s" * 64, "Main")


def test_spaces_around_are_trimmed(north: Hosting) -> None:
    key = add_key(north.pool, "beta")

    assert north.verify(paste(north, f" {key.api_key}\n", f"\t{key.secret} ")).state == State.ACTIVE


def test_a_key_is_stored_once_and_a_provider_learns_of_its_own_only(north: Hosting, south: Hosting) -> None:
    key = north.pool.key("alpha")

    with pytest.raises(Refused, match="under 'main' already, and works"):
        paste(north, key.api_key, key.secret, "main")
    with pytest.raises(Refused, match="a key has one WhiteBIT user only"):
        paste(north, key.api_key, key.secret, "second")
    with pytest.raises(Refused, match="look swapped"):
        paste(north, "k" * 32, key.api_key, "second")
    with pytest.raises(Refused) as refused:
        paste(south, key.api_key, key.secret, "second")
    assert str(refused.value) == keys.KEPT_ELSEWHERE
    assert states(south) == [("main", State.ACTIVE)]


def test_of_two_providers_that_paste_one_key_at_once_one_has_it(north: Hosting, south: Hosting) -> None:
    key, pasted = add_key(north.pool, "alpha"), threading.Event()
    sentences: list[str] = []

    def paste_second() -> None:
        pasted.wait(5)
        try:
            paste(south, key.api_key, key.secret)
        except Refused as refused:
            sentences.append(str(refused))
        finally:
            connection.close()

    other = threading.Thread(target=paste_second)
    other.start()
    with north.context():  # not committed yet while the other one comes
        keys.paste_key(north.access, label="second", api_key=key.api_key, secret=key.secret, now=timezone.now())
        pasted.set()
        other.join(0.3)
    other.join(10)

    assert sentences == [keys.KEPT_ELSEWHERE]
    assert (states(north)[1:], states(south)[1:]) == ([("second", State.CHECKING)], [])


def test_a_digest_of_before_is_renewed_when_a_worker_opens_the_key(north: Hosting, south: Hosting) -> None:
    digest = north.credential().key_digest
    for hosting in (north, south):
        with hosting.context():
            Credential.objects.update(key_digest=f"made for {hosting.label} of {hosting.provider.code} only"[:64])

    north.sync()
    assert north.credential().key_digest == digest

    with south.context():  # what a neighbour has by now is not opened any more
        theirs = Credential.objects.get()
        theirs.sealed_api_key = seal(north.pool.key("alpha").api_key, theirs.place("api_key"))
        theirs.save(update_fields=["sealed_api_key"])
    (run,) = sync.sync_provider(south.provider.pk, only=Subject.REWARDS, now=timezone.now())
    assert run.error == keys.KEPT_ELSEWHERE
    assert (south.credential().state, south.credential().problem) == (State.REFUSED, keys.KEPT_ELSEWHERE)


def test_a_wrong_secret_is_refused_by_the_pool_and_can_be_pasted_again(north: Hosting) -> None:
    key = add_key(north.pool, "beta")
    wrong = paste(north, key.api_key, "0" * 64)

    with pytest.raises(Refused, match="key and secret do not belong together"):
        north.verify(wrong)
    assert states(north) == [("main", State.ACTIVE), ("second", State.REFUSED)]

    assert north.verify(paste(north, key.api_key, key.secret)).state == State.ACTIVE
    assert states(north)[1:] == [("second", State.RETIRED), ("second", State.ACTIVE)]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"enabled": False}, "switched off"),
        ({"permissions": []}, "MINING_POOL"),
        ({"endpoints": ["accounts"]}, "may not use rewards"),
    ],
)
def test_a_key_that_may_not_read_is_refused(north: Hosting, change: dict[str, Any], sentence: str) -> None:
    key = add_key(north.pool, "beta")
    north.pool.edit("set_key", api_key=key.api_key, **change)

    with pytest.raises(Refused, match=sentence):
        north.verify(paste(north, key.api_key, key.secret))

    with north.context():
        credential = Credential.objects.get(label="second")
    assert (credential.state, sentence in credential.problem) == (State.REFUSED, True)


def test_a_new_key_takes_over_without_a_gap(north: Hosting) -> None:
    north.sync_all()
    old = north.credential()
    key = add_key(north.pool, "alpha")
    new = paste(north, key.api_key, key.secret, "main")
    assert states(north) == [("main", State.ACTIVE), ("main", State.CHECKING)]
    assert north.sync().state == SyncRun.State.OK  # with the old one

    north.verify(new)

    assert states(north) == [("main", State.RETIRED), ("main", State.ACTIVE)]
    with north.context():
        retired = Credential.objects.get(pk=old.pk)
    assert (retired.sealed_api_key, retired.sealed_secret) == ("", "")
    north.pool.edit("set_key", api_key=north.pool.key("alpha").api_key, enabled=False)
    assert north.sync().state == SyncRun.State.OK


def test_a_key_is_replaced_while_a_reading_with_the_old_one_is_under_way(north: Hosting, settings: Any) -> None:
    settings.POOL_RETRY_BUDGET_SECONDS = 10.0
    north.sync_all()
    key = add_key(north.pool, "alpha")
    new = paste(north, key.api_key, key.secret, "main")
    north.pool.fault("delay", endpoint="hashrate", seconds=2, times=3)  # the three calls of the reading
    done: list[SyncRun] = []

    def read() -> None:
        try:
            done.extend(sync.sync_provider(north.provider.pk, only=Subject.HASHRATE, now=timezone.now()))
        finally:
            connection.close()

    reading = threading.Thread(target=read)
    reading.start()
    deadline = time.monotonic() + 10
    while not any(fault["struck"] == 3 for fault in north.pool.faults()["active"]):
        assert time.monotonic() < deadline
    north.verify(new)
    assert reading.is_alive()
    assert states(north) == [("main", State.RETIRED), ("main", State.ACTIVE)]
    reading.join(10)

    assert [(run.state, run.error) for run in done] == [(SyncRun.State.OK, "")]
    assert {run.state for run in north.sync_all()} == {SyncRun.State.OK}


# --- What a key may use


def test_a_key_that_may_use_everything_is_told_what_it_reads_and_acts_stay_unknown(north: Hosting) -> None:
    accounts = accounts_at_pool(north)
    north.pool.clear_log()

    credential = north.verify(north.credential())

    assert credential.endpoints == dict.fromkeys(set(ENDPOINTS) - set(ACTING), True)
    assert (credential.accounts_seen, credential.problem) == (3, "")
    assert accounts_at_pool(north) == accounts
    assert set(north.pool.calls()) >= set(ENDPOINTS)


def test_a_key_that_lacks_a_right_to_act_is_active_and_says_so(north: Hosting) -> None:
    key = add_key(north.pool, "beta")
    allowed = [*NEEDED, "miners/info", "accounts/create", "watcher-links/create"]
    north.pool.edit("set_key", api_key=key.api_key, endpoints=allowed)
    before = north.pool.truth()["users"]

    credential = north.verify(paste(north, key.api_key, key.secret))

    # It may not edit payouts, and was told so for an impossible request: rights come first, so the others are there.
    assert credential.endpoints == {endpoint: endpoint in allowed for endpoint in ENDPOINTS}
    assert (credential.state, credential.accounts_seen) == (State.ACTIVE, len(accounts_at_pool(north, "beta")))
    assert credential.problem.startswith("This key may not use hashrate, payout-destination, ")
    assert [user["accounts"] for user in north.pool.truth()["users"]] == [user["accounts"] for user in before]

    north.pool.edit("set_key", api_key=key.api_key, endpoints=None)
    assert north.verify(credential).problem == ""


def test_a_right_that_the_pool_does_not_tell_is_left_out(north: Hosting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_check, "PATIENCE_SECONDS", 0.5)
    key = add_key(north.pool, "beta")
    north.pool.fault("http_503", endpoint="miners/info")
    north.pool.fault("reset", endpoint="watcher-links/create")

    credential = north.verify(paste(north, key.api_key, key.secret))

    assert (credential.state, credential.problem) == (State.ACTIVE, "")
    assert set(credential.endpoints) == set(ENDPOINTS) - set(ACTING) - {"miners/info"}


def test_a_request_that_asks_for_a_right_is_one_that_cannot_do_anything() -> None:
    names = re.compile(r"[A-Za-z0-9_]{1,255}")
    for endpoint in ACTING:
        for account in (None, "alpha_east"):
            for value in harmless(endpoint, account).values():
                for text in value if isinstance(value, list) else [value]:
                    assert not names.fullmatch(str(text)), endpoint


# --- How a key fares


def days_silent(days: float, **fields: Any) -> keys.Health:
    now = timezone.now()
    given = {"state": State.ACTIVE, "last_success_at": now - timedelta(days=days)} | fields
    return keys.health(Credential(**given), now)


@pytest.mark.parametrize(
    ("days", "level", "days_left", "words"),
    [
        (-0.01, "ok", 14, "answers this key"),
        (2.99, "ok", 11, "answers this key"),
        (3, "warn", 11, "for 3 days and switches it off in 11 days."),
        (6.99, "warn", 7, "for 6 days and switches it off in 7 days."),
        (7, "alarm", 7, "for 7 days and switches it off in 7 days."),
        (12.5, "alarm", 1, "for 12 days and switches it off in 1 day."),
        (13.5, "alarm", 0, "for 13 days and switches it off within a day."),
        (14, "alarm", 0, "for 14 days, and switches off what is not used for 14."),
    ],
)
def test_silence_is_a_warning_after_three_days_and_an_alarm_after_seven(
    days: float, level: str, days_left: int, words: str
) -> None:
    health = days_silent(days)

    assert (health.level, health.days_left) == (level, days_left)
    assert words in health.sentence


def test_a_key_that_is_not_in_use_has_no_health() -> None:
    assert days_silent(1, last_success_at=None).level == "unknown"
    refused = days_silent(1, state=State.REFUSED, problem="The pool has this key switched off.")
    assert (refused.level, refused.silent_for, refused.sentence) == (
        "unknown",
        None,
        "The pool has this key switched off.",
    )


def test_a_touch_is_one_call_that_keeps_a_key_alive(north: Hosting) -> None:
    credential, later = north.credential(), timezone.now() + timedelta(days=1)
    north.pool.clear_log()

    key_check.touch(north.provider.pk, credential.pk, now=later)

    assert sum(north.pool.calls().values()) == 1
    assert north.credential().last_success_at == later


def test_a_touch_that_fails_is_noted_and_a_refused_one_ends_the_key(north: Hosting) -> None:
    credential, later = north.credential(), timezone.now() + timedelta(days=1)
    north.pool.fault("http_503")
    key_check.touch(north.provider.pk, credential.pk, now=later)
    tried = north.credential()
    assert (tried.state, tried.last_success_at, tried.checked_at) == (State.ACTIVE, credential.last_success_at, later)

    north.pool.clear_faults()
    north.pool.edit("set_key", api_key=north.pool.key("alpha").api_key, enabled=False)
    key_check.touch(north.provider.pk, credential.pk, now=later)
    assert north.credential().state == State.REFUSED
    key_check.touch(north.provider.pk, credential.pk, now=later)  # not in use any more: nothing to do


def test_the_key_of_another_user_is_refused_by_its_accounts(north: Hosting) -> None:
    north.sync_all()

    with pytest.raises(Refused, match="does not see the account 'alpha_east' that 'main' has"):
        north.verify(north.paste("beta"))

    assert states(north) == [("main", State.ACTIVE), ("main", State.REFUSED)]


def test_the_key_of_another_user_with_the_same_names_is_refused_by_its_rewards(north: Hosting) -> None:
    north.pool.reset(world="daytime", now="2026-10-20T15:00:00Z")  # both users have north and south, and no more
    north.sync_all()

    with pytest.raises(Refused, match="sees other rewards"):
        north.verify(north.paste("beta"))


def test_a_pool_that_is_away_leaves_the_key_to_be_checked(north: Hosting) -> None:
    key = add_key(north.pool, "beta")
    credential = paste(north, key.api_key, key.secret)
    north.pool.fault("http_503")

    with pytest.raises(Refused, match="out of order or in maintenance"):
        north.verify(credential)
    assert states(north)[1:] == [("second", State.CHECKING)]

    north.pool.clear_faults()
    assert north.verify(credential).state == State.ACTIVE


def test_a_refused_key_is_sent_no_more_until_it_is_verified_again(north: Hosting) -> None:
    north.sync_all()
    api_key = north.pool.key("alpha").api_key
    north.pool.edit("set_key", api_key=api_key, enabled=False)
    refused = north.sync()
    north.pool.clear_log()

    assert north.sync_all() == []
    assert north.pool.calls() == {}
    assert (refused.state, "switched off" in refused.error) == (SyncRun.State.FAILED, True)
    assert north.credential().state == State.REFUSED

    north.pool.edit("set_key", api_key=api_key, enabled=True)
    with north.context():
        keys.ask_verification(north.access, north.credential(), now=timezone.now())
    north.verify(north.credential())
    assert north.sync().state == SyncRun.State.OK


def test_a_right_that_only_some_readings_need_stops_only_those(north: Hosting) -> None:
    north.sync_all()
    endpoints = ["accounts", "rewards", "miners/info", "payout-destination", "watcher-links/list"]
    north.pool.edit("set_key", api_key=north.pool.key("alpha").api_key, endpoints=endpoints)

    runs = {run.subject: run.state for run in north.sync_all()}

    assert runs == dict.fromkeys(["accounts", "rewards", "workers", "payouts", "watchers"], "ok") | {
        "hashrate": "failed"
    }
    credential = north.credential()
    assert (credential.state, "may not use hashrate" in credential.problem) == (State.ACTIVE, True)
