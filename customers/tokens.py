"""API tokens: made for a program, with scopes and a last day; revoked; their secret is shown once."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from customers import audit, tenancy
from customers.errors import Refused
from customers.models import ApiToken
from customers.tenancy import Access

PREFIX = "hpt_"  # what a token begins with, so that scanners for leaked secrets can know it
DEFAULT_DAYS, MOST_DAYS = 365, 731


@dataclass(frozen=True, slots=True)
class Made:
    token: ApiToken
    secret: str  # to be shown once: the database keeps its digest


def default_end(now: datetime) -> date:
    return now.date() + timedelta(days=DEFAULT_DAYS)


def make_token(access: Access, *, name: str, scopes: Iterable[str], ends_on: date | None, now: datetime) -> Made:
    """`ends_on` is its last day (UTC); None: it never ends, which somebody has to have chosen. Whether the scopes are
    known ones the door has asked."""
    wanted = sorted(set(scopes))
    if not wanted:
        raise Refused("Choose at least one thing that the token may do.", code="token.scopes_missing")
    if ends_on is not None and not now.date() <= ends_on <= now.date() + timedelta(days=MOST_DAYS):
        raise Refused("A token ends within two years from today, or never.", code="token.end_invalid")
    if ApiToken.objects.visible_to(access).filter(name=name, revoked_at=None).exists():
        raise Refused(
            "There is a token named %(name)s already. Choose another name, or revoke that one first.",
            code="token.name_taken",
            params={"name": name},
        )
    secret = PREFIX + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        provider=access.provider,
        name=name,
        scopes=wanted,
        digest=tenancy.digest(secret),
        made_by=access.actor,
        created_at=now,
        ends_on=ends_on,
    )
    end = ends_on.isoformat() if ends_on else None
    audit.record(access, "token.created", token.code, now=now, scopes=" ".join(wanted), ends_on=end)
    return Made(token, secret)


def revoke_token(access: Access, token: ApiToken, *, now: datetime) -> None:
    """It is refused from the next call on. Harmless when it has been revoked before."""
    if ApiToken.objects.visible_to(access).filter(pk=token.pk, revoked_at=None).update(revoked_at=now):
        audit.record(access, "token.revoked", token.code, now=now)
