"""Days of which the pool should list a reward and lists none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers import tenancy
from mining.models import HashratePoint24h, MiningAccount, Reward
from mining.rewards.absent import absent
from tests.world import FIRST_DAY, NOW, Tenant, World, make_reward

pytestmark = pytest.mark.django_db
NOVEMBER = date(2026, 11, 1)


@pytest.fixture
def north(world: World) -> Iterator[Tenant]:
    """Its first account has rewards of the 1st to the 3rd, the second one too."""
    with tenancy.access_context(world.north.system):
        yield world.north


def october(day: int) -> date:
    return FIRST_DAY.replace(day=day)


def found(tenant: Tenant, *, since: date | None = None, before: date = NOVEMBER) -> list[tuple[str, int, int]]:
    return [
        (entry.account_name, entry.first_day.day, entry.last_day.day)
        for entry in absent(tenant.system, customers=None, since=since, before=before)
    ]


def hashed(account: MiningAccount, day: date, ths: int = 100) -> None:
    at = datetime(day.year, day.month, day.day, tzinfo=NOW.tzinfo)
    HashratePoint24h.objects.create(provider_id=account.provider_id, mining_account=account, at=at, hashrate_ths=ths)


def test_days_between_two_rewards_are_absent_one_row_for_those_that_follow_each_other(north: Tenant) -> None:
    account = north.clients[0].account
    for day in (5, 9):
        make_reward(account, october(day))
    assert found(north) == [("client_0", 6, 8), ("client_0", 4, 4)]
    assert found(north, since=october(7), before=october(8)) == [("client_0", 7, 7)]


def test_nothing_is_absent_before_the_first_reward_and_after_the_newest(north: Tenant) -> None:
    assert found(north) == []


def test_a_day_on_which_it_hashed_is_due_though_no_reward_lies_beyond_it(north: Tenant) -> None:
    account = north.clients[0].account
    MiningAccount.objects.filter(pk=account.pk).update(rewards_read_at=NOW)
    hashed(account, date(2026, 9, 30))
    hashed(account, october(5))
    hashed(account, october(20), ths=0)
    hashed(account, NOW.date() - timedelta(days=1))  # its reward may come yet
    assert found(north, since=date(2026, 9, 1)) == [("client_0", 4, 5), ("client_0", 30, 30)]


def test_a_reward_that_the_pool_canceled_or_lists_no_more_is_a_row_of_its_own(north: Tenant) -> None:
    second = north.clients[0].rewards[1]
    Reward.objects.filter(pk=second.pk).update(status="canceled")
    assert found(north) == []


def test_a_customer_is_told_its_own_and_a_neighbour_nothing(world: World) -> None:
    mine, other = world.north.clients
    with tenancy.access_context(world.north.system):
        for client in world.north.clients:
            make_reward(client.account, october(5))
    with tenancy.access_context(mine.owner.access):
        for customers in (None, [mine.customer.pk, other.customer.pk]):
            entries = absent(mine.owner.access, customers=customers, since=None, before=NOVEMBER)
            assert [entry.account for entry in entries] == [mine.account.code]
    with tenancy.access_context(world.south.system):
        assert absent(world.south.system, customers=None, since=FIRST_DAY, before=NOVEMBER) == []


def test_it_costs_one_query_however_many_are_absent(north: Tenant) -> None:
    for client, days in zip(north.clients, ((5, 7, 9), (5,)), strict=True):
        for day in days:
            make_reward(client.account, october(day))
        with CaptureQueriesContext(connection) as made:
            found(north)
        assert len(made) == 1
