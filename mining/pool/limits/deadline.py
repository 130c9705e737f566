"""How long one call may take, all its waits and attempts together."""

from __future__ import annotations

import time

TOTAL_SECONDS = 15.0
# Kept for the exchange, so that silence in it is the pool's and not our own haste. A call that may take less than four
# times as long keeps a quarter.
_EXCHANGE_SECONDS = 2.0


class Deadline:
    def __init__(self, seconds: float) -> None:
        self._ends_at = time.monotonic() + seconds
        self._kept_seconds = min(_EXCHANGE_SECONDS, seconds / 4)

    @property
    def left_seconds(self) -> float:
        """Seconds left for waits."""
        return max(0.0, self._ends_at - self._kept_seconds - time.monotonic())

    @property
    def exchange_seconds(self) -> float:
        """For one exchange: all that is left, and never less than was kept, should a wait have taken too long."""
        return max(self._kept_seconds, self._ends_at - time.monotonic())

    def wait(self, seconds: float) -> bool:
        """Sleep, or answer False at once when there is not that much time left for waits."""
        if seconds <= 0:
            return True
        if seconds >= self.left_seconds:
            return False
        time.sleep(seconds)
        return True
