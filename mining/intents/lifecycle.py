"""The life of an intent's row. Every step is a conditional UPDATE: of two workers that come to it, one makes it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from customers import audit, tenancy
from customers.tenancy import TenantQuerySet
from mining.intents.kinds import ACTS, act_of
from mining.intents.timing import CERTAIN_AFTER, LOOKS_APART, UNKNOWN_AFTER
from mining.models import PoolIntent

State = PoolIntent.State

SHORTEST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
STILL_UNKNOWN = (
    "The pool's answer was lost, and a minute was not enough to find out what became of it. It is looked up again and "
    "again. If it cannot wait, look at the pool yourself and say what you find."
)


def take_up(provider_id: int, intent_id: int, *, now: datetime) -> PoolIntent | None:
    """The intent that a worker is going to look at; None when there is nothing (more) to look at."""
    with tenancy.provider_context(provider_id):
        give_up_waiting(provider_id, now=now)
        waiting = _to_look_at(provider_id).filter(pk=intent_id)
        if not waiting.update(looked_at=now):
            return None
        related = ("login", "mining_account", "watcher_link", "provider", "customer")
        return PoolIntent.objects.filter(provider=provider_id).select_related(*related).get(pk=intent_id)


def _to_look_at(provider_id: int) -> TenantQuerySet[PoolIntent]:
    """Also what needs a person, as long as a call of ours may have had an effect that can be found."""
    everything = PoolIntent.objects.filter(provider=provider_id, state__in=PoolIntent.UNSETTLED)
    return everything.exclude(state=State.UNKNOWN, called_at=None)


def due_for_a_look(provider_id: int, *, now: datetime) -> list[int]:
    """Intents that the planner dispatches: their worker or dispatch was lost, or another look is due, after twice the
    time, up to an hour. Inside the provider's context."""
    return [intent.pk for intent in _to_look_at(provider_id).order_by("pk") if _is_due(intent, now)]


def _is_due(intent: PoolIntent, now: datetime) -> bool:
    begun_at = intent.called_at or intent.created_at
    looked_at = max(intent.looked_at or begun_at, begun_at)
    return now - looked_at >= min(max(looked_at - begun_at, SHORTEST_PAUSE), LONGEST_PAUSE)


def give_up_waiting(provider_id: int, *, now: datetime) -> int:
    """What was called a minute ago and is not settled needs a person. Inside the provider's context."""
    late = PoolIntent.objects.filter(
        provider=provider_id, state=State.CALLED, called_at__lte=now - UNKNOWN_AFTER
    ).select_related("mining_account", "watcher_link")
    return sum(finish(intent, State.UNKNOWN, STILL_UNKNOWN, now=now) for intent in late)


def overdue(provider_id: int, *, now: datetime) -> list[PoolIntent]:
    """What was never called and goes out no more. Inside the provider's context."""
    late = Q(pk=None)
    for act in ACTS.values():
        late |= Q(kind=act.kind, created_at__lte=now - act.goes_out_within)
    # One with the moment of a call is an account that a person has found: it is only looked up.
    planned = PoolIntent.objects.filter(late, provider=provider_id, state=State.PLANNED, called_at=None)
    return list(planned.select_related("mining_account", "watcher_link", "provider").order_by("pk"))


def claim(intent: PoolIntent, *, now: datetime, remembered: dict[str, Any]) -> bool:
    """Commit that the one call goes out now. False: another worker has it."""
    values = {"state": State.CALLED, "called_at": now, "attempts": intent.attempts + 1, **remembered}
    with tenancy.provider_context(intent.provider_id):
        claimed = _row_of(intent).filter(state=State.PLANNED, attempts=intent.attempts).update(**values)
    for name, value in values.items():
        setattr(intent, name, value)
    return bool(claimed)


def uncall(intent: PoolIntent) -> None:
    """The call surely did not reach the pool: as if it had never gone out."""
    with tenancy.provider_context(intent.provider_id):
        intents = _row_of(intent).filter(state__in=[State.CALLED, State.UNKNOWN], attempts=intent.attempts)
        values = {"called_at": None, "nothing_seen_at": None, "attempts": intent.attempts - 1}
        if intents.update(state=State.PLANNED, **values):
            act_of(intent).tell_not_called()


def is_certain(intent: PoolIntent, looked_at: datetime) -> bool:
    """Whether a look that began then and found nothing proves that nothing happened. The first is remembered."""
    if intent.called_at is None or looked_at - intent.called_at < CERTAIN_AFTER:
        return False
    if intent.nothing_seen_at is None:
        intent.nothing_seen_at = looked_at
        with tenancy.provider_context(intent.provider_id):
            _row_of(intent).filter(nothing_seen_at=None).update(nothing_seen_at=looked_at)
    return looked_at - intent.nothing_seen_at >= LOOKS_APART


def note(intent: PoolIntent, problem: str) -> None:
    """Why it is not settled yet. What needs a person says so already."""
    with tenancy.provider_context(intent.provider_id):
        _row_of(intent).filter(state__in=PoolIntent.OPEN).exclude(problem=problem[:500]).update(problem=problem[:500])
        act_of(intent).tell_waiting(problem)


def finish(
    intent: PoolIntent,
    state: PoolIntent.State,
    problem: str,
    *,
    among: tuple[PoolIntent.State, ...] = PoolIntent.UNSETTLED,
    now: datetime,
) -> bool:
    """Once only: of two workers that come to an end, the second changes nothing. Inside the provider's context."""
    still = _row_of(intent).filter(state__in=PoolIntent.OPEN if state == State.UNKNOWN else among)
    if not still.update(state=state, problem=problem[:500], settled_at=None if state == State.UNKNOWN else now):
        if state == State.UNKNOWN:
            _row_of(intent).filter(state=state).exclude(problem=problem[:500]).update(problem=problem[:500])
        return False
    act = act_of(intent)
    if state == State.UNKNOWN:
        act.tell_doubt(problem)
    details = {"kind": intent.kind, "account": intent.account_name, **act.audit_details()}
    audit.record_by_worker(intent.provider_id, f"intent.{state}", intent.code, now=now, **details)
    return True


def _row_of(intent: PoolIntent) -> TenantQuerySet[PoolIntent]:
    return PoolIntent.objects.filter(provider=intent.provider_id, pk=intent.pk)
