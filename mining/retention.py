"""What is let go once nobody needs it. What money rests on stays: rewards, and each state in which one could be billed.

Sync runs are kept for 30 days; longer the newest of each login and subject, the newest that was done, and what other
rows point at: the run that brought an observation or a quarantined record. Of a reward that has been final for 90 days
the observations from before it was paid are dropped: nothing was ever billed on one, and the reward keeps the moment at
which it was first seen.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from django.db import connection
from django.db.models import Exists, OuterRef

from customers import tenancy
from mining.models import QuarantinedRecord, RewardObservation, SyncRun

log = structlog.get_logger(__name__)

RUNS_KEPT, PENDING_KEPT = timedelta(days=30), timedelta(days=90)
POINTING = (RewardObservation, QuarantinedRecord)  # at the run that brought them
BATCH = 2_000  # a transaction each: nobody waits for a long one


def let_go(provider_id: int, *, now: datetime) -> None:
    """Opens its own contexts."""
    observations = _in_batches(provider_id, lambda: _drop_pending_observations(provider_id, now - PENDING_KEPT))
    runs = _in_batches(provider_id, lambda: _delete_runs(provider_id, now - RUNS_KEPT))
    if runs or observations:
        log.info("retention.let_go", provider_id=provider_id, runs=runs, observations=observations)


def _in_batches(provider_id: int, let_go_of_some: Callable[[], int]) -> int:
    total = 0
    while True:
        with tenancy.provider_context(provider_id):
            some = let_go_of_some()
        total += some
        if some < BATCH:
            return total


def _delete_runs(provider_id: int, before: datetime) -> int:
    every = SyncRun.objects.filter(provider=provider_id)
    same = every.filter(login=OuterRef("login"), subject=OuterRef("subject"), pk__gt=OuterRef("pk"))
    old = every.filter(Exists(same.filter(state__in=SyncRun.DONE)), queued_at__lt=before).exclude(
        state__in=SyncRun.OPEN
    )
    for row in POINTING:
        old = old.exclude(Exists(row.objects.filter(provider=provider_id, sync_run=OuterRef("pk"))))
    chosen = list(old.order_by("queued_at").values_list("pk", flat=True)[:BATCH])
    every.filter(pk__in=chosen).delete()
    return len(chosen)


def _drop_pending_observations(provider_id: int, before: datetime) -> int:
    """By a function of the owner: the runtime role cannot delete what is append-only (pending_observations.sql)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT mining_drop_pending_observations(%s, %s, %s)", [provider_id, before, BATCH])
        dropped: int = cursor.fetchone()[0]
    return dropped
