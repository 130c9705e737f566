"""The monthly tables: made ahead, dropped by age, told of by readiness; and series that follow their account."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.db.utils import ProgrammingError
from django.utils import timezone

from customers.models import Customer
from mining.fleet import partitions
from mining.models import Counts, HashratePoint, MiningAccount
from portal import health
from portal.database import as_owner
from tests.world import World

AT = datetime(2026, 11, 4, 14, tzinfo=UTC)


def months(parent: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT right(inhrelid::regclass::text, 6) FROM pg_inherits WHERE inhparent = %s::regclass ORDER BY 1",
            [parent],
        )
        return [month for (month,) in cursor.fetchall()]


def counts_of(account: MiningAccount, at: datetime = AT) -> Counts:
    return Counts(
        provider_id=account.provider_id, mining_account=account, at=at, not_before=at, online=1, low=0, offline=0
    )


@pytest.mark.django_db(transaction=True)
def test_keeping_makes_what_is_missing_and_drops_what_is_old() -> None:
    with as_owner(), connection.cursor() as cursor:
        newest = months("mining_counts")[-1]
        cursor.execute(f"DROP TABLE mining_counts_p{newest}")
        cursor.execute("SELECT mining_make_partitions('2020-01-01', '2020-02-01')")
    assert months("mining_counts")[:2] == ["202001", "202002"]

    partitions.keep(now=timezone.now())

    assert newest in months("mining_counts")
    assert "202001" not in months("mining_counts")
    assert "202001" not in months("mining_outage")


@pytest.mark.django_db(transaction=True)
def test_a_migrate_makes_the_months_ahead_and_drops_none() -> None:
    with as_owner(), connection.cursor() as cursor:
        newest = months("mining_counts")[-1]
        cursor.execute(f"DROP TABLE mining_counts_p{newest}")
        cursor.execute("SELECT mining_make_partitions('2020-01-01', '2020-01-01')")

    call_command("migrate", verbosity=0, interactive=False)

    assert months("mining_counts")[0] == "202001"
    assert months("mining_counts")[-1] == newest


@pytest.mark.django_db(transaction=True)
def test_what_is_young_is_not_dropped() -> None:
    this_month = f"{timezone.now():%Y%m}"

    partitions.keep(now=timezone.now() + timedelta(days=1))

    assert this_month in months("mining_hashratepoint5m")


@pytest.mark.django_db(transaction=True)
def test_readiness_tells_of_a_month_that_nobody_made() -> None:
    assert health.problems() == []
    ahead = timezone.now() + timedelta(days=60)
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE mining_outage_p{ahead:%Y%m}")

    assert health.problems() == ["partitions"]


def test_the_runtime_reads_no_partition_by_its_own_name(world: World) -> None:
    with world.north.context(), pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        connection.cursor().execute("SELECT * FROM mining_counts_p202611")


def test_a_series_carries_its_accounts_customer_whatever_code_says(world: World) -> None:
    mine, other = world.north.clients
    with world.north.context():
        rows = [counts_of(mine.account), counts_of(other.account)]
        rows[0].customer = other.customer  # a mistake

        Counts.objects.bulk_create(rows)

        kept = dict(Counts.objects.values_list("mining_account", "customer"))
    assert kept == {mine.account.pk: mine.customer.pk, other.account.pk: other.customer.pk}


def test_a_series_of_no_account_is_refused(world: World) -> None:
    with world.north.context(), pytest.raises(IntegrityError, match="no such mining account"), transaction.atomic():
        counts = counts_of(world.north.clients[0].account)
        counts.mining_account_id = world.south.clients[0].account.pk
        counts.save(force_insert=True)


def test_an_account_that_is_given_to_a_customer_takes_its_series_along(world: World) -> None:
    north = world.north
    with north.context():
        account = MiningAccount.objects.create(
            provider=north.provider, login=north.login, name="free", state="active", first_seen_at=AT
        )
        counts_of(account).save(force_insert=True)
        HashratePoint.objects.create(provider=north.provider, mining_account=account, at=AT, hashrate_ths=1)
        taker = Customer.objects.create(provider=north.provider, name="New", email="n@n.example", created_at=AT)
        MiningAccount.objects.filter(pk=account.pk).update(customer=taker)

        assert Counts.objects.get(mining_account=account).customer_id == taker.pk
        assert HashratePoint.objects.get(mining_account=account).customer_id == taker.pk


def test_the_customer_of_a_series_is_nothing_that_code_may_write(world: World) -> None:
    client = world.north.clients[0]
    with world.north.context(), pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        HashratePoint.objects.filter(mining_account=client.account).update(customer=world.north.clients[1].customer)
