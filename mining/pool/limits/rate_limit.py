"""One rate limit per (endpoint, egress address), shared by every worker and tenant behind that address.

The pool rejects more than 1,000 calls in 10 s per endpoint and address, and repeated rejections can ban us.
The worst count in a window of W seconds is rate × W + burst: 90 × 10 + 50 = 950. The 50 left over are for calls
that were let go evenly and arrive bunched. Path not taken: a bucket of 1,000 with 100/s, which lets 1,999 through.

Who has to wait stands in one fair queue, in which each provider has its turns whatever the others ask for.
"""

from __future__ import annotations

import math
import secrets
from enum import IntEnum
from pathlib import Path

import redis
from redis.exceptions import RedisError

from mining.pool.errors import CallsStopped
from mining.pool.limits.deadline import Deadline

CALLS_PER_SECOND = 90.0
BURST_CALLS = 50

# A waiter asks again at least this often, and loses its place when it has not asked for so much longer.
_NAP_SECONDS = 0.2
_LEASE_SECONDS = 1.0


class Priority(IntEnum):
    """What a call costs its provider's turn. While all wait, a person's calls are four times as many as payout checks,
    and so on down: each class keeps a share, so none starves."""

    PERSON = 1
    PAYOUTS = 4
    ACCOUNTS = 16
    BACKFILL = 64
    HISTORY = 256


# GCRA in front of which a queue stands, in one script and one trip: atomic for all workers, on Redis' own clock, which
# is the only one that they share. A waiter is let go when fewer stand before it than calls are free; so one that died
# or overslept costs those behind it a free call for a moment, and not their turn.
# Path not taken: reserve the next slot on arrival. It is one trip for everybody, but first come is first served, and
# who has ten times the accounts comes first ten times as often.
_ASK = Path(__file__).with_name("rate_limit.lua").read_text(encoding="utf-8")


class RateLimiter:
    """`party` and `priority` together are the flow that a caller's turns are counted for."""

    def __init__(
        self,
        connection: redis.Redis,
        *,
        egress: str,
        party: str = "",
        priority: Priority = Priority.ACCOUNTS,
        calls_per_second: float = CALLS_PER_SECOND,
        burst_calls: int = BURST_CALLS,
    ) -> None:
        self._script = connection.register_script(_ASK)
        self._egress = egress
        self._flow = f"{priority.name}:{party}"
        self._cost = int(priority)
        self._interval_us = math.ceil(1_000_000 / calls_per_second)
        self._burst_calls = burst_calls

    def take(self, endpoint: str, deadline: Deadline) -> None:
        """Return when one call may go out. Without Redis no call goes out: running free would cost us the address."""
        ticket = secrets.token_hex(8)
        while (wait_us := self.ask(endpoint, ticket, deadline)) > 0:
            if not deadline.wait(wait_us / 1e6):
                # Who has no time to wait leaves the queue by asking once more, unless its turn has come just now.
                deadline = Deadline(0)
        if wait_us < 0:
            raise CallsStopped(
                "Too many calls to this endpoint are waiting for the pool's rate limit; this one gave up in time.",
                endpoint=endpoint,
            )

    def ask(self, endpoint: str, ticket: str, deadline: Deadline) -> int:
        """One trip: 0 when the call may go out, else microseconds to sleep before the same ticket asks again; -1 when
        its turn cannot come in time."""
        name = f"pool:rate_limit:{self._egress}:{endpoint}"
        arguments: list[str | int] = [
            self._interval_us,
            self._burst_calls,
            ticket,
            self._flow,
            self._cost,
            int(deadline.left_seconds * 1e6),
            int(_NAP_SECONDS * 1e6),
            int(_LEASE_SECONDS * 1e6),
        ]
        try:
            return int(self._script(keys=[name, f"{name}:queue", f"{name}:leases", f"{name}:flows"], args=arguments))
        except RedisError as error:
            raise CallsStopped(
                "Calls to the pool are stopped: Redis, which shares out the rate limit, cannot be reached.",
                endpoint=endpoint,
            ) from error
