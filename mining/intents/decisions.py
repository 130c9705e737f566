"""A person decides what became of an act that nobody could settle."""

from __future__ import annotations

from datetime import datetime

from customers import audit
from customers.tenancy import Access
from mining import hints
from mining.errors import Refused
from mining.intents.settling import fail
from mining.models import PoolIntent

State, Kind = PoolIntent.State, PoolIntent.Kind

NOT_THERE = {
    Kind.CREATE_ACCOUNT: "A person found no account of ours at the pool.",
    Kind.ADOPT_ACCOUNT: "A person found no account of ours at the pool.",
    Kind.CREATE_LINK: "A person found that the pool had not made the link.",
    Kind.EDIT_PAYOUT: "A person found that the pool had not changed the payout destination.",
}
LOOKED_UP = "A person says that the pool did it: it is being looked up."


def decide_intent(access: Access, intent: PoolIntent, *, ours: bool, now: datetime) -> None:
    """A person has looked at the pool for an intent that is unknown. `ours`: what we asked for is there.

    An account is then taken over. A link or a payout destination is looked up once more, since only the pool's answer
    tells the link's address and what stands there: it settles if the look finds it.
    """
    unknown = PoolIntent.objects.visible_to(access).filter(pk=intent.pk, state=State.UNKNOWN)
    if ours and intent.kind in PoolIntent.ACCOUNT_KINDS:
        decided = unknown.update(kind=Kind.ADOPT_ACCOUNT, state=State.PLANNED, problem="")
    elif ours:
        decided = unknown.update(problem=LOOKED_UP)
    else:
        decided = len(unknown.select_for_update())
    if not decided:
        raise Refused("This has been settled already.")
    audit.record(access, "intent.decided", intent.code, now=now, ours="yes" if ours else "no")
    if ours:
        hints.after_commit("settle_intent", access.provider.pk, intent.pk)
    else:
        fail(intent, NOT_THERE[Kind(intent.kind)], now=now)
