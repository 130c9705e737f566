"""Pool keys: pasted by a person, sealed at once, checked by a worker (verification.py), opened here alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from math import ceil

import redis
import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.views.decorators.debug import sensitive_variables

from customers import audit, tenancy
from customers.errors import Refused, TooSoon
from customers.sealing import NoPrivateKey, SealError, Secret, seal, unseal
from customers.tenancy import Access
from mining import dispatch
from mining.errors import NoKey, NotOpened, Unfit
from mining.keys import logins
from mining.models import Credential, PoolLogin, SyncRun
from mining.models.runs import Subject
from mining.pool.client import PoolClient
from mining.pool.limits.egress import address_for
from mining.pool.limits.rate_limit import Priority

log = structlog.get_logger(__name__)

State = Credential.State
SHORTEST_KEY, LONGEST_KEY, HINT = 16, 256, 4
TRIED_AGAIN_AFTER = timedelta(minutes=1)  # on request, however often that is made
SOON_SECONDS = 5  # one that takes longer than that minute: nobody knows when it is over
REPLACE_IT = "This key works, but should be replaced: make a new one in WhiteBIT's API settings, for this portal only."
# Without a key for these nothing can be read at all; without one for the others the rest goes on.
NEEDED_ENDPOINTS = frozenset({"accounts", "rewards"})


# --- Pasting: the web process, which can seal and not open


@sensitive_variables("api_key", "secret")
def paste_key(access: Access, *, login_name: str, api_key: str, secret: str, now: datetime) -> Credential:
    """Seal a new key of a login and have a worker check it. It takes over only once the pool accepts it.

    The login is made with its first key. Raises Refused, and then nothing is left behind.
    """
    api_key, secret = api_key.strip(), secret.strip()
    _check_form("API key", api_key)
    _check_form("secret", secret)
    digest = key_digest(api_key)
    if api_key == secret or len(secret) < len(api_key) or _is_stored(access, key_digest(secret)):
        raise Refused(
            "API key and secret look swapped: paste the public API key first, and the secret second.",
            code="key.swapped",
        )
    with transaction.atomic():
        login = logins.login_named(access, login_name, now=now)
        _make_room(access, login, digest)
        credential = Credential(
            provider=access.provider, login=login, key_digest=digest, key_hint=api_key[-HINT:], created_at=now
        )
        credential.sealed_api_key = seal(api_key, credential.place("api_key"))
        credential.sealed_secret = seal(secret, credential.place("secret"))
        try:
            _store(credential)
        except IntegrityError as error:
            if _is_stored(access, digest):
                raise Refused("This API key has just been stored by somebody else.", code="key.just_stored") from error
            raise kept_elsewhere() from error
        audit.record(access, "credential.pasted", credential.code, now=now, login=login.code, hint=credential.key_hint)
    dispatch.after_commit("mining.tasks.verify_credential", access.provider.pk, credential.pk)
    return credential


def ask_verification(access: Access, credential: Credential, *, now: datetime) -> None:
    """A person says that the key has been mended at the pool: have a worker try it anew.

    One that waits to be tried needs no second asking. Raises TooSoon while a key of its login is tried, and for a
    minute from the beginning of that.
    """
    if credential.state == State.RETIRED:
        raise Refused("This key was replaced by another one. Paste a new key to change it.", code="key.replaced")
    if credential.state == State.CHECKING:
        return
    if (seconds := _seconds_to_wait(access, credential.login_id, now=now)) is not None:
        raise TooSoon(
            "A key of %(login)s is being tried, or was less than a minute ago. Ask again in %(seconds)s seconds.",
            code="key.tried_lately",
            params={"login": credential.login.name, "seconds": seconds},
        )
    credentials = Credential.objects.visible_to(access).filter(pk=credential.pk)
    if credentials.filter(state=State.REFUSED).update(state=State.CHECKING):
        credential.state = State.CHECKING
    audit.record(access, "credential.verification_asked", credential.code, now=now, login=credential.login.code)
    dispatch.after_commit("mining.tasks.verify_credential", access.provider.pk, credential.pk)


def _seconds_to_wait(access: Access, login_id: int, *, now: datetime) -> int | None:
    """A check that has been queued for longer was left by its worker: asking takes it up."""
    checks = SyncRun.objects.visible_to(access).filter(login=login_id, subject=Subject.KEY)
    lately = checks.filter(Q(state=SyncRun.State.RUNNING) | Q(queued_at__gt=now - TRIED_AGAIN_AFTER))
    newest = lately.order_by("-pk").first()
    if newest is None:
        return None
    left = TRIED_AGAIN_AFTER - (now - newest.queued_at)
    return max(ceil(left.total_seconds()), SOON_SECONDS)


def withdraw(access: Access, credential: Credential, *, in_use_confirmed: bool = False, now: datetime) -> None:
    """Throw a key away: nothing of it is kept. `in_use_confirmed`: somebody was told that it is in use, and what ends
    with it (logins.withdrawal). Raises Refused."""
    kept = Credential.objects.visible_to(access).filter(pk=credential.pk).exclude(state=State.RETIRED)
    unused = kept if in_use_confirmed else kept.exclude(state=State.ACTIVE)
    if not unused.update(**RETIRED):
        if not kept.exists():
            raise Refused("This key has been thrown away or replaced already.", code="key.gone")
        raise Refused(
            "This key is in use. Paste another one to replace it, or confirm that reading with it ends.",
            code="key.in_use",
        )
    audit.record(access, "credential.withdrawn", credential.code, now=now, login=credential.login.code)


def key_digest(api_key: str) -> str:
    """The same for every provider: a key that two of them have pasted is found by the database alone."""
    return hashlib.sha256(f"portal.v2|{api_key}".encode()).hexdigest()


@sensitive_variables("value")
def _check_form(what: str, value: str) -> None:
    if not value:
        raise Refused(
            "The %(what)s is empty. Copy it from WhiteBIT's API settings.", code="key.empty", params={"what": what}
        )
    if any(character.isspace() for character in value):
        raise Refused(
            "The %(what)s has a space or line break inside. Copy it again, whole and alone.",
            code="key.spaced",
            params={"what": what},
        )
    if not (value.isascii() and value.isprintable()):
        raise Refused(
            "The %(what)s holds characters that no key has. Copy it again.",
            code="key.odd_characters",
            params={"what": what},
        )
    if not SHORTEST_KEY <= len(value) <= LONGEST_KEY:
        raise Refused(
            "The %(what)s is %(length)d characters long, which no key is. Copy it again, whole and alone.",
            code="key.odd_length",
            params={"what": what, "length": len(value)},
        )


def kept_elsewhere() -> Unfit:
    """Another provider has it. Who that is, and that it is so, is nobody's business."""
    return Unfit(
        "This API key cannot be used here. Make a new key in WhiteBIT's API settings, for this portal only.",
        code="key.not_usable_here",
    )


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


