"""Random histories against the real sandbox: whatever happened, in the end we have exactly what the pool lists."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mining.models import QuarantinedRecord, SyncRun
from tests.mining.hosting import AFTERNOON, Hosting, set_up, writes, written_between
from tests.sandbox import ControlRefused, Sandbox

STEPS = 25
NAMES = ("north", "south", "alpha_east", "Stranger_1")
PASSING_FAULTS = (
    *("page_shift", "random_tie_order", "short_page", "duplicate_record", "vanishing_record", "empty_listing"),
    *("http_503", "reset", "truncated_json", "amount_nan", "numbers_for_strings"),
)


def a_day_passes(hosting: Hosting) -> None:
    """For our own clock: the next reading goes deep."""
    with hosting.context():
        SyncRun.objects.update(started_at=timezone.now() - timedelta(hours=25))


class History:
    """Acts at the pool and readings of ours, drawn from a seed. One record of a place changes between two readings:
    if two do, no rule can tell them apart, and they are quarantined by design."""

    def __init__(self, hosting: Hosting, seed: int) -> None:
        self.hosting, self.dice = hosting, random.Random(seed)
        self.touched: set[tuple[str, str]] = set()
        self.added: set[tuple[str, str]] = set()

    def step(self) -> None:
        acts: list[Callable[[], object]] = [
            self.time_passes,
            self.time_passes,
            self.change_status,
            self.change_amount,
            self.add_second,
            self.remove,
            self.restore,
            self.trouble,
            self.read,
            self.read,
        ]
        try:
            self.dice.choice(acts)()
        except ControlRefused:
            return  # nothing to act upon: no such record

    def time_passes(self) -> None:
        self.hosting.pool.clock(advance_seconds=self.dice.randrange(1, 30) * 3600)

    def change_status(self) -> None:
        status = self.dice.choice(["pending", "successful", "canceled", "on_hold"])
        self._edit("set_reward", set={"status": status})

    def change_amount(self) -> None:
        net, fee = self.dice.randrange(1, 10**9), self.dice.randrange(10**7)
        amounts = {"totalReward": net + fee, "reward": net, "fee": fee}
        self._edit("set_reward", set={name: f"{amount / 10**12:.12f}" for name, amount in amounts.items()})

    def add_second(self) -> None:
        # Once only: the sandbox draws the same amounts again, and that would be a twin.
        self._edit("add_twin", once=True, identical=False)

    def remove(self) -> None:
        self._edit("remove_reward")

    def restore(self) -> None:
        self._edit("restore_reward")

    def trouble(self) -> None:
        fault = self.dice.choice(PASSING_FAULTS)
        self.hosting.pool.fault(fault, endpoint="rewards", times=self.dice.randrange(1, 6), skip=self.dice.randrange(3))

    def read(self) -> None:
        if self.dice.random() < 0.5:
            a_day_passes(self.hosting)
        run = self.hosting.sync()
        if run.depth != "recent" and run.state == SyncRun.State.OK:
            self.touched.clear()  # all that changed has been seen

    def _edit(self, act: str, *, once: bool = False, **fields: object) -> None:
        account = self.dice.choice(NAMES)
        day = date(2026, 10, 20) - timedelta(days=self.dice.randrange(1, 9))
        place = account, str(day)
        if place in self.touched or (once and place in self.added):
            return
        self.touched.add(place)
        self.added |= {place} if once else set()
        self.hosting.pool.edit(act, login="alpha", account=account, date=str(day), **fields)


@pytest.mark.parametrize("seed", range(10))
def test_in_the_end_we_have_what_the_pool_lists(north: Hosting, settings: object, seed: int) -> None:
    settings.POOL_DEADLINE_SECONDS = 0.5  # type: ignore[attr-defined]  # pytest-django's wrapper
    north.pool.edit("add_reward", login="alpha", account="Stranger_1", date="2026-10-18")
    north.sync()
    history = History(north, seed)
    for _ in range(STEPS):
        history.step()

    north.pool.clear_faults()
    a_day_passes(north)
    deep, final = north.sync(), north.sync()

    with north.context():
        unsure = list(QuarantinedRecord.objects.filter(reason="unmatched"))
    assert (deep.depth, final.state, final.error) == ("deep", SyncRun.State.OK, "")
    assert {row.sync_run_id for row in unsure} <= set(beside_unreadable_ones(north))
    # Of an account whose last reward was removed nothing is known, so what we have of it stays.
    assert north.told(mining_account__silent_since=None) == north.truth()
    before = writes()
    north.sync()
    assert set(written_between(before, writes())) == {"mining_syncrun"}


def beside_unreadable_ones(hosting: Hosting) -> list[int]:
    """Runs that met a record which could not be read: what stood beside it was quarantined for that time."""
    with hosting.context():
        bad = QuarantinedRecord.objects.exclude(reason__in=["unmatched", "twin"])
        return list(bad.values_list("sync_run", flat=True))


def queries_of(hosting: Hosting) -> int:
    hosting.sync("accounts")
    with CaptureQueriesContext(connection) as made:
        hosting.sync()
    return len(made)


def test_the_number_of_queries_does_not_grow_with_the_accounts(whitepool: Sandbox) -> None:
    whitepool.reset(world="tests", now=AFTERNOON, history_days=1)
    few = queries_of(set_up(whitepool, slug="few", login="alpha"))
    whitepool.reset(world="large", now=AFTERNOON, history_days=1)
    many = queries_of(set_up(whitepool, slug="many", login="colossus"))

    assert many == few
