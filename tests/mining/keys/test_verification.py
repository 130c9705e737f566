"""How a worker checks a key: whether it works, is its login's, and what it may use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from customers.errors import Refused
from customers.models import AuditEntry
from mining.keys import store as key_store
from mining.keys import verification
from mining.keys.store import NEEDED_ENDPOINTS as NEEDED
from mining.models import Credential, SyncRun
from mining.pool.client import PoolClient
from mining.pool.limits.rate_limit import Priority
from mining.pool.rights import ACTING, ENDPOINTS, harmless
from tests.mining.hosting import Hosting
from tests.mining.keys.pasting import accounts_at_pool, add_key, newest, paste, states
from tests.mining.pool.contract import request_judge
from tests.refusals import refused
from tests.waiting import ended, in_thread

State = Credential.State


def test_a_good_key_becomes_active(north: Hosting) -> None:
    credential = north.credential()

    assert (credential.state, credential.problem) == (State.ACTIVE, "")
    assert credential.verified_at is not None
    with north.context():
        (run,) = SyncRun.objects.all()
    assert (run.subject, run.state, run.calls >= 2) == ("key", SyncRun.State.OK, True)


def test_a_wrong_secret_is_refused_by_the_pool_and_can_be_pasted_again(north: Hosting) -> None:
    key = add_key(north.pool, "beta")
    wrong = paste(north, key.api_key, "0" * 64)

    with refused("key.not_accepted"):
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

    with refused("key.not_accepted"):
        north.verify(paste(north, key.api_key, key.secret))

    with north.context():
        credential = Credential.objects.get(login__name="second")
    assert (credential.state, sentence in credential.problem) == (State.REFUSED, True)


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
    monkeypatch.setattr(verification, "RIGHT_DEADLINE_SECONDS", 0.5)
    key = add_key(north.pool, "beta")
    north.pool.fault("http_503", endpoint="miners/info")
    north.pool.fault("reset", endpoint="watcher-links/create")

    credential = north.verify(paste(north, key.api_key, key.secret))

    assert (credential.state, credential.problem) == (State.ACTIVE, "")
    assert set(credential.endpoints) == set(ENDPOINTS) - set(ACTING) - {"miners/info"}


def test_a_pool_that_did_the_impossible_is_told_and_not_passed_over(
    north: Hosting, caplog: pytest.LogCaptureFixture
) -> None:
    key = add_key(north.pool, "beta")
    north.pool.fault("oversized_body", endpoint="accounts/create", phase="before", bytes=0)  # 200, and good JSON

    credential = north.verify(paste(north, key.api_key, key.secret))

    assert (credential.state, credential.endpoints["accounts/create"]) == (State.ACTIVE, True)
    assert credential.problem.startswith("The pool answered accounts/create as if it had done what")
    assert "pool_did_the_impossible" in caplog.text


def test_a_request_that_asks_for_a_right_breaks_more_rules_than_one() -> None:
    good: dict[str, Any] = {
        "name": "a",
        "referralCode": "a",
        "accountName": "a",
        "destination": "main_balance",
        "address": "1BoatSLRHtKNngkdXEeobR76b53LETtpyT",
        "accounts": ["a"],
        "permissions": ["rewards"],
        "liveUntil": "1h",
    }
    for endpoint in ACTING:
        path, asked = f"/api/v4/mining/{endpoint}", harmless(endpoint, None)
        whole = {"request": path, "nonce": 1, **asked}
        assert request_judge(path).is_valid(whole | {name: good[name] for name in asked})
        for name in asked:
            assert not request_judge(path).is_valid(whole | {name: good[name]}), (endpoint, name)


def test_a_request_that_asks_for_a_right_is_one_that_cannot_do_anything() -> None:
    names = re.compile(r"[A-Za-z0-9_]{1,255}")
    for endpoint in ACTING:
        for account in (None, "alpha_east"):
            for value in harmless(endpoint, account).values():
                for text in value if isinstance(value, list) else [value]:
                    assert not names.fullmatch(str(text)), endpoint


def test_the_key_of_another_user_is_refused_by_its_accounts(north: Hosting) -> None:
    north.sync_all()

    with refused("key.of_other_user"):
        north.verify(north.paste("beta"))

    assert states(north) == [("main", State.ACTIVE), ("main", State.REFUSED)]


def test_the_key_of_another_user_with_the_same_names_is_refused_by_its_rewards(north: Hosting) -> None:
    north.pool.reset(world="daytime", now="2026-10-20T15:00:00Z")  # both users have north and south, and no more
    north.sync_all()

    with refused("key.of_other_user"):
        north.verify(north.paste("beta"))


def test_a_key_in_use_is_not_refused_for_an_odd_list(north: Hosting) -> None:
    north.sync_all()
    north.pool.fault("vanishing_record", endpoint="accounts", times=1)

    assert north.verify(north.credential()).problem == ""  # the second list has it

    north.pool.edit("remove_account", login="alpha", account="alpha_east")
    credential = north.verify(north.credential())
    assert (credential.state, states(north)) == (State.ACTIVE, [("main", State.ACTIVE)])
    assert credential.problem.startswith("This key works, but does not see the account 'alpha_east' that 'main' has")


def test_a_person_s_check_goes_first_and_the_daily_one_of_a_refused_key_does_not(
    north: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_with: set[Priority] = set()
    make = key_store.OpenKey.client

    def client(key: key_store.OpenKey, **options: Any) -> PoolClient:
        asked_with.add(options["priority"])
        return make(key, **options)

    monkeypatch.setattr(key_store.OpenKey, "client", client)
    for state, priority in [(State.ACTIVE, Priority.PERSON), (State.REFUSED, Priority.ACCOUNTS)]:
        with north.context():
            Credential.objects.update(state=state)
        asked_with.clear()
        north.verify(north.credential())
        assert asked_with == {priority}


# --- By a worker that lacks the private key


def test_a_key_is_not_lost_to_a_worker_that_cannot_open_it(north: Hosting, settings: Any) -> None:
    key = add_key(north.pool, "beta")
    new = paste(north, key.api_key, key.secret)
    whole, settings.POOL_SEALING_PRIVATE_KEYS = settings.POOL_SEALING_PRIVATE_KEYS, {}

    for credential in (north.credential(), new):
        with refused("key.not_opened"):
            north.verify(credential)

    assert states(north) == [("main", State.ACTIVE), ("second", State.CHECKING)]
    assert north.credential().problem == ""
    waiting = newest(north)
    assert "no private key" in waiting.problem
    assert waiting.checked_at is not None  # so it is dispatched at again after a while, and not each minute
    settings.POOL_SEALING_PRIVATE_KEYS = whole
    assert [north.verify(credential).problem for credential in (north.credential(), waiting)] == ["", ""]


def test_a_refused_key_keeps_its_try_of_the_day_for_a_worker_that_can_open_it(north: Hosting, settings: Any) -> None:
    tried = timezone.now() - timedelta(hours=25)
    with north.context():
        Credential.objects.update(state=State.REFUSED, problem="Switched off.", checked_at=tried)
    whole, settings.POOL_SEALING_PRIVATE_KEYS = settings.POOL_SEALING_PRIVATE_KEYS, {}

    with refused("key.not_opened"):
        north.verify(north.credential())

    untried = north.credential()
    assert (untried.state, untried.problem, untried.checked_at) == (State.REFUSED, "Switched off.", tried)
    settings.POOL_SEALING_PRIVATE_KEYS = whole
    assert north.verify(untried).state == State.ACTIVE


def test_a_key_that_was_changed_where_it_lies_is_refused_unless_it_is_in_use(north: Hosting) -> None:
    key = add_key(north.pool, "beta")
    new = paste(north, key.api_key, key.secret)
    with north.context():
        Credential.objects.update(sealed_secret=new.sealed_api_key)

    for credential in (north.credential(), new):
        with refused("key.unreadable"):
            north.verify(credential)

    assert states(north) == [("main", State.ACTIVE), ("second", State.REFUSED)]


# --- Thrown away or replaced while the pool is asked


@contextmanager
def during_the_check(hosting: Hosting, credential: Credential) -> Iterator[list[str]]:
    """The body runs while the worker's first question is on its way; the list has what the worker was told."""
    told: list[str] = []
    hosting.pool.hold("rewards")

    def check() -> None:
        try:
            hosting.verify(credential)
        except Refused as refusal:
            told.append(refusal.code)

    worker = in_thread(check)
    hosting.pool.until_struck()
    yield told
    hosting.pool.clear_faults()
    ended(worker)


