"""Tell the workers that something is to be done. Only a hint: what is lost here is found by `sync_due` (DESIGN 10)."""

from __future__ import annotations

import structlog
from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = structlog.get_logger(__name__)


def after_commit(task: str, *ids: int) -> None:
    """Queue mining.tasks.<task> with these ids once the rows that it will look for are committed."""
    transaction.on_commit(lambda: _send(task, ids))


def _send(task: str, ids: tuple[int, ...]) -> None:
    try:
        current_app.send_task(f"mining.tasks.{task}", args=ids)
    except OperationalError:
        log.warning("hint.not_sent", task=task)
