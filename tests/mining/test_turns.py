"""A run over many accounts gives its worker back after a turn, and goes on from there when it comes round again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from mining import dispatch, planner, runner, runs, tasks
from mining.fleet import hashrate, workers
from mining.fleet.listing import AccountAnswer
from mining.models import Credential, MiningAccount, SyncRun
from mining.models.runs import Subject
from mining.pool.client import PoolClient
from mining.pool.errors import OutOfOrder
from mining.pool.limits.rate_limit import Priority
from mining.sync import fanout
from mining.sync.reading import Reading
from portal.celery import app
from tests.mining.hosting import Hosting
from tests.waiting import until

Hint = tuple[str, tuple[int, ...]]
A_SECOND = timedelta(seconds=1)


@pytest.fixture
def short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn is over as soon as it has begun: one account is read in each."""
    monkeypatch.setattr(runs, "TURN", timedelta(0))
    monkeypatch.setattr(fanout, "CHUNK", 1)


@pytest.fixture
def dispatched(monkeypatch: pytest.MonkeyPatch) -> list[Hint]:
    told: list[Hint] = []
    monkeypatch.setattr(dispatch, "_send", lambda task, ids: told.append((task, ids)))
    return told


@pytest.fixture
def listed(north: Hosting) -> Hosting:
    north.sync(Subject.ACCOUNTS)
    north.pool.clear_log()
    return north


def queued(hosting: Hosting, subject: Subject = Subject.WORKERS) -> SyncRun:
    with hosting.context():
        return runs.open_run(hosting.provider.pk, hosting.login_id, subject, now=timezone.now())[0]


def turn(hosting: Hosting, run: SyncRun) -> SyncRun:
    performed = runner.perform(hosting.provider.pk, run.pk, now=timezone.now())
    assert performed is not None
    with hosting.context():
        return SyncRun.objects.get(pk=run.pk)


def grow(hosting: Hosting, accounts: int) -> list[MiningAccount]:
    for number in range(accounts - 3):
        hosting.pool.edit("add_account", login="alpha", account=f"hall_{number}")
    hosting.sync(Subject.ACCOUNTS)
    hosting.pool.clear_log()
    with hosting.context():
        return list(MiningAccount.objects.order_by("pk"))


def break_on(
    accounts: list[MiningAccount],
    monkeypatch: pytest.MonkeyPatch,
    *,
    when: Callable[[], bool] = lambda: True,
) -> None:
    """The pool breaks on these accounts whenever they are asked for: the sandbox's faults tell no accounts apart."""
    broken = {account.name for account in accounts}

    read = workers._Turn.read

    def ask(its_turn: workers._Turn, pool: PoolClient, account: MiningAccount) -> AccountAnswer:
        if account.name in broken:
            until(when)
            raise OutOfOrder("The pool is out of order.", endpoint="miners/info")
        return read(its_turn, pool, account)

    monkeypatch.setattr(workers._Turn, "read", ask)


def unread(hosting: Hosting) -> list[MiningAccount]:
    with hosting.context():
        return list(MiningAccount.objects.filter(workers_read_at=None).order_by("pk"))


def all_turns(hosting: Hosting, run: SyncRun) -> SyncRun:
    while run.state == SyncRun.State.QUEUED:
        run = turn(hosting, run)
    return run


def test_a_turn_ends_early_and_the_next_goes_on_after_it(listed: Hosting, short_turns: None) -> None:
    first = turn(listed, queued(listed))
    with listed.context():
        keys = list(MiningAccount.objects.order_by("pk").values_list("pk", flat=True))
        read = MiningAccount.objects.exclude(workers_read_at=None).count()
    assert (first.state, first.lease_until, first.finished_at) == (SyncRun.State.QUEUED, None, None)
    assert (read, len(keys)) == (1, 3)
    assert (first.resume_after, first.calls, first.rows_changed) == (keys[0], 2, 1)  # its counts and its names

    last = first
    while last.state == SyncRun.State.QUEUED:
        last = turn(listed, last)

    assert (last.state, last.error, last.calls, last.rows_changed) == (SyncRun.State.OK, "", 2 * len(keys), len(keys))
    assert (last.queued_at, last.started_at) == (first.queued_at, first.started_at)
    assert listed.pool.calls()["miners/info"] == len(keys)


