"""A browser in which somebody has signed in before: strangers who guess at an account do not lock its people out there.

It is a signed cookie that names the people and opens nothing by itself: password and second factor are asked for as
anywhere. Only the guesses are counted apart.
"""

from __future__ import annotations

import secrets
from typing import Any

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare, salted_hmac

from customers.models import User

SALT = "portal.known-device"
LIFETIME_SECONDS = 400 * 24 * 3600  # the longest that browsers keep a cookie
MOST_PEOPLE = 8  # of one browser


def device_for(request: HttpRequest, email: str) -> str | None:
    """The name of this browser, when the person with that address has signed in here since the password was set."""
    kept = _read(request)
    user = User.objects.filter(email=email.strip().lower(), pk__in=kept["people"]).first() if kept["people"] else None
    return kept["device"] if user is not None and _is_known(kept, user) else None


def remember(request: HttpRequest, response: HttpResponse, user: User) -> None:
    """After a whole sign-in, with the second factor where there is one."""
    kept = _read(request)
    others = {pk: mark for pk, mark in kept["people"].items() if pk != str(user.pk)}
    people = dict([*others.items(), (str(user.pk), _mark(user))][-MOST_PEOPLE:])
    response.set_cookie(
        settings.DEVICE_COOKIE_NAME,
        signing.dumps({"device": kept["device"], "people": people}, salt=SALT),
        max_age=LIFETIME_SECONDS,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _read(request: HttpRequest) -> dict[str, Any]:
    nothing = {"device": secrets.token_urlsafe(12), "people": {}}
    try:
        kept = signing.loads(request.COOKIES.get(settings.DEVICE_COOKIE_NAME, ""), salt=SALT, max_age=LIFETIME_SECONDS)
    except signing.BadSignature:
        return nothing
    return dict(kept)


def _is_known(kept: dict[str, Any], user: User) -> bool:
    return constant_time_compare(kept["people"].get(str(user.pk), ""), _mark(user))


def _mark(user: User) -> str:
    """Another one after each change of the password: who had a browser with the old one is a stranger again."""
    return salted_hmac(SALT, f"{user.pk}|{user.password}", algorithm="sha256").hexdigest()[:32]
