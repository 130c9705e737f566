"""The pool's decimals to satoshi: rounded once, half to even, however many decimals there are."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mining.pool.answers.decimals import plain, to_sat


@pytest.mark.parametrize(
    ("amount", "sat"),
    [
        ("0", 0),
        ("0.00000001", 1),
        ("0.000000005", 0),  # half to even
        ("0.000000015", 2),
        ("0.000000025", 2),
        ("0.0000000049999999999", 0),
        ("0.0000000150000000001", 2),
        ("0.0000000250000000000000000001", 3),
        ("20999999.999999985", 2_099_999_999_999_998),
        ("12345678.123456789012345678901234567890", 1_234_567_812_345_679),
        ("9999999999.999999999999999999", 10**18),
    ],
)
def test_an_amount_is_rounded_once(amount: str, sat: int) -> None:
    assert to_sat(Decimal(amount)) == sat


@given(st.decimals(min_value=0, max_value=10**10, places=40))
def test_satoshi_are_the_nearest_whole_ones_to_the_exact_amount(amount: Decimal) -> None:
    assert to_sat(amount) == round(Fraction(amount) * 10**8)  # round() is half to even, exactly


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("1.25E-4", "0.000125"),
        ("1.25e3", "1250"),
        ("-0.00000000", "0.00000000"),
        ("0E-10", "0.0000000000"),
        ("-0.00000001", "-0.00000001"),
        ("0.00012500", "0.00012500"),
        ("12345678.123456789012345678901234567890", "12345678.123456789012345678901234567890"),
    ],
)
def test_an_amount_is_printed_as_a_plain_decimal_with_all_its_digits(amount: str, text: str) -> None:
    assert (plain(amount), plain(Decimal(amount))) == (text, text)
