"""Accounts that are read again from their first reward on, because somebody asked: by name and in turns."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from django.utils import timezone

from mining.models import MiningAccount, SyncRun
from mining.pool.errors import PoolUnavailable
from mining.pool.listings import rewards as listings
from mining.rewards import rereading
from mining.rewards import sync as reward_sync
from mining.rewards.rereading import Progress
from mining.runs import Watch
from tests.mining.hosting import Hosting

LONG_AGO = "2026-04-03"


@pytest.fixture
def known(north: Hosting) -> Hosting:
    """Each account has a reward from long ago, and all were read in full."""
    for account in ("north", "south", "alpha_east"):
        north.pool.edit("add_reward", login="alpha", account=account, date=LONG_AGO)
    north.sync_all()
    return north


def ask(hosting: Hosting) -> int:
    with hosting.context():
        return rereading.ask(MiningAccount.objects.filter(provider=hosting.provider), now=timezone.now())


def progress(hosting: Hosting) -> Progress | None:
    with hosting.context():
        return rereading.progress(hosting.access)


def cancel(hosting: Hosting) -> None:
    for account in ("north", "south", "alpha_east"):
        hosting.pool.edit("set_reward", login="alpha", account=account, date=LONG_AGO, set={"status": "canceled"})


def test_an_old_correction_is_found_once_it_is_asked_for(known: Hosting) -> None:
    cancel(known)
    assert known.sync().rows_changed == 0

    assert (ask(known), ask(known)) == (3, 0)  # what waits is not asked for twice
    run = known.sync()

    assert (run.state, run.depth, run.rows_changed) == (SyncRun.State.OK, "recent", 3)
    assert known.told() == known.truth()
    assert known.sync().calls < run.calls


def test_each_run_does_its_part_and_the_next_one_goes_on(known: Hosting, monkeypatch: pytest.MonkeyPatch) -> None:
    cancel(known)
    ask(known)
    looks = count(1)
    monkeypatch.setattr(reward_sync, "_has_done_its_part", lambda _reading: next(looks) % 3 == 0)  # two accounts

    assert (known.sync().rows_changed, progress(known)) == (2, Progress(2, 3))
    assert (known.sync().rows_changed, progress(known)) == (1, None)
    assert known.told() == known.truth()


def test_a_run_ends_with_its_part_however_much_is_left(known: Hosting, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(known)
    monkeypatch.setattr(reward_sync, "BY_NAME_FOR", timedelta(0))

    run = known.sync()

    assert (run.state, run.turns, progress(known)) == (SyncRun.State.OK, 0, Progress(0, 3))


def test_the_turns_of_a_run_read_each_account_once(known: Hosting, monkeypatch: pytest.MonkeyPatch) -> None:
    cancel(known)
    ask(known)
    looks = count(1)
    monkeypatch.setattr(Watch, "turn_is_over", lambda _watch: next(looks) % 2 == 0)

    run = known.sync()

    assert (run.state, run.turns, run.rows_changed, progress(known)) == (SyncRun.State.OK, 2, 3, None)


def test_an_account_that_fails_does_not_keep_those_behind_it_unread(
    known: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancel(known)
    ask(known)
    whole = listings.read_account
    first = min(known.account(name).pk for name in ("north", "south", "alpha_east"))

    def failing(pool: Any, account: str, **rest: Any) -> Iterator[listings.Listing]:
        if known.account(account).pk == first:
            raise PoolUnavailable("The pool does not answer.")
        yield from whole(pool, account, **rest)

    monkeypatch.setattr(listings, "read_account", failing)

    states = [known.sync().state for _ in range(2)]

    assert states == [SyncRun.State.FAILED, SyncRun.State.OK]
    assert progress(known) == Progress(2, 3)


def test_an_account_that_the_pool_does_not_answer_for_is_not_waited_for(known: Hosting) -> None:
    ask(known)
    with known.context():
        MiningAccount.objects.filter(name="south").update(refused_since=timezone.now())

    assert progress(known) == Progress(0, 2)
    known.sync()
    assert progress(known) is None
