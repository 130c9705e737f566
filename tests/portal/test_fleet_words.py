"""Times and shares as the fleet's pages say them."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

import pytest

from portal.templatetags.fleet import clock, cut, lasted, lasted_about, until_when
from tests.world import NOW


@pytest.mark.parametrize(
    ("seconds", "exactly", "about"),
    [
        (0, "0 s", "under 1 min"),
        (59, "59 s", "under 1 min"),
        (22_300, "6 h 11 min 40 s", "6 h 11 min"),
        (172_799, "47 h 59 min 59 s", "47 h 59 min"),
        (1_054_261, "12 d 4 h 51 min 1 s", "12 d 4 h"),
    ],
)
def test_a_length_is_exact_or_cut(seconds: int, exactly: str, about: str) -> None:
    assert lasted(seconds).replace("\u00a0", " ") == exactly
    assert lasted_about(seconds).replace("\u00a0", " ") == about


def test_a_share_is_cut_and_never_rounded() -> None:
    assert cut(Fraction(99_999, 100_000), 1) == "99.9"
    assert cut(Fraction(1), 1) == "100.0"
    assert cut(Fraction(2, 3), 4) == "66.6666"


def test_a_moment_is_as_long_as_it_must_be() -> None:
    assert clock(NOW - timedelta(hours=1), NOW) == "13:32"
    assert clock(NOW - timedelta(days=2), NOW) == "2 Nov, 14:32"
    assert clock(NOW - timedelta(days=400), NOW) == "30 Sep 2025, 14:32"
    assert clock(None, NOW) == "unknown"
    assert until_when(None, NOW) == "until it is ended"
