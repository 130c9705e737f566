"""The request's way in: health, then who asks and for which provider, inside one transaction round everything."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, cast

import structlog
from allauth.mfa.utils import is_mfa_enabled
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import Resolver404, resolve
from django.utils import timezone
from django_structlog.middlewares import RequestMiddleware

from customers import tenancy
from customers.tenancy import Access, Kind
from portal import kept_forms, sessions, visitor
from portal.access import access_by_token, access_of, is_api, is_health_check, is_open, match_of, own_memberships

log = structlog.get_logger(__name__)

Next = Callable[[HttpRequest], HttpResponse]
MEMBERSHIP = "membership"  # the session's key
UNSENT = "unsent"  # in the address to come back to: a form came after the session had ended, told after the sign-in
ACTING_AS = "acting_as"  # the field that every form carries: for which membership it was opened


class HealthMiddleware:
    """Answers before anything can need the database: a balancer must tell a live process from a dead one."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        match = match_of(request)
        if match is not None and is_health_check(match):
            return cast("HttpResponse", match.func(request))
        return self.get_response(request)


class TenancyMiddleware:
    """Opens the transaction and the context before the view, and keeps them until the answer is rendered.

    Not ATOMIC_REQUESTS alone: it ends before a TemplateResponse is rendered, and the page would be empty.
    """

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with _context_before(request):
            access = _access_in_time(request)
            request.access = access  # type: ignore[attr-defined]  # AccessRequest says so to the views
            tenancy.enter(access)
            response = self.get_response(request)
            if response.status_code >= 500:
                transaction.set_rollback(True)
        return response

    def process_view(
        self,
        request: HttpRequest,
        view: Callable[..., HttpResponse],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> HttpResponse | None:
        access = cast("Access | None", request.access)  # type: ignore[attr-defined]  # set above
        match = request.resolver_match
        assert match is not None  # Django has just found the view
        # Before it is asked whether the page is open: the start is. The API reads its parameters itself.
        came_back = request.method == "GET" and not is_api(match) and UNSENT in request.GET
        if came_back and request.user.is_authenticated:
            messages.warning(request, "You had been signed out, so what you sent was not saved. Please enter it again.")
            return redirect(request.path)
        if is_open(match):
            return None
        if not request.user.is_authenticated:
            # Here and not by LoginRequiredMiddleware: a view may say for itself that it needs no sign-in, and only our
            # mark opens it. A form's address is no page to come back to.
            if request.method in ("GET", "HEAD"):
                return _to_sign_in(request)
            former: int | None = getattr(request, "former_user", None)
            if former and hasattr(view, "portal_audience") and (kept := kept_forms.keep(request, former)):
                return redirect_to_login(kept)
            # Told by the address and not by a session: that would be a row for anybody, and told to whoever comes next.
            return redirect_to_login(f"{kept_forms.page_of(request)}?{UNSENT}=1")
        if access is None:
            return redirect("choose")
        return _refusal(request, access, getattr(view, "portal_audience", None))


def _context_before(request: HttpRequest) -> AbstractContextManager[None]:
    """The request's transaction as it begins, before the tenant is known: it opens what was presented and no more."""
    if _is_api(request):
        secret = _token(request)
        return tenancy.lookup_context(secret) if secret else tenancy.nobody_context()
    if request.user.is_authenticated:
        return tenancy.user_context(request.user.pk)
    return tenancy.nobody_context()


def _access(request: HttpRequest) -> Access | None:
    if _is_api(request):
        secret = _token(request)
        return access_by_token(secret, now=timezone.now()) if secret else None
    if not request.user.is_authenticated:
        return None
    user = request.user
    memberships = own_memberships(user)
    chosen = request.session.get(MEMBERSHIP)
    matching = [m for m in memberships if m.code == chosen] or (memberships if len(memberships) == 1 else [])
    return access_of(matching[0], user) if matching else None


def _access_in_time(request: HttpRequest) -> Access | None:
    """As _access. Whose session is over is nobody from here on; who it was is remembered for the form that is kept."""
    access, now = _access(request), timezone.now()
    if _is_api(request) or not request.user.is_authenticated:
        return access
    if sessions.is_over(request, access, now=now):
        request.former_user = request.user.pk  # type: ignore[attr-defined]  # read by process_view
        sessions.end_this(request)
        return None
    sessions.note_use(request, now=now)
    return access


def _is_api(request: HttpRequest) -> bool:
    return is_api(match_of(request))


def _token(request: HttpRequest) -> str:
    """Read here and not in DRF: its authentication runs after the transaction's context is needed."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


def _refusal(
    request: HttpRequest, access: Access, audience: tuple[Kind, tuple[str, ...]] | None
) -> HttpResponse | None:
    # A page of another audience, or one that says none, does not exist for this person.
    if audience is None or access.kind != audience[0]:
        log.warning("page.refused", why="of another audience", as_kind=access.kind, role=access.role)
        raise Http404
    if access.kind == Kind.STAFF and not is_mfa_enabled(access.user):
        return redirect("mfa_activate_totp")
    if access.role not in audience[1]:
        log.warning("page.refused", why="role", as_kind=access.kind, role=access.role)
        return render(
            request,
            "403.html",
            {"reason": f"Your role here ({access.role}) may not do this. Ask an owner."},
            status=403,
        )
    if request.method == "POST" and access.membership and request.POST.get(ACTING_AS) != access.membership.code:
        reason = "This form was opened as another member. Nothing was changed. Open the page again and repeat."
        return render(request, "403.html", {"reason": reason}, status=403)
    return None


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    to_login = redirect_to_login(request.get_full_path())
    if "HX-Request" not in request.headers:
        return to_login
    # A part that refreshes itself: the browser would follow by itself and put the sign-in page in its place.
    return HttpResponse(headers={"HX-Redirect": to_login.url})


def _page_above(path: str) -> str:
    """The nearest address above that there is. Should it take a form only, one comes further up from there."""
    while path != "/":
        path = path.rstrip("/").rpartition("/")[0] + "/"
        try:
            resolve(path)
        except Resolver404:
            continue
        return path
    return "/"


class LogMiddleware(RequestMiddleware):
    """Each event of a request with its visitor's address, the same one that the limits count by."""

    @staticmethod
    def bind_ip(request: HttpRequest) -> None:
        structlog.contextvars.bind_contextvars(ip=visitor.address_of(request))


class PrivatePagesMiddleware:
    """Pages of people are kept in no cache. Whoever reloads or opens a form's address comes to its page, and any other
    wrong method has a page as a wrong address has."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code == 405 and not response.content and not is_api(request.resolver_match):
            if request.method in ("GET", "HEAD"):
                return redirect(_page_above(request.path))
            allowed = response["Allow"]
            response = render(request, "405.html", status=405)
            response["Allow"] = allowed
        if not response.has_header("Cache-Control"):
            response["Cache-Control"] = "no-store"
        return response
