"""Who is mailed what, and when not: each person's own wish. Owners of the provider get all staff alerts until they say
otherwise; everybody else gets what they asked for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo, available_timezones

from customers import audit
from customers.errors import Refused
from customers.models import MemberKind, Membership, Role
from customers.tenancy import Access
from mining.alerts.rules import OF_CUSTOMERS
from mining.models import Alert, AlertKind, AlertWishes


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may be mailed, with the wishes in force."""

    user_id: int
    address: str
    customer_id: int | None  # None: on the staff
    wishes: AlertWishes

    def wants(self, alert: Alert) -> bool:
        return alert.for_customer_id == self.customer_id and alert.kind in self.wishes.kinds

    def sleeps(self, alert: Alert, now: datetime) -> bool:
        """Whether it waits for the end of the quiet hours. That something is over wakes nobody."""
        wakes = self.wishes.alarms_wake and alert.level == Alert.Level.ALARM and alert.is_open
        return not wakes and is_quiet(self.wishes, now)


def is_quiet(wishes: AlertWishes, now: datetime) -> bool:
    begin, end = wishes.quiet_from, wishes.quiet_until
    if begin is None or end is None:
        return False
    moment = now.astimezone(ZoneInfo(wishes.time_zone)).time()
    return begin <= moment < end if begin <= end else moment >= begin or moment < end


def people(access: Access) -> list[Person]:
    """All who could be mailed, in the order in which they came. Two queries."""
    rows = {row.membership_id: row for row in AlertWishes.objects.visible_to(access)}
    active = Membership.objects.visible_to(access).filter(is_active=True, user__is_active=True)
    return [
        Person(
            membership.user_id,
            membership.user.email,
            membership.customer_id,
            rows.get(membership.pk) or standard(membership),
        )
        for membership in active.select_related("user").order_by("pk")
    ]


def standard(membership: Membership) -> AlertWishes:
    """Not stored."""
    is_owner = membership.kind == MemberKind.STAFF and membership.role == Role.OWNER
    kinds = [kind.value for kind in AlertKind] if is_owner else []
    return AlertWishes(
        provider_id=membership.provider_id, membership=membership, customer_id=membership.customer_id, kinds=kinds
    )


def wishes_of(access: Access) -> AlertWishes:
    """One's own."""
    assert access.membership is not None
    return AlertWishes.objects.visible_to(access).filter(membership=access.membership).first() or standard(
        access.membership
    )


def change(
    access: Access,
    *,
    kinds: Collection[str],
    quiet_from: time | None,
    quiet_until: time | None,
    time_zone: str,
    alarms_wake: bool,
    now: datetime,
) -> AlertWishes:
    """One's own. In the caller's transaction."""
    wishes = wishes_of(access)
    known = OF_CUSTOMERS if wishes.customer_id else tuple(AlertKind)
    if not set(kinds) <= {kind.value for kind in known}:
        raise Refused("There is no such alert.", code="wishes.kind_unknown")
    if (quiet_from is None) != (quiet_until is None) or (quiet_from is not None and quiet_from == quiet_until):
        raise Refused("Quiet hours have a beginning and another end.", code="wishes.hours_incomplete")
    if time_zone not in available_timezones():
        raise Refused("There is no such time zone.", code="wishes.time_zone_unknown")
    wishes.kinds = [kind.value for kind in known if kind.value in kinds]
    wishes.quiet_from, wishes.quiet_until = quiet_from, quiet_until
    wishes.time_zone, wishes.alarms_wake = time_zone, alarms_wake
    wishes.save()
    assert access.membership is not None
    audit.record(
        access, "alert_wishes.changed", access.membership.code, now=now, kinds=" ".join(wishes.kinds),
        quiet=f"{quiet_from:%H:%M}-{quiet_until:%H:%M} {time_zone}" if quiet_from and quiet_until else None,
    )  # fmt: skip
    return wishes
