"""Tell the Celery workers what is to be done. A dispatch that is lost is made up for by `sync_due`."""

from __future__ import annotations

import structlog
from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = structlog.get_logger(__name__)


def after_commit(task: str, *ids: int, in_seconds: float = 0) -> None:
    """Queue mining.tasks.<task> with these ids once the rows that it will look for are committed.

    `in_seconds`: at most a minute, because a worker keeps what it waits for in its memory.
    """
    transaction.on_commit(lambda: _send(task, ids, countdown=in_seconds) if in_seconds else _send(task, ids))


def _send(task: str, ids: tuple[int, ...], countdown: float | None = None) -> None:
    try:
        current_app.send_task(f"mining.tasks.{task}", args=ids, countdown=countdown)
    except OperationalError:
        log.warning("dispatch.not_sent", task=task)
