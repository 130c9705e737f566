"""What people do with an alert: take it, give it to somebody, write down what is known. In the caller's transaction and
the access's context; audited. What ends it is its cause."""

from __future__ import annotations

from datetime import datetime

from customers import audit
from customers.errors import Refused
from customers.models import MemberKind, Membership
from customers.tenancy import Access
from mining.models import Alert

LONGEST_NOTE = 500


def acknowledge(access: Access, alert: Alert, *, now: datetime) -> Alert:
    """Somebody sees to it: it is not told again. Twice is once."""
    locked = _locked(access, alert)
    if locked.acknowledged_at is not None:
        return locked
    _check_open(locked)
    locked.acknowledged_at, locked.acknowledged_by = now, access.actor
    locked.save(update_fields=["acknowledged_at", "acknowledged_by"])
    audit.record(access, "alert.acknowledged", locked.code, now=now, kind=locked.kind)
    return locked


def assign(access: Access, alert: Alert, *, to: Membership | None, now: datetime) -> Alert:
    """To one of the provider's staff; None: to nobody. Who has it has to see to it, so it counts as acknowledged."""
    if to is not None and (to.kind != MemberKind.STAFF or not to.is_active):
        raise Refused("An alert is given to somebody on the staff.", code="alert.assignee_unknown")
    locked = _locked(access, alert)
    _check_open(locked)
    locked.assigned_to = to
    locked.save(update_fields=["assigned_to"])
    audit.record(access, "alert.assigned", locked.code, now=now, to=None if to is None else to.code)
    return locked if to is None else acknowledge(access, locked, now=now)


def note(access: Access, alert: Alert, *, text: str, now: datetime) -> Alert:
    """What is known of it, in place of the note before; of one that has ended too."""
    text = text.strip()
    if len(text) > LONGEST_NOTE:
        raise Refused("A note has at most 500 characters.", code="alert.note_too_long")
    locked = _locked(access, alert)
    if text == locked.note:
        return locked
    locked.note, locked.noted_by = text, access.actor if text else ""
    locked.save(update_fields=["note", "noted_by"])
    audit.record(access, "alert.noted", locked.code, now=now, kind=locked.kind)
    return locked


def _locked(access: Access, alert: Alert) -> Alert:
    return Alert.objects.visible_to(access).select_for_update(of=("self",)).get(pk=alert.pk)


def _check_open(alert: Alert) -> None:
    if alert.ended_at is not None:
        raise Refused("This alert has ended.", code="alert.ended")
