"""Hashrate points, worker counts and payout destinations: one call an account, and unknown never becomes 0."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from mining.models import HashratePoint, HashratePoint5m, HashratePoint24h, MiningAccount, OpenCoverage, SyncRun
from mining.sync import fanout
from tests.mining.hosting import AFTERNOON, Hosting, set_up, writes, written_between
from tests.sandbox import Sandbox

State = MiningAccount.State


@pytest.fixture
def listed(north: Hosting) -> Hosting:
    north.sync("accounts")
    return north


def points(hosting: Hosting, name: str = "north") -> list[HashratePoint]:
    with hosting.context():
        return list(HashratePoint.objects.filter(mining_account__name=name).order_by("at"))


def test_the_first_reading_stores_seven_days_of_hourly_points(listed: Hosting) -> None:
    run = listed.sync("hashrate", now=AFTERNOON)

    stored = points(listed)
    assert (run.state, run.error) == (SyncRun.State.OK, "")
    assert stored[-1].at == datetime(2026, 10, 20, 14, tzinfo=UTC)
    assert stored[0].at <= AFTERNOON - timedelta(days=6, hours=22)
    assert len(stored) <= 7 * 24 + 1
    assert Decimal(400) < stored[0].hashrate_ths < Decimal(600)
    with listed.context():
        kept = [model.objects.count() for model in (HashratePoint5m, HashratePoint, HashratePoint24h)]
    assert min(kept) > 20 and run.rows_new == sum(kept)


def test_later_readings_ask_only_for_what_is_new(listed: Hosting) -> None:
    listed.sync("hashrate")
    before = len(points(listed))
    listed.pool.clock(advance_seconds=3 * 3600)

    run = listed.sync("hashrate")

    assert run.calls == 3 * 2  # five minutes and hours of each: no day is over
    assert 7 <= run.rows_new <= 9  # three hours of three accounts; an hour may be missing
    assert before + 2 <= len(points(listed)) <= before + 3


def test_a_gap_costs_as_many_calls_however_long_it_is(listed: Hosting) -> None:
    listed.sync("hashrate", now=AFTERNOON)
    before = len(points(listed))
    later = AFTERNOON + timedelta(days=5, hours=2)
    listed.pool.clock(now=later)

    run = listed.sync("hashrate", now=later)

    assert run.calls == 3 * 3
    assert len(points(listed)) >= before + 5 * 24 - 5
    with listed.context():
        account = listed.account("north")
        spans = OpenCoverage.objects.filter(mining_account=account).values_list("subject", "from_at")
        assert dict(spans)["5m"] == later  # a span of its own: what was asked for later was not read then
        assert (
            HashratePoint24h.objects.filter(mining_account=account, at__gte=AFTERNOON - timedelta(days=1)).count() == 5
        )


def test_each_interval_is_asked_for_when_one_of_it_is_over(listed: Hosting) -> None:
    listed.sync("hashrate", now=AFTERNOON)
    calls = []
    for minutes in (5, 10, 65, 70):
        moment = AFTERNOON + timedelta(minutes=minutes)
        listed.pool.clock(now=moment)
        calls.append(listed.sync("hashrate", now=moment).calls)

    assert calls == [3, 3, 6, 3]


def test_fine_points_older_than_they_are_kept_are_not_stored(listed: Hosting) -> None:
    run = listed.sync("hashrate", now=AFTERNOON + timedelta(days=40))

    with listed.context():
        assert (run.state, HashratePoint5m.objects.count()) == (SyncRun.State.OK, 0)
        assert HashratePoint.objects.exists()


@pytest.mark.parametrize("subject", ["hashrate", "workers", "payouts"])
def test_reading_again_writes_nothing(listed: Hosting, subject: str) -> None:
    listed.sync(subject)
    before = writes()

    run = listed.sync(subject)

    assert (run.calls, run.rows_new, run.rows_changed) == (3, 0, 0)
    ends_of_spans = set() if subject == "payouts" else {"mining_opencoverage"}
    assert set(written_between(before, writes())) - ends_of_spans == {"mining_syncrun"}


def test_scrambled_points_are_sorted_out(listed: Hosting) -> None:
    listed.pool.fault("points_scrambled")

    run = listed.sync("hashrate")

    stored = [point.at for point in points(listed)]
    assert (run.state, run.quarantined) == (
        SyncRun.State.PARTIAL,
        9,
    )  # one in the future for each interval of each account
    assert "in the future" in run.error
    assert len(stored) == len(set(stored))
    assert max(stored) < timezone.now()


def test_points_of_an_impossible_size_are_left_out(listed: Hosting) -> None:
    listed.pool.fault("hashrate_in_hashes")

    run = listed.sync("hashrate")

    assert (run.state, run.rows_new, run.quarantined > 300) == (SyncRun.State.PARTIAL, 0, True)
    assert points(listed) == []


def test_an_account_without_miners_has_no_points_and_no_reading(whitepool: Sandbox) -> None:
    whitepool.reset(world="unmined", now=AFTERNOON)
    quiet = set_up(whitepool, slug="quiet", login="quiet")
    quiet.sync("accounts")

    run = quiet.sync("hashrate")

    assert (run.state, points(quiet, "empty_1")) == (SyncRun.State.OK, [])
    assert quiet.account("empty_1").hashrate_read_at is None


def test_counts_and_fee_are_read(listed: Hosting) -> None:
    run = listed.sync("workers")

    account = listed.account("south")
    assert (run.state, run.calls, run.rows_changed) == (SyncRun.State.OK, 2 * 3, 3)  # counts, and names the first time
    assert account.workers_online is not None
    assert account.workers_online > 0
    assert account.pool_fee_percent == Decimal("2.5")
    assert account.workers_read_at is not None


def test_payout_destinations_are_read_and_followed(listed: Hosting) -> None:
    listed.sync("payouts")
    before = listed.account("north")
    listed.pool.edit("set_payout", login="alpha", account="north", destination="external_address")

    run = listed.sync("payouts")

    after = listed.account("north")
    assert (before.payout_destination, before.payout_address) == ("main_balance", None)
    assert (run.rows_changed, after.payout_destination) == (1, "external_address")
    assert after.payout_address is not None


@pytest.mark.parametrize("subject", ["workers", "payouts"])
def test_one_account_that_is_refused_does_not_stop_the_others(listed: Hosting, subject: str) -> None:
    listed.pool.edit("disable_account", login="alpha", account="south")

    run = listed.sync(subject)

    assert (run.state, run.rows_changed) == (SyncRun.State.PARTIAL, 3)  # two read, one marked
    assert run.error == "The pool does not answer for south (disabled there?)."
    assert listed.account("south").state == State.DISABLED
    assert listed.account("north").workers_read_at or listed.account("north").payout_read_at
    listed.sync("accounts")
    assert listed.account("south").state == State.DISABLED  # the list alone does not make it active again

    listed.pool.edit("enable_account", login="alpha", account="south")
    listed.sync(subject)
    assert listed.account("south").state == State.ACTIVE


def test_an_account_that_is_known_to_be_disabled_is_no_news(listed: Hosting) -> None:
    listed.pool.edit("disable_account", login="alpha", account="south")
    listed.sync("workers")

    states = [(listed.sync(subject).state, listed.account("south").state) for subject in ("hashrate", "workers")]

    # An empty list of points is what a disabled account has: no sign of life.
    assert states == [(SyncRun.State.OK, State.DISABLED)] * 2


def test_a_disabled_account_gets_no_points_of_zero(listed: Hosting) -> None:
    listed.sync("hashrate")
    before = points(listed, "south")
    listed.pool.edit("disable_account", login="alpha", account="south")
    listed.pool.clock(advance_seconds=3 * 3600)

    assert listed.sync("hashrate").state == SyncRun.State.OK

    assert [(p.at, p.hashrate_ths) for p in points(listed, "south")] == [(p.at, p.hashrate_ths) for p in before]


def test_one_garbled_answer_is_told_and_the_others_are_kept(listed: Hosting) -> None:
    listed.pool.fault("truncated_json", endpoint="miners/info", times=1)

    run = listed.sync("workers")

    assert (run.state, run.rows_changed) == (SyncRun.State.PARTIAL, 2)
    assert run.error.startswith("Not read: ")


def test_a_dead_pool_is_asked_only_a_few_times(north: Hosting, settings: Any) -> None:
    settings.POOL_DEADLINE_SECONDS = 0.5
    for number in range(60):
        north.pool.edit("add_account", login="alpha", account=f"hall_{number}")
    north.sync("accounts")
    north.pool.fault("http_503")

    run = north.sync("workers")

    assert (run.state, run.error.count("out of order or in maintenance")) == (SyncRun.State.FAILED, 1)
    assert run.calls < 40


def test_what_was_read_before_the_pool_died_is_kept(listed: Hosting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "CHUNK", 1)
    monkeypatch.setattr(fanout, "MOST_SILENT_IN_A_ROW", 1)
    listed.pool.fault("http_503", endpoint="miners/info", skip=1)

    run = listed.sync("workers")

    with listed.context():
        read = MiningAccount.objects.filter(workers_read_at__isnull=False).count()
    assert (run.state, run.rows_changed, read) == (SyncRun.State.FAILED, 1, 1)


def calls_of(hosting: Hosting, act: Callable[[], object]) -> int:
    hosting.pool.clear_log()
    act()
    return sum(hosting.pool.calls().values())


def test_a_whole_reading_costs_four_calls_an_account(listed: Hosting) -> None:
    listed.sync_all()

    calls = calls_of(listed, listed.sync_all)

    # accounts 1, rewards 3 (a page, its end, the page again), and for each of three accounts four: hashrate, machines,
    # payout destination and, once a day only, watcher links
    assert calls == 1 + 3 + 4 * 3
