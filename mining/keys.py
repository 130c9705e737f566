"""Pool keys: pasted by a person, sealed at once, checked by a worker (key_check.py), opened here and nowhere else."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache

import redis
import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.views.decorators.debug import sensitive_variables

from customers import audit, tenancy
from customers.models import Provider
from customers.sealing import SealError, Secret, seal, unseal
from customers.tenancy import Access, Kind
from mining import hints, logins
from mining.errors import NoKey, Refused
from mining.models import Credential
from mining.pool.budget import Priority
from mining.pool.client import PoolClient
from mining.pool.egress import address_for
from mining.pool.errors import KeyRefused, PermissionMissing

log = structlog.get_logger(__name__)

State = Credential.State
SHORTEST_KEY, LONGEST_KEY, HINT = 16, 256, 4
LONGEST_LABEL = 64
LABEL = re.compile(r"[\w@.+ -]+")
# The pool switches a key off after 14 unused days: an hour's grain is enough, and spares a write in every run.
SUCCESS_GRAIN = timedelta(hours=1)
KEPT_ELSEWHERE = "This API key cannot be used here. Make a new key in WhiteBIT's API settings, for this portal only."
REPLACE_IT = "This key works, but should be replaced: make a new one in WhiteBIT's API settings, for this portal only."
# Without a key for these nothing can be read at all; without one for the others the rest goes on.
NEEDED_ENDPOINTS = frozenset({"accounts", "rewards"})


# --- Pasting: the web process, which can seal and not open


@sensitive_variables("api_key", "secret")
def paste_key(access: Access, *, label: str, api_key: str, secret: str, now: datetime) -> Credential:
    """Seal a new key under a login's label and have a worker check it. It takes over only once the pool accepts it."""
    label, api_key, secret = label.strip(), api_key.strip(), secret.strip()
    _check_label(access, label)
    _check_form("API key", api_key)
    _check_form("secret", secret)
    digest = key_digest(api_key)
    if api_key == secret or len(secret) < len(api_key) or _is_stored(access, key_digest(secret)):
        raise Refused("API key and secret look swapped: paste the public API key first, and the secret second.")
    _make_room(access, label, digest)
    credential = Credential(
        provider=access.provider, label=label, key_digest=digest, key_hint=api_key[-HINT:], created_at=now
    )
    credential.sealed_api_key = seal(api_key, credential.place("api_key"))
    credential.sealed_secret = seal(secret, credential.place("secret"))
    try:
        _store(credential)
    except IntegrityError as error:
        # Who else has it is nobody's business.
        just_now = "This API key has just been stored by somebody else."
        raise Refused(just_now if _is_stored(access, digest) else KEPT_ELSEWHERE) from error
    audit.record(access, "credential.pasted", credential.code, now=now, label=label, hint=credential.key_hint)
    hints.after_commit("verify_credential", access.provider.pk, credential.pk)
    return credential


def ask_verification(access: Access, credential: Credential, *, now: datetime) -> None:
    """A person says that the key has been mended at the pool: have a worker try it anew."""
    if credential.state == State.RETIRED:
        raise Refused("This key was replaced by another one. Paste a new key to change it.")
    mine = Credential.objects.visible_to(access).filter(pk=credential.pk)
    if mine.filter(state=State.REFUSED).update(state=State.CHECKING):
        credential.state = State.CHECKING
    audit.record(access, "credential.verification_asked", credential.code, now=now, label=credential.label)
    hints.after_commit("verify_credential", access.provider.pk, credential.pk)


def withdraw(access: Access, credential: Credential, *, in_use_confirmed: bool = False, now: datetime) -> None:
    """Throw a key away: nothing of it is kept. `in_use_confirmed`: somebody was told that it is in use, and what ends
    with it (logins.withdrawal). Raises Refused."""
    kept = Credential.objects.visible_to(access).filter(pk=credential.pk).exclude(state=State.RETIRED)
    unused = kept if in_use_confirmed else kept.exclude(state=State.ACTIVE)
    if not unused.update(**RETIRED):
        in_use = "This key is in use. Paste another one to replace it, or confirm that reading with it ends."
        raise Refused(in_use if kept.exists() else "This key has been thrown away or replaced already.")
    audit.record(access, "credential.withdrawn", credential.code, now=now, label=credential.label)


def key_digest(api_key: str) -> str:
    """The same for every provider: a key that two of them have pasted is found by the database alone."""
    return hashlib.sha256(f"portal.v2|{api_key}".encode()).hexdigest()


