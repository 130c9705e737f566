"""Pool keys: pasted by a person, sealed at once, checked by a worker, and opened here and nowhere else."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
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
from mining import hints, runs
from mining.account_list import list_accounts
from mining.errors import NoKey, Refused, RunLost
from mining.models import Credential, MiningAccount, Reward, SyncRun
from mining.models.runs import Subject
from mining.pool.budget import Priority
from mining.pool.client import PoolClient
from mining.pool.egress import address_for
from mining.pool.errors import KeyRefused, PermissionMissing, PoolError
from mining.pool.types import RewardRecord

log = structlog.get_logger(__name__)

State = Credential.State
SHORTEST_KEY, LONGEST_KEY, HINT = 16, 256, 4
LONGEST_LABEL = 64
LABEL = re.compile(r"[\w@.+ -]+")
# The pool switches a key off after 14 unused days: an hour's grain is enough, and spares a write in every run.
SUCCESS_GRAIN = timedelta(hours=1)
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
    digest = key_digest(access.provider, api_key)
    if api_key == secret or len(secret) < len(api_key) or _is_stored(access, key_digest(access.provider, secret)):
        raise Refused("API key and secret look swapped: paste the public API key first, and the secret second.")
    _make_room(access, label, digest)
    credential = Credential(
        provider=access.provider, label=label, key_digest=digest, key_hint=api_key[-HINT:], created_at=now
    )
    credential.sealed_api_key = seal(api_key, credential.place("api_key"))
    credential.sealed_secret = seal(secret, credential.place("secret"))
    try:
        with transaction.atomic():
            credential.save(force_insert=True)
    except IntegrityError as error:
        raise Refused("This API key has just been stored by somebody else.") from error
    audit.record(access, "credential.pasted", credential.code, now=now, label=label, hint=credential.key_hint)
    hints.after_commit("verify_credential", access.provider.pk, credential.pk)
    return credential


def ask_verification(access: Access, credential: Credential, *, now: datetime) -> None:
    """A person says that the key has been mended at the pool: have a worker look again."""
    if credential.state == State.RETIRED:
        raise Refused("This key was replaced by another one. Paste a new key to change it.")
    Credential.objects.visible_to(access).filter(pk=credential.pk, state=State.REFUSED).update(state=State.CHECKING)
    audit.record(access, "credential.verification_asked", credential.code, now=now, label=credential.label)
    hints.after_commit("verify_credential", access.provider.pk, credential.pk)


def withdraw(access: Access, credential: Credential, *, now: datetime) -> None:
    """Throw away a key that is not in use. The one that works is replaced by pasting another, so that none is a gap."""
    unused = Credential.objects.visible_to(access).filter(pk=credential.pk, state__in=[State.CHECKING, State.REFUSED])
    if not unused.update(**RETIRED):
        raise Refused("This key is in use. Paste another one to replace it.")
    audit.record(access, "credential.withdrawn", credential.code, now=now, label=credential.label)


def key_digest(provider: Provider, api_key: str) -> str:
    return hashlib.sha256(f"portal.v1|{provider.code}|{api_key}".encode()).hexdigest()


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
        raise NoKey(_why_no_key(label, stored))
    return _opened(active)


def _why_no_key(label: str, stored: list[Credential]) -> str:
    if any(credential.state == State.CHECKING for credential in stored):
        return f"The key of {label!r} has not been verified yet: wait a minute, or look at the key's page."
    if stored:
        return f"The pool refused the key of {label!r}: {stored[-1].problem or 'paste a new one.'}"
    return f"There is no pool key for {label!r}: paste one."


def _opened(credential: Credential) -> OpenKey:
    try:
        api_key = unseal(credential.sealed_api_key, credential.place("api_key"))
        secret = unseal(credential.sealed_secret, credential.place("secret"))
    except SealError as error:
        raise NoKey(str(error)) from error
    return OpenKey(credential.provider_id, credential.pk, credential.label, api_key, secret)


@cache
def _redis() -> redis.Redis:
    # Time-outs of its own: without Redis no call goes out, and none may hang either.
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=3)


# --- How a key fares


def note_refusal(key: OpenKey, refusal: KeyRefused, *, now: datetime) -> None:
    """The pool refused the key: later runs are not sent with it. A right that only some readings need is only told."""
    still_of_use = isinstance(refusal, PermissionMissing) and refusal.endpoint not in NEEDED_ENDPOINTS
    with tenancy.provider_context(key.provider_id):
        mine = Credential.objects.filter(provider=key.provider_id, pk=key.credential_id, state=State.ACTIVE)
        if still_of_use:
            mine.exclude(problem=refusal.sentence).update(problem=refusal.sentence[:500])
        elif mine.update(state=State.REFUSED, problem=refusal.sentence[:500], checked_at=now):
            _tell(Provider.objects.get(pk=key.provider_id), key.credential_id, "refused", now=now)
    log.warning("key.refused", credential_id=key.credential_id, kind=type(refusal).__name__, in_use=still_of_use)


def _tell(provider: Provider, credential_id: int, action: str, *, now: datetime) -> None:
    """Write in the audit what the pool made of a key. Inside the provider's context."""
    credential = Credential.objects.get(provider=provider, pk=credential_id)
    worker = Access(Kind.SYSTEM, provider, label="worker")
    audit.record(worker, f"credential.{action}", credential.code, now=now, label=credential.label)


def note_success(key: OpenKey, *, now: datetime) -> None:
    with tenancy.provider_context(key.provider_id):
        Credential.objects.filter(provider=key.provider_id, pk=key.credential_id).exclude(
            last_success_at__gt=now - SUCCESS_GRAIN
        ).update(last_success_at=now)


# --- Verification


