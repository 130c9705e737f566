"""What is due when, and what is found again after hints, workers or Redis were lost."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from customers import tenancy
from customers.models import Provider
from mining import dispatch, planner, runs, tasks
from mining.models import Credential, PoolIntent, SyncRun
from mining.models.runs import Subject
from mining.planner import Kind
from tests.logins import login_of
from tests.mining.hosting import Hosting
from tests.mining.test_accounts import onboard
from tests.refusals import refused

Hint = tuple[str, tuple[int, ...]]


@pytest.fixture
def dispatched(monkeypatch: pytest.MonkeyPatch) -> list[Hint]:
    """What workers would have been told, instead of telling them."""
    told: list[Hint] = []
    monkeypatch.setattr(dispatch, "_send", lambda task, ids: told.append((task, ids)))
    return told


def plan(hosting: Hosting, now: datetime) -> int:
    return planner.plan(hosting.provider.pk, now=now)


def open_subjects(hosting: Hosting) -> list[str]:
    with hosting.context():
        return sorted(SyncRun.objects.filter(state__in=SyncRun.OPEN).values_list("subject", flat=True))


def test_a_new_login_is_read_at_once_and_its_accounts_after_they_are_known(
    north: Hosting, dispatched: list[Hint]
) -> None:
    plan(north, timezone.now())
    assert open_subjects(north) == ["accounts", "rewards"]
    assert [task for task, _ in dispatched] == ["mining.tasks.run_sync", "mining.tasks.run_sync"]

    for _, ids in list(dispatched):
        tasks.run_sync(*ids)
    plan(north, timezone.now())
    assert open_subjects(north) == ["hashrate", "payouts", "watchers", "workers"]


def test_what_failed_without_a_right_is_read_again_once_the_key_has_it(north: Hosting, dispatched: list[Hint]) -> None:
    api_key = north.pool.key("alpha").api_key
    north.sync("accounts")
    north.pool.edit("set_key", api_key=api_key, endpoints=["accounts", "rewards", "hashrate"])
    runs = {run.subject: run.state for run in north.sync_all()}
    assert [subject for subject, state in runs.items() if state == "failed"] == ["workers", "payouts", "watchers"]
    assert dispatched == []

    north.pool.edit("set_key", api_key=api_key, endpoints=None)
    for _ in range(2):  # checked twice, asked for once
        north.verify(north.credential())
        assert open_subjects(north) == ["payouts", "watchers", "workers"]
        assert [task for task, _ in dispatched] == ["mining.tasks.run_sync"] * 3

    for _, ids in list(dispatched):
        tasks.run_sync(*ids)
    north.verify(north.credential())
    assert (len(dispatched), open_subjects(north)) == (3, [])


def test_what_grew_old_while_the_key_was_refused_is_read_at_once_when_it_works(
    north: Hosting, dispatched: list[Hint]
) -> None:
    api_key = north.pool.key("alpha").api_key
    north.sync_all()
    with north.context():
        SyncRun.objects.exclude(subject="key").update(started_at=timezone.now() - timedelta(minutes=20))
    north.pool.edit("set_key", api_key=api_key, enabled=False)
    north.sync("hashrate")
    north.pool.edit("set_key", api_key=api_key, enabled=True)
    dispatched.clear()

    north.verify(north.credential())

    # What failed, and what is older than it may become; destinations and links are not yet.
    assert open_subjects(north) == ["accounts", "hashrate", "rewards", "workers"]
    assert [task for task, _ in dispatched] == ["mining.tasks.run_sync"] * 4


def test_each_subject_is_due_once_in_its_time(north: Hosting, dispatched: list[Hint]) -> None:
    start = timezone.now()
    # The one that comes daily has just been read in its turn: two hours hold no second one.
    while planner.slot(north.login_id, Subject.WATCHERS, start) != planner.slot(
        north.login_id, Subject.WATCHERS, start + timedelta(hours=2)
    ):
        start += timedelta(hours=1)
    north.sync_all()
    with north.context():
        SyncRun.objects.update(started_at=start)
    turns = dict.fromkeys(runs.SUBJECTS, 0)
    for minute in range(1, 121):
        now = start + timedelta(minutes=minute)
        named = planner.due(now=now).get(north.provider.pk)
        has_something = plan(north, now) > 0
        assert (named, has_something) in [(None, False), ({Kind.RUNS}, True)]  # one query knows what the planner does
        with north.context():
            opened = SyncRun.objects.filter(state="queued")
            for subject in opened.values_list("subject", flat=True):
                turns[Subject(subject)] += 1
            opened.update(state="ok", started_at=now)

    assert turns == {
        Subject.ACCOUNTS: 8,
        Subject.REWARDS: 8,
        Subject.HASHRATE: 24,
        Subject.WORKERS: 24,
        Subject.PAYOUTS: 5,
        Subject.WATCHERS: 0,
    }


def test_a_key_in_use_that_had_no_success_for_a_while_gets_a_call_of_its_own(
    north: Hosting, dispatched: list[Hint]
) -> None:
    now = timezone.now()
    touch = ("mining.tasks.touch_key", (north.provider.pk, north.credential().pk))
    for silent, tried, due in [(19, 19, False), (21, 21, True), (21, 0.5, False), (100, 2, True)]:
        dispatched.clear()
        with north.context():
            Credential.objects.update(
                last_success_at=now - timedelta(hours=silent), checked_at=now - timedelta(hours=tried)
            )

        planner.plan(north.provider.pk, now=now)

        assert (touch in dispatched) is due, (silent, tried)


def test_one_query_names_each_provider_that_has_something_to_do_and_no_other(north: Hosting, south: Hosting) -> None:
    for hosting in (north, south):
        hosting.sync_all()
    now = timezone.now()
    just_read: dict[str, Any] = {"started_at": now, "queued_at": now, "state": "ok", "lease_until": None, "error": ""}
    cases: list[tuple[dict[str, Any], set[Kind]]] = [
        ({}, set()),
        ({"state": "running", "lease_until": now - timedelta(seconds=1)}, {Kind.RUNS}),
        ({"state": "failed", "error": runs.LOST}, {Kind.RUNS}),
        ({"state": "queued", "queued_at": now - timedelta(minutes=4)}, {Kind.RUNS}),
        ({"started_at": now - timedelta(days=2)}, {Kind.RUNS}),
    ]
    with north.context():
        runs_of_north = SyncRun.objects.exclude(subject="key")
        for changes, kinds in cases:
            runs_of_north.update(**just_read)
            runs_of_north.filter(subject="rewards").update(**changes)
            assert planner.due(now=now).get(north.provider.pk, set()) == kinds, changes
        runs_of_north.update(**just_read)
        for state, kinds in [("refused", set()), ("checking", {Kind.KEYS})]:
            Credential.objects.update(state=state, checked_at=now)
            assert planner.due(now=now).get(north.provider.pk, set()) == kinds, state
    with south.context():
        SyncRun.objects.exclude(subject="key").update(**just_read)
    assert planner.due(now=now) == {north.provider.pk: {Kind.KEYS}}
    with south.context():
        onboard(south, "new_one")
    assert planner.due(now=now)[south.provider.pk] == {Kind.INTENTS}


def test_logins_do_not_all_start_at_the_full_hour() -> None:
    noon = datetime(2026, 11, 4, 12, tzinfo=timezone.now().tzinfo)
    starts = set()
    for login_id in range(1, 60):
        minute = next(
            m
            for m in range(61)
            if planner.slot(login_id, Subject.PAYOUTS, noon + timedelta(minutes=m))
            != planner.slot(login_id, Subject.PAYOUTS, noon)
        )
        starts.add(minute)

    assert len(starts) > 18  # of the 24 minutes that there are


def test_a_lost_run_is_given_up_and_due_again(north: Hosting, dispatched: list[Hint]) -> None:
    north.sync_all()
    with north.context():
        SyncRun.objects.filter(subject="rewards").update(
            state="running", started_at=timezone.now(), lease_until=timezone.now() - timedelta(seconds=1)
        )

    plan(north, timezone.now())

    assert "rewards" in open_subjects(north)
    with north.context():
        assert SyncRun.objects.filter(subject="rewards", state="failed").count() == 1


def test_a_run_whose_hint_was_lost_is_hinted_at_again_but_not_each_minute(
    north: Hosting, dispatched: list[Hint]
) -> None:
    north.sync_all()
    now = timezone.now()
    with tenancy.access_context(north.access):
        (run,) = planner.request_sync(north.access, only=Subject.REWARDS, now=now)
    dispatched.clear()

    times = 0
    for minute in range(1, 13):
        plan(north, now + timedelta(minutes=minute, seconds=1))
        times += dispatched.count(("mining.tasks.run_sync", (north.provider.pk, run.pk, 0)))
        dispatched.clear()

    assert times == 4


def test_an_intent_whose_worker_was_lost_is_taken_up(north: Hosting, dispatched: list[Hint]) -> None:
    onboard(north, "alder_1")
    dispatched.clear()

    plan(north, timezone.now() + timedelta(seconds=30))
    assert "mining.tasks.settle_intent" not in dict(dispatched)
    plan(north, timezone.now() + timedelta(minutes=2))

    tasks.settle_intent(*dict(dispatched)["mining.tasks.settle_intent"])
    with north.context():
        assert PoolIntent.objects.get().state == PoolIntent.State.DONE


def test_a_key_that_nobody_verified_is_taken_up_and_a_refused_one_tried_daily(
    north: Hosting, dispatched: list[Hint]
) -> None:
    now = timezone.now()
    with north.context():
        Credential.objects.update(state="refused", checked_at=now)
    plan(north, now + timedelta(hours=23))
    assert "mining.tasks.verify_credential" not in dict(dispatched)

    plan(north, now + timedelta(hours=25))
    assert "mining.tasks.verify_credential" in dict(dispatched)

    tasks.verify_credential(*dict(dispatched)["mining.tasks.verify_credential"])
    assert north.credential().state == Credential.State.ACTIVE


def test_a_refused_key_that_a_worker_could_not_open_is_tried_again_after_an_hour(
    north: Hosting, dispatched: list[Hint]
) -> None:
    now = timezone.now() + timedelta(hours=25)
    with north.context():
        Credential.objects.update(state="refused", checked_at=now - timedelta(hours=25))
        SyncRun.objects.create(
            provider=north.provider, login=login_of(north.provider), subject="key", state="failed", queued_at=now
        )

    plan(north, now + timedelta(minutes=59))
    assert "mining.tasks.verify_credential" not in dict(dispatched)
    plan(north, now + timedelta(minutes=61))
    assert "mining.tasks.verify_credential" in dict(dispatched)


def test_a_key_that_was_just_looked_at_is_left_alone_for_a_while(north: Hosting, dispatched: list[Hint]) -> None:
    now = timezone.now() + timedelta(hours=1)
    with north.context():
        Credential.objects.update(state="checking", checked_at=now)

    plan(north, now + timedelta(minutes=1))
    assert dispatched == []
    plan(north, now + timedelta(minutes=4))
    assert dict(dispatched) == {"mining.tasks.verify_credential": (north.provider.pk, north.credential().pk)}


def test_asking_twice_opens_one_run(north: Hosting, dispatched: list[Hint]) -> None:
    with tenancy.access_context(north.access):
        first = planner.request_sync(north.access, only=Subject.REWARDS, now=timezone.now())
        second = planner.request_sync(north.access, only=Subject.REWARDS, now=timezone.now())

    assert [run.pk for run in first] == [run.pk for run in second]


def test_what_is_due_already_goes_to_the_people_s_queue_once_a_person_asks(
    north: Hosting, dispatched: list[Hint]
) -> None:
    plan(north, timezone.now())
    dispatched.clear()

    with tenancy.access_context(north.access):
        (run,) = planner.request_sync(north.access, only=Subject.REWARDS, now=timezone.now())

    assert dispatched == [("mining.tasks.run_asked_sync", (north.provider.pk, run.pk, 0))]
    with north.context():
        assert SyncRun.objects.get(pk=run.pk).asked
        assert not SyncRun.objects.get(subject="accounts", state="queued").asked


def test_who_asks_again_and_again_goes_first_once_a_minute(north: Hosting, dispatched: list[Hint]) -> None:
    def ask(now: datetime) -> str:
        dispatched.clear()
        with tenancy.access_context(north.access):
            (run,) = planner.request_sync(north.access, only=Subject.REWARDS, now=now)
        with north.context():
            SyncRun.objects.filter(pk=run.pk).update(state=SyncRun.State.OK, finished_at=now)
        return dispatched[0][0]

    now = timezone.now()

    assert ask(now) == "mining.tasks.run_asked_sync"
    assert ask(now + timedelta(seconds=30)) == "mining.tasks.run_sync"
    assert ask(now + timedelta(seconds=61)) == "mining.tasks.run_asked_sync"


def test_pressing_again_while_a_run_waits_or_is_between_turns_tells_the_workers_nothing_new(
    north: Hosting, dispatched: list[Hint]
) -> None:
    now = timezone.now()

    def press(seconds: int) -> SyncRun:
        with tenancy.access_context(north.access):
            return planner.request_sync(north.access, only=Subject.REWARDS, now=now + timedelta(seconds=seconds))[0]

    run = press(1)
    press(2)
    with north.context():
        SyncRun.objects.filter(pk=run.pk).update(turns=1, resume_after=7)
    press(3)
    press(70)

    assert dispatched == [("mining.tasks.run_asked_sync", (north.provider.pk, run.pk, 0))]


def test_a_run_that_is_between_turns_when_a_person_asks_goes_on_as_it_was(
    north: Hosting, dispatched: list[Hint]
) -> None:
    plan(north, timezone.now())
    with north.context():
        SyncRun.objects.filter(subject="rewards").update(turns=1, resume_after=7)
    dispatched.clear()

    with tenancy.access_context(north.access):
        (run,) = planner.request_sync(north.access, only=Subject.REWARDS, now=timezone.now())

    with north.context():
        assert (dispatched, SyncRun.objects.get(pk=run.pk).asked) == ([], False)


def test_without_a_key_asking_says_what_to_do(north: Hosting, dispatched: list[Hint]) -> None:
    for state, code in (
        ("refused", "key.refused"),
        ("checking", "key.not_checked"),
        ("retired", "key.none"),
    ):
        with north.context():
            Credential.objects.update(state=state)
        with refused(code), tenancy.access_context(north.access):
            planner.request_sync(north.access, only=None, now=timezone.now())


def test_beat_asks_every_active_provider_and_one_in_trouble_stops_no_other(
    north: Hosting, south: Hosting, dispatched: list[Hint], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = planner.plan

    def plan_one(provider_id: int, *, kinds: set[Kind], now: datetime) -> int:
        if provider_id == north.provider.pk:
            raise ZeroDivisionError
        return whole(provider_id, kinds=kinds, now=now)

    monkeypatch.setattr(planner, "plan", plan_one)
    tasks.sync_due()
    assert {ids[0] for _, ids in dispatched} == {south.provider.pk}

    dispatched.clear()
    Provider.objects.filter(pk=south.provider.pk).update(status=Provider.Status.SUSPENDED)
    tasks.sync_due()
    assert dispatched == []


def test_tasks_for_rows_that_are_gone_do_nothing(north: Hosting) -> None:
    for read in (tasks.run_sync, tasks.run_asked_sync):
        read(north.provider.pk, 999_999, 0)
        read(999_999, 1, 0)
    for task in (tasks.settle_intent, tasks.verify_credential):
        task(north.provider.pk, 999_999)
        task(999_999, 1)
