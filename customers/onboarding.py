"""Hand over access: create a provider, invite staff and customers' people, accept an invitation."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from customers import audit, tenancy
from customers.models import (
    Customer,
    Invitation,
    MemberKind,
    Membership,
    Provider,
    ProviderProfile,
    Role,
    User,
)
from customers.tenancy import Access, Kind

INVITATION_LIFETIME = timedelta(days=7)


def create_provider(*, slug: str, name: str, now: datetime) -> Access:
    """A new tenant, and the access of the operator's command to it (for the first invitation)."""
    with transaction.atomic():
        provider = Provider.objects.create(slug=slug, name=name)
        access = Access(kind=Kind.SYSTEM, provider=provider, label="operator")
        with tenancy.access_context(access):
            ProviderProfile.objects.create(provider=provider, legal_name=name)
            audit.record(access, "provider.created", provider.code, now=now)
    return access


@dataclass(frozen=True, slots=True)
class Invited:
    invitation: Invitation
    secret: str  # goes into the link of the mail, and nowhere else


def invite(
    access: Access, *, email: str, kind: MemberKind, role: Role, customer: Customer | None = None, now: datetime
) -> Invited:
    """A new invitation; an open one to the same address and place is revoked, so only the last link works."""
    email = email.strip().lower()
    open_before = Invitation.objects.visible_to(access).filter(
        email=email, kind=kind, customer=customer, accepted_at=None, revoked_at=None
    )
    open_before.update(revoked_at=now)
    secret = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        provider=access.provider,
        kind=kind,
        customer=customer,
        role=role,
        email=email,
        digest=tenancy.digest(secret),
        invited_by=access.user,
        created_at=now,
        expires_at=now + INVITATION_LIFETIME,
    )
    audit.record(access, "invitation.sent", invitation.code, now=now, email=email, role=role)
    return Invited(invitation, secret)


def find_invitation(secret: str) -> Invitation | None:
    """None also while its provider is suspended: nobody comes in meanwhile."""
    with tenancy.lookup_context(secret):
        invitations = Invitation.objects.filter(provider__status=Provider.Status.ACTIVE)
        return invitations.select_related("provider").filter(digest=tenancy.digest(secret)).first()


class InvitationGone(Exception):
    """Used, revoked, expired, or meant for another address."""


def accept_invitation(secret: str, user: User, *, now: datetime) -> Membership:
    """Make the user a member. The claim is a conditional UPDATE: two clicks make one membership."""
    invitation = find_invitation(secret)
    if invitation is None or invitation.email != user.email or not invitation.is_open(now):
        raise InvitationGone
    with tenancy.provider_context(invitation.provider_id):
        claimed = Invitation.objects.filter(
            provider=invitation.provider_id, pk=invitation.pk, accepted_at=None, revoked_at=None
        ).update(accepted_at=now)
        if not claimed:
            raise InvitationGone
        membership, _ = Membership.objects.update_or_create(
            provider=invitation.provider,
            user=user,
            customer=invitation.customer,
            defaults={"kind": invitation.kind, "role": invitation.role, "is_active": True},
            create_defaults={
                "kind": invitation.kind,
                "role": invitation.role,
                "created_at": now,
            },
        )
        access = Access(kind=Kind(invitation.kind), provider=invitation.provider, user=user)
        audit.record(access, "invitation.accepted", invitation.code, now=now, role=invitation.role)
    return membership
