"""What every kind of act at the pool has to say: what it looks at, what a look proves, how long it waits, who decides
what stays in doubt, in which words, and what it leaves with us."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Generic, TypeVar

from mining.models import PoolIntent
from mining.pool.client import PoolClient
from mining.pool.errors import RequestRefused

LOOKED_UP = "A person says that the pool did it: it is being looked up."
Seen = TypeVar("Seen")  # what a look at the pool brings
Thing = TypeVar("Thing")  # what is there when the act is done


@dataclass(frozen=True, slots=True)
class Done(Generic[Thing]):
    thing: Thing


@dataclass(frozen=True, slots=True)
class Impossible:
    """Before the call: why it must not be made."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Nothing:
    """After the call: no effect (yet). Once it is certain the intent fails with this sentence, which goes on from
    "The pool's answer was lost, "."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """After the call: what is seen proves neither."""

    sentence: str


class Act(ABC, Generic[Seen, Thing]):
    kind: ClassVar[PoolIntent.Kind]
    endpoint: ClassVar[str]  # the pool's, that is called; empty: a look is enough
    # What could not go out for so long does not go out any more: what was meant then may not be meant now.
    goes_out_within: ClassVar[timedelta]
    decided_by: ClassVar[str]  # the act in the table of roles that a person must be allowed to do

    # In words. The first three follow on others: "… It is being looked up whether", "Cedar:" and "Cedar:".
    question: ClassVar[str]
    stuck: ClassVar[str]
    in_doubt: ClassVar[str]
    not_there: ClassVar[str]  # why it failed, when a person found nothing
    answer_if_ours: ClassVar[str]  # to the person who decided, either way
    answer_if_not: ClassVar[str]

    def __init__(self, intent: PoolIntent) -> None:
        self.intent = intent

    @abstractmethod
    def look(self, pool: PoolClient) -> Seen: ...

    @abstractmethod
    def before(self, seen: Seen) -> Done[Thing] | Impossible | None:
        """None: the call is to be made."""

    @abstractmethod
    def call(self, pool: PoolClient) -> Thing:
        """Raises AmbiguousOutcome when nobody knows whether it happened; RequestRefused when the pool said no."""

    @abstractmethod
    def after(self, seen: Seen, *, looked_at: datetime) -> Done[Thing] | Nothing | Unclear: ...

    @abstractmethod
    def refused(self, refusal: RequestRefused) -> str: ...

    def remembered(self, seen: Seen) -> dict[str, Any]:
        """What stood before the call, for the intent's row."""
        return {}

    def audit_details(self) -> dict[str, str]:
        """What the audit says of it beside its kind and account."""
        return {}

    def believe(self, *, now: datetime) -> None:
        """A person says that the pool did it: change the intent, for the caller to save, so that a look tells."""
        self.intent.problem = LOOKED_UP

    # The rest runs inside the provider's context. What stands for the act on pages may say how far it is:

    def tell_waiting(self, problem: str) -> None:
        """Write on our rows that the intent is not settled yet."""

    def tell_doubt(self, problem: str) -> None:
        """Write on our rows that the intent needs a person."""

    def tell_not_called(self) -> None:
        """The call surely did not reach the pool: what was in doubt is planned again."""

    # In the transaction that ends the intent:

    @abstractmethod
    def keep(self, thing: Thing, *, now: datetime) -> None:
        """The act is done: write it on our rows."""

    @abstractmethod
    def drop(self, problem: str, *, now: datetime) -> None:
        """The act failed without effect: write it on our rows."""

    def doubts_failure(self) -> str | None:
        """What speaks against that it had no effect, whatever the look said."""
        return None

    def outdates(self, refusal: RequestRefused) -> bool:
        """Whether the pool's refusal says that what was seen right before the call is so no more."""
        return False

    def learn(self, seen: Seen, *, refused: bool = False, looked_at: datetime, now: datetime) -> None:
        """What else the look told. `refused`: it followed on a refusal that outdates what was seen before."""
