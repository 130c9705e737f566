"""What is told to the workers: names that they know, and never what keeps an act from standing."""

from __future__ import annotations

import ast
from functools import partial
from pathlib import Path

import pytest
from django.conf import settings
from kombu import Connection
from structlog.testing import capture_logs

from mining import dispatch
from portal.celery import app

ROOMS = ("customers", "mining", "billing", "portal")


def names_given() -> set[str]:
    """The first argument of every dispatch.after_commit(…) in the product."""
    trees = [ast.parse(file.read_text()) for room in ROOMS for file in (settings.BASE_DIR / room).rglob("*.py")]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {ast.literal_eval(call.args[0]) for call in calls if ast.unparse(call.func) == "dispatch.after_commit"}


def test_every_task_that_is_queued_is_one_that_workers_know() -> None:
    app.loader.import_default_modules()  # as a worker does

    assert len(names_given()) >= 6
    assert names_given() - set(app.tasks) == set()


@pytest.mark.django_db(transaction=True)
def test_without_a_broker_a_dispatch_is_logged_and_lost(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dead = Connection(
        f"redis+socket://{tmp_path}/valkey.sock", transport_options=settings.CELERY_BROKER_TRANSPORT_OPTIONS
    )
    monkeypatch.setattr(app, "send_task", partial(app.send_task, connection=dead))

    with capture_logs() as logs:
        dispatch.after_commit("mining.tasks.touch_key", 1, 2)

    assert [(entry["event"], entry["task"], entry["ids"]) for entry in logs] == [
        ("dispatch.not_sent", "mining.tasks.touch_key", (1, 2))
    ]
