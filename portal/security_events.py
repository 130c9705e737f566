"""What an investigation asks for, as events of the log: who came in, who did not, and why. Never a secret, and never
what was typed as an address: people type passwords there.

allauth says most of it by its signals, which are its seam for that; what it does not say is logged where it happens.
"""

from __future__ import annotations

from typing import Any

import structlog
from allauth.account import signals as account
from allauth.mfa import signals as mfa
from allauth.mfa.models import Authenticator
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.dispatch import Signal, receiver

from customers.models import User

log = structlog.get_logger(__name__)


def sign_in_failed(email: str) -> None:
    log.warning("sign_in.failed", account_id=_id_of(email))


def sign_in_limited(email: str) -> None:
    log.warning("sign_in.limited", account_id=_id_of(email))


def second_factor_limited(user: User) -> None:
    log.warning("second_factor.limited", account_id=user.pk)


def reset_asked(user: User) -> None:
    log.info("password.reset_asked", account_id=user.pk)


def _id_of(email: str) -> int | None:
    """None: nobody has this address."""
    return User.objects.filter(email=email.strip().lower()).values_list("pk", flat=True).first()


@receiver(user_logged_in)
def _signed_in(user: User, **_: Any) -> None:
    log.info("sign_in.done", account_id=user.pk)


@receiver(user_logged_out)
def _signed_out(user: User | None, **_: Any) -> None:
    log.info("sign_out.done", account_id=user.pk if user else None)


@receiver(mfa.authenticator_used)
def _second_factor_used(user: User, authenticator: Authenticator, **facts: Any) -> None:
    fresh = bool(facts.get("reauthenticated"))
    log.info("second_factor.accepted", account_id=user.pk, factor=authenticator.type, asked_again=fresh)


@receiver(mfa.authentication_failed)
def _second_factor_failed(user: User, **facts: Any) -> None:
    log.warning("second_factor.failed", account_id=user.pk, asked_again=bool(facts.get("reauthentication")))


def _noted(signal: Signal, event: str) -> None:
    def note(user: User, authenticator: Authenticator | None = None, **_: Any) -> None:
        factor = {"factor": authenticator.type} if authenticator else {}
        log.info(event, account_id=user.pk, **factor)

    signal.connect(note, weak=False, dispatch_uid=event)


_noted(account.password_changed, "password.changed")
_noted(account.password_set, "password.set")
_noted(account.password_reset, "password.reset")
_noted(mfa.authenticator_added, "second_factor.added")
_noted(mfa.authenticator_removed, "second_factor.removed")
_noted(mfa.authenticator_reset, "second_factor.codes_made_anew")
