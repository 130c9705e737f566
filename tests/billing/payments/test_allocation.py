"""The allocation of an amount, whatever is open."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from billing.payments.allocation import split

AMOUNTS = st.integers(min_value=1, max_value=21_000_000 * 10**8)


@given(amount=AMOUNTS, opens=st.lists(AMOUNTS, max_size=8))
def test_money_fills_what_is_open_in_order_and_none_is_lost(amount: int, opens: list[int]) -> None:
    shares = split(amount, opens)

    assert sum(shares) == min(amount, sum(opens))
    assert all(0 <= share <= open_ for share, open_ in zip(shares, opens, strict=True))
    # Nothing gets anything before all that come first are full.
    started = [index for index, share in enumerate(shares) if share]
    assert all(shares[index] == opens[index] for index in started[:-1])
    assert started == list(range(len(started)))


@given(first=AMOUNTS, second=AMOUNTS, opens=st.lists(AMOUNTS, max_size=8))
def test_two_payments_settle_what_one_of_their_sum_does(first: int, second: int, opens: list[int]) -> None:
    shares = split(first, opens)
    more = split(second, [open_ - share for open_, share in zip(opens, shares, strict=True)])

    assert [one + other for one, other in zip(shares, more, strict=True)] == split(first + second, opens)
