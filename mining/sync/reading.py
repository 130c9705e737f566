"""What one run of the sync has in its hands while it reads a subject, and what it comes back with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mining import runs
from mining.keys.store import OpenKey
from mining.models import SyncRun
from mining.models.runs import Depth, Subject
from mining.pool.client import PoolClient
from mining.pool.errors import PoolError
from mining.pool.limits.rate_limit import Priority

# The moments of reading on an account are kept to within this, so that a reading without news writes no row.
READ_AT_GRAIN = timedelta(minutes=10)


@dataclass
class Outcome:
    """Counts of rows, what was wrong with parts of it (then the run is partial), and what ended it early.

    `resume_after`: the turn ended after this account, and there are more. `answered`: the pool took the key's call.
    `unread`: by subject and field, how many decorations could not be read; their records count all the same, so it is
    nothing that was wrong.
    """

    rows_new: int = 0
    rows_changed: int = 0
    quarantined: int = 0
    problems: list[str] = field(default_factory=list)
    failure: PoolError | None = None
    resume_after: int | None = None
    answered: bool = True
    unread: Counter[str] = field(default_factory=Counter)

    def note_unread(self, subject: Subject, fields: Iterable[str]) -> None:
        self.unread.update(f"{subject}.{name}" for name in fields)

    def add(self, other: Outcome) -> None:
        self.rows_new += other.rows_new
        self.rows_changed += other.rows_changed
        self.quarantined += other.quarantined
        self.problems += other.problems
        self.unread += other.unread
        self.failure = self.failure or other.failure


@dataclass
class Reading:
    run: SyncRun
    key: OpenKey
    watch: runs.Watch
    in_foreground: bool = False  # a command waits for all of its turns

    @property
    def provider_id(self) -> int:
        return self.run.provider_id

    @property
    def login_id(self) -> int:
        return self.run.login_id

    @property
    def is_waited_for(self) -> bool:
        return self.in_foreground or self.run.asked

    @property
    def priority(self) -> Priority:
        """Whose turn a call of this run takes at the pool's limit."""
        # In its first turn only: who asks for everything again and again must not make the others' data old.
        if self.run.asked and self.run.turns == 0:
            return Priority.PERSON
        if self.run.subject == Subject.PAYOUTS:
            return Priority.PAYOUTS
        return Priority.BACKFILL if self.run.depth in (Depth.DEEP, Depth.FULL) else Priority.ACCOUNTS

    def now(self) -> datetime:
        return self.watch.now()

    def alive(self) -> None:
        """Between two steps: keeps the lease. Raises RunLost when the run was given up."""
        runs.renew(self.run, self.watch)

    def writing(self) -> AbstractContextManager[None]:
        return runs.writing(self.run)

    @contextmanager
    def pool(self, priority: Priority | None = None) -> Iterator[PoolClient]:
        """`priority`: another than the run's."""
        with self.key.client(priority=priority or self.priority) as pool:
            try:
                yield pool
            finally:
                self.run.calls += pool.calls
