"""Moments and waits, told without a word about how fast this machine is."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Sequence

import pytest

from mining.pool.limits import deadline
from mining.pool.limits.deadline import Deadline
from mining.pool.transport import http
from tests.waiting import LAST_RESORT_SECONDS


class Sleepless(Deadline):
    """Of one that must be told at once: no wait may begin."""

    def wait(self, seconds: float) -> bool:
        assert seconds <= 0, f"it waits {seconds} s"
        return True


class Sleepy(Deadline):
    """Has time when it asks, and none any more when it is told how long to sleep."""

    def wait(self, seconds: float) -> bool:
        return False


class Counting(Deadline):
    """Tells how often its owner has waited."""

    waits = 0

    def wait(self, seconds: float) -> bool:
        self.waits += 1
        return super().wait(seconds)


class WaitsAlone(threading.local):
    """A clock that goes on while its thread waits, and at no other time."""

    told = 0.0

    def monotonic(self) -> float:
        return self.told

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
        self.told += seconds


def count_waits_alone(monkeypatch: pytest.MonkeyPatch) -> WaitsAlone:
    """A call's deadline is used up by the waits that it chooses, not by a slow machine; and whoever answers late on a
    slow machine is not silent. For tests in which nobody is."""
    clock = WaitsAlone()
    monkeypatch.setattr(deadline, "time", clock)
    monkeypatch.setattr(Deadline, "exchange_seconds", LAST_RESORT_SECONDS)
    monkeypatch.setattr(http, "READ_SECONDS", LAST_RESORT_SECONDS)
    monkeypatch.setattr(http, "TOTAL_SECONDS", LAST_RESORT_SECONDS)
    return clock


def most_in_any(length: float, moments: Sequence[float]) -> int:
    """The most of them that lie in one window of that length, wherever it begins."""
    ordered = sorted(moments)
    return max(bisect_left(ordered, start + length) - index for index, start in enumerate(ordered))
