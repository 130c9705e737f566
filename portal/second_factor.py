"""Acts that touch money, keys, people or the second factor itself ask for it once more: being signed in is not enough.

`@required` is the one way to ask, below the page's audience: `@staff_page("keys") @require_POST @required`. Where only
some of a form's contents need it, the view asks `is_missing` and answers with `ask`. The API has no people to ask:
there the token's scope is what counts.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any, TypeVar, cast
from urllib.parse import urlencode

from allauth.account.authentication import get_authentication_records
from allauth.core.internal.cryptokit import normalize_user_code
from allauth.mfa import app_settings
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from customers.models import User
from portal import kept_forms

View = TypeVar("View", bound=Callable[..., Any])
SAFE = ("GET", "HEAD")


def is_fresh(request: HttpRequest, *, now: datetime) -> bool:
    """Whether this person gave a code of the second factor lately, beside the one at sign-in. A password is none."""
    earliest = now.timestamp() - settings.ACCOUNT_REAUTHENTICATION_TIMEOUT
    return any(
        record["method"] == "mfa" and record.get("reauthenticated") and earliest <= record["at"] <= now.timestamp()
        for record in get_authentication_records(request, request.user)
    )


def use_code(factor: Authenticator, code: str) -> bool:
    """Whether this code, which is right, was not given before. allauth forgets it after one step; it stays right
    for as many as the tolerance allows."""
    if factor.type != Authenticator.Type.TOTP:
        return True  # a recovery code is struck off
    steps = 2 * app_settings.TOTP_TOLERANCE + 1
    key = f"second-factor.used:{factor.pk}:{normalize_user_code(code)}"
    return cache.add(key, True, timeout=steps * app_settings.TOTP_PERIOD)


def is_missing(request: HttpRequest, *, now: datetime) -> bool:
    """Who has no second factor has nothing to give. (Staff always have one: the middleware sees to that.)"""
    user = request.user
    return user.is_authenticated and is_mfa_enabled(user) and not is_fresh(request, now=now)


def ask(request: HttpRequest) -> HttpResponse:
    """To the page that asks for the code, and back: to this page, or to the form that was sent, which is kept.

    Path not taken: allauth's decorator. It runs the view again past our middleware, and so past the check of roles and
    of the membership; and a password would do for it.
    """
    user = cast("User", request.user)
    back = request.get_full_path() if request.method in SAFE else kept_forms.keep(request, user.pk)
    return redirect(address(back or kept_forms.page_of(request)))


def address(back: str) -> str:
    """The page that asks for the code, and goes on to `back`."""
    return f"{reverse('mfa_reauthenticate')}?{urlencode({'next': back})}"


def required(view: View) -> View:
    """The page opens, and the act is done, only after a fresh code."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if is_missing(request, now=timezone.now()):
            return ask(request)
        response: HttpResponse = view(request, *args, **kwargs)
        return response

    return cast("View", guarded)