def _check_label(access: Access, label: str) -> None:
    if not label or len(label) > LONGEST_LABEL or not LABEL.fullmatch(label):
        raise Refused(
            "The label names the WhiteBIT user, in at most 64 letters, digits, spaces and . _ - + @ characters."
        )
    known = Credential.objects.visible_to(access).filter(label__iexact=label).exclude(label=label).first()
    if known is not None:
        raise Refused(f"There is a label {known.label!r}. Write it the same way, or choose another name.")


@sensitive_variables("value")
def _check_form(what: str, value: str) -> None:
    if not value:
        raise Refused(f"The {what} is empty. Copy it from WhiteBIT's API settings.")
    if any(character.isspace() for character in value):
        raise Refused(f"The {what} has a space or line break inside. Copy it again, whole and alone.")
    if not (value.isascii() and value.isprintable()):
        raise Refused(f"The {what} holds characters that no key has. Copy it again.")
    if not SHORTEST_KEY <= len(value) <= LONGEST_KEY:
        raise Refused(f"The {what} is {len(value)} characters long, which no key is. Copy it again, whole and alone.")


def _is_stored(access: Access, digest: str) -> bool:
    return Credential.objects.visible_to(access).filter(key_digest=digest).exists()


def _store(credential: Credential) -> None:
    """Raises IntegrityError, also when another provider's key that works is the same: no wall lets us look, only the
    index across all of them (ONE_PROVIDER) can tell. So the row claims the key for a moment within its transaction, and
    lets go of it: until the pool has accepted it, it keeps nobody out."""
    with transaction.atomic():
        credential.verified_at = credential.created_at
        credential.save(force_insert=True)
        credential.verified_at = None
        credential.save(update_fields=["verified_at"])


def _make_room(access: Access, label: str, digest: str) -> None:
    """The same API key again: with a mended secret it replaces what did not work; else it is refused."""
    same = Credential.objects.visible_to(access).filter(key_digest=digest).order_by("-pk")
    for stored in same:
        if stored.label != label:
            raise Refused(f"This API key is stored under the label {stored.label!r}: a key has one WhiteBIT user only.")
        if stored.state == State.ACTIVE:
            raise Refused(f"This API key is stored under {label!r} already, and works.")
    same.filter(state__in=[State.CHECKING, State.REFUSED]).update(**RETIRED)


# A retired key is of no use to anybody, so nothing of it is kept that could leak.
RETIRED = {"state": State.RETIRED, "sealed_api_key": "", "sealed_secret": "", "problem": ""}


# --- Opening: workers only


@dataclass(frozen=True, slots=True)
class OpenKey:
    """A key that this process has opened. `client()` makes one pool client; each thread needs its own."""

    provider_id: int
    credential_id: int
    label: str
    _api_key: Secret = field(repr=False)
    _secret: Secret = field(repr=False)

    def client(self, *, priority: Priority = Priority.ACCOUNTS, patience_seconds: float | None = None) -> PoolClient:
        """`patience_seconds`: all that one call may wait (PoolClient); None: as the settings say."""
        party = str(self.provider_id)
        first_wait_seconds, longest_wait_seconds = settings.POOL_BACK_OFF_SECONDS
        # The client keeps the secret in its own type, which can sign and cannot be asked: it is revealed only here.
        return PoolClient(
            base_url=settings.WHITEPOOL_BASE_URL,
            api_key=self._api_key.reveal(),
            secret=self._secret.reveal(),
            redis=_redis(),
            party=party,
            priority=priority,
            egress=address_for(party, settings.POOL_EGRESS_ADDRESSES),
            patience_seconds=settings.POOL_RETRY_BUDGET_SECONDS if patience_seconds is None else patience_seconds,
            first_wait_seconds=first_wait_seconds,
            longest_wait_seconds=longest_wait_seconds,
        )


def pool_client(provider_id: int, label: str) -> PoolClient:
    """A client with the active key of this login. Raises NoKey."""
    return open_key(provider_id, label).client()


def open_key(provider_id: int, label: str) -> OpenKey:
    """The active key of this login, opened. Raises NoKey with what is wrong."""
    with tenancy.provider_context(provider_id):
        stored = list(
            Credential.objects.select_related("provider")
            .filter(provider=provider_id, label=label)
            .exclude(state=State.RETIRED)
            .order_by("pk")
        )
    active = next((credential for credential in stored if credential.state == State.ACTIVE), None)
    if active is None:
        raise NoKey(logins.why_no_key(label, stored))
    return opened(active)


