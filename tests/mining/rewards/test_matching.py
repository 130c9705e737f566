"""Which stored reward is which listed record: the rules of one place, without database or network."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mining.models import Reward
from mining.pool.answers.types import RewardRecord
from mining.pool.listings.rewards import Listed
from mining.rewards.matching import Candidate, Leftover, Match, Place, candidate, groups, match, settle

DATE = datetime(2026, 10, 18, tzinfo=UTC)
PENDING = RewardRecord(
    account="north",
    reward_at=DATE,
    currency="BTC",
    total=Decimal("0.001"),
    net=Decimal("0.000975"),
    fee=Decimal("0.000025"),
    total_raw="0.001",
    net_raw="0.000975",
    fee_raw="0.000025",
    fpps_rate=Decimal("0.00000045"),
    hashrate_hs=Decimal(10**15),
    status="pending",
    destination="external_address",
    address="bc1q",
    transaction_hash=None,
    paid_at=None,
    raw={},
)


def record(**changes: Any) -> RewardRecord:
    made = replace(PENDING, **changes)
    # What canonical() makes its text of, beside the figures.
    return replace(made, raw={"status": made.status, "payoutDestination": made.destination})


def listed(*records: RewardRecord) -> list[Candidate]:
    return [candidate(Listed(one, one.canonical())) for one in records]


def stored(*records: RewardRecord) -> list[Reward]:
    return [
        Reward(pk=number, occurrence=number, fingerprint=one.fingerprint, **one.columns)
        for number, one in enumerate(listed(*records), start=1)
    ]


def place_of(one: RewardRecord) -> Place:
    return one.account, one.reward_at, one.currency


def matched(ours: list[RewardRecord], theirs: list[RewardRecord], *, doubtful: bool = False) -> Match:
    """All places of one account together, as one reading meets them."""
    result, left = Match(), []
    rows, candidates = stored(*ours), listed(*theirs)
    for place in sorted({place_of(one) for one in (*ours, *theirs)}):
        here = [row for row, one in zip(rows, ours, strict=True) if place_of(one) == place]
        new = [one for one in candidates if one.listed.place == place]
        left.append(Leftover(place, *match(result, here, new), doubtful=doubtful))
    for group in groups(left):
        settle(result, group)
    return result


def shape(found: Match) -> tuple[int, int, int, int, int]:
    return len(found.pairs), len(found.new), len(found.twins), len(found.unmatched), len(found.missing)


FIRST = record()
PAID = record(status="successful", transaction_hash="aa", paid_at=DATE)
OTHER = record(total=Decimal("0.0002"), net=Decimal("0.000195"), fee=Decimal("0.000005"))
THIRD = record(total=Decimal("0.0003"), net=Decimal("0.000295"), fee=Decimal("0.000005"))


@pytest.mark.parametrize(
    ("ours", "theirs", "pairs_new_twins_unmatched_missing"),
    [
        ([], [FIRST], (0, 1, 0, 0, 0)),
        ([FIRST], [FIRST], (1, 0, 0, 0, 0)),
        ([FIRST], [PAID], (1, 0, 0, 0, 0)),  # the status went on
        ([FIRST], [OTHER], (1, 0, 0, 0, 0)),  # one on each side: its amount changed
        ([FIRST], [], (0, 0, 0, 0, 1)),
        ([FIRST], [FIRST, OTHER], (1, 1, 0, 0, 0)),
        ([FIRST, OTHER], [OTHER, PAID], (2, 0, 0, 0, 0)),
        ([FIRST, OTHER], [OTHER], (1, 0, 0, 0, 1)),
        ([FIRST], [FIRST, FIRST], (1, 0, 1, 0, 0)),  # byte-identical
        ([], [FIRST, FIRST], (0, 1, 1, 0, 0)),
        ([FIRST], [FIRST, PAID], (1, 0, 1, 0, 0)),  # the same one while it is being paid
        ([], [PAID, replace(PAID, transaction_hash="bb")], (0, 2, 0, 0, 0)),  # two payouts
        ([FIRST], [OTHER, THIRD], (0, 0, 0, 2, 0)),  # nobody can say which one changed
        ([FIRST, OTHER], [THIRD], (0, 0, 0, 1, 0)),
    ],
)
def test_the_rules_of_one_place(
    ours: list[RewardRecord], theirs: list[RewardRecord], pairs_new_twins_unmatched_missing: tuple[int, ...]
) -> None:
    for order in permutations(theirs):
        assert shape(matched(ours, list(order))) == pairs_new_twins_unmatched_missing


def test_beside_an_unreadable_record_nothing_is_taken_for_a_change() -> None:
    assert shape(matched([FIRST], [OTHER], doubtful=True)) == (0, 0, 0, 1, 0)
    assert shape(matched([FIRST], [PAID], doubtful=True)) == (1, 0, 0, 0, 0)
    assert shape(matched([], [OTHER], doubtful=True)) == (0, 1, 0, 0, 0)


def test_what_agrees_in_amounts_pairs_before_what_changed() -> None:
    found = matched([FIRST, OTHER], [THIRD, PAID])

    assert {(row.occurrence, one.record.total) for row, one in found.pairs} == {(1, PAID.total), (2, THIRD.total)}


SIX_HOURS, A_DAY = timedelta(hours=6), timedelta(days=1)


def moved(one: RewardRecord, by: timedelta) -> RewardRecord:
    return replace(one, reward_at=one.reward_at + by)


@pytest.mark.parametrize("by", [SIX_HOURS, -SIX_HOURS, A_DAY, timedelta(hours=36)])
def test_what_vanished_and_appeared_with_equal_amounts_has_moved(by: timedelta) -> None:
    found = matched([FIRST, OTHER], [moved(PAID, by), OTHER])

    assert [(row.occurrence, one.record) for row, one in found.moved] == [(1, moved(PAID, by))]
    assert shape(found) == (1, 0, 0, 0, 0)


@pytest.mark.parametrize(
    "elsewhere",
    [
        moved(PAID, timedelta(hours=36, seconds=1)),
        moved(OTHER, SIX_HOURS),
        replace(moved(PAID, SIX_HOURS), currency="LTC"),
        replace(moved(PAID, SIX_HOURS), account="south"),
    ],
)
def test_what_is_too_far_away_or_something_else_is_new(elsewhere: RewardRecord) -> None:
    found = matched([FIRST], [elsewhere])

    assert (shape(found), found.moved) == ((0, 1, 0, 0, 1), [])


def test_what_is_still_listed_has_not_moved() -> None:
    assert shape(matched([FIRST], [FIRST, moved(FIRST, A_DAY)])) == (1, 1, 0, 0, 0)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ([FIRST], [moved(FIRST, SIX_HOURS), moved(FIRST, A_DAY)]),
        ([FIRST, moved(FIRST, A_DAY)], [moved(FIRST, SIX_HOURS)]),
    ],
)
def test_with_two_candidates_nobody_can_tell_which_one_moved(
    ours: list[RewardRecord], theirs: list[RewardRecord]
) -> None:
    found = matched(ours, theirs)

    assert [one.record for _, one in found.moved_or_new] == theirs
    assert (found.moved, shape(found)) == ([], (0, 0, 0, 0, 0))


def test_beside_what_cannot_be_read_nobody_can_tell_whether_it_moved() -> None:
    found = matched([FIRST], [moved(FIRST, SIX_HOURS)], doubtful=True)

    assert (len(found.moved_or_new), found.moved) == (1, [])


def test_days_that_are_all_dated_a_day_later_move_one_by_one() -> None:
    days = [replace(FIRST, total=FIRST.total + n, net=FIRST.net + n, reward_at=DATE + n * A_DAY) for n in range(5)]

    found = matched(days, [moved(one, A_DAY) for one in days])

    assert sorted(row.occurrence for row, _ in found.moved) == [1, 2, 3, 4, 5]
    assert all(one.record == moved(days[row.occurrence - 1], A_DAY) for row, one in found.moved)


def test_a_reward_of_nothing_is_not_looked_for_elsewhere() -> None:
    nothing = replace(FIRST, total=Decimal(0), net=Decimal(0), fee=Decimal(0))

    assert shape(matched([nothing], [moved(nothing, A_DAY)])) == (0, 1, 0, 0, 1)


def test_a_hashrate_that_cannot_be_read_changes_no_reward() -> None:
    blind = [replace(one, hashrate_hs=None) for one in (FIRST, OTHER)]

    assert shape(matched([FIRST, OTHER], blind)) == (2, 0, 0, 0, 0)


@given(
    net=st.decimals(min_value=0, max_value=10**9, places=18),
    fee=st.decimals(min_value=0, max_value=10**9, places=18),
)
def test_the_fee_in_satoshi_is_what_is_left(net: Decimal, fee: Decimal) -> None:
    # decimal's default context has 28 digits, fewer than these sums: add them as integers of 10^-18.
    total = Decimal(int(net.scaleb(18)) + int(fee.scaleb(18))).scaleb(-18)

    (one,) = listed(record(total=total, net=net, fee=fee))

    columns = one.columns
    assert columns["total_sat"] == columns["net_sat"] + columns["fee_sat"]
    assert columns["fee_sat"] >= 0
    assert abs(columns["net_sat"] - int(net.scaleb(8))) <= 1
