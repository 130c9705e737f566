"""The one mechanism: look, call once, and on doubt read back. For workers, outside any transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import structlog
from django.conf import settings

from customers import tenancy
from mining import dispatch
from mining.errors import NoKey
from mining.intents import lifecycle
from mining.intents.base import Act, Done, Impossible, Unclear
from mining.intents.kinds import act_of
from mining.intents.timing import CALL_DEADLINE_SECONDS, CERTAIN_AFTER, LOOKS_APART, UNKNOWN_AFTER
from mining.keys import health as key_health
from mining.keys import store as key_store
from mining.keys.store import OpenKey
from mining.models import PoolIntent
from mining.pool.client import PoolClient
from mining.pool.errors import AmbiguousOutcome, KeyRefused, PoolError, RequestRefused
from mining.pool.limits.rate_limit import Priority
from mining.runs import Watch

log = structlog.get_logger(__name__)

State = PoolIntent.State
# A look that takes longer than this is of no use to the minute that we have; the next one comes soon.
LONGEST_LOOK_SECONDS = 15.0
# Seconds after the call. The last two are when nothing is found (a second look is to say so too), and when it needs a
# person.
LOOKS_AFTER = (5, 15, 30, CERTAIN_AFTER.total_seconds(), UNKNOWN_AFTER.total_seconds())
SECOND_LOOK_SECONDS = LOOKS_APART.total_seconds() + 0.5


def settle_intent(provider_id: int, intent_id: int, *, now: datetime) -> PoolIntent | None:
    """Bring an intent as far as it goes now. Safe to repeat: whatever happened before, it looks first."""
    watch = Watch(now)
    with tenancy.provider_context(provider_id):
        give_up_planned(provider_id, now=now)
    intent = lifecycle.take_up(provider_id, intent_id, now=now)
    if intent is None:
        return None
    act = act_of(intent)
    try:
        key = key_store.open_key(provider_id, intent.login_id)
        _settle(act, key, watch)
        key_health.note_success(key, now=now)
    except NoKey as error:
        lifecycle.note(intent, str(error))
    except KeyRefused as refusal:
        key_health.note_refusal(key, refusal, now=now)
        lifecycle.note(intent, refusal.sentence)
    except PoolError as error:
        lifecycle.note(intent, error.sentence)
    with tenancy.provider_context(provider_id):
        lifecycle.give_up_waiting(provider_id, now=watch.now())
        intent.refresh_from_db()
    log.info("intent.settled", intent=intent.code, kind=intent.kind, state=intent.state, attempts=intent.attempts)
    return intent


def _settle(act: Act[Any, Any], key: OpenKey, watch: Watch) -> None:
    look_seconds = min(LONGEST_LOOK_SECONDS, settings.POOL_DEADLINE_SECONDS)
    with key.client(priority=Priority.PERSON, deadline_seconds=look_seconds) as pool:
        if act.intent.state != State.PLANNED:
            _read_back(act, pool, watch)
            return
        looked_at = watch.now()
        try:
            seen = act.look(pool)
        except RequestRefused as refusal:
            fail(act.intent, f"{refusal.sentence} Nothing was done.", now=watch.now())
            return
        _begin(act, seen, key, pool, watch)
        _learn(act, seen, looked_at, watch)


def _begin(act: Act[Any, Any], seen: Any, key: OpenKey, pool: PoolClient, watch: Watch) -> None:
    verdict = act.before(seen)
    if isinstance(verdict, Done):
        _done(act, verdict.thing, watch)
    elif isinstance(verdict, Impossible):
        fail(act.intent, verdict.sentence, now=watch.now())
    elif lifecycle.claim(act.intent, now=watch.now(), remembered=act.remembered(seen)):
        _call(act, key, pool, watch)


def _call(act: Act[Any, Any], key: OpenKey, pool: PoolClient, watch: Watch) -> None:
    """Make the one call, which is claimed and committed."""
    try:
        with key.client(priority=Priority.PERSON, deadline_seconds=CALL_DEADLINE_SECONDS) as hand:
            thing = act.call(hand)
    except AmbiguousOutcome:
        _look_again_soon(act.intent, watch)
        _read_back(act, pool, watch)
    except RequestRefused as refusal:
        try:
            if act.outdates(refusal):
                _look_again(act, pool, watch)
        finally:
            fail(act.intent, act.refused(refusal), now=watch.now())
    except PoolError:
        # The client tells doubt apart (AmbiguousOutcome), so here the pool did nothing: as if never called.
        lifecycle.uncall(act.intent)
        raise
    else:
        _done(act, thing, watch)
        key_health.note_use(key, act.endpoint, now=watch.now())


def _look_again(act: Act[Any, Any], pool: PoolClient, watch: Watch) -> None:
    """Before it fails: whoever waits for the outcome sees both at once."""
    looked_at = watch.now()
    _learn(act, act.look(pool), looked_at, watch, refused=True)


def _look_again_soon(intent: PoolIntent, watch: Watch) -> None:
    """All at once and beforehand, so that a look that hangs keeps none of the later ones from being made."""
    if intent.called_at is not None:
        since_call = (watch.now() - intent.called_at).total_seconds()
        for seconds in LOOKS_AFTER:
            dispatch.after_commit(
                "mining.tasks.settle_intent", intent.provider_id, intent.pk, in_seconds=max(seconds - since_call, 1)
            )


def _read_back(act: Act[Any, Any], pool: PoolClient, watch: Watch) -> None:
    looked_at = watch.now()
    seen = act.look(pool)
    verdict = act.after(seen, looked_at=looked_at)
    if isinstance(verdict, Done):
        _done(act, verdict.thing, watch)
    elif isinstance(verdict, Unclear):
        with tenancy.provider_context(act.intent.provider_id):
            lifecycle.finish(act.intent, State.UNKNOWN, verdict.sentence, now=watch.now())
    elif lifecycle.is_certain(act.intent, looked_at):
        fail(act.intent, f"The pool's answer was lost, {verdict.sentence}", now=watch.now())
    else:
        lifecycle.note(act.intent, f"The pool's answer was lost. It is being looked up whether {act.question}.")
        if act.intent.nothing_seen_at is not None:
            ids = (act.intent.provider_id, act.intent.pk)
            dispatch.after_commit("mining.tasks.settle_intent", *ids, in_seconds=SECOND_LOOK_SECONDS)
    _learn(act, seen, looked_at, watch)


def _learn(act: Act[Any, Any], seen: Any, looked_at: datetime, watch: Watch, *, refused: bool = False) -> None:
    with tenancy.provider_context(act.intent.provider_id):
        act.learn(seen, refused=refused, looked_at=looked_at, now=watch.now())


def _done(act: Act[Any, Any], thing: Any, watch: Watch) -> None:
    with tenancy.provider_context(act.intent.provider_id):
        if lifecycle.finish(act.intent, State.DONE, "", now=watch.now()):
            act.keep(thing, now=watch.now())


def give_up_waiting(provider_id: int, *, now: datetime) -> int:
    """Fail what was not called in time; what is not settled in time needs a person. Inside the provider's context."""
    return lifecycle.give_up_waiting(provider_id, now=now) + give_up_planned(provider_id, now=now)


def give_up_planned(provider_id: int, *, now: datetime) -> int:
    """What could not go out in time fails, so that it does not go out when nobody reckons with it any more."""
    late = lifecycle.overdue(provider_id, now=now)
    for intent in late:
        fail(intent, _not_in_time(intent), among=(State.PLANNED,), now=now)
    return len(late)


def _not_in_time(intent: PoolIntent) -> str:
    minutes = int(act_of(intent).goes_out_within.total_seconds()) // 60
    why = f"{intent.problem} " if intent.problem else ""
    return f"{why}It could not be asked of the pool within {minutes} minutes. Nothing was done: ask for it again."


def fail(
    intent: PoolIntent, problem: str, *, among: tuple[PoolIntent.State, ...] = PoolIntent.UNSETTLED, now: datetime
) -> None:
    """Surely nothing of ours is at the pool. Only from a state `among` these."""
    act = act_of(intent)
    with tenancy.provider_context(intent.provider_id):
        doubt = act.doubts_failure()
        if doubt is not None:
            lifecycle.finish(intent, State.UNKNOWN, f"{problem} {doubt}", now=now)
        elif lifecycle.finish(intent, State.FAILED, problem, among=among, now=now):
            act.drop(problem, now=now)
