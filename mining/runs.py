"""The life of a sync run: queued, claimed by one worker for a turn or several, finished; or lost with its worker.

Claims are conditional UPDATEs. A worker that was held up longer than its lease finds its run given up and may not
write any more: every write of a run goes through `writing()`, which holds the run's row.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models.functions import Coalesce

from customers import tenancy
from mining import dispatch
from mining.errors import RunLost
from mining.models import SyncRun
from mining.models.runs import Subject

# How old a reading may become. Calls per account and hour follow from it: rewards and accounts are
# read for a whole login at once, so they cost next to nothing; the others are one call for each account.
CADENCE = {
    Subject.ACCOUNTS: timedelta(minutes=15),  # a new account is seen before its first reward is listed
    Subject.REWARDS: timedelta(minutes=15),  # rewards come once a day, but people wait for "successful"
    Subject.HASHRATE: timedelta(minutes=5),  # a point for each; hours and days when they are over
    Subject.WORKERS: timedelta(minutes=5),  # the page that customers watch when a machine has stopped
    # A destination changed behind our back is seen within the hour, also when one turn fails.
    Subject.PAYOUTS: timedelta(minutes=24),
    Subject.WATCHERS: timedelta(days=1),  # what is made here is known at once; this finds what others made
}
# Accounts first, so that rewards find them known; a run that reads every account comes after what names them.
SUBJECTS = tuple(CADENCE)
LONGEST_MEMORY = timedelta(days=1)
# Longer than one pool call with all its waits (60 s) plus one write (30 s), so a living worker renews in time.
LEASE = timedelta(seconds=150)
RENEW_AFTER = timedelta(seconds=30)
# A run over many accounts gives its worker to the next in the line after so long, and goes on when it comes round
# again: one big provider does not hold the workers while the others' data grows old.
TURN = timedelta(seconds=5)
LOST = "The worker that read this was lost. What it had stored is kept, and the next run reads the rest again."
LONGEST_SENTENCE = 500
_COUNTS = ("calls", "rows_new", "rows_changed", "quarantined")
_WRITTEN = (
    "state",
    "error",
    "finished_at",
    "lease_until",
    "resume_after",
    "turns",
    "accounts_answered",
    "depth",
    "reads_from",
    "unread_fields",
    *_COUNTS,
)


@dataclass(frozen=True, slots=True)
class Watch:
    """The door's `now`, running on: inside a run of minutes one moment for everything would be wrong."""

    started_at: datetime
    _started: float = field(default_factory=time.monotonic)

    def now(self) -> datetime:
        return self.started_at + timedelta(seconds=time.monotonic() - self._started)

    def turn_is_over(self) -> bool:
        return self.now() - self.started_at >= TURN


def open_run(provider_id: int, login_id: int, subject: Subject, *, now: datetime) -> tuple[SyncRun, bool]:
    """The open run of this subject, and whether it is new. Inside the provider's context."""
    opened = SyncRun.objects.filter(provider=provider_id, login=login_id, subject=subject, state__in=SyncRun.OPEN)
    if (run := opened.first()) is not None:
        return run, False
    try:
        with transaction.atomic():
            return SyncRun.objects.create(
                provider_id=provider_id,
                login_id=login_id,
                subject=subject,
                state=SyncRun.State.QUEUED,
                queued_at=now,
                begins_after=_place_of_failure(provider_id, login_id, subject),
            ), True
    except IntegrityError:  # somebody else opened it this very moment
        return opened.get(), False


def _place_of_failure(provider_id: int, login_id: int, subject: Subject) -> int:
    """The account after which a new run begins; 0 when the run before it did not fail half-way.

    Not where a failed run had begun itself: one that did not get on twice begins with the lowest key again, and
    neither end of the list is left unread for ever.
    """
    before = SyncRun.objects.filter(provider=provider_id, login=login_id, subject=subject).order_by("-pk").first()
    if before is None or before.state != SyncRun.State.FAILED:
        return 0
    return before.resume_after or 0


