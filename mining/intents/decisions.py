"""A person decides what became of an act that nobody could settle."""

from __future__ import annotations

from datetime import datetime, timedelta

from customers import audit
from customers.errors import Refused
from customers.tenancy import Access
from mining import dispatch
from mining.intents.kinds import act_of
from mining.intents.settling import fail
from mining.models import PoolIntent

State = PoolIntent.State

# A worker takes up what was planned within seconds: a person who is faster than that has nothing to decide.
WAITS_AT_LEAST = timedelta(minutes=1)
GIVEN_UP = "A person gave it up before it was asked of the pool. Nothing was done."


def decide_intent(access: Access, intent: PoolIntent, *, ours: bool, now: datetime) -> None:
    """A person has looked at the pool for an intent that is unknown. `ours`: what we asked for is there. One that
    waits to go out is given up with `ours=False`, and then surely does not go out.

    An account is then taken over. A link or a payout destination is looked up once more, since only the pool's answer
    tells the link's address and what stands there: it settles if the look finds it.
    """
    held = PoolIntent.objects.visible_to(access).select_for_update().get(pk=intent.pk)
    if held.state != State.UNKNOWN and not (waits(held, now=now) and not ours):
        if held.state in PoolIntent.OPEN:
            raise Refused("A worker has this in hand: there is nothing to decide yet.", code="intent.in_hand")
        raise Refused("This has been settled already.", code="intent.settled")
    audit.record(access, "intent.decided", held.code, now=now, ours="yes" if ours else "no")
    if not ours:
        fail(held, GIVEN_UP if held.state == State.PLANNED else act_of(held).not_there, now=now)
        return
    act_of(held).believe(now=now)
    held.save(update_fields=["kind", "state", "problem", "called_at"])
    dispatch.after_commit("mining.tasks.settle_intent", access.provider.pk, held.pk)


def waits(intent: PoolIntent, *, now: datetime) -> bool:
    """Whether the intent can be given up, because its call has not gone out."""
    return intent.state == State.PLANNED and intent.created_at <= now - WAITS_AT_LEAST
