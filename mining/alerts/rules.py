"""The rules: useful as they come, without any set-up, and what may be changed of each."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time
from decimal import Decimal
from typing import Any, NamedTuple

from customers import audit
from customers.errors import Refused
from customers.models import Customer
from customers.tenancy import Access
from mining.models import Alert, AlertKind, AlertRule

Kind, Unit = AlertKind, AlertRule.Unit
MOST_MINUTES = 7 * 24 * 60
MOST = {
    Unit.PERCENT: Decimal(100),
    Unit.COUNT: Decimal(10) ** 6,
    Unit.THS: Decimal(10) ** 9,
    Unit.MINUTES: Decimal(MOST_MINUTES),
}


class Standard(NamedTuple):
    """A rule as it comes, and the units in which its limit can be said."""

    units: tuple[AlertRule.Unit, ...]
    fields: Mapping[str, Any]


STANDARD: dict[AlertKind, Standard] = {
    Kind.WORKERS_OFFLINE: Standard(
        (Unit.PERCENT, Unit.COUNT),
        {"threshold": Decimal(20), "ends_at": Decimal(10), "grace_minutes": 10, "repeat_minutes": 60},
    ),
    Kind.HASHRATE_LOW: Standard(
        (Unit.PERCENT, Unit.THS),
        {"threshold": Decimal(70), "ends_at": Decimal(75), "grace_minutes": 15, "clear_minutes": 10},
    ),
    Kind.WORKER_DOWN: Standard((Unit.MINUTES,), {"threshold": Decimal(60), "clear_minutes": 10}),
    Kind.REJECT_RATE: Standard(
        (Unit.PERCENT,), {"threshold": Decimal(2), "ends_at": Decimal("1.5"), "grace_minutes": 30, "clear_minutes": 10}
    ),
    Kind.DATA_OLD: Standard((Unit.MINUTES,), {"threshold": Decimal(30)}),
    Kind.REWARD_MISSING: Standard((), {"by_time": time(12)}),
    # Of the pool and the money: there is no limit to set, and they cannot be switched off.
    Kind.PAYOUT_DRIFT: Standard((), {}),
    Kind.KEY_REFUSED: Standard((), {}),
    Kind.KEY_QUIET: Standard((), {}),
    Kind.KEY_SILENT: Standard((), {}),
    Kind.BILLED_IN_DOUBT: Standard((), {}),
    Kind.ACT_IN_DOUBT: Standard((), {}),
}
OF_ACCOUNTS = (Kind.WORKERS_OFFLINE, Kind.HASHRATE_LOW, Kind.REJECT_RATE, Kind.DATA_OLD, Kind.REWARD_MISSING)
OF_FLEET = (*OF_ACCOUNTS, Kind.WORKER_DOWN)
# What a customer may have told of its own machines.
OF_CUSTOMERS = (Kind.HASHRATE_LOW, Kind.WORKER_DOWN)
# Beyond which the limit stands: there it ends above, elsewhere below.
FALLS = (Kind.HASHRATE_LOW,)


def standard(kind: AlertKind, *, provider_id: int, customer: Customer | None = None) -> AlertRule:
    """As it comes, not stored. A customer's is off until somebody there wants it."""
    kept = STANDARD[kind]
    unit = kept.units[0] if kept.units else ""
    return AlertRule(
        provider_id=provider_id, kind=kind, customer=customer, is_on=customer is None, unit=unit, **kept.fields
    )


def make_missing(provider_id: int) -> None:
    there = set(AlertRule.objects.filter(provider=provider_id, customer=None).values_list("kind", flat=True))
    missing = [standard(kind, provider_id=provider_id) for kind in STANDARD if kind not in there]
    if missing:
        AlertRule.objects.bulk_create(missing, ignore_conflicts=True)


def of_customer(access: Access, customer: Customer) -> list[AlertRule]:
    """All that the customer can have, stored or as they come."""
    rows = {rule.kind: rule for rule in AlertRule.objects.visible_to(access).filter(customer=customer)}
    return [
        rows.get(kind) or standard(kind, provider_id=access.provider.pk, customer=customer) for kind in OF_CUSTOMERS
    ]


def change(access: Access, rule: AlertRule, *, now: datetime, **fields: Any) -> AlertRule:
    """Set what is named; a rule that is switched off ends its alerts, and nobody is told that they are over. In the
    caller's transaction."""
    before = {name: getattr(rule, name) for name in fields}
    for name, value in fields.items():
        setattr(rule, name, value)
    changed = [name for name in fields if before[name] != fields[name]]
    if not changed and rule.pk is not None:
        return rule
    _check(rule)
    rule.save()
    if not rule.is_on:
        unended = Alert.objects.filter(
            provider=access.provider, kind=rule.kind, for_customer=rule.customer_id, ended_at=None
        )
        unended.filter(opened_at=None).delete()
        unended.update(ended_at=now, end_told_at=now)
    told = {name: None if (value := getattr(rule, name)) is None else str(value) for name in changed}
    audit.record(access, "alert_rule.changed", rule.code, now=now, kind=rule.kind, **told)
    return rule


def _check(rule: AlertRule) -> None:
    kind = AlertKind(rule.kind)
    units = STANDARD[kind].units
    if not rule.is_on and kind not in OF_FLEET:
        raise Refused("What the pool does is always told: this cannot be switched off.", code="rule.always_on")
    if rule.unit not in (units or ("",)):
        raise Refused("This rule is not said in that unit.", code="rule.unit_unknown")
    if units:
        most = MOST[Unit(rule.unit)]
        limits = [rule.threshold] if rule.ends_at is None else [rule.threshold, rule.ends_at]
        if any(limit is None or not 0 < limit <= most for limit in limits):
            raise Refused(
                "The limit is more than 0 and at most %(most)s.",
                code="rule.limit_out_of_range",
                params={"most": str(most)},
            )
        _check_end(rule, kind)
    if (rule.by_time is None) != (kind != Kind.REWARD_MISSING) or (not units and (rule.threshold or rule.ends_at)):
        raise Refused("This rule has no such limit.", code="rule.no_limit")
    minutes = (rule.grace_minutes, rule.clear_minutes, rule.repeat_minutes or 1, rule.group_minutes)
    if max(minutes) > MOST_MINUTES or rule.repeat_minutes == 0 or not 1 <= rule.group_percent <= 100:
        raise Refused("A rule waits for a week at the most.", code="rule.wait_out_of_range")


def _check_end(rule: AlertRule, kind: AlertKind) -> None:
    assert rule.threshold is not None
    if rule.ends_at is None:
        return
    if rule.ends_at < rule.threshold if kind in FALLS else rule.ends_at > rule.threshold:
        raise Refused(
            "It has to end on the other side of the limit at which it begins.", code="rule.ends_before_it_begins"
        )
