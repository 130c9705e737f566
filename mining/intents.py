"""Settle what was meant to be done at the pool. For workers, outside any transaction.

Creating an account is not idempotent and cannot be undone, so the intent is committed before the call. The name is
looked up right before it: what is found after a lost answer, and was not there before, is ours; what was there before
never is.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from customers import audit, tenancy
from customers.tenancy import Access, Kind
from mining import keys
from mining.errors import NoKey, name_taken
from mining.models import MiningAccount, PoolIntent, Reward
from mining.pool.client import PoolClient
from mining.pool.errors import AmbiguousOutcome, KeyRefused, PoolError, RequestRefused
from mining.pool.types import PoolAccount

log = structlog.get_logger(__name__)

IntentState = PoolIntent.State

# No call of ours lives longer, with all its waits: what is not there by then will not come any more.
SETTLED_AFTER = timedelta(seconds=120)
MOST_CALLS = 3


def settle_intent(provider_id: int, intent_id: int, *, now: datetime) -> PoolIntent | None:
    """Bring an open intent as far as it goes now. Safe to repeat: whatever happened before, it looks first."""
    with tenancy.provider_context(provider_id):
        intent = (
            _open_intents(provider_id)
            .filter(pk=intent_id)
            .select_related("mining_account", "provider", "customer")
            .first()
        )
    if intent is None:
        return None
    try:
        key = keys.open_key(provider_id, intent.label)
        with key.client() as pool:
            _settle(intent, pool, now=now)
        keys.note_success(key, now=now)
    except NoKey as error:
        _note_problem(intent, str(error))
    except KeyRefused as refusal:
        keys.note_refusal(key, refusal, now=now)
        _note_problem(intent, refusal.sentence)
    except PoolError as error:
        _note_problem(intent, error.sentence)
    with tenancy.provider_context(provider_id):
        intent.refresh_from_db()
    log.info("intent.settled", intent=intent.code, kind=intent.kind, state=intent.state, attempts=intent.attempts)
    return intent


def _open_intents(provider_id: int) -> tenancy.TenantQuerySet[PoolIntent]:
    return PoolIntent.objects.filter(provider=provider_id, state__in=[IntentState.PLANNED, IntentState.CALLED])


def _settle(intent: PoolIntent, pool: PoolClient, *, now: datetime) -> None:
    found = _look_up(pool, intent.account_name)
    if intent.kind == PoolIntent.Kind.ADOPT_ACCOUNT:
        if found is None:
            fail(intent, _not_there(intent), now=now)
        else:
            _done(intent, found, now=now)
    elif intent.state == IntentState.CALLED:
        _read_back(intent, found, pool, now=now)
    elif found is not None:
        fail(intent, name_taken(intent.account_name, intent.label), now=now)
    else:
        _create(intent, pool, now=now)


def _look_up(pool: PoolClient, name: str) -> PoolAccount | None:
    return next((account for account in pool.accounts_page(name=name) if account.name == name), None)


def _read_back(intent: PoolIntent, found: PoolAccount | None, pool: PoolClient, *, now: datetime) -> None:
    """The call went out and its answer was lost. The name was free right before it."""
    if found is not None:
        _done(intent, found, now=now)
    elif intent.called_at is not None and now - intent.called_at < SETTLED_AFTER:
        _note_problem(intent, "The pool's answer was lost. It is being looked up whether the account was created.")
    elif intent.attempts < MOST_CALLS:
        _create(intent, pool, now=now)
    else:
        sentence = f"The pool's answer was lost {intent.attempts} times, and there is no account. Look at the pool."
        _needs_a_person(intent, sentence, now=now)


def _create(intent: PoolIntent, pool: PoolClient, *, now: datetime) -> None:
    """The name is free. Commit that the call goes out, make it once, and look after it on doubt."""
    if not _claim_call(intent, now=now):
        return  # another worker has it
    try:
        created = pool.create_account(intent.account_name)
    except AmbiguousOutcome:
        _read_back(intent, _look_up(pool, intent.account_name), pool, now=now)
    except RequestRefused as refusal:
        _refused(intent, refusal, now=now)
    except PoolError:
        # The client tells doubt apart (AmbiguousOutcome), so here the pool did nothing: as if never called.
        _uncall(intent)
        raise
    else:
        _done(intent, created, now=now)


def _claim_call(intent: PoolIntent, *, now: datetime) -> bool:
    with tenancy.provider_context(intent.provider_id):
        # Unchanged since we looked: of two workers that both found the name free, one calls.
        mine = _intents(intent).filter(state=intent.state, attempts=intent.attempts)
        claimed = mine.update(state=IntentState.CALLED, called_at=now, attempts=intent.attempts + 1)
    intent.attempts, intent.called_at, intent.state = intent.attempts + 1, now, IntentState.CALLED
    return bool(claimed)


def _uncall(intent: PoolIntent) -> None:
    with tenancy.provider_context(intent.provider_id):
        mine = _intents(intent).filter(state=IntentState.CALLED, attempts=intent.attempts)
        mine.update(state=IntentState.PLANNED, called_at=None, attempts=intent.attempts - 1)


def _intents(intent: PoolIntent) -> tenancy.TenantQuerySet[PoolIntent]:
    return PoolIntent.objects.filter(provider=intent.provider_id, pk=intent.pk)


def _refused(intent: PoolIntent, refusal: RequestRefused, *, now: datetime) -> None:
    if "name" in refusal.fields and intent.attempts > 1:
        # Free before our first call, taken now: an earlier call of ours arrived late, or somebody was quicker.
        sentence = f"The account {intent.account_name!r} appeared at the pool meanwhile. Look whether it is yours."
        _needs_a_person(intent, sentence, now=now)
    elif "name" in refusal.fields:
        fail(intent, name_taken(intent.account_name, intent.label), now=now)
    elif any("maxAccounts" in word for words in refusal.fields.values() for word in words):
        fail(intent, f"The login {intent.label!r} has as many accounts as the pool allows.", now=now)
    else:
        fail(intent, refusal.sentence, now=now)


def _not_there(intent: PoolIntent) -> str:
    return f"There is no account {intent.account_name!r} at {intent.label!r}. Check the name: capitals count."


def _done(intent: PoolIntent, found: PoolAccount, *, now: datetime) -> None:
    with tenancy.provider_context(intent.provider_id):
        if _finish(intent, IntentState.DONE, "", now=now):
            _placeholder(intent).update(state=MiningAccount.State.ACTIVE, created_at_pool=found.created_at)


def _needs_a_person(intent: PoolIntent, problem: str, *, now: datetime) -> None:
    with tenancy.provider_context(intent.provider_id):
        _finish(intent, IntentState.UNKNOWN, problem, now=now)


def fail(intent: PoolIntent, problem: str, *, now: datetime) -> None:
    """Surely nothing of ours is at the pool: take the account that was to be away, so the customer can have another."""
    with tenancy.provider_context(intent.provider_id):
        placeholder = _placeholder(intent)
        if Reward.objects.filter(provider=intent.provider_id, mining_account__in=placeholder).exists():
            sentence = f"{problem} But rewards have come in for {intent.account_name!r}: look whose account it is."
            _finish(intent, IntentState.UNKNOWN, sentence, now=now)
            return
        if _finish(intent, IntentState.FAILED, problem, now=now):
            _intents(intent).update(mining_account=None)
            placeholder.delete()


def _placeholder(intent: PoolIntent) -> tenancy.TenantQuerySet[MiningAccount]:
    account = intent.mining_account
    return MiningAccount.objects.filter(
        provider=intent.provider_id, pk=account.pk if account else 0, state=MiningAccount.State.CREATING
    )


def _finish(intent: PoolIntent, state: PoolIntent.State, problem: str, *, now: datetime) -> bool:
    """Once only: of two workers that come to an end, the second changes nothing."""
    still_open = _open_intents(intent.provider_id).filter(pk=intent.pk)
    if not still_open.update(state=state, problem=problem[:500], settled_at=now):
        return False
    worker = Access(Kind.SYSTEM, intent.provider, label="worker")
    audit.record(worker, f"intent.{state}", intent.code, now=now, kind=intent.kind, account=intent.account_name)
    return True


def _note_problem(intent: PoolIntent, problem: str) -> None:
    with tenancy.provider_context(intent.provider_id):
        _open_intents(intent.provider_id).filter(pk=intent.pk).exclude(problem=problem[:500]).update(
            problem=problem[:500]
        )
