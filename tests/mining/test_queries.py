"""What pages read: gaps are None, old is old, and nobody sees a neighbour's."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers import tenancy
from customers.models import Customer
from mining import queries
from mining.models import HashratePoint, MiningAccount, SyncRun
from tests.world import NOW, ClientOfProvider, Tenant, World

HOUR = timedelta(hours=1)


def add_point(tenant: Tenant, client: ClientOfProvider, hours_ago: int, ths: str) -> None:
    at = NOW.replace(minute=0) - hours_ago * HOUR
    HashratePoint.objects.update_or_create(
        provider=tenant.provider, mining_account=client.account, at=at, defaults={"hashrate_ths": Decimal(ths)}
    )


def fresh(client: ClientOfProvider) -> MiningAccount:
    return MiningAccount.objects.get(pk=client.account.pk)


def test_a_series_has_every_hour_and_none_where_nothing_is_known(world: World) -> None:
    tenant, client = world.north, world.north.clients[0]
    with tenancy.access_context(tenant.owner.access):
        HashratePoint.objects.all().delete()
        add_point(tenant, client, 3, "100")
        add_point(tenant, client, 1, "120")

        hours = queries.hashrate_series(tenant.owner.access, client.account, now=NOW, hours=5)

    assert [hour.hashrate_ths for hour in hours] == [None, Decimal(100), None, Decimal(120), None]
    assert [hour.at for hour in hours] == [NOW.replace(minute=0) - n * HOUR for n in (4, 3, 2, 1, 0)]


def test_the_sum_tells_how_many_accounts_are_in_it(world: World) -> None:
    tenant = world.north
    with tenancy.access_context(tenant.owner.access):
        HashratePoint.objects.all().delete()
        add_point(tenant, tenant.clients[0], 2, "100")
        add_point(tenant, tenant.clients[1], 2, "50")
        add_point(tenant, tenant.clients[0], 1, "100")

        hours = queries.total_series(tenant.owner.access, now=NOW, hours=3)

    told = [(hour.hashrate_ths, hour.accounts, hour.missing) for hour in hours]
    assert told == [(Decimal(150), 2, 0), (Decimal(100), 1, 1), (None, 0, 2)]


def test_an_account_is_missing_from_its_first_hour_on_and_not_once_its_customer_left(world: World) -> None:
    tenant = world.north
    first, second = tenant.clients
    with tenancy.access_context(tenant.owner.access):
        HashratePoint.objects.all().delete()
        MiningAccount.objects.filter(pk=first.account.pk).update(first_seen_at=NOW - 30 * HOUR)
        MiningAccount.objects.filter(pk=second.account.pk).update(first_seen_at=NOW - HOUR)
        add_point(tenant, second, 3, "50")  # the pool knew it before we did

        def told() -> list[tuple[int, int]]:
            hours = queries.total_series(tenant.owner.access, now=NOW, hours=5)
            return [(hour.accounts, hour.missing) for hour in hours]

        assert told() == [(0, 1), (1, 1), (0, 2), (0, 2), (0, 2)]
        Customer.objects.filter(pk=first.customer.pk).update(status="closed", closed_at=NOW)
        assert told() == [(0, 0), (1, 0), (0, 1), (0, 1), (0, 1)]


@pytest.mark.parametrize(("hours_ago", "current"), [(1, Decimal(7)), (3, None)])
def test_an_old_point_is_the_last_known_and_not_now(world: World, hours_ago: int, current: Decimal | None) -> None:
    tenant, client = world.north, world.north.clients[0]
    with tenancy.access_context(tenant.owner.access):
        HashratePoint.objects.all().delete()
        add_point(tenant, client, hours_ago, "7")

        found = queries.current_hashrate(tenant.owner.access, client.account, now=NOW)

    assert (found.hashrate_ths, found.last_known_ths) == (current, Decimal(7))
    assert found.age == NOW - (NOW.replace(minute=0) - hours_ago * HOUR)


def test_an_account_without_points_is_unknown(world: World) -> None:
    tenant, client = world.north, world.north.clients[0]
    with tenancy.access_context(tenant.owner.access):
        HashratePoint.objects.all().delete()

        found = queries.current_hashrate(tenant.owner.access, client.account, now=NOW)

    assert found == queries.UNKNOWN_HASHRATE


def test_a_list_of_current_hashrates_is_one_query(world: World) -> None:
    tenant = world.north
    with tenancy.access_context(tenant.owner.access):
        for count in (1, 2):
            with CaptureQueriesContext(connection) as made:
                queries.current_hashrates(
                    tenant.owner.access, [client.account for client in tenant.clients[:count]], now=NOW
                )
            assert len(made) == 1


def test_workers_never_read_are_unknown_and_not_zero(world: World) -> None:
    tenant, client = world.north, world.north.clients[0]
    known = queries.workers(client.account, now=NOW + HOUR)
    assert (known.online, known.total, known.age) == (50, 52, HOUR)

    unread = queries.workers(MiningAccount(provider=tenant.provider), now=NOW)
    assert (unread.online, unread.total, unread.age) == (None, None, None)


def test_data_is_as_old_as_its_oldest_part(world: World) -> None:
    account = world.north.clients[0].account
    account.rewards_read_at = None
    assert queries.account_age(account, now=NOW) is None

    account.rewards_read_at = NOW - 3 * HOUR
    assert queries.account_age(account, now=NOW) == 3 * HOUR


def test_staff_see_how_each_subject_goes(world: World) -> None:
    tenant = world.north
    with tenancy.access_context(tenant.owner.access):
        failed = SyncRun.objects.create(
            provider=tenant.provider,
            login=tenant.login,
            subject="rewards",
            state="failed",
            queued_at=NOW,
            started_at=NOW,
        )

        (entry,) = queries.subjects(tenant.owner.access)

        assert (entry.newest, entry.newest_done) == (failed, tenant.run)
        assert queries.provider_age(tenant.owner.access, now=NOW + HOUR) == HOUR


def test_a_customer_sees_its_own_and_nothing_else(world: World) -> None:
    mine, other = world.north.clients
    access = mine.owner.access
    with tenancy.access_context(access):
        assert queries.account_of(access, mine.customer) == mine.account
        assert queries.account_of(access, other.customer) is None
        assert queries.current_hashrate(access, other.account, now=NOW) == queries.UNKNOWN_HASHRATE
        assert {hour.accounts for hour in queries.total_series(access, now=NOW)} == {0, 1}
        assert queries.unassigned_accounts(access) == []
        assert queries.subjects(access) == []


def test_neighbours_see_nothing_of_each_other(world: World) -> None:
    access: Any = world.south.owner.access
    theirs = world.north.clients[0]
    with tenancy.access_context(access):
        assert queries.account_of(access, theirs.customer) is None
        assert all(hour.hashrate_ths is None for hour in queries.hashrate_series(access, theirs.account, now=NOW))
        assert [entry.newest.pk for entry in queries.subjects(access)] == [world.south.run.pk]
