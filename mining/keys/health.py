"""How a key fares in use: what the pool's answers and refusals tell of it, and what its silence means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import structlog

from customers import audit, tenancy
from customers.words import counted
from mining.keys.store import NEEDED_ENDPOINTS, OpenKey
from mining.models import Credential
from mining.pool.errors import KeyRefused, PermissionMissing

log = structlog.get_logger(__name__)

State = Credential.State
# The pool switches a key off after 14 unused days: an hour's grain is enough, and spares a write in every run.
SUCCESS_GRAIN = timedelta(hours=1)
SWITCHED_OFF_AFTER = timedelta(days=14)  # by the pool, when a key is not used
WARN_AFTER, ALARM_AFTER = timedelta(days=3), timedelta(days=7)


# --- What use tells


def note_refusal(key: OpenKey, refusal: KeyRefused, *, now: datetime) -> None:
    """The pool refused the key: later runs are not sent with it. A right that only some readings need is only told."""
    missing = refusal.endpoint if isinstance(refusal, PermissionMissing) else None
    still_of_use = missing is not None and missing not in NEEDED_ENDPOINTS
    with tenancy.provider_context(key.provider_id):
        if missing is not None:
            _write_right(key, missing, False)
        credentials = Credential.objects.filter(provider=key.provider_id, pk=key.credential_id, state=State.ACTIVE)
        if not still_of_use and credentials.update(state=State.REFUSED, problem=refusal.sentence[:500], checked_at=now):
            tell(key.provider_id, key.credential_id, "refused", now=now)
    log.warning("key.refused", credential_id=key.credential_id, kind=type(refusal).__name__, in_use=still_of_use)


def note_use(key: OpenKey, endpoint: str, *, now: datetime) -> None:
    """The pool has just done what acts with this key: so it had the right to it on this day (UTC)."""
    with tenancy.provider_context(key.provider_id):
        _write_right(key, endpoint, now.date().isoformat())


def _write_right(key: OpenKey, endpoint: str, told: bool | str) -> None:
    """What use has told of a right: False, or the day on which it was there. Inside the provider's context."""
    credentials = Credential.objects.filter(provider=key.provider_id, pk=key.credential_id, state=State.ACTIVE)
    stored = credentials.select_for_update().first()
    if stored is None or (told is not False and stored.endpoints.get(endpoint) == told):
        return
    rights = {**stored.endpoints, endpoint: told}
    about_rights = told is False or stored.endpoints.get(endpoint) is False
    credentials.update(endpoints=rights, problem=lacks(rights) if about_rights else stored.problem)


def lacks(rights: Mapping[str, bool | str]) -> str:
    """What a person has to do about the rights that are missing; empty: nothing."""
    missing = ", ".join(endpoint for endpoint, told in rights.items() if told is False)
    if not missing:
        return ""
    return f"This key may not use {missing}: allow that in WhiteBIT's API settings, then check it again."[:500]


def tell(provider_id: int, credential_id: int, action: str, *, now: datetime) -> None:
    """Write in the audit what the pool made of a key. Inside the provider's context."""
    credential = Credential.objects.select_related("login").get(provider=provider_id, pk=credential_id)
    audit.record_by_worker(provider_id, f"credential.{action}", credential.code, now=now, login=credential.login.code)


def note_success(key: OpenKey, *, now: datetime) -> None:
    with tenancy.provider_context(key.provider_id):
        credentials = Credential.objects.filter(provider=key.provider_id, pk=key.credential_id)
        credentials.exclude(state=State.RETIRED).exclude(last_success_at__gt=now - SUCCESS_GRAIN).update(
            last_success_at=now
        )


# --- Silence


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    ALARM = "alarm"
    UNKNOWN = "unknown"  # not in use, or never answered


@dataclass(frozen=True, slots=True)
class Health:
    """`silent_for`: since the pool last answered this key, to within SUCCESS_GRAIN. `days_left`: whole days until the
    pool switches it off for not being used; 0: any moment, or done."""

    level: Level
    silent_for: timedelta | None
    days_left: int | None
    sentence: str


def health(credential: Credential, now: datetime) -> Health:
    if credential.state != State.ACTIVE or credential.last_success_at is None:
        return Health(Level.UNKNOWN, None, None, credential.problem or "This key is not in use.")
    silent_for = max(now - credential.last_success_at, timedelta())
    days_left = max((SWITCHED_OFF_AFTER - silent_for) // timedelta(days=1), 0)
    if silent_for < WARN_AFTER:
        return Health(Level.OK, silent_for, days_left, "The pool answers this key.")
    level = Level.ALARM if silent_for >= ALARM_AFTER else Level.WARN
    return Health(level, silent_for, days_left, _silence_in_words(silent_for, days_left))


def _silence_in_words(silent_for: timedelta, days_left: int) -> str:
    silence = f"The pool has not answered this key for {silent_for.days} days"
    if silent_for >= SWITCHED_OFF_AFTER:
        return f"{silence}, and switches off what is not used for 14. Switch it on in WhiteBIT's API settings."
    ends = "within a day" if days_left == 0 else f"in {counted(days_left, 'day')}"
    return f"{silence} and switches it off {ends}. See what stops it: the key, its allowed addresses, or our workers."
