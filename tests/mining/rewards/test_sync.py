"""Rewards over HTTP into real rows: what the pool lists is what we have, whatever happens to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

from mining import queries, runner, runs
from mining.errors import RunLost
from mining.models import MiningAccount, QuarantinedRecord, Reward, SyncRun
from mining.models.rewards import RewardStatus
from mining.models.runs import Subject
from mining.pool.client import MOST_RECORDS_PER_PAGE
from mining.pool.listings import rewards as reward_listing
from mining.runs import Watch
from tests.mining.hosting import AFTERNOON, DAY, Hosting, writes, written_between


def test_the_first_reading_takes_everything(north: Hosting) -> None:
    run = north.sync()

    assert (run.state, run.error, run.depth) == (SyncRun.State.OK, "", "full")
    assert north.told() == north.truth()
    assert run.rows_new == len(north.truth()) + 3  # the three accounts that the rewards name


def test_a_second_reading_writes_its_run_and_how_far_was_read(north: Hosting) -> None:
    north.sync_all()
    before = writes()

    north.sync_all()

    # Two readings within one second reach as far as each other.
    assert set(written_between(before, writes())) - {"mining_opencoverage"} == {"mining_syncrun"}


def test_a_status_is_followed_and_observed_once(north: Hosting) -> None:
    north.pool.clock(now="2026-10-20T03:00:00Z")
    north.sync()
    pending = north.rewards(status=RewardStatus.PENDING)
    north.pool.clock(now="2026-10-20T15:00:00Z")

    run = north.sync()

    assert len(pending) == run.rows_changed == 3
    assert north.told() == north.truth()
    assert [north.observations(row) for row in pending] == [2, 2, 2]
    assert {row.status for row in north.rewards()} == {RewardStatus.SUCCESSFUL}


def test_each_day_brings_its_rewards(north: Hosting) -> None:
    north.sync()
    for _ in range(3):
        north.pool.clock(advance_seconds=DAY)
        assert north.sync().rows_new == 3

    assert north.told() == north.truth()


def test_an_amount_that_changes_after_it_was_successful_is_followed(north: Hosting) -> None:
    north.sync()
    day = "2026-10-18"
    (row,) = north.rewards(day=day, mining_account__name="north")
    north.pool.edit(
        "set_reward",
        login="alpha",
        account="north",
        date=day,
        set={"totalReward": "0.00200000", "reward": "0.00195000", "fee": "0.00005000"},
    )

    run = north.sync()

    (after,) = north.rewards(pk=row.pk)
    assert (run.rows_new, run.rows_changed) == (0, 1)
    assert (after.total_sat, after.net_sat, after.fee_sat, after.occurrence) == (200_000, 195_000, 5_000, 1)
    assert after.changed_at > after.first_seen_at
    assert north.observations(row) == 2


def test_a_reward_that_is_pending_again_is_followed_there_and_back(north: Hosting) -> None:
    north.sync()
    paid = {row.pk for row in north.rewards(status_raw="successful")}
    north.pool.fault("status_back")
    north.sync()
    back = {row.pk for row in north.rewards(status_raw="pending")} & paid
    assert back

    north.calm()
    north.sync()

    assert {row.pk for row in north.rewards(status_raw="successful")} == paid
    assert {north.observations(row) for row in north.rewards(pk__in=back)} == {3}
    assert north.told() == north.truth()


def test_a_hash_that_comes_late_is_added(north: Hosting) -> None:
    north.pool.fault("hash_late")
    north.sync()
    assert north.rewards(transaction_hash__isnull=False) == []

    north.calm()
    with north.context():
        SyncRun.objects.filter(subject="rewards").update(started_at=timezone.now() - timedelta(hours=25))
    run = north.sync()

    assert (run.rows_new, run.depth) == (0, "deep")
    assert len(north.rewards(transaction_hash__isnull=False)) == run.rows_changed > 0
    assert north.told() == north.truth()


def test_a_status_nobody_knows_is_kept_raw(north: Hosting) -> None:
    north.pool.edit("set_reward", login="alpha", account="north", date="2026-10-18", set={"status": "on_hold"})

    assert north.sync().state == SyncRun.State.OK

    (row,) = north.rewards(day="2026-10-18", mining_account__name="north")
    assert (row.status, row.status_raw) == (RewardStatus.UNKNOWN, "on_hold")


def test_a_reward_in_another_currency_is_stored_beside(north: Hosting) -> None:
    north.pool.edit("add_reward", login="alpha", account="north", date="2026-10-18", set={"rewardCurrency": "LTC"})

    north.sync()

    rows = north.rewards(day="2026-10-18", mining_account__name="north")
    assert sorted((row.currency, row.occurrence) for row in rows) == [("BTC", 1), ("LTC", 1)]
    assert north.told() == north.truth()


def test_two_true_rewards_on_one_date_are_two(north: Hosting) -> None:
    north.sync()
    north.pool.edit("add_twin", login="alpha", account="north", date="2026-10-18", identical=False)

    run = north.sync()

    assert (run.rows_new, run.quarantined) == (1, 0)
    assert [row.occurrence for row in north.rewards(day="2026-10-18", mining_account__name="north")] == [1, 2]
    assert north.told() == north.truth()


def test_a_byte_identical_twin_is_put_aside_once(north: Hosting) -> None:
    north.pool.edit("add_twin", login="alpha", account="north", date="2026-10-18")

    first, second = north.sync(), north.sync()

    assert [(run.state, run.quarantined) for run in (first, second)] == [(SyncRun.State.PARTIAL, 1)] * 2
    assert len(north.rewards(day="2026-10-18", mining_account__name="north")) == 1
    with north.context():
        (quarantined,) = QuarantinedRecord.objects.all()
    assert (quarantined.reason, quarantined.account_name) == ("twin", "north")


def test_a_twin_that_is_paid_later_stays_one_twin(north: Hosting) -> None:
    north.pool.clock(now="2026-10-20T03:00:00Z")
    twin = north.pool.edit("add_twin", login="alpha", account="north", date="2026-10-19")
    north.sync()
    for ordinal in (twin["ordinal"], 1):  # one after the other becomes successful
        north.pool.edit(
            "set_reward",
            login="alpha",
            account="north",
            date="2026-10-19",
            ordinal=ordinal,
            set={"status": "successful"},
        )
        north.sync()

    assert [row.status for row in north.rewards(day="2026-10-19", mining_account__name="north")] == ["successful"]
    with north.context():
        assert QuarantinedRecord.objects.count() == 1


def test_a_reward_that_vanishes_is_marked_once_and_unmarked_when_it_is_back(north: Hosting) -> None:
    north.sync()
    north.pool.edit("remove_reward", login="alpha", account="north", date="2026-10-18")

    gone, again = north.sync(), north.sync()
    (row,) = north.rewards(day="2026-10-18", mining_account__name="north")
    north.pool.edit("restore_reward", login="alpha", account="north", date="2026-10-18")
    back = north.sync()

    assert [run.rows_changed for run in (gone, again, back)] == [1, 0, 1]
    assert row.missing_since is not None
    assert north.rewards(missing_since__isnull=False) == []
    assert north.observations(row) == 1  # it was the same record all the time


def test_an_account_that_falls_silent_turns_unknown_and_its_rewards_stay(north: Hosting) -> None:
    north.sync_all()
    north.pool.edit("disable_account", login="alpha", account="north")

    run, again = north.sync(), north.sync()

    account = north.account("north")
    assert (run.state, again.state) == (SyncRun.State.PARTIAL, SyncRun.State.OK)
    assert "1 accounts turned silent" in run.error
    assert (account.state, account.silent_since is not None) == (MiningAccount.State.UNKNOWN, True)
    assert north.rewards(missing_since__isnull=False) == []

    north.pool.edit("enable_account", login="alpha", account="north")
    north.sync()
    assert north.account("north").state == MiningAccount.State.ACTIVE
    assert north.told() == north.truth()


@pytest.mark.parametrize("subject", ["rewards", "workers"])  # silent, or refused when asked for by name
def test_of_an_account_that_the_pool_does_not_answer_for_nothing_is_read(north: Hosting, subject: str) -> None:
    north.sync_all()
    north.pool.edit("disable_account", login="alpha", account="north")
    north.sync(subject)
    with north.context():
        # Its rewards lie behind the window by now: what is not known of it cannot be missed in a list.
        last_answered = timezone.now() - timedelta(days=10)
        MiningAccount.objects.update(rewards_read_at=last_answered)
        past = {name: F(name) - timedelta(days=60) for name in ("day", "reward_at")}
        Reward.objects.filter(mining_account__name="north").update(**past)

    run = north.sync()

    assert north.account("north").rewards_read_at == last_answered
    assert north.account("south").rewards_read_at == run.started_at  # what came since may not be in it


def test_an_empty_answer_takes_nothing_away(north: Hosting) -> None:
    north.sync_all()
    told = north.told()
    north.pool.fault("empty_listing")

    run = north.sync()
    north.pool.clear_faults()

    assert (run.state, "no rewards at all" in run.error) == (SyncRun.State.PARTIAL, True)
    assert north.told() == told
    assert north.account("north").state == MiningAccount.State.UNKNOWN
    assert north.sync().state == SyncRun.State.OK
    assert north.account("north").state == MiningAccount.State.ACTIVE


def test_one_empty_answer_is_not_believed(north: Hosting) -> None:
    north.sync_all()
    north.pool.fault("empty_listing", times=1)

    run = north.sync()

    assert (run.state, run.error) == (SyncRun.State.OK, "")
    assert north.account("north").state == MiningAccount.State.ACTIVE


def test_rewards_of_an_account_that_nobody_knows_are_kept_and_reported(north: Hosting) -> None:
    north.sync_all()
    north.pool.edit("add_reward", login="alpha", account="Stranger_1", date="2026-10-18")

    run = north.sync()

    account = north.account("Stranger_1")
    assert (run.state, run.rows_new) == (SyncRun.State.OK, 2)
    assert (account.state, account.customer) == (MiningAccount.State.UNKNOWN, None)
    assert north.told() == north.truth()
    with north.context():
        assert account in queries.unassigned_accounts(north.access)


@pytest.mark.parametrize("fault", ["amount_nan", "amount_huge", "amount_negative", "amount_long", "amounts_disagree"])
def test_a_record_that_cannot_be_read_is_put_aside_and_the_others_are_taken(north: Hosting, fault: str) -> None:
    north.sync_all()
    north.pool.clock(advance_seconds=DAY)
    north.pool.fault(fault)

    run = north.sync()

    assert run.state == SyncRun.State.PARTIAL
    assert run.quarantined > 0
    assert north.rewards(missing_since__isnull=False) == []
    north.pool.clear_faults()
    assert north.sync().state == SyncRun.State.OK
    assert north.told() == north.truth()


def test_a_record_that_stays_unreadable_is_put_aside_once_and_never_called_missing(north: Hosting) -> None:
    north.sync()
    north.pool.edit("set_reward", login="alpha", account="north", date="2026-10-18", set={"totalReward": "much"})

    runs = [north.sync(), north.sync()]

    assert [(run.state, run.quarantined, run.rows_changed) for run in runs] == [(SyncRun.State.PARTIAL, 1, 0)] * 2
    assert north.rewards(missing_since__isnull=False) == []
    with north.context():
        (quarantined,) = QuarantinedRecord.objects.all()
    assert (quarantined.account_name, quarantined.reason) == ("north", "totalReward: not_a_number")


@pytest.mark.parametrize(
    "came", [0, "", "2026-10-19T12:00:00.000000Z", "2026-10-19 12:00:00", 1792411200.0, 1792411200000, "soon", -1]
)
def test_a_time_of_payment_in_any_form_costs_no_reward(north: Hosting, came: Any) -> None:
    for day in north.truth_days():
        north.pool.edit("set_reward", login="alpha", account="north", date=day, set={"payoutTime": came})

    run = north.sync()

    assert (run.state, run.quarantined, run.error) == (SyncRun.State.OK, 0, "")
    assert north.told() == north.truth()
    unread = {"rewards.payoutTime": len(north.truth_days())} if came in ("soon", -1) else {}
    assert run.unread_fields == unread
    assert bool(run.unread_sentence) == bool(unread)


def test_what_cannot_be_read_of_a_reward_is_kept_with_its_observation(north: Hosting) -> None:
    north.sync()
    north.pool.edit("set_reward", login="alpha", account="north", date="2026-10-18", set={"fppsRate": "1e400"})

    run, again = north.sync(), north.sync()

    (row,) = north.rewards(day="2026-10-18", mining_account__name="north")
    with north.context():
        raw = json.loads(row.observations.latest("pk").raw)
    assert (row.fpps_rate, raw["fppsRate"], raw["unread"]) == (None, None, {"fppsRate": '"1e400"'})
    assert [(r.state, r.rows_changed, r.unread_fields) for r in (run, again)] == [
        (SyncRun.State.OK, 1, {"rewards.fppsRate": 1}),
        (SyncRun.State.OK, 0, {"rewards.fppsRate": 1}),
    ]


@pytest.mark.parametrize("fault", ["extra_fields", "numbers_for_strings", "strings_for_numbers"])
def test_another_way_to_write_the_same_changes_nothing(north: Hosting, fault: str) -> None:
    north.sync_all()
    north.pool.fault(fault)
    before = writes()

    north.sync()

    assert set(written_between(before, writes())) == {"mining_syncrun"}


def test_more_than_eight_decimals_are_kept_raw_and_rounded_half_even(north: Hosting) -> None:
    amounts = {"totalReward": "0.001000005000", "reward": "0.000975015000", "fee": "0.00002499"}
    north.pool.edit("set_reward", login="alpha", account="north", date="2026-10-18", set=amounts)

    assert north.sync().state == SyncRun.State.OK

    (row,) = north.rewards(day="2026-10-18", mining_account__name="north")
    assert (row.total_raw, row.net_raw, row.fee_raw) == tuple(amounts.values())
    assert (row.total_sat, row.net_sat, row.fee_sat) == (100_000, 97_502, 2_498)


def test_hostile_names_are_stored_as_they_are(north: Hosting) -> None:
    north.pool.fault("hostile_names", endpoint="rewards")

    run = north.sync()

    assert run.state == SyncRun.State.PARTIAL  # one of the names is empty, one holds a line break
    assert north.account("<script>alert(1)</script>").customer is None
    assert north.account("north'; DROP TABLE rewards; --").state == MiningAccount.State.UNKNOWN


def test_a_date_far_in_the_future_does_not_end_the_reading(north: Hosting) -> None:
    north.sync()
    north.pool.edit("set_reward", login="alpha", account="north", date="2026-10-12", set={"date": "2099-01-01"})
    north.pool.edit("add_reward", login="alpha", account="north", date="2026-10-19", set={"date": "2099-01-01"})
    north.sync()
    north.pool.clock(advance_seconds=DAY)

    assert north.sync().rows_new == 3


def test_dates_need_not_be_midnight(north: Hosting) -> None:
    north.pool.reset(world="daytime", now=AFTERNOON)
    north.sync()

    assert {row.reward_at.hour for row in north.rewards()} == {7}
    assert north.told() == north.truth()


def test_neighbours_read_their_own(north: Hosting, south: Hosting) -> None:
    for hosting in (north, south):
        hosting.sync_all()

    assert north.told() == north.truth()
    assert south.told() == south.truth()
    assert north.told() != south.told()
    with north.context():
        assert set(Reward.objects.values_list("provider", flat=True)) == {north.provider.pk}
        assert set(MiningAccount.objects.values_list("name", flat=True)) == {"north", "south", "alpha_east"}


def test_a_list_that_would_not_hold_still_proves_nothing_gone(north: Hosting, monkeypatch: pytest.MonkeyPatch) -> None:
    north.sync_all()
    unsure = reward_listing.Listing([], [], consistent=False)
    monkeypatch.setattr(reward_listing, "read_login", lambda *_args, **_options: iter([unsure]))

    run = north.sync()

    assert run.rows_changed == 0
    assert north.account("north").state == MiningAccount.State.ACTIVE
    assert north.rewards(missing_since__isnull=False) == []


# --- Records that move

DAY_BEFORE_NOON = "2026-10-17T12:00:00Z"


def test_a_reward_that_is_dated_anew_stays_the_reward_it_was(north: Hosting) -> None:
    north.sync()
    (before,) = north.rewards(day="2026-10-18", mining_account__name="north")
    north.pool.edit("set_reward", login="alpha", account="north", date="2026-10-18", set={"date": DAY_BEFORE_NOON})

    run, again = north.sync(), north.sync()

    (after,) = north.rewards(pk=before.pk)
    assert (run.rows_new, run.rows_changed, run.quarantined, again.rows_changed) == (0, 1, 0, 0)
    assert (after.code, after.day.isoformat(), after.reward_at.hour) == (before.code, "2026-10-17", 12)
    assert (after.missing_since, after.occurrence) == (None, 2)
    assert north.told() == north.truth()
    with north.context():
        assert [seen.moved_from for seen in after.observations.order_by("pk")] == [None, before.reward_at]


def test_one_that_vanished_before_it_appeared_elsewhere_has_moved_too(north: Hosting) -> None:
    north.sync()
    (before,) = north.rewards(day="2026-10-18", mining_account__name="north")
    told = {"account": "north", "login": "alpha", "date": "2026-10-18"}
    north.pool.edit("remove_reward", **told)
    north.sync()
    north.pool.edit("set_reward", **told, set={"date": DAY_BEFORE_NOON})
    north.pool.edit("restore_reward", **told)

    north.sync()

    (after,) = north.rewards(pk=before.pk)
    assert (after.missing_since, after.day.isoformat()) == (None, "2026-10-17")
    assert north.told() == north.truth()


def test_one_that_moves_into_the_window_from_before_it_is_the_reward_it_was(north: Hosting) -> None:
    north.sync()
    first_day = max(row.day for row in north.rewards()) - timedelta(days=3)
    day, moment = (first_day - timedelta(days=1)).isoformat(), f"{first_day}T06:00:00Z"
    (before,) = north.rewards(day=day, mining_account__name="north")
    north.pool.edit("set_reward", login="alpha", account="north", date=day, set={"date": moment})

    run = north.sync()

    (after,) = north.rewards(pk=before.pk)
    assert (run.depth, run.rows_new, after.day, after.missing_since) == ("recent", 0, first_day, None)
    assert north.told() == north.truth()


def test_one_that_is_like_another_from_before_the_window_is_taken_in_once_it_is_told_apart(north: Hosting) -> None:
    north.sync()
    first_day = max(row.day for row in north.rewards()) - timedelta(days=3)
    (alike,) = north.rewards(day=first_day - timedelta(days=1), mining_account__name="north")
    amounts = {"totalReward": alike.total_raw, "reward": alike.net_raw, "fee": alike.fee_raw}
    moment = {"date": f"{first_day}T06:00:00Z"}
    north.pool.edit("add_reward", login="alpha", account="north", date=str(first_day), set=amounts | moment)

    assert north.sync().rows_new == 1

    assert north.told() == north.truth()
    assert north.account("north").rewards_read_in_full_at is not None


def test_what_may_be_new_or_have_moved_is_quarantined_and_not_counted(north: Hosting) -> None:
    north.sync()
    (before,) = north.rewards(day="2026-10-18", mining_account__name="north")
    amounts = {"totalReward": before.total_raw, "reward": before.net_raw, "fee": before.fee_raw}
    north.pool.edit("remove_reward", login="alpha", account="north", date="2026-10-18")
    for moment in ("2026-10-17T12:00:00Z", "2026-10-18T12:00:00Z"):
        north.pool.edit("add_reward", login="alpha", account="north", date="2026-10-18", set=amounts | {"date": moment})

    runs = [north.sync(), north.sync()]

    assert [(run.rows_new, run.quarantined, run.state) for run in runs] == [(0, 2, SyncRun.State.PARTIAL)] * 2
    (after,) = north.rewards(pk=before.pk)
    assert (after.missing_since, after.reward_at) == (None, before.reward_at)
    with north.context():
        assert list(QuarantinedRecord.objects.values_list("reason", "account_name")) == [("moved_or_new", "north")] * 2


def test_records_of_one_day_are_numbered_within_their_date(north: Hosting) -> None:
    for second in (1, 2, 3, 4):
        moment = f"2026-10-18T00:00:0{second}Z"
        total = {"totalReward": f"0.0{second}", "reward": f"0.0{second}", "fee": "0", "date": moment}
        north.pool.edit("add_reward", login="alpha", account="north", date="2026-10-18", set=total)

    north.sync()

    rows = north.rewards(day="2026-10-18", mining_account__name="north")
    assert [(row.occurrence, row.reward_at.second) for row in rows] == [(n + 1, n) for n in range(5)]


# --- Windows


def test_later_readings_go_three_days_back_and_once_a_day_forty_five(north: Hosting) -> None:
    north.sync()
    recent = north.sync()
    with north.context():
        SyncRun.objects.filter(subject="rewards").update(started_at=timezone.now() - timedelta(hours=25))
    deep = north.sync()

    assert (recent.depth, deep.depth) == ("recent", "deep")
    assert north.sync().depth == "recent"


MIDNIGHT = int(datetime(2026, 10, 20, tzinfo=UTC).timestamp())


@pytest.fixture
def long_list(north: Hosting) -> Hosting:
    """More rewards of today than a page holds; all are read."""
    for number in range(MOST_RECORDS_PER_PAGE + 5):
        north.pool.edit("add_reward", login="alpha", account="north", date=MIDNIGHT + number)
    north.sync_all()
    return north


def in_its_turn(hosting: Hosting, now: datetime | None = None) -> SyncRun:
    """As a worker reads it: nobody waits."""
    now = now or timezone.now()
    with hosting.context():
        run, _ = runs.open_run(hosting.provider.pk, hosting.login_id, Subject.REWARDS, now=now)
    performed = runner.perform(hosting.provider.pk, run.pk, turn=0, now=now)
    assert performed is not None
    return performed


def whole_window_read_ago(hosting: Hosting, ago: timedelta) -> None:
    with hosting.context():
        SyncRun.objects.filter(subject="rewards").exclude(depth="newest").update(started_at=timezone.now() - ago)


def test_a_turn_without_news_reads_one_page_of_a_long_list_and_once_an_hour_all(long_list: Hosting) -> None:
    quiet = in_its_turn(long_list)
    assert (quiet.depth, quiet.calls, quiet.state) == ("newest", 1, SyncRun.State.OK)
    asked = long_list.sync()
    assert (asked.depth, asked.calls > 2) == ("recent", True)
    whole_window_read_ago(long_list, timedelta(hours=1))
    assert in_its_turn(long_list).depth == "recent"


def test_a_newest_page_with_news_is_read_on(long_list: Hosting) -> None:
    newest = MIDNIGHT + MOST_RECORDS_PER_PAGE + 4
    for act, date, facts in [
        ("set_reward", newest, {"status": "canceled"}),
        ("add_reward", newest + 1, {"status": "pending"}),
    ]:
        long_list.pool.edit(act, login="alpha", account="north", date=date, set=facts)

        run = in_its_turn(long_list)

        assert (run.depth, run.rows_new + run.rows_changed, long_list.told()) == ("recent", 1, long_list.truth())


def test_what_stands_behind_the_newest_page_is_found_within_the_hour(long_list: Hosting) -> None:
    long_list.pool.edit("remove_reward", login="alpha", account="north", date="2026-10-18")
    assert in_its_turn(long_list).rows_changed == 0
    whole_window_read_ago(long_list, timedelta(hours=1))

    assert in_its_turn(long_list).rows_changed == 1


def test_the_first_turn_of_a_day_reads_the_window(long_list: Hosting) -> None:
    """A month has ended with it: what its documents leave out must not be taken for read."""
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    with long_list.context():
        SyncRun.objects.filter(subject="rewards").update(started_at=midnight - timedelta(minutes=5))
    assert in_its_turn(long_list, midnight - timedelta(minutes=1)).depth == "newest"

    turns = [in_its_turn(long_list, midnight + timedelta(minutes=minutes)) for minutes in (5, 20)]

    assert [run.depth for run in turns] == ["recent", "newest"]


def test_a_window_that_was_not_read_to_its_end_is_read_though_the_newest_page_says_nothing_new(
    long_list: Hosting,
) -> None:
    in_its_turn(long_list)
    with long_list.context():
        SyncRun.objects.create(
            provider=long_list.provider, login_id=long_list.login_id, subject="rewards", state="failed",
            queued_at=timezone.now(), reads_from=datetime(2026, 9, 1, tzinfo=UTC),
        )  # fmt: skip
    in_its_turn(long_list)  # a quiet one must not pass for the end of it

    with long_list.context():
        newest = SyncRun.objects.filter(subject="rewards").latest("pk")
    assert (newest.depth, newest.reads_from) == ("recent", datetime(2026, 9, 1, tzinfo=UTC))
    assert in_its_turn(long_list).depth == "newest"


def test_an_old_change_is_found_by_the_daily_deep_reading(north: Hosting) -> None:
    north.sync()
    north.pool.edit("set_reward", login="alpha", account="north", date="2026-10-11", set={"status": "canceled"})
    assert north.sync().rows_changed == 0
    with north.context():
        SyncRun.objects.filter(subject="rewards").update(started_at=timezone.now() - timedelta(hours=25))

    assert north.sync().rows_changed == 1


def test_after_weeks_without_reading_nothing_is_left_out(north: Hosting) -> None:
    north.sync()
    north.pool.clock(advance_seconds=30 * DAY)

    north.sync()

    assert north.told() == north.truth()


def test_a_first_reading_that_failed_is_made_whole_by_the_next(north: Hosting) -> None:
    north.pool.fault("http_500", endpoint="rewards")
    assert north.sync().state == SyncRun.State.FAILED
    north.pool.clear_faults()

    run = north.sync()

    assert (run.state, run.depth) == (SyncRun.State.OK, "full")
    assert north.told() == north.truth()


# --- Depth belongs to the account


def long_known(hosting: Hosting, account: str) -> None:
    """An account with rewards from before the 45 days that are read each day."""
    for day in ("2026-07-01", "2026-07-02"):
        hosting.pool.edit("add_reward", login="alpha", account=account, date=day)


def test_an_account_that_comes_into_sight_later_is_read_from_its_first_reward(north: Hosting) -> None:
    north.sync_all()
    north.pool.edit("add_account", login="alpha", account="west")
    long_known(north, "west")

    north.sync("accounts")
    run, again = north.sync(), north.sync()

    assert (run.depth, north.told()) == ("recent", north.truth())
    assert north.account("west").rewards_read_in_full_at is not None
    assert again.calls < run.calls


@pytest.mark.parametrize(
    ("hide", "show", "subjects"),
    [
        ("disable_account", "enable_account", ["rewards"]),  # silent, and heard again
        ("disable_account", "enable_account", ["workers"]),  # refused, and answered again
    ],
)
def test_an_account_that_is_enabled_again_is_read_from_its_first_reward(
    north: Hosting, hide: str, show: str, subjects: list[str]
) -> None:
    north.sync_all()
    north.pool.edit(hide, login="alpha", account="north")
    for subject in subjects:
        north.sync(subject)
    long_known(north, "north")
    north.pool.edit(show, login="alpha", account="north")
    for subject in subjects:
        north.sync(subject)

    north.sync()

    assert north.told() == north.truth()


def test_an_account_that_is_listed_again_is_read_from_its_first_reward(north: Hosting) -> None:
    north.sync_all()
    with north.context():
        MiningAccount.objects.filter(name="north").update(unlisted_since=timezone.now())
    long_known(north, "north")

    north.sync("accounts")
    north.sync()

    assert north.told() == north.truth()


def test_accounts_are_read_by_name_turn_by_turn(north: Hosting, monkeypatch: pytest.MonkeyPatch) -> None:
    north.sync_all()
    for name in ("west_1", "west_2"):
        north.pool.edit("add_account", login="alpha", account=name)
        long_known(north, name)
    north.sync("accounts")
    looks = count(1)
    # Every second look finds that the turn is over: one account a turn.
    monkeypatch.setattr(Watch, "turn_is_over", lambda _watch: next(looks) % 2 == 0)

    run = north.sync()

    assert (run.state, run.turns) == (SyncRun.State.OK, 1)
    assert north.told() == north.truth()


def test_what_a_killed_run_did_not_reach_is_read_by_the_next(north: Hosting, monkeypatch: pytest.MonkeyPatch) -> None:
    north.sync_all()
    north.pool.clock(advance_seconds=45 * DAY)
    monkeypatch.setattr(reward_listing, "LARGEST_OFFSET", 10)  # a page is a part
    whole = reward_listing.read_login

    def killed(*args: Any, **rest: Any) -> Iterator[reward_listing.Listing]:
        yield next(whole(*args, **rest))
        raise RunLost

    monkeypatch.setattr(reward_listing, "read_login", killed)
    north.sync()
    assert north.told() != north.truth()
    with north.context():
        SyncRun.objects.filter(subject="rewards", state="running").update(
            lease_until=timezone.now() - timedelta(days=1)
        )
    monkeypatch.setattr(reward_listing, "read_login", whole)

    north.sync()

    assert north.told() == north.truth()


def test_a_first_reading_of_rewards_reads_the_accounts_first(north: Hosting) -> None:
    run = north.sync()

    assert run.state == SyncRun.State.OK
    assert {north.account(name).state for name in ("north", "south", "alpha_east")} == {MiningAccount.State.ACTIVE}
