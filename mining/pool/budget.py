"""One rate budget per (endpoint, egress address), shared by every worker and tenant behind that address.

The pool rejects more than 1,000 calls in 10 s per endpoint and address, and repeated rejections can ban us.
The worst count in a window of W seconds is rate × W + burst: 90 × 10 + 50 = 950. The 50 left over are for calls
that were let go evenly and arrive bunched. Path not taken: a bucket of 1,000 with 100/s, which lets 1,999 through.
"""

from __future__ import annotations

import math

import redis
from redis.exceptions import RedisError

from mining.pool.errors import CallsStopped
from mining.pool.patience import Patience

CALLS_PER_SECOND = 90.0
BURST_CALLS = 50

# GCRA that *reserves*: who may wait long enough gets the next free slot and sleeps until then, first come first
# served, in one trip. Path not taken: refuse and let everybody ask again, which costs a trip per waiter and slot.
# Redis' own clock is the only one that all machines share. A slot further ahead than anybody may wait can only be
# left from before a step back of that clock: then start again, as if the burst had just been used up.
_RESERVE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, burst, longest = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local horizon = tonumber(ARGV[4])
local due = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
if due - now > horizon + burst * interval then due = now + burst * interval end
local following = due + interval
local wait = math.max(0, following - burst * interval - now)
if wait > longest then return {0, wait} end
redis.call('SET', KEYS[1], string.format('%.0f', following), 'PX', math.ceil((following - now) / 1000) + 1000)
return {1, wait}
"""
_HORIZON_SECONDS = 120.0


class RateBudget:
    def __init__(
        self,
        connection: redis.Redis,
        *,
        egress: str,
        calls_per_second: float = CALLS_PER_SECOND,
        burst_calls: int = BURST_CALLS,
    ) -> None:
        self._reserve = connection.register_script(_RESERVE)
        self._egress = egress
        self._interval_us = math.ceil(1_000_000 / calls_per_second)
        self._burst_calls = burst_calls

    def take(self, endpoint: str, patience: Patience) -> None:
        """Return when one call may go out. Without Redis no call goes out: running free would cost us the address."""
        longest_seconds = min(patience.left_seconds, _HORIZON_SECONDS)
        arguments = [
            self._interval_us,
            self._burst_calls,
            int(longest_seconds * 1e6),
            int(_HORIZON_SECONDS * 1e6),
        ]
        try:
            granted, wait_us = self._reserve(keys=[f"pool:budget:{self._egress}:{endpoint}"], args=arguments)
        except RedisError as error:
            raise CallsStopped(
                "Calls to the pool are stopped: Redis, which shares out the rate limit, cannot be reached.",
                endpoint=endpoint,
            ) from error
        if not granted or not patience.wait(wait_us / 1e6):
            raise CallsStopped(
                "Too many calls to this endpoint are waiting for the pool's rate limit; this one gave up in time.",
                endpoint=endpoint,
            )
