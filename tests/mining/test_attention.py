"""What needs a person is decided once: what the overview tells and what opens an alert are the same, at each moment."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from customers import tenancy
from mining import alerts
from mining.attention import (
    ACT_IN_DOUBT,
    PAYOUT_DRIFT,
    Code,
    OfAccount,
    OfIntent,
    OfKey,
    Severity,
    attention,
    key_causes,
)
from mining.models import Alert, Credential, MiningAccount, PoolIntent
from tests.world import NOW, Tenant, World

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
CAUSES = {cause.code: cause.alert for cause in (PAYOUT_DRIFT, ACT_IN_DOUBT, *key_causes(NOW))}


@pytest.fixture
def north(world: World) -> Tenant:
    return world.north


def told(tenant: Tenant, *, now: datetime = NOW) -> list[tuple[Code, Severity]]:
    with tenancy.access_context(tenant.system):
        return [(Code(row.code), row.severity) for row in attention(tenant.owner.access, now=now)]


def alerting(tenant: Tenant, *, now: datetime = NOW) -> set[str]:
    """The kinds of alerts that are open, which must be those of the causes that are told."""
    alerts.refresh(tenant.provider.pk, now=now)
    with tenancy.access_context(tenant.system):
        kinds = set(Alert.objects.filter(ended_at=None).values_list("kind", flat=True))
    assert kinds == {CAUSES[code].value for code, _ in told(tenant, now=now) if code in CAUSES}
    return kinds


def set_key(tenant: Tenant, **facts: object) -> None:
    with tenancy.access_context(tenant.system):
        Credential.objects.filter(pk=tenant.credential.pk).update(**facts)


@pytest.mark.parametrize(
    ("silent_for", "code", "severity"),
    [
        (timedelta(days=3) - SECOND, None, None),
        (timedelta(days=3), Code.KEY_QUIET, Severity.UNKNOWN),
        (timedelta(days=7) - SECOND, Code.KEY_QUIET, Severity.UNKNOWN),
        (timedelta(days=7), Code.KEY_SILENT, Severity.DOWN),
        (timedelta(days=70), Code.KEY_SILENT, Severity.DOWN),
    ],
)
def test_a_silent_key_is_told_and_alerted_from_the_same_second(
    north: Tenant, silent_for: timedelta, code: Code | None, severity: Severity | None
) -> None:
    set_key(north, last_success_at=NOW - silent_for)

    assert told(north) == ([(code, severity)] if code else [])
    assert alerting(north) == ({CAUSES[code].value} if code else set())


def test_a_refused_key_is_an_alert_only_when_it_had_worked_and_severe_when_nothing_else_reads(north: Tenant) -> None:
    set_key(north, state="refused", verified_at=NOW - timedelta(days=9))
    assert (told(north), alerting(north)) == ([(Code.KEY_REFUSED, Severity.DOWN)], {"key_refused"})

    set_key(north, verified_at=None)
    alerts.refresh(north.provider.pk, now=NOW)
    assert told(north) == [(Code.KEY_NOT_ACCEPTED, Severity.DOWN)]

    with tenancy.access_context(north.system):
        Credential.objects.create(
            provider=north.provider, label="main", state="active", key_digest="2", key_hint="x", created_at=NOW
        )
    assert told(north) == [(Code.KEY_NOT_ACCEPTED, Severity.LOW)]


def test_a_drift_and_an_act_in_doubt_are_told_and_alerted_with_their_rows(north: Tenant) -> None:
    account = north.clients[0].account
    with tenancy.access_context(north.system):
        MiningAccount.objects.filter(pk=account.pk).update(payout_drift_since=NOW - timedelta(days=2))
        intent = PoolIntent.objects.create(
            provider=north.provider, kind="create_link", state="unknown", customer=north.clients[1].customer,
            label="main", account_name="client_1", created_at=NOW,
        )  # fmt: skip
        drift, doubt = attention(north.owner.access, now=NOW)

    assert drift == OfAccount(
        code=Code.PAYOUT_DRIFT, severity=Severity.DOWN, since=NOW - timedelta(days=2), account=account
    )
    assert doubt == OfIntent(code=Code.ACT_IN_DOUBT, severity=Severity.UNKNOWN, since=NOW, intent=intent)
    assert alerting(north) == {"payout_drift", "act_in_doubt"}


def test_an_act_that_does_not_go_out_is_told_after_five_minutes_and_is_no_alert(north: Tenant) -> None:
    with tenancy.access_context(north.system):
        PoolIntent.objects.create(
            provider=north.provider, kind="create_link", state="planned", customer=north.clients[1].customer,
            label="main", account_name="client_1", created_at=NOW,
        )  # fmt: skip
    minutes = timedelta(minutes=5)

    assert told(north, now=NOW + minutes - SECOND) == []
    assert told(north, now=NOW + minutes) == [(Code.ACT_STUCK, Severity.UNKNOWN)]
    assert alerting(north, now=NOW + minutes) == set()


def test_a_key_is_told_once_however_much_is_wrong_with_it(north: Tenant) -> None:
    set_key(north, last_success_at=NOW - timedelta(days=8), problem="This key may not use hashrate: allow that.")
    with tenancy.access_context(north.system):
        (row,) = attention(north.owner.access, now=NOW)

    assert isinstance(row, OfKey)
    assert (row.code, row.since, row.credential) == (Code.KEY_SILENT, NOW - timedelta(days=8), north.credential)


def test_the_neighbours_trouble_is_not_told(world: World) -> None:
    set_key(world.south, last_success_at=NOW - timedelta(days=8))

    assert told(world.north) == []
    assert told(world.south) == [(Code.KEY_SILENT, Severity.DOWN)]
