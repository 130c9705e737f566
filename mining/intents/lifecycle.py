"""The life of an intent's row. Every step is a conditional UPDATE: of two workers that come to it, one makes it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from customers import audit, tenancy
from customers.tenancy import Access, Kind, TenantQuerySet
from mining.links.reconcile import LIST_LAGS
from mining.models import PoolIntent, WatcherLink
from mining.models.links import WatcherLinkQuerySet
from mining.payouts import words as payout_words
from mining.pool.limits.deadline import TOTAL_SECONDS

State = PoolIntent.State

# The call goes out within this, or not at all.
CALL_DEADLINE_SECONDS = 5.0
CLOCKS_DIFFER = timedelta(seconds=5)  # those of two workers, or a worker's and the pool's
# By our clock or the pool's, whatever a call does is done so long after it was claimed.
ACTS_WITHIN = timedelta(seconds=CALL_DEADLINE_SECONDS + TOTAL_SECONDS) + CLOCKS_DIFFER
CERTAIN_AFTER = ACTS_WITHIN + LIST_LAGS
# One empty answer of a pool in trouble proves nothing: a second look, so much later, has to say the same.
LOOKS_APART = timedelta(seconds=3)
UNKNOWN_AFTER = timedelta(seconds=60)

SHORTEST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
# What could not go out for so long does not go out any more: what was meant then may not be meant now.
GOES_OUT_WITHIN = {
    PoolIntent.Kind.CREATE_ACCOUNT: timedelta(hours=1),
    PoolIntent.Kind.ADOPT_ACCOUNT: timedelta(hours=1),
    PoolIntent.Kind.CREATE_LINK: timedelta(minutes=15),
    PoolIntent.Kind.EDIT_PAYOUT: timedelta(minutes=15),
}
OPEN = (State.PLANNED, State.CALLED)
UNSETTLED = (*OPEN, State.UNKNOWN)
STILL_UNKNOWN = (
    "The pool's answer was lost, and a minute was not enough to find out what became of it. It is looked up again and "
    "again. If it cannot wait, look at the pool yourself and decide here."
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
    everything = PoolIntent.objects.filter(provider=provider_id, state__in=UNSETTLED)
    return everything.exclude(state=State.UNKNOWN, called_at=None)


def due_for_a_look(provider_id: int, *, now: datetime) -> list[int]:
    """For the planner: whose worker or hint was lost, and what is looked at again after twice the time, up to an hour.
    Inside the provider's context."""
    return [intent.pk for intent in _to_look_at(provider_id).order_by("pk") if _is_due(intent, now)]


def _is_due(intent: PoolIntent, now: datetime) -> bool:
    begun_at = intent.called_at or intent.created_at
    looked_at = max(intent.looked_at or begun_at, begun_at)
    return now - looked_at >= min(max(looked_at - begun_at, SHORTEST_PAUSE), LONGEST_PAUSE)


def give_up_waiting(provider_id: int, *, now: datetime) -> int:
    """What was called a minute ago and is not settled needs a person. Inside the provider's context."""
    late = PoolIntent.objects.filter(
        provider=provider_id, state=State.CALLED, called_at__lte=now - UNKNOWN_AFTER
    ).select_related("provider")
    return sum(finish(intent, State.UNKNOWN, STILL_UNKNOWN, now=now) for intent in late)


def overdue(provider_id: int, *, now: datetime) -> list[PoolIntent]:
    """What was never called and goes out no more. Inside the provider's context."""
    late = Q(pk=None)
    for kind, limit in GOES_OUT_WITHIN.items():
        late |= Q(kind=kind, created_at__lte=now - limit)
    # One with the moment of a call is an account that a person has found: it is only looked up.
    planned = PoolIntent.objects.filter(late, provider=provider_id, state=State.PLANNED, called_at=None)
    return list(planned.select_related("mining_account", "watcher_link", "provider").order_by("pk"))


