"""Lists that move while they are read: nothing is lost, nothing invented. 250 accounts on one date, three dates."""

from __future__ import annotations

import pytest

from mining.models import SyncRun
from mining.pool.listings import rewards as reward_listing
from tests.mining.hosting import AFTERNOON, DAY, Hosting, set_up, writes, written_between
from tests.sandbox import Sandbox


@pytest.fixture
def colossus(whitepool: Sandbox) -> Hosting:
    whitepool.reset(world="unmined", now=AFTERNOON)
    for number in range(250):
        whitepool.edit("add_account", login="quiet", account=f"rack_{number}", mines=True)
    whitepool.clock(advance_seconds=4 * DAY)
    hosting = set_up(whitepool, slug="colossus", login="quiet")
    hosting.sync("accounts")
    return hosting


def test_a_login_is_read_for_one_call_per_ninety_records(colossus: Hosting) -> None:
    colossus.pool.clear_log()

    run = colossus.sync()

    records = colossus.truth().total()
    assert colossus.told() == colossus.truth()
    assert run.calls == colossus.pool.calls()["rewards"] <= records / 90 + 3


@pytest.mark.long
def test_records_of_one_date_in_random_order_are_all_found(colossus: Hosting) -> None:
    colossus.pool.fault("random_tie_order")

    run = colossus.sync()

    assert run.state == SyncRun.State.OK
    assert colossus.told() == colossus.truth()


def test_random_order_changes_nothing_that_is_known(colossus: Hosting) -> None:
    colossus.sync()
    colossus.pool.fault("random_tie_order")
    before = writes()

    colossus.sync()

    assert set(written_between(before, writes())) == {"mining_syncrun"}


@pytest.mark.parametrize("times", [1, 7])
def test_new_records_between_two_pages_hide_nothing(colossus: Hosting, times: int) -> None:
    colossus.pool.fault("page_shift", skip=3, times=times)

    colossus.sync()

    assert colossus.told() == colossus.truth()


def test_a_record_that_appears_behind_the_last_page_is_seen(colossus: Hosting) -> None:
    calls = colossus.sync().calls
    colossus.pool.fault("page_shift", skip=calls - 2, times=1)  # the last call looks at the first page again

    run = colossus.sync()

    assert run.rows_new == 1
    assert colossus.told() == colossus.truth()


@pytest.mark.long
def test_a_list_that_never_holds_still_is_read_all_the_same(colossus: Hosting) -> None:
    colossus.sync()
    colossus.pool.clock(advance_seconds=DAY)
    colossus.pool.fault("page_shift", skip=2, times=30)
    colossus.pool.fault("random_tie_order")

    colossus.sync()
    colossus.pool.clear_faults()

    # What appeared behind the reading's back is the next one's.
    assert not colossus.told() - colossus.truth()
    assert colossus.sync().state == SyncRun.State.OK
    assert colossus.told() == colossus.truth()


@pytest.mark.long
@pytest.mark.parametrize("fault", ["vanishing_record", "duplicate_record", "short_page"])
def test_a_page_that_lies_now_and_then_loses_and_doubles_nothing(colossus: Hosting, fault: str) -> None:
    colossus.pool.fault(fault, probability=0.3)

    colossus.sync()

    assert colossus.told() == colossus.truth()
    assert colossus.rewards(missing_since__isnull=False) == []


def test_a_page_that_hides_a_record_for_ever_marks_none_as_missing_wrongly(colossus: Hosting) -> None:
    colossus.sync()
    colossus.pool.fault("vanishing_record")

    colossus.sync()

    assert colossus.told() == colossus.truth()


@pytest.mark.parametrize("exclusive", [False, True])
def test_what_offsets_cannot_reach_is_read_by_windows(
    colossus: Hosting, monkeypatch: pytest.MonkeyPatch, exclusive: bool
) -> None:
    monkeypatch.setattr(reward_listing, "LARGEST_OFFSET", 280)  # as if the pool's were: one date fits, the next is cut
    colossus.pool.edit("add_twin", login="quiet", account="rack_7", date=colossus.truth_days()[1], identical=False)
    if exclusive:
        colossus.pool.fault("to_exclusive")

    run = colossus.sync()

    assert (run.state, run.error) == (SyncRun.State.OK, "")
    assert colossus.told() == colossus.truth()


@pytest.mark.long
def test_a_date_with_more_records_than_offsets_reach_is_read_account_by_account(
    colossus: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reward_listing, "LARGEST_OFFSET", 100)

    run = colossus.sync()

    assert run.state == SyncRun.State.OK
    assert colossus.told() == colossus.truth()


@pytest.mark.long
def test_more_than_ten_thousand_records_are_read(whitepool: Sandbox) -> None:
    whitepool.reset(world="large", now=AFTERNOON, history_days=11)
    hosting = set_up(whitepool, slug="colossus", login="colossus")

    run = hosting.sync()

    assert run.state == SyncRun.State.OK
    assert len(hosting.rewards()) > 10_100
    assert hosting.told() == hosting.truth()