def test_a_turn_ends_in_the_middle_of_a_chunk_and_what_has_begun_is_stored(
    listed: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "TURN", timedelta(0))
    monkeypatch.setattr(fanout, "THREADS", 2)

    run = turn(listed, queued(listed))

    # Two had begun together when the first came back; the third was never asked for.
    with listed.context():
        read = list(MiningAccount.objects.exclude(workers_read_at=None).order_by("pk").values_list("pk", flat=True))
    assert (run.state, run.resume_after, run.calls, len(read)) == (SyncRun.State.QUEUED, read[-1], 4, 2)
    assert listed.pool.calls()["miners/info"] == 2


def test_what_was_wrong_in_an_early_turn_is_told_at_the_end(listed: Hosting, short_turns: None) -> None:
    with listed.context():
        name = MiningAccount.objects.order_by("pk").values_list("name", flat=True)[0]
    listed.pool.edit("disable_account", login="alpha", account=name)

    run = turn(listed, queued(listed))
    assert name in run.error
    while run.state == SyncRun.State.QUEUED:
        run = turn(listed, run)

    assert (run.state, run.error) == (SyncRun.State.PARTIAL, f"The pool does not answer for {name} (disabled there?).")


# --- Accounts that the pool breaks on


def test_accounts_that_always_break_keep_none_behind_them_unread(
    listed: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = grow(listed, 20)
    monkeypatch.setattr(runs, "TURN", timedelta(0))
    others = fanout.THREADS - 3  # of the first that are asked; they answer before those break
    break_on(accounts[:3], monkeypatch, when=lambda: listed.pool.calls().get("miners/info", 0) >= others)

    first = turn(listed, queued(listed))
    assert (first.state, first.resume_after) == (SyncRun.State.QUEUED, accounts[fanout.THREADS - 1].pk)
    last = all_turns(listed, first)

    assert (last.state, unread(listed)) == (SyncRun.State.PARTIAL, accounts[:3])
    assert last.error.startswith("Not read: ")
    assert listed.pool.calls()["miners/info"] == 17  # each was asked once, and none left out


def test_a_run_begins_where_the_one_before_it_failed_and_then_reads_those_before_that(
    listed: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = grow(listed, 8)
    monkeypatch.setattr(fanout, "THREADS", 1)
    break_on(accounts[1:4], monkeypatch)
    with listed.context():
        failed_before = SyncRun.objects.create(
            provider=listed.provider, login_id=listed.login_id, subject=Subject.WORKERS, state="failed",
            resume_after=accounts[0].pk, queued_at=timezone.now(),
        )  # fmt: skip

    first = all_turns(listed, queued(listed))
    assert (first.state, first.begins_after) == (SyncRun.State.FAILED, failed_before.resume_after)
    assert unread(listed) == accounts

    monkeypatch.setattr(fanout, "CHUNK", 2)
    monkeypatch.setattr(runs, "TURN", timedelta(0))
    second = all_turns(listed, queued(listed))
    assert (second.state, second.begins_after) == (SyncRun.State.PARTIAL, accounts[3].pk)
    assert unread(listed) == accounts[1:4]
    assert listed.pool.calls()["miners/info"] == 5
    assert queued(listed).begins_after == 0


def test_a_run_that_did_not_get_on_twice_begins_with_the_lowest_key_again(listed: Hosting) -> None:
    with listed.context():
        for place in (2, None):
            SyncRun.objects.create(
                provider=listed.provider, login_id=listed.login_id, subject=Subject.WORKERS, state="failed",
                resume_after=place, begins_after=2, queued_at=timezone.now(),
            )  # fmt: skip

    assert queued(listed).begins_after == 0


def test_what_fails_in_a_first_turn_does_not_end_the_run(listed: Hosting, short_turns: None) -> None:
    listed.pool.fault("truncated_json", endpoint="miners/info", times=1)

    first = turn(listed, queued(listed))
    assert (first.state, first.turns) == (SyncRun.State.QUEUED, 1)
    last = all_turns(listed, first)

    assert (last.state, last.rows_changed) == (SyncRun.State.PARTIAL, 2)


def test_when_every_account_fails_the_run_has_failed(listed: Hosting) -> None:
    listed.pool.fault("truncated_json", endpoint="miners/info")

    run = turn(listed, queued(listed))

    assert run.state == SyncRun.State.FAILED
    reason, names = run.error.split(" Not read: ")
    assert (names, reason.count("."), reason[-1]) == ("alpha_east, north, south.", 1, ".")  # the reason is said once


@pytest.mark.parametrize("fault", ["truncated_json", "http_500"])
def test_when_every_account_fails_in_turn_after_turn_the_run_has_failed(
    listed: Hosting, short_turns: None, fault: str
) -> None:
    listed.pool.fault(fault, endpoint="miners/info")

    run = all_turns(listed, queued(listed))

    assert (run.state, run.turns) == (SyncRun.State.FAILED, 2)


def last_success_after(hosting: Hosting, run: SyncRun) -> bool:
    """Whether this turn counts as a success of the key."""
    with hosting.context():
        Credential.objects.update(last_success_at=None)
    turn(hosting, run)
    return hosting.credential().last_success_at is not None


def test_a_turn_without_an_answer_is_no_success_of_the_key(listed: Hosting, short_turns: None) -> None:
    listed.pool.fault("reset", endpoint="miners/info")
    assert not last_success_after(listed, run := queued(listed))

    listed.calm()
    assert last_success_after(listed, run)


def test_a_run_over_no_accounts_is_no_success_of_the_key(north: Hosting) -> None:
    north.pool.fault("data_missing", endpoint="accounts")  # which are read first, where none is known yet

    assert not last_success_after(north, queued(north))


def test_a_turn_looks_up_only_the_accounts_that_it_can_ask(
    listed: Hosting, short_turns: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up: list[int] = []
    newest_points = hashrate._newest_points

    def spy(reading: Reading, kind: hashrate.Kind, accounts: list[MiningAccount]) -> object:
        looked_up.extend(account.pk for account in accounts if kind is hashrate.FINE)
        return newest_points(reading, kind, accounts)

    monkeypatch.setattr(hashrate, "_newest_points", spy)
    first = turn(listed, queued(listed, Subject.HASHRATE))

    assert looked_up == [first.resume_after]


# --- The line


def test_a_run_stands_in_the_line_once_however_often_it_is_hinted_at(
    listed: Hosting, short_turns: None, dispatched: list[Hint]
) -> None:
    grow(listed, 8)
    run = queued(listed)

    def told() -> list[Hint]:
        mine = [(task, ids) for task, ids in dispatched if task == "mining.tasks.run_sync" and ids[1] == run.pk]
        dispatched.clear()
        return mine

    line: list[Hint] = [("mining.tasks.run_sync", (listed.provider.pk, run.pk, 0))]
    lengths: list[tuple[int, int]] = []
    while line:
        planner.plan(listed.provider.pk, now=run.queued_at + (len(lengths) + 1) * planner.STALE_AFTER + A_SECOND)
        again = told()
        for _, ids in line + again:
            tasks.run_sync(*ids)
        lengths.append((len(line), len(again)))
        line = told()

    assert lengths == [(1, 1)] * 8  # a turn for each account; the second hint at it does nothing


def test_in_the_foreground_all_turns_are_taken(listed: Hosting, short_turns: None, dispatched: list[Hint]) -> None:
    run = listed.sync(Subject.WORKERS)

    assert (run.state, run.rows_changed, dispatched) == (SyncRun.State.OK, 3, [])


def test_a_worker_puts_an_unfinished_run_at_the_end_of_the_line_and_a_finished_one_nowhere(
    listed: Hosting, short_turns: None, dispatched: list[Hint]
) -> None:
    ids = (listed.provider.pk, queued(listed).pk)

    tasks.run_asked_sync(*ids, 0)
    assert dispatched == [("mining.tasks.run_sync", (*ids, 1))]
    while dispatched:
        tasks.run_sync(*dispatched.pop()[1])

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
        (Subject.HASHRATE, {"asked": True, "turns": 1}, Priority.ACCOUNTS),
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
        for task in ("run_sync", "run_asked_sync", "settle_intent", "verify_credential", "sync_due", "touch_key")
        if queue_of(task) == "people"
    }
    assert people == {"run_asked_sync", "settle_intent", "verify_credential", "sync_due", "touch_key"}
    assert {queue.name for queue in settings.CELERY_TASK_QUEUES} == set(app.amqp.queues.consume_from)
