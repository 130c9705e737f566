"""Who sends a request. Roles are per membership; a page says its audience, and one that says none opens for nobody."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from django.http import HttpRequest
from django.urls import Resolver404, ResolverMatch, resolve

from customers import tenancy
from customers.models import ApiToken, MemberKind, Membership, Provider, Role
from customers.tenancy import Access, Kind

if TYPE_CHECKING:
    from customers.models import User

View = TypeVar("View", bound=Callable[..., Any])

STAFF_READ = (Role.OWNER, Role.FINANCE, Role.SUPPORT, Role.AUDITOR)
# What each act needs. One table, for pages and for the people who read it.
STAFF_ACTS: dict[str, tuple[Role, ...]] = {
    "read": STAFF_READ,
    "onboard": (Role.OWNER, Role.SUPPORT),
    # What became of an act whose answer was lost: each kind needs its own act besides.
    "decide": (Role.OWNER, Role.FINANCE, Role.SUPPORT),
    "sync": (Role.OWNER, Role.FINANCE, Role.SUPPORT),
    # Who has an alert, and what is known of it.
    "alerts": (Role.OWNER, Role.FINANCE, Role.SUPPORT),
    # From when on something is an alert, and how often it is told.
    "alert_rules": (Role.OWNER, Role.SUPPORT),
    "contracts": (Role.OWNER, Role.FINANCE),
    "issue": (Role.OWNER, Role.FINANCE),
    # Machines: where they stand, and which are retired. And times that count for and against nobody.
    "machines": (Role.OWNER, Role.SUPPORT),
    "exclusions": (Role.OWNER, Role.SUPPORT),
    "payments": (Role.OWNER, Role.FINANCE),
    "links": (Role.OWNER, Role.SUPPORT),
    # The pool cannot take a link back: one that never ends is an owner's to give.
    "links_forever": (Role.OWNER,),
    # What a quarantined record is: another reward to bill, or none.
    "settle": (Role.OWNER, Role.FINANCE),
    # Where a customer's rewards go.
    "payouts": (Role.OWNER, Role.FINANCE),
    "keys": (Role.OWNER,),
    "team": (Role.OWNER,),
    # API tokens: each opens the provider to a program.
    "tokens": (Role.OWNER,),
    # What the provider shows of itself, and how it runs the portal.
    "settings": (Role.OWNER,),
}
CUSTOMER_ACTS: dict[str, tuple[Role, ...]] = {
    "read": (Role.OWNER, Role.VIEWER),
    "alert_rules": (Role.OWNER,),
}
# allauth's pages that need no membership, by the names of their addresses, and why. Another one opens for nobody: a
# setting or a new version may bring more of them.
ALLAUTH_PAGES = {
    "account_login": "where people sign in",
    "account_logout": "whoever is signed in may leave",
    "account_inactive": "tells why the sign-in was refused",
    "account_signup": "says that the way in is an invitation",
    "account_reauthenticate": "asks for the password once more",
    "account_change_password": "one's own password",
    "account_set_password": "one's own password",
    "account_reset_password": "who forgot the password is not signed in",
    "account_reset_password_done": "says that a mail is on its way",
    "account_reset_password_from_key": "opened by the secret in the mail",
    "account_reset_password_from_key_done": "says that the password is changed",
    "mfa_index": "one's own second factor",
    "mfa_authenticate": "the second half of the sign-in",
    "mfa_reauthenticate": "asks for the second factor once more",
}


class AccessRequest(HttpRequest):
    """A request behind the wall: the middleware has said who asks."""

    access: Access
    user: User


def staff_page(act: str) -> Callable[[View], View]:
    return _audience(Kind.STAFF, STAFF_ACTS[act])


def customer_page(act: str = "read") -> Callable[[View], View]:
    return _audience(Kind.CUSTOMER, CUSTOMER_ACTS[act])


def open_page(view: View) -> View:
    """A page that needs no membership: sign-in, the chooser, an invitation, the API's documentation."""
    view.portal_open = True  # type: ignore[attr-defined]  # a mark on the function, read by the middleware
    return view


