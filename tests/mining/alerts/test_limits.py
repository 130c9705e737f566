"""When an account is an alert: hashrate, rejected shares, data and rewards, by what is stored of it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from mining import alerts
from mining.alerts import rules
from mining.models import Alert, AlertKind, AlertRule, HashratePoint, HashratePoint5m, MiningAccount, OpenCoverage
from tests.world import NOW, Tenant, World, make_reward

pytestmark = pytest.mark.django_db
Kind = AlertKind
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def watched(world: World) -> Tenant:
    """Nothing but the fleet's rules of accounts, without grace."""
    north = world.north
    with north.context():
        rules.make_missing(north.provider.pk)
        AlertRule.objects.update(grace_minutes=0, clear_minutes=0, repeat_minutes=None)
        HashratePoint.objects.filter(provider=north.provider).delete()
    return north


def hashes(tenant: Tenant, ths: float, *, until: datetime, rejected: str = "0.001") -> None:
    """The half-hour before, in five minutes."""
    account = tenant.clients[0].account
    with tenant.context():
        HashratePoint5m.objects.filter(provider=tenant.provider, mining_account=account).delete()
        HashratePoint5m.objects.bulk_create(
            HashratePoint5m(
                provider=tenant.provider, mining_account=account, customer=account.customer,
                at=until.replace(second=0, microsecond=0) - 5 * number * MINUTE, hashrate_ths=Decimal(str(ths)),
                reject_rate=Decimal(rejected),
            )
            for number in range(6)
        )  # fmt: skip


def used_to_hash(tenant: Tenant, ths: int) -> None:
    account = tenant.clients[0].account
    with tenant.context():
        HashratePoint.objects.bulk_create(
            HashratePoint(
                provider=tenant.provider, mining_account=account, customer=account.customer,
                at=NOW.replace(minute=0) - number * HOUR, hashrate_ths=Decimal(ths),
            )
            for number in range(1, 25)
        )  # fmt: skip


def found(tenant: Tenant, *kinds: AlertKind, now: datetime) -> list[tuple[str, bool]]:
    alerts.refresh(tenant.provider.pk, now=now)
    with tenant.context():
        rows = Alert.objects.filter(kind__in=kinds, for_customer=None).order_by("pk")
        return [(row.kind, row.is_open) for row in rows]


def test_hashrate_is_low_under_its_limit_and_over_only_above_the_other(watched: Tenant) -> None:
    used_to_hash(watched, 100)

    def after(ths: float, *, minutes: int) -> list[tuple[str, bool]]:
        now = NOW + minutes * MINUTE
        hashes(watched, ths, until=now)
        return found(watched, Kind.HASHRATE_LOW, now=now)

    assert after(70, minutes=0) == []
    assert after(69.9, minutes=5) == [("hashrate_low", True)]
    assert after(74.9, minutes=10) == [("hashrate_low", True)]  # between the two
    assert found(watched, Kind.HASHRATE_LOW, now=NOW + 45 * MINUTE) == [("hashrate_low", True)]  # not read: unknown
    assert after(75, minutes=50) == [("hashrate_low", False)]


def test_a_mean_that_falls_with_the_hashrate_ends_nothing(watched: Tenant) -> None:
    used_to_hash(watched, 100)
    hashes(watched, 50, until=NOW)
    assert found(watched, Kind.HASHRATE_LOW, now=NOW) == [("hashrate_low", True)]
    with watched.context():
        HashratePoint.objects.filter(provider=watched.provider).update(hashrate_ths=Decimal(50))
    hashes(watched, 50, until=NOW + 5 * MINUTE)
    assert found(watched, Kind.HASHRATE_LOW, now=NOW + 5 * MINUTE) == [("hashrate_low", True)]


def test_without_half_a_day_to_hold_it_against_nothing_is_low(watched: Tenant) -> None:
    hashes(watched, 1, until=NOW)
    assert found(watched, Kind.HASHRATE_LOW, now=NOW) == []


def test_rejected_shares(watched: Tenant) -> None:
    steps = []
    for minutes, rejected in ((0, "0.0199"), (5, "0.02"), (10, "0.016"), (15, "0.0149")):
        now = NOW + minutes * MINUTE
        hashes(watched, 100, until=now, rejected=rejected)
        steps.append(found(watched, Kind.REJECT_RATE, now=now))
    assert steps == [[], [("reject_rate", True)], [("reject_rate", True)], [("reject_rate", False)]]


