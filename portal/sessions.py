"""How long a session lasts, by whom one acts for, and a person's own list of them.

allauth's usersessions keeps a row beside each session: where from, with which browser, seen last. When a session began
and was last used stands in the session itself, which each request reads anyhow.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog
from allauth.account import signals as account
from allauth.mfa import signals as mfa
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from customers.models import User
from customers.tenancy import Access, Kind
from portal import visitor

log = structlog.get_logger(__name__)
BEGAN, SEEN = "began_at", "seen_at"  # the session's keys, in seconds
# The longest that it was not used: who sat down at a customer's browser after hours may choose to act as staff there.
PAUSE = "longest_pause"
GRAIN_SECONDS = 60  # a session is written to this often at most


class Limits(NamedTuple):
    idle: timedelta
    in_all: timedelta

    def are_over(
        self, *, began_at: datetime, seen_at: datetime, now: datetime, pause: timedelta = timedelta(0)
    ) -> bool:
        return max(now - seen_at, pause) > self.idle or now - began_at > self.in_all


def limits_of(access: Access | None) -> Limits:
    """Who acts for nobody yet may be about to act as staff."""
    is_customer = access is not None and access.kind == Kind.CUSTOMER
    return Limits(*(settings.CUSTOMER_SESSION if is_customer else settings.STAFF_SESSION))


def is_over(request: HttpRequest, access: Access | None, *, now: datetime) -> bool:
    began, seen = request.session.get(BEGAN), request.session.get(SEEN)
    if began is None or seen is None:
        return False  # signed in just now
    at = {"began_at": datetime.fromtimestamp(began, now.tzinfo), "seen_at": datetime.fromtimestamp(seen, now.tzinfo)}
    pause = timedelta(seconds=request.session.get(PAUSE, 0))
    return limits_of(access).are_over(**at, pause=pause, now=now)


def end_this(request: HttpRequest) -> None:
    """Its time is over: whoever is there goes on as nobody."""
    log.info("session.over", account_id=request.user.pk)
    UserSession.objects.filter(session_key=request.session.session_key).delete()
    logout(request)


def note_use(request: HttpRequest, *, now: datetime) -> None:
    """Pages that refresh themselves are no use of them: an open one would never end."""
    by_itself = request.method == "GET" and "HX-Request" in request.headers
    seen = request.session.get(SEEN)
    if seen is not None:
        pause = now.timestamp() - seen
        if by_itself or pause < GRAIN_SECONDS:
            return
        request.session[PAUSE] = max(pause, request.session.get(PAUSE, 0))
    request.session.setdefault(BEGAN, now.timestamp())
    request.session[SEEN] = now.timestamp()
    UserSession.objects.create_from_request(request)


# --- One's own


class OwnSession(NamedTuple):
    name: str  # what a form calls it
    device: str
    network: str
    since: datetime
    seen_at: datetime
    is_this: bool


def sessions_of(request: HttpRequest, access: Access | None, *, now: datetime) -> list[OwnSession]:
    """Those that still open something; this one first, then those used last."""
    UserSession.objects.create_from_request(request)  # or this one stands there as it was up to a minute ago
    own = [
        OwnSession(
            _name(session),
            device_in_words(session.user_agent),
            "" if session.ip == visitor.UNSPECIFIED else session.ip,
            session.created_at,
            session.last_seen_at,
            session.session_key == request.session.session_key,
        )
        for session in UserSession.objects.purge_and_list(request.user)
        if not limits_of(access).are_over(began_at=session.created_at, seen_at=session.last_seen_at, now=now)
    ]
    return sorted(own, key=lambda one: (one.is_this, one.seen_at), reverse=True)


def end(user: User, name: str, *, besides: str | None) -> bool:
    """Whether there was one of this person's by that name, other than the one they use."""
    for session in UserSession.objects.filter(user=user).exclude(session_key=besides or ""):
        if _name(session) == name:
            session.end()
            log.info("session.ended", account_id=user.pk, count=1)
            return True
    return False


def end_others(user: User, *, besides: str | None) -> int:
    others = list(UserSession.objects.filter(user=user).exclude(session_key=besides or ""))
    for session in others:
        session.end()
    if others:
        log.info("session.ended", account_id=user.pk, count=len(others))
    return len(others)


@receiver(
    [
        account.password_changed,
        account.password_set,
        account.password_reset,
        mfa.authenticator_added,
        mfa.authenticator_removed,
        mfa.authenticator_reset,
    ]
)
def _end_others_too(request: HttpRequest, user: User, **_: object) -> None:
    """Whoever got in with what was changed now is out; who changed it stays."""
    end_others(user, besides=request.session.session_key)


def forget_ended(*, now: datetime) -> None:
    """Those that nobody came back to: Django leaves their rows, and beside them where they came from."""
    Session.objects.filter(expire_date__lt=now).delete()
    left = Session.objects.filter(session_key=OuterRef("session_key"))
    UserSession.objects.filter(~Exists(left)).delete()


def _name(session: UserSession) -> str:
    """Its key would open it."""
    return salted_hmac("portal.session", session.session_key, algorithm="sha256").hexdigest()[:20]


# --- Devices, as far as a browser says what it is

# The first that is named: each browser also names those that it is like.
BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("FxiOS", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def device_in_words(user_agent: str) -> str:
    browser = next((words for sign, words in BROWSERS if sign in user_agent), "")
    system = next((words for sign, words in SYSTEMS if sign in user_agent), "")
    if browser or system:
        return " on ".join(filter(None, (browser or "A browser", system)))
    program = re.match(r"[A-Za-z][\w.-]{0,30}", user_agent)
    return program[0] if program else "An unknown device"
