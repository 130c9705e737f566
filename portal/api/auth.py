"""Who may call the API: a provider's system, by its token's scopes. A view that names no resource opens for nobody."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import structlog
from django.db.models import Q
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from customers import tenancy
from customers.models import ApiToken
from customers.tenancy import Access, Kind
from portal.access import has_ended, is_suspended

if TYPE_CHECKING:
    from rest_framework.views import APIView  # it imports this module: the settings name the class below

log = structlog.get_logger(__name__)

# Every plural noun of the API, built or not yet: a token made today names what its program will need.
RESOURCES = (
    "provider",
    "customers",
    "members",
    "invitations",
    "intents",
    "mining-accounts",
    "rewards",
    "hashrate",
    "workers",
    "uptime",
    "exclusions",
    "watcher-links",
    "share-links",
    "payout-changes",
    "contracts",
    "documents",
    "ledger-entries",
    "payments",
    "payout-batches",
    "alerts",
    "alert-rules",
    "events",
    "webhook-endpoints",
    "sync-runs",
    "quarantined-records",
    "credentials",
    "tokens",
)
EVERYTHING, READ_EVERYTHING, MONEY = "*", "*:read", "money:write"
LINKS_FOREVER = "watcher-links:always"  # beside watcher-links:write: a link that nobody can ever take back
SCOPES = {EVERYTHING, READ_EVERYTHING, MONEY, LINKS_FOREVER} | {
    f"{noun}:{act}" for noun in RESOURCES for act in ("read", "write")
}
USE_GRAIN = timedelta(minutes=1)


def unknown_scopes(scopes: Iterable[str]) -> list[str]:
    return [scope for scope in scopes if scope not in SCOPES]


@dataclass(frozen=True, slots=True)
class Caller:
    """What Django's parts meet as the user of a request by token: no person, and no row."""

    name: str
    pk: None = None
    is_authenticated: bool = True
    is_active: bool = True

    def __str__(self) -> str:
        return self.name


def access_of(request: Request) -> Access | None:
    """The access of the token, which the middleware found before the transaction's context was set."""
    return cast("Access | None", getattr(request._request, "access", None))


class ProviderSuspended(APIException):
    """Told only to who shows a token that would be good otherwise."""

    status_code = 403
    default_code = "provider.suspended"
    default_detail = "The provider is suspended on this installation: nothing is read or done for it. Ask the operator."


class TokenExpired(AuthenticationFailed):
    """Told only to who shows it."""

    default_code = "token.expired"
    default_detail = "This token has ended. Make another one."


class TokenAuthentication(BaseAuthentication):
    """Only tells DRF what the middleware has found out. A session's cookie is not looked at under /api/."""

    def authenticate(self, request: Request) -> tuple[Caller, Access] | None:
        access = access_of(request)
        if access is not None and access.kind == Kind.SYSTEM:
            log.info("api.token_used", token=access.label, provider_id=access.provider.pk)
            return Caller(access.label), access
        if not _presented(request):
            return None
        log.warning("api.token_refused")
        secret = _secret(request)
        if secret is None:
            raise AuthenticationFailed("Send the token in the header: Authorization: Bearer <token>.")
        if is_suspended(secret):
            raise ProviderSuspended
        if has_ended(secret, now=timezone.now()):
            raise TokenExpired
        raise AuthenticationFailed("This token is unknown or revoked.")

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="portal"' + (', error="invalid_token"' if _presented(request) else "")


def _presented(request: Request) -> bool:
    return bool(request.headers.get("Authorization", "").strip())


def _secret(request: Request) -> str | None:
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    return secret.strip() or None if scheme.lower() == "bearer" else None


def caller_of(request: Request) -> bytes:
    """What tells one token from another without being it. Only for a request whose token was found good."""
    return tenancy.digest(_secret(request) or "")


def note_use(request: Request, *, now: datetime) -> None:
    """Keep when the token was last used, to within a minute. A write that is refused takes this back with the rest."""
    access, secret = access_of(request), _secret(request)
    if access is None or secret is None:
        return
    not_lately = Q(last_used_at=None) | Q(last_used_at__lt=now - USE_GRAIN)
    # Skips a row that is locked: two calls of one token must not wait for each other because of this.
    tokens = ApiToken.objects.visible_to(access).select_for_update(skip_locked=True)
    noted = tokens.filter(not_lately, digest=tenancy.digest(secret))
    ApiToken.objects.visible_to(access).filter(pk__in=noted.values("pk")).update(last_used_at=now)


class HasScope(BasePermission):
    message = "This token lacks a scope for this."

    def has_permission(self, request: Request, view: APIView) -> bool:
        access = access_of(request)
        needed = scope_needed(request, view)
        if access is None or needed is None:
            return False
        self.message = f"This token lacks the scope {needed}."
        if may(access.scopes, needed):
            return True
        log.warning("api.scope_refused", token=access.label, scope=needed)
        return False


def scope_needed(request: Request, view: Any) -> str | None:
    resource = getattr(view, "resource", "")
    if not resource:
        return None
    return getattr(view, "scope", None) or f"{resource}:{'read' if request.method in SAFE_METHODS else 'write'}"


def may(scopes: frozenset[str], needed: str) -> bool:
    if EVERYTHING in scopes or needed in scopes:
        return True
    return READ_EVERYTHING in scopes and needed.endswith(":read")
