"""Which stored reward is which listed record: the rules of one place, without database or network."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mining.models import Reward
from mining.pool.answers.types import RewardRecord
from mining.pool.listings.rewards import Listed
from mining.rewards.matching import Candidate, Match, candidate, match

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
        assert shape(match(stored(*ours), listed(*order))) == pairs_new_twins_unmatched_missing


def test_beside_an_unreadable_record_nothing_is_taken_for_a_change() -> None:
    assert shape(match(stored(FIRST), listed(OTHER), doubtful=True)) == (0, 0, 0, 1, 0)
    assert shape(match(stored(FIRST), listed(PAID), doubtful=True)) == (1, 0, 0, 0, 0)
    assert shape(match(stored(), listed(OTHER), doubtful=True)) == (0, 1, 0, 0, 0)


def test_what_agrees_in_amounts_pairs_before_what_changed() -> None:
    found = match(stored(FIRST, OTHER), listed(THIRD, PAID))

    assert {(row.occurrence, one.record.total) for row, one in found.pairs} == {(1, PAID.total), (2, THIRD.total)}


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
