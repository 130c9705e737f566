"""A run over many accounts gives its worker back after a turn, and goes on from there when it comes round again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from mining import fanout, hints, runs, sync, tasks
from mining.models import MiningAccount, SyncRun
from mining.models.runs import Subject
from mining.pool.budget import Priority
from mining.reading import Reading
from portal.celery import app
from tests.mining.hosting import Hosting

Hint = tuple[str, tuple[int, ...]]


@pytest.fixture
def short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn is over as soon as it has begun: one account is read in each."""
    monkeypatch.setattr(runs, "TURN", timedelta(0))
    monkeypatch.setattr(fanout, "CHUNK", 1)


@pytest.fixture
def hinted(monkeypatch: pytest.MonkeyPatch) -> list[Hint]:
    told: list[Hint] = []
    monkeypatch.setattr(hints, "_send", lambda task, ids: told.append((task, ids)))
    return told


@pytest.fixture
def listed(north: Hosting) -> Hosting:
    north.sync(Subject.ACCOUNTS)
    north.pool.clear_log()
    return north


def queued(hosting: Hosting, subject: Subject = Subject.WORKERS) -> SyncRun:
    with hosting.context():
        return runs.open_run(hosting.provider.pk, hosting.label, subject, now=timezone.now())[0]


def turn(hosting: Hosting, run: SyncRun) -> SyncRun:
    performed = sync.perform(hosting.provider.pk, run.pk, now=timezone.now())
    assert performed is not None
    with hosting.context():
        return SyncRun.objects.get(pk=run.pk)


def test_a_turn_ends_early_and_the_next_goes_on_after_it(listed: Hosting, short_turns: None) -> None:
    first = turn(listed, queued(listed))
    with listed.context():
        keys = list(MiningAccount.objects.order_by("pk").values_list("pk", flat=True))
        read = MiningAccount.objects.exclude(workers_read_at=None).count()
    assert (first.state, first.lease_until, first.finished_at) == (SyncRun.State.QUEUED, None, None)
    assert (read, len(keys)) == (1, 3)
    assert (first.resume_after, first.calls, first.rows_changed) == (keys[0], 1, 1)

    last = first
    while last.state == SyncRun.State.QUEUED:
        last = turn(listed, last)

    assert (last.state, last.error, last.calls, last.rows_changed) == (SyncRun.State.OK, "", len(keys), len(keys))
    assert (last.queued_at, last.started_at) == (first.queued_at, first.started_at)
    assert listed.pool.calls()["miners/info"] == len(keys)


def test_a_turn_ends_in_the_middle_of_a_chunk_and_what_has_begun_is_stored(
    listed: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "TURN", timedelta(0))
    monkeypatch.setattr(fanout, "THREADS", 1)
    listed.pool.fault("delay", endpoint="miners/info", seconds=0.4)

    run = turn(listed, queued(listed))

    # The thread may have begun the second when the first came back; the third was never asked for.
    with listed.context():
        read = list(MiningAccount.objects.exclude(workers_read_at=None).order_by("pk").values_list("pk", flat=True))
    assert len(read) in (1, 2)
    assert (run.state, run.resume_after, run.calls) == (SyncRun.State.QUEUED, read[-1], len(read))
    assert listed.pool.calls()["miners/info"] == len(read)


def test_what_was_wrong_in_an_early_turn_is_told_at_the_end(listed: Hosting, short_turns: None) -> None:
    with listed.context():
        name = MiningAccount.objects.order_by("pk").values_list("name", flat=True)[0]
    listed.pool.edit("disable_account", login="alpha", account=name)

    run = turn(listed, queued(listed))
    assert name in run.error
    while run.state == SyncRun.State.QUEUED:
        run = turn(listed, run)

    assert (run.state, run.error) == (SyncRun.State.PARTIAL, f"The pool does not answer for {name} (disabled there?).")


def test_in_the_foreground_all_turns_are_taken(listed: Hosting, short_turns: None, hinted: list[Hint]) -> None:
    run = listed.sync(Subject.WORKERS)

    assert (run.state, run.rows_changed, hinted) == (SyncRun.State.OK, 3, [])


def test_a_worker_puts_an_unfinished_run_at_the_end_of_the_line_and_a_finished_one_nowhere(
    listed: Hosting, short_turns: None, hinted: list[Hint]
) -> None:
    ids = (listed.provider.pk, queued(listed).pk)

    tasks.run_asked_sync(*ids)
    assert hinted == [("run_sync", ids)]
    while hinted:
        hinted.clear()
        tasks.run_sync(*ids)

    with listed.context():
        assert SyncRun.objects.get(pk=ids[1]).state == SyncRun.State.OK


def test_a_worker_lost_in_a_later_turn_is_noticed_like_any_other(listed: Hosting, short_turns: None) -> None:
    run = turn(listed, queued(listed))
    assert runs.claim(listed.provider.pk, run.pk, runs.Watch(timezone.now())) is not None

    with listed.context():
        assert runs.give_up_lost(listed.provider.pk, now=timezone.now() + timedelta(minutes=5)) == 1


@pytest.mark.parametrize(
    ("subject", "fields", "priority"),
    [
        (Subject.HASHRATE, {}, Priority.ACCOUNTS),
        (Subject.PAYOUTS, {}, Priority.PAYOUTS),
        (Subject.REWARDS, {"depth": "recent"}, Priority.ACCOUNTS),
        (Subject.REWARDS, {"depth": "deep"}, Priority.BACKFILL),
        (Subject.REWARDS, {"depth": "full"}, Priority.BACKFILL),
        (Subject.REWARDS, {"depth": "full", "asked": True}, Priority.PERSON),
        (Subject.HASHRATE, {"asked": True}, Priority.PERSON),
        (Subject.HASHRATE, {"asked": True, "resume_after": 7}, Priority.ACCOUNTS),
    ],
)
def test_whose_turn_a_run_s_calls_take(subject: Subject, fields: dict[str, object], priority: Priority) -> None:
    run = SyncRun(subject=subject, **fields)

    assert Reading(run, key=None, watch=runs.Watch(timezone.now())).priority is priority  # type: ignore[arg-type]


def test_what_people_wait_for_has_a_queue_of_its_own_that_every_worker_takes_from() -> None:
    def queue_of(task: str) -> str:
        return str(app.amqp.router.route({}, f"mining.tasks.{task}")["queue"].name)

    people = {
        task
        for task in ("run_sync", "run_asked_sync", "settle_intent", "verify_credential", "sync_due")
        if queue_of(task) == "people"
    }
    assert people == {"run_asked_sync", "settle_intent", "verify_credential"}
    assert {queue.name for queue in settings.CELERY_TASK_QUEUES} == set(app.amqp.queues.consume_from)
