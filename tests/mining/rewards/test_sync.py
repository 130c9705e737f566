"""Rewards over HTTP into real rows: what the pool lists is what we have, whatever happens to it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from mining import queries
from mining.models import MiningAccount, QuarantinedRecord, Reward, SyncRun
from mining.models.rewards import RewardStatus
from mining.pool.listings import rewards as reward_listing
from tests.mining.hosting import AFTERNOON, DAY, Hosting, writes, written_between


def test_the_first_reading_takes_everything(north: Hosting) -> None:
    run = north.sync()

    assert (run.state, run.error, run.depth) == (SyncRun.State.OK, "", "full")
    assert north.told() == north.truth()
    assert run.rows_new == len(north.truth()) + 3  # the three accounts that the rewards name


def test_a_second_reading_writes_no_row_but_its_run(north: Hosting) -> None:
    north.sync_all()
    before = writes()

    north.sync_all()

    assert set(written_between(before, writes())) == {"mining_syncrun"}


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
    north.pool.fault("hostile_names")

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
    monkeypatch.setattr(reward_listing, "read_login", lambda *_args, **_options: unsure)

    run = north.sync()

    assert run.rows_changed == 0
    assert north.account("north").state == MiningAccount.State.ACTIVE
    assert north.rewards(missing_since__isnull=False) == []


# --- Windows


def test_later_readings_go_three_days_back_and_once_a_day_forty_five(north: Hosting) -> None:
    north.sync()
    recent = north.sync()
    with north.context():
        SyncRun.objects.filter(subject="rewards").update(started_at=timezone.now() - timedelta(hours=25))
    deep = north.sync()

    assert (recent.depth, deep.depth) == ("recent", "deep")
    assert north.sync().depth == "recent"


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
