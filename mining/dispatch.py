"""Tell the Celery workers what is to be done: the one way to queue a task, for billing and the pages too.

A dispatch that is lost is made up for by those that look each minute (`sync_due`, `make_missing_files`).
"""

from __future__ import annotations

import structlog
from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = structlog.get_logger(__name__)


def after_commit(task: str, *ids: int, in_seconds: float = 0) -> None:
    """Queue the task of this name (mining.tasks.run_sync) once the rows that it will look for are committed.

    `in_seconds`: at most a minute, because a worker keeps what it waits for in its memory.
    """
    # robust: what is committed must not look as if it had failed for want of a dispatch.
    transaction.on_commit(
        lambda: _send(task, ids, countdown=in_seconds) if in_seconds else _send(task, ids), robust=True
    )


def _send(task: str, ids: tuple[int, ...], countdown: float | None = None) -> None:
    try:
        # Without retries: whoever queues for a hundred documents must not wait a hundred times for a broker.
        current_app.send_task(task, args=ids, countdown=countdown, retry=False)
    except OperationalError:
        log.warning("dispatch.not_sent", task=task, ids=ids)
