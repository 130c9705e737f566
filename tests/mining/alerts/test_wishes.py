"""Who is mailed what, and when not."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from django.core import mail

from mining.alerts import rules, wishes
from mining.models import Alert, AlertKind, AlertWishes
from portal.alerts.mails import mail_alerts
from tests.refusals import refused
from tests.world import NOW, Person, Tenant, World

pytestmark = pytest.mark.django_db
Kind = AlertKind


@pytest.fixture
def north(world: World) -> Tenant:
    return world.north


def wish(tenant: Tenant, person: Person, *kinds: AlertKind, **fields: Any) -> None:
    given: dict[str, Any] = {"quiet_from": None, "quiet_until": None, "time_zone": "UTC", "alarms_wake": True}
    with tenant.context():
        wishes.change(person.access, kinds=[kind.value for kind in kinds], now=NOW, **given | fields)


def stands(tenant: Tenant, kind: AlertKind = Kind.WORKERS_OFFLINE, *, client: int = 0, **fields: Any) -> Alert:
    hosted = tenant.clients[client]
    with tenant.context():
        rules.make_missing(tenant.provider.pk)
        return Alert.objects.create(
            provider=tenant.provider, kind=kind, customer=hosted.customer, mining_account=hosted.account,
            **{"stood_at": NOW, "opened_at": NOW, "value": 3, "base": 4} | fields,
        )  # fmt: skip


def mailed(tenant: Tenant, *, minutes: int = 0) -> list[str]:
    before = len(mail.outbox)
    mail_alerts(tenant.provider.pk, now=NOW + timedelta(minutes=minutes))
    return [to for message in mail.outbox[before:] for to in message.to]


def test_each_person_gets_the_kinds_that_were_asked_for(north: Tenant) -> None:
    wish(north, north.owner, Kind.KEY_REFUSED)
    wish(north, north.support, Kind.WORKERS_OFFLINE)
    stands(north)
    assert mailed(north) == ["support@north.example"]


def test_an_owner_who_said_nothing_gets_all_staff_alerts_and_no_customers(north: Tenant) -> None:
    stands(north)
    stands(north, Kind.HASHRATE_LOW, for_customer=north.clients[0].customer)
    assert mailed(north) == ["owner@north.example"]
    assert "1 more" not in mail.outbox[0].subject


def test_a_customers_own_alert_goes_to_its_users_who_want_it_and_to_nobody_else(north: Tenant) -> None:
    alder, birch = north.clients
    for who in (alder.viewer, birch.owner, north.support):
        wish(north, who, Kind.HASHRATE_LOW)
    stands(north, Kind.HASHRATE_LOW, for_customer=alder.customer)
    assert mailed(north) == [alder.viewer.user.email]
    assert mail.outbox[0].subject == "Northmere Hosting: Hashrate at 75 % of its usual 4 TH/s"
    assert "/staff/" not in mail.outbox[0].body


def test_quiet_hours_hold_back_what_is_no_alarm_until_they_are_over(north: Tenant) -> None:
    wish(north, north.owner, *Kind, quiet_from=time(14), quiet_until=time(15))  # it is 14:32
    stands(north, Kind.REJECT_RATE, value="0.04")
    assert [mailed(north, minutes=minutes) for minutes in (0, 20)] == [[], []]
    stands(north, Kind.WORKERS_OFFLINE, opened_at=NOW + timedelta(minutes=20))
    assert mailed(north, minutes=20) == ["owner@north.example"]  # an alarm wakes
    assert mailed(north, minutes=40) == ["owner@north.example"]
    assert "rejected" in mail.outbox[1].subject


def test_what_is_over_wakes_nobody_and_is_told_in_the_morning(north: Tenant) -> None:
    alert = stands(north)
    assert mailed(north) == ["owner@north.example"]
    wish(north, north.owner, *Kind, quiet_from=time(14), quiet_until=time(15))
    with north.context():
        Alert.objects.filter(pk=alert.pk).update(ended_at=NOW + timedelta(minutes=5))
    assert mailed(north, minutes=6) == []
    assert mailed(north, minutes=40) == ["owner@north.example"]
    assert mail.outbox[1].subject.startswith("Northmere Hosting: over: ")


@pytest.mark.parametrize(
    ("hour", "quiet"), [(21, True), (5, True), (6, False), (20, False)]
)  # UTC; Oslo is an hour ahead in November
def test_quiet_hours_cross_midnight_in_the_zone_of_the_person(hour: int, quiet: bool) -> None:
    row = AlertWishes(quiet_from=time(22), quiet_until=time(7), time_zone="Europe/Oslo")
    assert wishes.is_quiet(row, datetime(2026, 11, 4, hour, tzinfo=UTC)) is quiet


def test_wishes_that_make_no_sense_are_refused(north: Tenant) -> None:
    with refused("wishes.hours_incomplete"):
        wish(north, north.owner, quiet_from=time(22))
    with refused("wishes.time_zone_unknown"):
        wish(north, north.owner, time_zone="Mars/Olympus")
    with refused("wishes.kind_unknown"):
        wish(north, north.clients[0].owner, Kind.KEY_REFUSED)
