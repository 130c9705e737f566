"""A customer leaves, and may come back: its people are out, and nothing new begins for it until it is opened again."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from customers import audit
from customers.errors import Refused
from customers.models import Customer, Invitation, Membership
from customers.tenancy import Access

Status = Customer.Status


def held_open(access: Access, customer: Customer) -> Customer:
    """The customer's row, held against being closed meanwhile: whatever begins something for a customer asks for it."""
    held = Customer.objects.visible_to(access).select_for_update(no_key=True).get(pk=customer.pk)
    if held.status == Status.CLOSED:
        raise Refused("%(customer)s is closed. Open it again first.", code="customer.closed", params=_named(held))
    return held


def close(access: Access, customer: Customer, *, now: datetime) -> None:
    """End the access of all its people. Whether money is open is asked one room up: billing/leaving.py."""
    with transaction.atomic():
        held = held_open(access, customer)
        # Invitations first: one that is being accepted at this moment is waited for, and its member is then seen.
        invitations = Invitation.objects.visible_to(access).filter(customer=held, accepted_at=None, revoked_at=None)
        revoked = invitations.update(revoked_at=now)
        members = Membership.objects.visible_to(access).filter(customer=held, is_active=True)
        ended = members.update(is_active=False)
        _set(held, Status.CLOSED, closed_at=now)
        audit.record(access, "customer.closed", held.code, now=now, members_ended=ended, invitations_revoked=revoked)
    customer.status, customer.closed_at = held.status, held.closed_at


def reopen(access: Access, customer: Customer, *, now: datetime) -> None:
    """Its people are invited anew: whoever left meanwhile shall not come back by this."""
    with transaction.atomic():
        held = Customer.objects.visible_to(access).select_for_update().get(pk=customer.pk)
        if held.status == Status.ACTIVE:
            raise Refused("%(customer)s is not closed.", code="customer.not_closed", params=_named(held))
        _set(held, Status.ACTIVE, closed_at=None)
        audit.record(access, "customer.reopened", held.code, now=now)
    customer.status, customer.closed_at = held.status, held.closed_at


def _set(held: Customer, status: Customer.Status, *, closed_at: datetime | None) -> None:
    held.status, held.closed_at = status, closed_at
    held.save(update_fields=["status", "closed_at"])


def _named(customer: Customer) -> dict[str, str]:
    return {"customer": customer.name}
