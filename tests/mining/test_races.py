"""What two hands do at the same moment: a sync's batch, staff that give an account away, an intent that fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from customers.models import Customer
from mining import accounts, intents, planner, runs
from mining.models import MiningAccount, PoolIntent, Reward, SyncRun
from mining.models.runs import Subject
from mining.payouts import agreements
from mining.pool.listings import rewards as listings
from tests.mining.hosting import Hosting
from tests.mining.links.watching import watched
from tests.waiting import ended, in_thread, waits_for_us
from tests.world import FIRST_DAY, NOW, Tenant, World, make_reward


def customer_of(tenant: Tenant) -> Customer:
    return Customer.objects.create(provider=tenant.provider, name="New", email="new@x.example", created_at=NOW)


@pytest.mark.django_db(transaction=True)
def test_a_reward_stored_while_its_account_is_given_away_follows_it(world: World) -> None:
    north = world.north
    with north.context():
        stray = MiningAccount.objects.create(
            provider=north.provider, login=north.login, name="stray", state="active", first_seen_at=NOW
        )
        customer = customer_of(north)

    def give_away() -> None:
        with north.context():
            accounts.assign_account(
                north.system, customer, account_name="stray", adopt=True, login=north.login, now=NOW
            )

    with north.context():
        reward = make_reward(stray, FIRST_DAY)
        staff = in_thread(give_away)
        assert waits_for_us(staff)  # or it would leave the new row behind
    ended(staff)
    with north.context():
        assert MiningAccount.objects.get(pk=stray.pk).customer == customer
        assert Reward.objects.get(pk=reward.pk).customer == customer


@pytest.mark.django_db
def test_an_account_that_got_rewards_is_not_taken_away_when_its_creation_fails(world: World) -> None:
    north = world.north
    with north.context():
        placeholder = accounts.assign_account(
            north.system, customer_of(north), account_name="fresh", adopt=False, login=north.login, now=NOW
        )
        intent = PoolIntent.objects.select_related("mining_account", "provider").get(mining_account=placeholder)
        make_reward(placeholder, FIRST_DAY)
    intents.fail(intent, "The name is taken.", now=NOW)
    with north.context():
        intent.refresh_from_db()
        assert intent.state == PoolIntent.State.UNKNOWN
        assert "look whose account it is" in intent.problem
        assert MiningAccount.objects.filter(pk=placeholder.pk).exists()


def test_a_first_reading_that_could_not_be_made_whole_is_made_again(
    north: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = listings.read_login

    def torn(pool: Any, **rest: Any) -> Iterator[listings.Listing]:
        (true,) = whole(pool, **rest)
        moments = sorted({listed.record.reward_at for listed in true.records})
        later = [listed for listed in true.records if listed.record.reward_at > moments[3]]
        yield listings.Listing(later, [], consistent=False)

    monkeypatch.setattr(listings, "read_login", torn)
    first = north.sync()
    assert (first.state, first.depth) == ("partial", "")
    assert "did not hold still" in first.error
    monkeypatch.undo()
    assert (north.sync().depth, north.told()) == ("full", north.truth())


def test_a_renewal_holds_nothing_that_somebody_who_agrees_to_a_payout_waits_for(north: Hosting) -> None:
    account = watched(north)
    north.sync("payouts")
    account.made(renews=True)
    account.later(days=6, hours=1)
    with north.context():
        edit = intents.plan_edit(
            north.access, account.account, destination="main_balance", address=None, approved_by="two", now=account.now
        )
    account.later(minutes=16)  # the link is to be renewed, and the edit has not gone out in time

    with north.context():
        PoolIntent.objects.select_for_update().get(pk=edit.pk)
        plan = in_thread(lambda: planner.plan(north.provider.pk, now=account.now))
        assert waits_for_us(plan)
        MiningAccount.objects.select_for_update(no_key=True, nowait=True).get(pk=account.account.pk)
    ended(plan)

    assert len(account.links()) == 2


def test_who_agrees_to_a_payout_waits_for_a_plan_while_holding_nothing_that_the_plan_wants(north: Hosting) -> None:
    account = watched(north)
    north.sync("payouts")
    north.pool.edit("set_payout", login="alpha", account="south", destination="main_balance")
    north.sync("payouts")
    with north.context():
        edit = intents.plan_edit(
            north.access, account.account, destination="main_balance", address=None, approved_by="two", now=account.now
        )

    def agree() -> None:
        with north.context():
            agreements.accept(
                north.access, account.account, destination="main_balance", address=None, now=account.later()
            )

    with north.context():  # as a plan that opens its runs first, and then gives up edits that did not go out
        run, _ = runs.open_run(north.provider.pk, north.login_id, Subject.PAYOUTS, now=account.now)
        person = in_thread(agree)
        assert waits_for_us(person)
        PoolIntent.objects.select_for_update(no_key=True, nowait=True).get(pk=edit.pk)
        MiningAccount.objects.select_for_update(no_key=True, nowait=True).get(pk=account.account.pk)
    ended(person)

    (settled,) = account.intents(pk=edit.pk)
    assert settled.state == PoolIntent.State.DONE  # what was agreed to is what it wanted
    with north.context():
        assert SyncRun.objects.get(pk=run.pk).asked
