"""Acts that touch money or the second factor itself ask for it once more: being signed in is not enough."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any
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


def ask(request: HttpRequest) -> HttpResponse:
    """To the page that asks for the code, and back to this one: as a page also from a form, which is sent anew.

    Path not taken: allauth's decorator. It keeps the form and runs the view again past our middleware, and so past
    the check of roles and of the membership; and a password would do for it.
    """
    return redirect(f"{reverse('mfa_reauthenticate')}?{urlencode({'next': request.path})}")


def required(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """For a person who has one: the page opens only after a fresh code of it. Who has none has nothing to give."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        user = request.user
        if user.is_authenticated and is_mfa_enabled(user) and not is_fresh(request, now=timezone.now()):
            return ask(request)
        return view(request, *args, **kwargs)

    return guarded