def opened(credential: Credential) -> OpenKey:
    """Raises NoKey."""
    try:
        api_key = unseal(credential.sealed_api_key, credential.place("api_key"))
        secret = unseal(credential.sealed_secret, credential.place("secret"))
    except SealError as error:
        raise NoKey(str(error)) from error
    if credential.key_digest != key_digest(api_key.reveal()):
        _renew_digest(credential, key_digest(api_key.reveal()))
    return OpenKey(credential.provider_id, credential.pk, credential.label, api_key, secret)


def _renew_digest(credential: Credential, digest: str) -> None:
    """Digests were once made for each provider by itself; the web cannot renew them, because it opens no key.

    Where another provider's key has taken the place meanwhile, the one in use goes on: who was here first is not
    pushed out by a copy. One that is not in use is refused.
    """
    with tenancy.provider_context(credential.provider_id):
        mine = Credential.objects.filter(provider=credential.provider_id, pk=credential.pk)
        try:
            with transaction.atomic():
                mine.exclude(state=State.RETIRED).update(key_digest=digest)
        except IntegrityError as error:
            if credential.state != State.ACTIVE:
                raise NoKey(KEPT_ELSEWHERE) from error
            log.error("key.kept_elsewhere", credential_id=credential.pk)
            mine.filter(state=State.ACTIVE).exclude(problem=REPLACE_IT).update(problem=REPLACE_IT)


@cache
def _redis() -> redis.Redis:
    # Time-outs of its own: without Redis no call goes out, and none may hang either.
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=3)


# --- How a key fares


def note_refusal(key: OpenKey, refusal: KeyRefused, *, now: datetime) -> None:
    """The pool refused the key: later runs are not sent with it. A right that only some readings need is only told."""
    missing = refusal.endpoint if isinstance(refusal, PermissionMissing) else None
    still_of_use = missing is not None and missing not in NEEDED_ENDPOINTS
    with tenancy.provider_context(key.provider_id):
        if missing is not None:
            _write_right(key, missing, False)
        mine = Credential.objects.filter(provider=key.provider_id, pk=key.credential_id, state=State.ACTIVE)
        if not still_of_use and mine.update(state=State.REFUSED, problem=refusal.sentence[:500], checked_at=now):
            tell(Provider.objects.get(pk=key.provider_id), key.credential_id, "refused", now=now)
    log.warning("key.refused", credential_id=key.credential_id, kind=type(refusal).__name__, in_use=still_of_use)


def note_use(key: OpenKey, endpoint: str, *, now: datetime) -> None:
    """The pool has just done what acts with this key: so it had the right to it on this day (UTC)."""
    with tenancy.provider_context(key.provider_id):
        _write_right(key, endpoint, now.date().isoformat())


def _write_right(key: OpenKey, endpoint: str, told: bool | str) -> None:
    """What use has told of a right: False, or the day on which it was there. Inside the provider's context."""
    mine = Credential.objects.filter(provider=key.provider_id, pk=key.credential_id, state=State.ACTIVE)
    stored = mine.select_for_update().first()
    if stored is None or (told is not False and stored.endpoints.get(endpoint) == told):
        return
    rights = {**stored.endpoints, endpoint: told}
    about_rights = told is False or stored.endpoints.get(endpoint) is False
    mine.update(endpoints=rights, problem=lacks(rights) if about_rights else stored.problem)


def lacks(rights: Mapping[str, bool | str]) -> str:
    """What a person has to do about the rights that are missing; empty: nothing."""
    missing = ", ".join(endpoint for endpoint, told in rights.items() if told is False)
    if not missing:
        return ""
    return f"This key may not use {missing}: allow that in WhiteBIT's API settings, then check it again."[:500]


def tell(provider: Provider, credential_id: int, action: str, *, now: datetime) -> None:
    """Write in the audit what the pool made of a key. Inside the provider's context."""
    credential = Credential.objects.get(provider=provider, pk=credential_id)
    worker = Access(Kind.SYSTEM, provider, label="worker")
    audit.record(worker, f"credential.{action}", credential.code, now=now, label=credential.label)


def note_success(key: OpenKey, *, now: datetime) -> None:
    with tenancy.provider_context(key.provider_id):
        mine = Credential.objects.filter(provider=key.provider_id, pk=key.credential_id)
        mine.exclude(state=State.RETIRED).exclude(last_success_at__gt=now - SUCCESS_GRAIN).update(last_success_at=now)


SWITCHED_OFF_AFTER = timedelta(days=14)  # by the pool, when a key is not used
WARN_AFTER, ALARM_AFTER = timedelta(days=3), timedelta(days=7)


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
    ends = "within a day" if days_left == 0 else f"in {days_left} day{'' if days_left == 1 else 's'}"
    return f"{silence} and switches it off {ends}. See what stops it: the key, its allowed addresses, or our workers."