def claim(provider_id: int, run_id: int, watch: Watch, *, turn: int | None = None) -> SyncRun | None:
    """The queued run, now ours; None when it is gone, taken or done, or when it is another than this turn of it."""
    now = watch.now()
    with tenancy.provider_context(provider_id):
        runs = SyncRun.objects.filter(provider=provider_id, pk=run_id)
        waiting = runs.filter(state=SyncRun.State.QUEUED)
        claimed = (waiting if turn is None else waiting.filter(turns=turn)).update(
            # A run that goes on with its next turn was started by its first: its data is as old as that.
            state=SyncRun.State.RUNNING,
            started_at=Coalesce("started_at", now),
            lease_until=now + LEASE,
        )
        return runs.get() if claimed else None


def renew(run: SyncRun, watch: Watch) -> None:
    """Call it often: it writes only when a while has passed. Raises RunLost when the run was given up."""
    now = watch.now()
    if run.lease_until is not None and run.lease_until - now > LEASE - RENEW_AFTER:
        return
    with tenancy.provider_context(run.provider_id):
        if not _ours(run).update(lease_until=now + LEASE):
            raise RunLost
    run.lease_until = now + LEASE


@contextmanager
def writing(run: SyncRun) -> Iterator[None]:
    """A transaction in the provider's context that holds the run's row: nobody can give the run up meanwhile."""
    with tenancy.provider_context(run.provider_id):
        if _ours(run).select_for_update().first() is None:
            raise RunLost
        yield


def finish(run: SyncRun, state: SyncRun.State, *, error: str, watch: Watch, stopped_after: int | None = None) -> None:
    """Write down how it went, once, and where it stopped. A run that was given up meanwhile stays as it is."""
    run.state, run.error, run.finished_at = state, error, watch.now()
    run.resume_after = stopped_after or run.resume_after
    _write_down(run)


def put_back(run: SyncRun, *, resume_after: int, error: str) -> None:
    """The turn is over: queue the run again, to go on after the account with this key."""
    run.state, run.error, run.resume_after = SyncRun.State.QUEUED, error, resume_after
    run.turns += 1
    _write_down(run)


def _write_down(run: SyncRun) -> None:
    run.error, run.lease_until = run.error[:LONGEST_SENTENCE], None
    with tenancy.provider_context(run.provider_id):
        _ours(run).update(**{name: getattr(run, name) for name in _WRITTEN})


def give_up_lost(provider_id: int, *, now: datetime) -> int:
    """Mark the running runs whose lease is over as failed. Inside the provider's context."""
    lost = SyncRun.objects.filter(provider=provider_id, state=SyncRun.State.RUNNING, lease_until__lt=now)
    return lost.update(state=SyncRun.State.FAILED, finished_at=now, lease_until=None, error=LOST)


def _ours(run: SyncRun) -> tenancy.TenantQuerySet[SyncRun]:
    return SyncRun.objects.filter(provider=run.provider_id, pk=run.pk, state=SyncRun.State.RUNNING)


def take_up_again(provider_id: int, login_id: int, *, now: datetime) -> None:
    """The login's key has just been found to work: what had failed, and what has grown old while there was no key, is
    not left so until its next turn. Inside the provider's context."""
    newest = newest_runs(provider_id, [login_id], now=now)
    for subject in SUBJECTS:  # in this order everywhere: two who open runs never wait for each other
        run = newest.get((login_id, subject))
        if run is None or run.state in SyncRun.OPEN:
            continue
        if run.state == SyncRun.State.FAILED or now - (run.started_at or run.queued_at) > CADENCE[subject]:
            again, _ = open_run(provider_id, login_id, subject, now=now)
            dispatch.after_commit("mining.tasks.run_sync", provider_id, again.pk, again.turns)


def newest_runs(provider_id: int, login_ids: list[int], *, now: datetime) -> dict[tuple[int, str], SyncRun]:
    """By login and subject. Older ones do not matter: each subject is due again long before."""
    lately = SyncRun.objects.filter(provider=provider_id, login__in=login_ids, queued_at__gt=now - LONGEST_MEMORY)
    return {(run.login_id, run.subject): run for run in lately.order_by("pk")}
