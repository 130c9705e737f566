"""Moments and waits, told without a word about how fast this machine is."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from mining.pool.patience import Patience


class Sleepless(Patience):
    """Of one that must be told at once: no wait may begin."""

    def wait(self, seconds: float) -> bool:
        assert seconds <= 0, f"it waits {seconds} s"
        return True


class Sleepy(Patience):
    """Has time when it asks, and none any more when it is told how long to sleep."""

    def wait(self, seconds: float) -> bool:
        return False


def most_in_any(length: float, moments: Sequence[float]) -> int:
    """The most of them that lie in one window of that length, wherever it begins."""
    ordered = sorted(moments)
    return max(bisect_left(ordered, start + length) - index for index, start in enumerate(ordered))
