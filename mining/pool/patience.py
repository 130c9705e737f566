"""How long one call may take, all its waits and attempts together."""

from __future__ import annotations

import time


class Patience:
    def __init__(self, seconds: float) -> None:
        self._ends_at = time.monotonic() + seconds

    @property
    def left_seconds(self) -> float:
        return max(0.0, self._ends_at - time.monotonic())

    def wait(self, seconds: float) -> bool:
        """Sleep, or answer False at once when there is not that much time left."""
        if seconds <= 0:
            return True
        if seconds >= self.left_seconds:
            return False
        time.sleep(seconds)
        return True