def test_a_key_that_is_thrown_away_while_it_is_checked_does_not_take_over(north: Hosting) -> None:
    key = add_key(north.pool, "alpha")
    new = paste(north, key.api_key, key.secret, "main")

    with during_the_check(north, new) as told, north.context():
        key_store.withdraw(north.access, new, now=timezone.now())

    assert told == ["key.gone"]
    assert states(north) == [("main", State.ACTIVE), ("main", State.RETIRED)]
    assert north.credential().sealed_secret != ""
    assert north.sync().state == SyncRun.State.OK


def test_a_key_that_is_replaced_while_it_is_refused_stays_replaced(north: Hosting) -> None:
    north.sync_all()
    key = add_key(north.pool, "beta")  # not the login's: to be refused
    new = paste(north, key.api_key, key.secret, "main")

    with during_the_check(north, new):
        again = paste(north, key.api_key, key.secret, "main")

    assert states(north) == [("main", State.ACTIVE), ("main", State.RETIRED), ("main", State.CHECKING)]
    assert newest(north).pk == again.pk
    with north.context():
        assert not AuditEntry.objects.filter(action="credential.refused").exists()
        assert Credential.objects.get(pk=new.pk).problem == ""


def test_an_older_key_does_not_take_over_from_a_newer_one_that_works(north: Hosting) -> None:
    keys_at_pool = add_key(north.pool, "alpha"), add_key(north.pool, "alpha")
    older, newer = (paste(north, key.api_key, key.secret, "main") for key in keys_at_pool)

    north.verify(newer)
    with refused("key.replaced"):
        north.verify(older)

    assert states(north) == [("main", State.RETIRED), ("main", State.RETIRED), ("main", State.ACTIVE)]
    assert (north.credential().pk, north.sync().state) == (newer.pk, SyncRun.State.OK)


def test_a_pool_that_is_away_leaves_the_key_to_be_checked(north: Hosting) -> None:
    key = add_key(north.pool, "beta")
    credential = paste(north, key.api_key, key.secret)
    north.pool.fault("http_503")

    with refused("key.check_failed"):
        north.verify(credential)
    assert states(north)[1:] == [("second", State.CHECKING)]

    north.pool.clear_faults()
    assert north.verify(credential).state == State.ACTIVE