def verify(provider_id: int, credential_id: int, *, now: datetime) -> Credential:
    """Ask the pool whether the key works and is this login's; then it takes over from the former one in one step.

    Outside any transaction. Raises Refused with what is wrong; the credential then says the same.
    """
    watch = runs.Watch(now)
    with tenancy.provider_context(provider_id):
        found = Credential.objects.select_related("provider").filter(provider=provider_id, pk=credential_id).first()
        if found is None or found.state == State.RETIRED:
            raise Refused("This key was replaced by another one.")
        runs.give_up_lost(provider_id, now=now)
        queued, _ = runs.open_run(provider_id, found.label, Subject.KEY, now=now)
    run = runs.claim(provider_id, queued.pk, watch)
    if run is None:
        raise Refused(f"A key of {found.label!r} is being verified at this moment. Look again in a minute.")
    try:
        _verify(found, run, watch)
    except Refused as refusal:
        runs.finish(run, SyncRun.State.FAILED, error=str(refusal), watch=watch)
        raise
    except PoolError as error:
        _note_failure(found, error, now=watch.now())
        runs.finish(run, SyncRun.State.FAILED, error=error.sentence, watch=watch)
        raise Refused(error.sentence) from error
    except RunLost as lost:
        raise Refused("The verification took too long and was given up. Ask for it again.") from lost
    except Exception:
        runs.finish(run, SyncRun.State.FAILED, error="An error of ours stopped this; it is in the log.", watch=watch)
        raise
    runs.finish(run, SyncRun.State.OK, error="", watch=watch)
    with tenancy.provider_context(provider_id):
        return Credential.objects.select_related("provider").get(provider=provider_id, pk=credential_id)


def _verify(credential: Credential, run: SyncRun, watch: runs.Watch) -> None:
    try:
        key = _opened(credential)
    except NoKey as error:
        _set_refused(credential, str(error), now=watch.now())
        raise
    with key.client(priority=Priority.PERSON) as pool:
        try:
            listing = list_accounts(pool, alive=lambda: runs.renew(run, watch))
            rewards = pool.rewards_page().records
        finally:
            run.calls = pool.calls
    with runs.writing(run):
        stranger = _why_other_user(credential, {account.name for account in listing.accounts}, listing.whole, rewards)
        if stranger is None:
            _activate(credential, now=watch.now())
    if stranger is not None:
        _set_refused(credential, stranger, now=watch.now())
        raise Refused(stranger)


def _why_other_user(
    credential: Credential, seen: set[str], whole: bool, rewards: tuple[RewardRecord, ...]
) -> str | None:
    """No endpoint names a key's user, so what the key sees is held against what its label knows.

    Accounts can be neither deleted nor renamed at the pool: one that is missing belongs to somebody else's list.
    Names repeat across users; where all of them do, amounts tell the users apart.
    """
    known = MiningAccount.objects.filter(
        provider=credential.provider_id, label=credential.label, unlisted_since=None
    ).exclude(state=MiningAccount.State.CREATING)
    missing = sorted(set(known.values_list("name", flat=True)) - seen) if whole else []
    other = "so it belongs to another WhiteBIT user. Paste it under a label of its own."
    if missing:
        return f"This key does not see the account {missing[0]!r} that {credential.label!r} has, {other}"
    if _no_amount_agrees(credential, rewards):
        return f"This key sees other rewards than {credential.label!r} has for the same accounts and days, {other}"
    return None


def _no_amount_agrees(credential: Credential, rewards: tuple[RewardRecord, ...]) -> bool:
    if not rewards:
        return False
    stored = Reward.objects.filter(
        provider=credential.provider_id,
        mining_account__label=credential.label,
        reward_at__gte=min(record.reward_at for record in rewards),
    ).values_list("mining_account__name", "reward_at", "total_amount")
    listed = {(record.account, record.reward_at) for record in rewards}
    comparable = {row for row in stored if row[:2] in listed}
    return bool(comparable) and comparable.isdisjoint(
        (record.account, record.reward_at, record.total) for record in rewards
    )


def _activate(credential: Credential, *, now: datetime) -> None:
    """The new key takes over in one transaction: there is no moment without an active key, and none with two."""
    siblings = Credential.objects.filter(provider=credential.provider_id, label=credential.label)
    siblings.filter(state=State.ACTIVE).exclude(pk=credential.pk).update(**RETIRED)
    siblings.filter(pk=credential.pk).update(
        state=State.ACTIVE, problem="", checked_at=now, verified_at=now, last_success_at=now
    )
    # What was tried and refused before under this label is settled now.
    siblings.filter(state=State.REFUSED, pk__lt=credential.pk).update(**RETIRED)
    if credential.state != State.ACTIVE:
        _tell(credential.provider, credential.pk, "activated", now=now)


def _note_failure(credential: Credential, error: PoolError, *, now: datetime) -> None:
    if isinstance(error, KeyRefused):
        _set_refused(credential, error.sentence, now=now)
        return
    with tenancy.provider_context(credential.provider_id):
        # Nothing is known about the key: it stays what it was, and the next look may tell.
        Credential.objects.filter(provider=credential.provider_id, pk=credential.pk).exclude(
            state__in=[State.RETIRED, State.ACTIVE]
        ).update(problem=error.sentence[:500], checked_at=now)


def _set_refused(credential: Credential, sentence: str, *, now: datetime) -> None:
    with tenancy.provider_context(credential.provider_id):
        mine = Credential.objects.filter(provider=credential.provider_id, pk=credential.pk)
        mine.exclude(state=State.RETIRED).update(state=State.REFUSED, problem=sentence[:500], checked_at=now)
        if credential.state != State.REFUSED:
            _tell(credential.provider, credential.pk, "refused", now=now)
