"""What use tells of a key's rights: the acts cannot be tried out, so the first real one tells."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from mining import intents
from mining.intents.kinds import ACTS
from mining.keys import health as key_health
from mining.keys import store as key_store
from mining.models import Credential, MiningAccount, PoolIntent
from mining.pool.rights import ACTING, ENDPOINTS
from tests.mining.hosting import Hosting
from tests.mining.links.watching import Watched, watched
from tests.refusals import refused

ADDRESS = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
EDIT = "payout-destination/edit"
READ = dict.fromkeys(set(ENDPOINTS) - set(ACTING), True)


@pytest.fixture
def account(north: Hosting) -> Watched:
    seen = watched(north)
    north.sync("payouts")
    return seen


def edit_payout(account: Watched, *, after: timedelta = timedelta()) -> PoolIntent:
    with account.hosting.context():
        mine = MiningAccount.objects.get(pk=account.account.pk)
        to_us = mine.payout_destination == "main_balance"
        intent = intents.plan_edit(
            account.hosting.access,
            mine,
            destination="external_address" if to_us else "main_balance",
            address=ADDRESS if to_us else None,
            approved_by="two@north.example",
            now=account.now + after,
        )
    account.look(intent, after=after)
    return account.intents(pk=intent.pk)[0]


def forbid(account: Watched, *endpoints: str) -> None:
    allowed = [endpoint for endpoint in ENDPOINTS if endpoint not in endpoints]
    account.hosting.pool.edit("set_key", api_key=account.hosting.pool.key("alpha").api_key, endpoints=allowed)


def test_every_act_names_the_endpoint_that_it_calls() -> None:
    assert sorted(act.endpoint for act in ACTS.values()) == sorted(["", *ACTING])


def test_an_act_that_succeeds_is_noted_with_its_day_and_a_verification_keeps_it(account: Watched) -> None:
    assert account.hosting.credential().endpoints == READ
    account.hosting.pool.clear_log()

    edit_payout(account)

    day = account.now.date().isoformat()
    assert account.hosting.credential().endpoints == READ | {EDIT: day}
    calls = account.hosting.pool.calls()
    assert {endpoint: calls.get(endpoint, 0) for endpoint in ACTING} == dict.fromkeys(ACTING, 0) | {EDIT: 1}
    assert account.hosting.verify(account.hosting.credential()).endpoints == READ | {EDIT: day}


def test_an_act_that_the_pool_denies_is_noted_and_so_is_the_next_that_it_does(account: Watched) -> None:
    edit_payout(account)
    forbid(account, EDIT)

    denied = edit_payout(account, after=timedelta(days=1))

    assert (denied.state, denied.attempts) == (PoolIntent.State.PLANNED, 0)
    key = account.hosting.credential()
    assert (key.state, key.endpoints) == (Credential.State.ACTIVE, READ | {EDIT: False})
    assert key.problem == f"This key may not use {EDIT}: allow that in WhiteBIT's API settings, then check it again."

    forbid(account)
    account.look(denied, after=timedelta(days=1, minutes=2))

    key = account.hosting.credential()
    assert (key.problem, key.endpoints[EDIT]) == ("", (account.now + timedelta(days=1, minutes=2)).date().isoformat())


def test_an_act_that_succeeds_leaves_a_problem_about_something_else_alone(account: Watched) -> None:
    with account.hosting.context():
        Credential.objects.update(problem="This key works, but sees other rewards.")

    edit_payout(account)

    assert account.hosting.credential().problem == "This key works, but sees other rewards."


def test_each_reading_that_is_denied_stands_in_the_problem(account: Watched) -> None:
    forbid(account, "hashrate", "miners/info")

    account.hosting.sync_all()

    key = account.hosting.credential()
    assert {endpoint for endpoint, told in key.endpoints.items() if told is False} == {"hashrate", "miners/info"}
    assert key.problem.startswith("This key may not use ")
    assert {"hashrate", "miners/info"} <= set(key.problem.replace(":", "").replace(",", "").split())


def test_a_key_that_was_replaced_is_not_written_to(north: Hosting) -> None:
    key = key_store.open_key(north.provider.pk, north.login_id)
    with north.context():
        Credential.objects.update(state=Credential.State.RETIRED)

    key_health.note_use(key, EDIT, now=timezone.now())

    with north.context():
        assert EDIT not in Credential.objects.get().endpoints


def test_why_a_key_was_refused_stays_while_the_pool_is_away(north: Hosting) -> None:
    with north.context():
        Credential.objects.update(state=Credential.State.REFUSED, problem="The pool has this key switched off.")
    north.pool.fault("http_503")

    with refused("key.check_failed"):
        north.verify(north.credential())

    assert north.credential().problem == "The pool has this key switched off."