def test_data_that_was_not_read_for_too_long(watched: Tenant) -> None:
    account = watched.clients[0].account

    def read(at: datetime) -> None:
        with watched.context():
            key = {"provider": watched.provider, "mining_account": account, "subject": "counts"}
            OpenCoverage.objects.filter(**key).delete()
            OpenCoverage.objects.create(**key, customer=account.customer, from_at=at, until_at=at)

    read(NOW)
    assert found(watched, Kind.DATA_OLD, now=NOW + 29 * MINUTE) == []
    assert found(watched, Kind.DATA_OLD, now=NOW + 30 * MINUTE) == [("data_old", True)]
    read(NOW + 31 * MINUTE)
    assert found(watched, Kind.DATA_OLD, now=NOW + 32 * MINUTE) == [("data_old", False)]


def test_data_of_a_key_that_is_refused_is_told_as_the_key(watched: Tenant) -> None:
    account = watched.clients[0].account
    with watched.context():
        OpenCoverage.objects.create(
            provider=watched.provider, mining_account=account, customer=account.customer, subject="counts",
            from_at=NOW - HOUR, until_at=NOW - HOUR,
        )  # fmt: skip
        type(watched.credential).objects.filter(pk=watched.credential.pk).update(state="refused")
    kinds = (Kind.DATA_OLD, Kind.KEY_REFUSED)
    assert found(watched, *kinds, now=NOW) == [("key_refused", True)]


def test_a_reward_that_is_not_there_by_noon_and_comes_in_the_evening(watched: Tenant) -> None:
    client, yesterday = watched.clients[0], date(2026, 11, 3)
    noon, evening = NOW.replace(hour=12, minute=0), NOW.replace(hour=19)
    used_to_hash(watched, 100)

    def read(at: datetime) -> None:
        with watched.context():
            MiningAccount.objects.filter(pk=client.account.pk).update(
                rewards_read_at=at, first_seen_at="2026-10-01T00Z"
            )

    read(noon - MINUTE)
    assert found(watched, Kind.REWARD_MISSING, now=noon + MINUTE) == []  # nobody has looked since noon
    read(noon)
    assert found(watched, Kind.REWARD_MISSING, now=noon + MINUTE) == [("reward_missing", True)]
    assert found(watched, Kind.REWARD_MISSING, now=evening + 18 * HOUR) == [("reward_missing", True)]
    with watched.context():
        make_reward(client.account, yesterday)
    assert found(watched, Kind.REWARD_MISSING, now=evening + 18 * HOUR) == [("reward_missing", False)]


def test_a_customers_rule_opens_an_alert_of_its_own_and_the_staffs_is_another(watched: Tenant) -> None:
    alder = watched.clients[0]
    used_to_hash(watched, 100)
    with watched.context():
        rule, _ = rules.of_customer(alder.owner.access, alder.customer)
        rules.change(
            alder.owner.access, rule, now=NOW, is_on=True, threshold=Decimal(90), ends_at=Decimal(95), grace_minutes=0
        )
    hashes(watched, 80, until=NOW)
    assert found(watched, Kind.HASHRATE_LOW, now=NOW) == []
    with watched.context():
        (own,) = Alert.objects.visible_to(alder.owner.access)
        assert own.for_customer_id == alder.customer.pk
        assert list(Alert.objects.visible_to(watched.clients[1].owner.access)) == []


def test_a_rule_that_is_switched_off_ends_its_alerts_and_nobody_is_told(watched: Tenant) -> None:
    used_to_hash(watched, 100)
    hashes(watched, 10, until=NOW)
    assert found(watched, Kind.HASHRATE_LOW, now=NOW) == [("hashrate_low", True)]
    with watched.context():
        rule = AlertRule.objects.get(kind=Kind.HASHRATE_LOW)
        rules.change(watched.owner.access, rule, now=NOW, is_on=False)
        assert [(row.ended_at, row.end_told_at) for row in Alert.objects.filter(kind=rule.kind)] == [(NOW, NOW)]
    assert found(watched, Kind.HASHRATE_LOW, now=NOW + MINUTE) == [("hashrate_low", False)]