def _make_room(access: Access, login: PoolLogin, digest: str) -> None:
    """The same API key again: with a mended secret it replaces what did not work; else it is refused."""
    same = Credential.objects.visible_to(access).filter(key_digest=digest)
    for stored in same.select_related("login").order_by("-pk"):
        if stored.login != login:
            raise Refused(
                "This API key is stored for the login %(login)r: a key has one WhiteBIT user only.",
                code="key.of_other_login",
                params={"login": stored.login.name},
            )
        if stored.state == State.ACTIVE:
            raise Refused(
                "This API key is stored for the login %(login)r already, and works.",
                code="key.works_already",
                params={"login": login.name},
            )
    same.filter(state__in=[State.CHECKING, State.REFUSED]).update(**RETIRED)


# A retired key is of no use to anybody, so nothing of it is kept that could leak.
RETIRED = {"state": State.RETIRED, "sealed_api_key": "", "sealed_secret": "", "problem": ""}


# --- Opening: workers only


@dataclass(frozen=True, slots=True)
class OpenKey:
    """A key that this process has opened. `client()` makes one pool client; each thread needs its own."""

    provider_id: int
    credential_id: int
    _api_key: Secret = field(repr=False)
    _secret: Secret = field(repr=False)

    def client(self, *, priority: Priority = Priority.ACCOUNTS, deadline_seconds: float | None = None) -> PoolClient:
        """`deadline_seconds`: all that one call may wait (PoolClient); None: as the settings say."""
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
            deadline_seconds=settings.POOL_DEADLINE_SECONDS if deadline_seconds is None else deadline_seconds,
            first_wait_seconds=first_wait_seconds,
            longest_wait_seconds=longest_wait_seconds,
        )


def open_key(provider_id: int, login_id: int) -> OpenKey:
    """The active key of this login, opened. Raises NoKey with what is wrong."""
    with tenancy.provider_context(provider_id):
        login = PoolLogin.objects.get(provider=provider_id, pk=login_id)
        stored = list(
            Credential.objects.select_related("provider")
            .filter(provider=provider_id, login=login)
            .exclude(state=State.RETIRED)
            .order_by("pk")
        )
    active = next((credential for credential in stored if credential.state == State.ACTIVE), None)
    if active is None:
        raise logins.no_active_key(login, stored)
    return opened(active)


def opened(credential: Credential) -> OpenKey:
    """Raises NoKey."""
    try:
        api_key = unseal(credential.sealed_api_key, credential.place("api_key"))
        secret = unseal(credential.sealed_secret, credential.place("secret"))
    except NoPrivateKey as error:
        raise NotOpened("%(problem)s", code="key.not_opened", params={"problem": error}) from error
    except SealError as error:
        raise NoKey("%(problem)s", code="key.unreadable", params={"problem": error}) from error
    if credential.key_digest != key_digest(api_key.reveal()):
        _renew_digest(credential, key_digest(api_key.reveal()))
    return OpenKey(credential.provider_id, credential.pk, api_key, secret)


def _renew_digest(credential: Credential, digest: str) -> None:
    """Digests were once made for each provider by itself; the web cannot renew them, because it opens no key.

    Where another provider's key has taken the place meanwhile, the one in use goes on: who was here first is not
    pushed out by a copy. One that is not in use is refused.
    """
    with tenancy.provider_context(credential.provider_id):
        credentials = Credential.objects.filter(provider=credential.provider_id, pk=credential.pk)
        try:
            with transaction.atomic():
                credentials.exclude(state=State.RETIRED).update(key_digest=digest)
        except IntegrityError as error:
            if credential.state != State.ACTIVE:
                raise kept_elsewhere() from error
            log.error("key.kept_elsewhere", credential_id=credential.pk)
            credentials.filter(state=State.ACTIVE).exclude(problem=REPLACE_IT).update(problem=REPLACE_IT)


@cache
def _redis() -> redis.Redis:
    # Time-outs of its own: without Redis no call goes out, and none may hang either.
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=3)
