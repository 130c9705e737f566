"""Two clocks. The data clock says which day it is in the mined world and can be moved; nonces never look at it."""

import time
from datetime import UTC, datetime


class DataClock:
    """Runs at real speed from wherever it was set."""

    def __init__(self, offset_s: float = 0.0) -> None:
        self.offset_s = offset_s

    def now(self) -> int:
        return int(time.time() + self.offset_s)

    def set(self, moment: datetime) -> None:
        self.offset_s = moment.timestamp() - time.time()


def iso(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