def health_check(view: View) -> View:
    """Asked by balancers: answered before host, session and database are looked at."""
    view.portal_health = True  # type: ignore[attr-defined]  # a mark on the function, read by the middleware
    return view


def match_of(request: HttpRequest) -> ResolverMatch | None:
    """What will answer. The view decides who may come in and how they say who they are, never the path: a server in
    front can be talked into another beginning of it (SCRIPT_NAME)."""
    try:
        return resolve(request.path_info)
    except Resolver404:
        return None


def is_health_check(match: ResolverMatch | None) -> bool:
    return match is not None and getattr(match.func, "portal_health", False)


def is_api(match: ResolverMatch | None) -> bool:
    """The API is its own door: callers show a token, and each view class asks for its scope."""
    return match is not None and getattr(getattr(match.func, "cls", None), "portal_api", False)


def is_open(match: ResolverMatch) -> bool:
    return is_api(match) or getattr(match.func, "portal_open", False) or match.view_name in ALLAUTH_PAGES


def _audience(kind: Kind, roles: tuple[Role, ...]) -> Callable[[View], View]:
    def mark(view: View) -> View:
        view.portal_audience = (kind, roles)  # type: ignore[attr-defined]  # a mark on the function, read by the middleware
        return view

    return mark


def may(access: Access | None, act: str) -> bool:
    """For templates and views: is this button for this person?"""
    return access is not None and access.kind == Kind.STAFF and access.role in STAFF_ACTS[act]


def memberships_of(user: User) -> list[Membership]:
    """The user's active memberships at active providers."""
    with tenancy.user_context(user.pk):
        return own_memberships(user)


def own_memberships(user: User) -> list[Membership]:
    """The same, for a caller who is in the user's context."""
    return list(
        Membership.objects.filter(user=user, is_active=True, provider__status=Provider.Status.ACTIVE)
        .select_related("provider")
        .order_by("provider__name", "pk")
    )


def access_of(membership: Membership, user: User) -> Access:
    membership.user = user
    return Access(
        kind=Kind.STAFF if membership.kind == MemberKind.STAFF else Kind.CUSTOMER,
        provider=membership.provider,
        customer=_customer_of(membership),
        user=user,
        role=membership.role,
        membership=membership,
    )


def _customer_of(membership: Membership) -> Any:
    if membership.customer_id is None:
        return None
    with tenancy.provider_context(membership.provider_id, customer_id=membership.customer_id):
        return membership.customer


def access_by_token(secret: str, *, now: datetime) -> Access | None:
    """The system whose API token this is; None for an unknown, revoked or expired one, or a suspended provider. The
    caller is in the secret's context."""
    token = _good_token(secret)
    if token is None or token.has_ended(now) or token.provider.status != Provider.Status.ACTIVE:
        return None
    return Access(
        kind=Kind.SYSTEM, provider=token.provider, scopes=frozenset(token.scopes), label=f"token {token.name}"
    )


def is_suspended(secret: str) -> bool:
    """Whether it is only for its provider's suspension that this token opens nothing."""
    with tenancy.lookup_context(secret):
        token = _good_token(secret)
    return token is not None and token.provider.status == Provider.Status.SUSPENDED


def has_ended(secret: str, *, now: datetime) -> bool:
    """Whether it is only for its age that this token opens nothing."""
    with tenancy.lookup_context(secret):
        token = _good_token(secret)
    return token is not None and token.has_ended(now)


def _good_token(secret: str) -> ApiToken | None:
    tokens = ApiToken.objects.filter(digest=tenancy.digest(secret), revoked_at=None)
    return tokens.select_related("provider").first()


def suspended_providers(user: User) -> list[str]:
    """The names of those that the user belongs to, and that are closed to everybody now."""
    with tenancy.user_context(user.pk):
        memberships = Membership.objects.filter(user=user, is_active=True, provider__status=Provider.Status.SUSPENDED)
        return sorted(set(memberships.values_list("provider__name", flat=True)))
