"""The workers' doors. Ids only; a row that is gone is done; every one may run twice, late or never."""

from functools import partial

import structlog
from celery import shared_task
from django.utils import timezone

from customers.errors import Refused
from customers.providers import each_active, while_active
from mining import alerts, dispatch, intents, planner, retention, runner
from mining.fleet import partitions, uptime
from mining.keys import verification
from mining.models import SyncRun

log = structlog.get_logger(__name__)


@shared_task(acks_late=True)
def sync_due() -> None:
    """Each minute (beat): queue runs that are due, lost or stuck."""
    now = timezone.now()
    due = planner.due(now=now)
    each_active(
        lambda provider_id: planner.plan(provider_id, kinds=due[provider_id], now=now), only=due, failed="plan.failed"
    )


@shared_task(acks_late=True)
def refresh_alerts() -> None:
    """Each minute (beat): open and end alerts."""
    each_active(partial(alerts.refresh, now=timezone.now()), failed="alerts.failed")


@shared_task(acks_late=True)
def let_go() -> None:
    """Each day (beat): what nobody needs any more."""
    each_active(partial(retention.let_go, now=timezone.now()), failed="retention.failed")


@shared_task(acks_late=True)
def keep_uptime() -> None:
    """Each ten minutes (beat): work out the days that are over, or whose figures have changed since."""
    each_active(partial(uptime.fill, now=timezone.now()), failed="uptime.failed")


@shared_task(acks_late=True)
def keep_partitions() -> None:
    """Each day (beat): make the tables of the months to come, and drop those that have grown old."""
    partitions.keep(now=timezone.now())


@shared_task(acks_late=True)
@while_active
def run_sync(provider_id: int, run_id: int, turn: int) -> None:
    run = runner.perform(provider_id, run_id, turn=turn, now=timezone.now())
    if run is not None and run.state == SyncRun.State.QUEUED:
        # The end of the line: the others have their turns first.
        dispatch.after_commit("mining.tasks.run_sync", provider_id, run_id, run.turns)


@shared_task(acks_late=True)
@while_active
def run_asked_sync(provider_id: int, run_id: int, turn: int) -> None:
    """A person waits: in the people's queue for a first turn, then like all others."""
    run_sync(provider_id, run_id, turn)


@shared_task(acks_late=True)
@while_active
def settle_intent(provider_id: int, intent_id: int) -> None:
    intents.settle_intent(provider_id, intent_id, now=timezone.now())


@shared_task(acks_late=True)
@while_active
def verify_credential(provider_id: int, credential_id: int) -> None:
    try:
        verification.verify(provider_id, credential_id, now=timezone.now())
    except Refused as refusal:
        # The credential and its run say it to people.
        log.warning("key.not_verified", provider_id=provider_id, credential_id=credential_id, code=refusal.code)


@shared_task(acks_late=True)
@while_active
def touch_key(provider_id: int, credential_id: int) -> None:
    verification.touch(provider_id, credential_id, now=timezone.now())
