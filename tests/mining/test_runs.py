"""The life of a run: one worker at a time, given up with a lost worker, and repaired by the next."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.utils import timezone

from customers import tenancy
from mining import planner, runner, runs
from mining.errors import RunLost
from mining.models import Reward, SyncRun
from mining.models.runs import Subject
from tests.mining.hosting import AFTERNOON, DAY, Hosting, environment
from tests.waiting import ended, in_thread, until

ROOT = Path(__file__).resolve().parents[2]
# A worker process that syncs in batches of one moment, so that there is a middle to be killed in.
SMALL_BATCHES = """
import django
django.setup()
from django.utils import timezone
from mining import runner
from mining.rewards import store
store.BATCH_RECORDS = 1
runner.sync_provider({provider}, only="rewards", now=timezone.now())
"""


def queued(hosting: Hosting, subject: Subject = Subject.REWARDS) -> SyncRun:
    with hosting.context():
        return runs.open_run(hosting.provider.pk, hosting.login_id, subject, now=timezone.now())[0]


def let_leases_run_out(hosting: Hosting) -> None:
    with hosting.context():
        SyncRun.objects.filter(state="running").update(lease_until=timezone.now() - timedelta(seconds=1))


def test_two_workers_at_once_do_a_run_once(north: Hosting) -> None:
    run = queued(north)
    both = threading.Barrier(2)
    done: list[SyncRun | None] = []

    def perform() -> None:
        both.wait()
        done.append(runner.perform(north.provider.pk, run.pk, now=timezone.now()))

    ended(in_thread(perform), in_thread(perform))

    assert sorted(found is None for found in done) == [False, True]
    assert north.told() == north.truth()


def test_a_run_is_done_once_however_often_its_task_comes(north: Hosting) -> None:
    run = queued(north)

    assert runner.perform(north.provider.pk, run.pk, now=timezone.now()) is not None
    assert runner.perform(north.provider.pk, run.pk, now=timezone.now()) is None
    assert runner.perform(north.provider.pk, run.pk + 1_000, now=timezone.now()) is None


def test_a_killed_worker_loses_and_doubles_nothing(north: Hosting) -> None:
    north.pool.reset(world="tests", seed=7, now=AFTERNOON, history_days=150)
    truth = north.truth()
    process = subprocess.Popen(
        [sys.executable, "-c", SMALL_BATCHES.format(provider=north.provider.pk)],
        cwd=ROOT,
        env=environment(north.pool),
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: len(north.rewards()) > 30)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    written = len(north.rewards())
    assert 30 < written < truth.total()
    assert north.told() <= truth

    # Nobody else may take the run while its lease lasts; then it is given up, and the next one repairs.
    assert north.sync().state == SyncRun.State.RUNNING
    let_leases_run_out(north)
    repaired = north.sync()

    with north.context():
        lost = SyncRun.objects.get(subject="rewards", state="failed")
    assert lost.error == runs.LOST
    assert (repaired.state, repaired.depth) == (SyncRun.State.OK, "full")
    assert north.told() == truth


def test_a_worker_that_was_held_up_too_long_writes_nothing_more(north: Hosting) -> None:
    run = queued(north)
    north.pool.hold("rewards")
    slow = in_thread(lambda: runner.perform(north.provider.pk, run.pk, now=timezone.now()))
    north.pool.until_struck()
    let_leases_run_out(north)

    second = north.sync()
    written = north.told()
    assert written == north.truth()
    north.pool.clock(advance_seconds=DAY)  # there is more now, for whoever may write
    north.pool.clear_faults()
    ended(slow)

    with north.context():
        first = SyncRun.objects.get(pk=run.pk)
    assert (first.state, first.error, first.rows_new) == (SyncRun.State.FAILED, runs.LOST, 0)
    assert (second.pk != run.pk, second.state) == (True, SyncRun.State.OK)
    assert north.told() == written


def test_writing_for_a_run_that_was_given_up_is_refused(north: Hosting) -> None:
    run = runs.claim(north.provider.pk, queued(north).pk, runs.Watch(timezone.now()))
    assert run is not None
    let_leases_run_out(north)
    with north.context():
        runs.give_up_lost(north.provider.pk, now=timezone.now())

    with pytest.raises(RunLost), runs.writing(run):
        pytest.fail("must not come here")
    late = runs.Watch(timezone.now() + timedelta(minutes=2))
    with pytest.raises(RunLost):
        runs.renew(run, late)


def test_a_worker_s_watch_goes_on_from_the_moment_it_was_given() -> None:
    watch = runs.Watch(AFTERNOON)

    until(lambda: watch.now() > AFTERNOON)
    assert not watch.turn_is_over()
    assert runs.Watch(AFTERNOON, time.monotonic() - runs.TURN.total_seconds()).turn_is_over()


def test_an_error_of_ours_ends_the_run_and_is_raised(north: Hosting, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_reading: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setitem(runner.READERS, Subject.REWARDS, broken)
    run = queued(north)

    with pytest.raises(ZeroDivisionError):
        runner.perform(north.provider.pk, run.pk, now=timezone.now())

    with north.context():
        after = SyncRun.objects.get(pk=run.pk)
    assert (after.state, after.error) == (SyncRun.State.FAILED, runner.OUR_ERROR)


def test_a_real_worker_does_a_queued_run(north: Hosting) -> None:
    with redis.Redis.from_url(settings.REDIS_URL) as broker:
        broker.delete("celery", "people")  # hints of other tests, for databases that are gone
    worker = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "celery",
            "-A",
            "portal",
            "worker",
            "-P",
            "solo",
            "--without-gossip",
            "--without-mingle",
        ],
        cwd=ROOT,
        env=environment(north.pool),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with tenancy.access_context(north.access):
            asked = planner.request_sync(north.access, only=None, now=timezone.now())
        until(lambda: not open_runs(north) or worker.poll() is not None)
    finally:
        worker.terminate()
        worker.wait()

    assert len(asked) == len(runs.SUBJECTS)
    assert open_runs(north) == 0
    with north.context():
        assert set(SyncRun.objects.values_list("state", flat=True)) == {"ok"}
        assert Reward.objects.count() == north.truth().total()
    assert north.told() == north.truth()


def open_runs(hosting: Hosting) -> int:
    with hosting.context():
        return SyncRun.objects.filter(state__in=SyncRun.OPEN).count()


def test_the_environment_for_workers_names_this_database(north: Hosting) -> None:
    assert f"/{connection.settings_dict['NAME']}" in environment(north.pool)["DATABASE_URL"]
    assert os.environ["DATABASE_URL"] != environment(north.pool)["DATABASE_URL"]
