"""allauth's seams: who may sign up (nobody), how guesses are counted, what mails say, how second factors are kept."""

from __future__ import annotations

import math
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.core.internal import ratelimit
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.adapter import get_adapter as mfa_adapter
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from customers.models import User
from portal import known_device, second_factor, security_events, visitor

APP, FAILED = "allauth.account", "login_failed"
ON_KNOWN_DEVICE = {FAILED: "5/5m/key"}  # of one person there: no network counts, which they may share with strangers


@dataclass(frozen=True, slots=True)
class Site:
    """What allauth's mails call the site: it would take it from the Host header, which the sender writes."""

    domain: str
    name: str


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth is untyped
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        address = visitor.address_of(request)
        return visitor.UNSPECIFIED if address == visitor.UNKNOWN else address

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("mfa_index")

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Count this try as a failure; authenticate() takes it back when the password is right."""
        email = credentials.get("email", "")
        device = known_device.device_for(request, email)
        key = f"{self._account_key(email)} on {device}" if device else self._account_key(email)
        limits = ON_KNOWN_DEVICE if device else None
        self._login_failed_rl_usage = ratelimit.consume(request, app=APP, action=FAILED, key=key, config=limits)
        if not self._login_failed_rl_usage:
            security_events.sign_in_limited(email)
            raise _too_many(request, key=key, limits=limits)

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        security_events.sign_in_failed(credentials.get("email", ""))

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        return self._account_key(credentials.get("email", ""))

    def _account_key(self, email: str) -> str:
        """Of the account alone. allauth adds the Host header: another port in it would begin to count anew."""
        return f"account {email.strip().lower()}"

    def post_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = super().post_login(request, user, **kwargs)
        known_device.remember(request, response, user)
        return response

    def get_reset_password_from_key_url(self, key: str) -> str:
        path = reverse("account_reset_password_from_key", kwargs={"uidb36": "UID", "key": "KEY"})
        return settings.PORTAL_URL + path.replace("UID-KEY", quote(key))

    def send_password_reset_mail(self, user: User, email: str, context: dict[str, Any]) -> None:
        security_events.reset_asked(user)
        super().send_password_reset_mail(user, email, context)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        host = urlsplit(settings.PORTAL_URL).netloc
        super().send_mail(template_prefix, email, {**context, "current_site": Site(host, host)})


class _CodeForm:
    """Asks for a code of the second factor; guesses are counted as those of passwords are."""

    user: User
    cleaned_data: dict[str, Any]

    def clean_code(self) -> str:
        taken_back = _count_try(context.request, self.user)
        code: str = self.cleaned_data["code"]
        factors = list(Authenticator.objects.filter(user=self.user).exclude(type=Authenticator.Type.WEBAUTHN))
        for factor in factors:
            if factor.wrap().validate_code(code) and second_factor.use_code(factor, code):
                factor.user = self.user
                self.authenticator = factor
                taken_back()
                return code
        if factors:
            self._emit_authentication_failed(factors[0])  # type: ignore[attr-defined]  # of allauth's form beside us
        raise mfa_adapter().validation_error("incorrect_code")


class SignInCodeForm(_CodeForm, AuthenticateForm):  # type: ignore[misc]  # allauth is untyped
    pass


class FreshCodeForm(_CodeForm, ReauthenticateForm):  # type: ignore[misc]  # allauth is untyped
    pass


def _count_try(request: HttpRequest, user: User) -> Callable[[], None]:
    device = known_device.device_for(request, user.email)
    key = f"second factor {user.pk} on {device}" if device else f"second factor {user.pk}"
    limits = ON_KNOWN_DEVICE if device else None
    if not ratelimit.consume(request, app=APP, action=FAILED, key=key, config=limits):
        security_events.second_factor_limited(user)
        raise _too_many(request, key=key, limits=limits)
    # All of them, as allauth does: who has a right code has nothing left to guess.
    return lambda: ratelimit.clear(request, app=APP, action=FAILED, key=key, config=limits)


def _too_many(request: HttpRequest, *, key: str, limits: dict[str, str] | None) -> ValidationError:
    """allauth's sentence says "later"."""
    waits = [_wait(request, rate, key) for rate in ratelimit.get_rates(app=APP, action=FAILED, config=limits)]
    minutes = max(1, math.ceil(max(waits, default=0) / 60))
    when = "a minute" if minutes == 1 else f"{minutes} minutes"
    return ValidationError(f"Too many failed login attempts. Try again in {when}.", code="too_many_login_attempts")


def _wait(request: HttpRequest, rate: ratelimit.Rate, key: str) -> float:
    """Seconds until the next try is counted again; 0: it is not this rate that holds it back."""
    now = time.time()
    tries = cache.get(ratelimit.get_cache_key(request, app=APP, action=FAILED, rate=rate, key=key), [])
    counted = [at for at in tries if at > now - rate.duration]
    return float(min(counted) + rate.duration - now) if len(counted) >= rate.amount else 0.0


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth is untyped
    def encrypt(self, text: str) -> str:
        return _box().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _box().decrypt(encrypted_text.encode()).decode()


def _box() -> Fernet:
    # Derived, so that a change of SECRET_KEY is the only thing that makes people enrol again.
    return Fernet(urlsafe_b64encode(sha256(b"portal.mfa|" + settings.SECRET_KEY.encode()).digest()))
