"""Who belongs to a provider's staff or to a customer, after they came in: roles, leaving, and links taken back."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from customers import audit
from customers.errors import Refused
from customers.leaving import held_open
from customers.models import ROLES, Customer, Invitation, MemberKind, Membership, Role
from customers.onboarding import Invited, invite
from customers.tenancy import Access


def invite_member(
    access: Access, *, email: str, kind: MemberKind, role: Role, customer: Customer | None = None, now: datetime
) -> Invited:
    """As onboarding.invite, for a person at the door: whoever is a member already keeps the role until it is changed.

    An invitation that is accepted sets the role. Without this the last owner could be invited as an auditor.
    """
    email = email.strip().lower()
    with transaction.atomic():
        if customer is not None:
            held_open(access, customer)
        members = Membership.objects.visible_to(access).filter(kind=kind, customer=customer, is_active=True)
        if members.filter(user__email=email).exists():
            raise Refused("%(email)s is a member already.", code="member.exists", params={"email": email})
        return invite(access, email=email, kind=kind, role=role, customer=customer, now=now)


def revoke_invitation(access: Access, invitation: Invitation, *, now: datetime) -> None:
    """The link stops working. Harmless when it has been revoked before."""
    invitations = Invitation.objects.visible_to(access).filter(pk=invitation.pk)
    if invitations.filter(accepted_at=None, revoked_at=None).update(revoked_at=now):
        audit.record(access, "invitation.revoked", invitation.code, now=now)
    elif invitations.filter(accepted_at__isnull=False).exists():
        raise Refused(
            "%(email)s has accepted the invitation already. End the membership instead.",
            code="invitation.accepted",
            params={"email": invitation.email},
        )


def change_role(access: Access, membership: Membership, role: Role, *, now: datetime) -> None:
    if role not in ROLES[MemberKind(membership.kind)]:
        raise Refused("There is no such role here.", code="member.role_unknown")
    with transaction.atomic():
        member = _held(access, membership, leaves_owner=role != Role.OWNER)
        if member.role == role:
            return
        before, member.role = member.role, role
        member.save(update_fields=["role"])
        audit.record(access, "member.role_changed", member.code, now=now, before=before, role=role)


def end_membership(access: Access, membership: Membership, *, now: datetime) -> None:
    """End a membership: the person is refused from the next request on, until invited again."""
    with transaction.atomic():
        member = _held(access, membership, leaves_owner=True)
        if not member.is_active:
            return
        member.is_active = False
        member.save(update_fields=["is_active"])
        audit.record(access, "member.ended", member.code, now=now, role=member.role)


def _held(access: Access, membership: Membership, *, leaves_owner: bool) -> Membership:
    """The row, locked; with it every owner's beside it, so that two owners cannot remove each other at once."""
    beside = Membership.objects.visible_to(access).filter(kind=membership.kind, customer=membership.customer_id)
    owners = list(beside.filter(role=Role.OWNER, is_active=True).select_for_update().order_by("pk"))
    member = beside.select_for_update(of=("self",)).select_related("user").get(pk=membership.pk)
    # A customer may be left without an owner: the provider's staff invites the next one.
    staff_owner = member.kind == MemberKind.STAFF and member.role == Role.OWNER and member.is_active
    if staff_owner and leaves_owner and [owner.pk for owner in owners] == [member.pk]:
        raise Refused(
            "%(name)s is the only owner left. Make somebody else an owner first.",
            code="member.last_owner",
            params={"name": member.user.name or member.user.email},
        )
    return member