def claim(intent: PoolIntent, *, now: datetime, remembered: dict[str, Any]) -> bool:
    """Commit that the one call goes out now. False: another worker has it."""
    values = {"state": State.CALLED, "called_at": now, "attempts": intent.attempts + 1, **remembered}
    with tenancy.provider_context(intent.provider_id):
        claimed = _mine(intent).filter(state=State.PLANNED, attempts=intent.attempts).update(**values)
    for name, value in values.items():
        setattr(intent, name, value)
    return bool(claimed)


def uncall(intent: PoolIntent) -> None:
    """The call surely did not reach the pool: as if it had never gone out."""
    with tenancy.provider_context(intent.provider_id):
        mine = _mine(intent).filter(state__in=[State.CALLED, State.UNKNOWN], attempts=intent.attempts)
        values = {"called_at": None, "nothing_seen_at": None, "attempts": intent.attempts - 1}
        if mine.update(state=State.PLANNED, **values):
            link = _link_of(intent).filter(state=WatcherLink.State.UNKNOWN)
            link.update(state=WatcherLink.State.CREATING, problem="")


def is_certain(intent: PoolIntent, looked_at: datetime) -> bool:
    """Whether a look that began then and found nothing proves that nothing happened. The first is remembered."""
    if intent.called_at is None or looked_at - intent.called_at < CERTAIN_AFTER:
        return False
    if intent.nothing_seen_at is None:
        intent.nothing_seen_at = looked_at
        with tenancy.provider_context(intent.provider_id):
            _mine(intent).filter(nothing_seen_at=None).update(nothing_seen_at=looked_at)
    return looked_at - intent.nothing_seen_at >= LOOKS_APART


def note(intent: PoolIntent, problem: str) -> None:
    """Why it is not settled yet. What needs a person says so already."""
    with tenancy.provider_context(intent.provider_id):
        _mine(intent).filter(state__in=OPEN).exclude(problem=problem[:500]).update(problem=problem[:500])
        _tell_link(intent, WatcherLink.State.CREATING, problem)


def finish(
    intent: PoolIntent,
    state: PoolIntent.State,
    problem: str,
    *,
    among: tuple[PoolIntent.State, ...] = UNSETTLED,
    now: datetime,
) -> bool:
    """Once only: of two workers that come to an end, the second changes nothing. Inside the provider's context."""
    still = _mine(intent).filter(state__in=OPEN if state == State.UNKNOWN else among)
    if not still.update(state=state, problem=problem[:500], settled_at=None if state == State.UNKNOWN else now):
        if state == State.UNKNOWN:
            _mine(intent).filter(state=state).exclude(problem=problem[:500]).update(problem=problem[:500])
        return False
    if state == State.UNKNOWN:
        _tell_link(intent, WatcherLink.State.UNKNOWN, problem)
    worker = Access(Kind.SYSTEM, intent.provider, label="worker")
    details = {"kind": intent.kind, "account": intent.account_name, **_destinations(intent)}
    audit.record(worker, f"intent.{state}", intent.code, now=now, **details)
    return True


def _destinations(intent: PoolIntent) -> dict[str, str]:
    """Of a payout edit: from where to where."""
    if intent.kind != PoolIntent.Kind.EDIT_PAYOUT:
        return {}
    before = payout_words.in_words(intent.payout_destination_before, intent.payout_address_before)
    return {"before": before, "wanted": payout_words.in_words(intent.payout_destination, intent.payout_address)}


def _tell_link(intent: PoolIntent, state: WatcherLink.State, problem: str) -> None:
    """Pages and the API show the link, not the intent that is to make it."""
    making = _link_of(intent).filter(state=WatcherLink.State.CREATING)
    making.exclude(state=state, problem=problem[:500]).update(state=state, problem=problem[:500])


def _link_of(intent: PoolIntent) -> WatcherLinkQuerySet:
    return WatcherLink.objects.filter(provider=intent.provider_id, intents=intent.pk)


def _mine(intent: PoolIntent) -> TenantQuerySet[PoolIntent]:
    return PoolIntent.objects.filter(provider=intent.provider_id, pk=intent.pk)
