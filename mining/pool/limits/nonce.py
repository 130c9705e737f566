"""Nonces: the pool's time in milliseconds, each used once per key, whoever asks, on whatever machine.

The pool accepts a nonce within ±5 s of its own clock. Redis keeps the last nonce of each key and is the one clock
that all workers share; its distance from the pool's clock is measured through the public time endpoint.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress

import redis
from redis.exceptions import RedisError

from mining.pool.errors import CallsStopped, ClockSkewed
from mining.pool.limits.deadline import Deadline

# Within this much the pool's whole seconds cannot tell two clocks apart; 2 ms are our own rounding.
_RESOLUTION_MS = 502
# Correcting hides a wrong clock; beyond this a person has to set it.
_LARGEST_SKEW_MS = 20_000
# Clocks drift: the measurement is made again at least this often, and whenever the pool complains.
_SKEW_KEPT_MS = 3_600_000
_MEASURING_SECONDS = 5.0

# One millisecond is one nonce, so a key has at most 1,000 a second. Who comes in a burst is given a number up to
# 2 s ahead and waits until its time has come: nothing is ever sent ahead of the pool's clock.
# A number more than 6 s ahead was never accepted by anybody (the pool takes 5 s), so it is left from a clock that
# was wrong and has been set back: start again from the present instead of refusing until it is reached.
_NEXT = """
local skew = redis.call('GET', KEYS[2])
if not skew then return {0, 0} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(skew)
local last = tonumber(redis.call('GET', KEYS[1]) or '0')
if last - now > 6000 then last = 0 end
local nonce = math.max(now, last + 1)
local ahead = nonce - now
if ahead > 2000 then return {0, ahead - 1000} end
redis.call('SET', KEYS[1], string.format('%.0f', nonce), 'PX', 86400000)
return {nonce, ahead}
"""

PoolTime = Callable[[Deadline], int]


class NonceSource:
    def __init__(self, connection: redis.Redis, *, api_key: str, base_url: str, read_pool_time: PoolTime) -> None:
        """`read_pool_time` asks the pool for its time in seconds."""
        self._redis = connection
        self._next = connection.register_script(_NEXT)
        # Digests, because Redis is dumped and browsed more easily than the place where keys are kept.
        self._last_key = f"pool:nonce:{hashlib.sha256(api_key.encode()).hexdigest()[:32]}"
        self._skew_key = f"pool:skew:{hashlib.sha256(base_url.encode()).hexdigest()[:16]}"
        self._read_pool_time = read_pool_time

    def next(self, deadline: Deadline) -> int:
        """The next nonce, to be signed and sent at once."""
        while True:
            nonce, wait_ms = self._ask()
            if not nonce and not wait_ms:
                self._measure_skew(deadline)
                continue
            if not deadline.wait(wait_ms / 1000):
                raise CallsStopped("Too many calls with this key at once: no nonce was free in time.")
            if nonce:
                return nonce

    def _ask(self) -> tuple[int, int]:
        try:
            nonce, wait_ms = self._next(keys=[self._last_key, self._skew_key])
        except RedisError as error:
            raise _redis_gone() from error
        return int(nonce), int(wait_ms)

    def forget_skew(self) -> None:
        """The pool found the clock wrong: it is measured again before the next nonce."""
        # Without Redis there is no next nonce either, and asking for one says so.
        with suppress(RedisError):
            self._redis.delete(self._skew_key)

    def _measure_skew(self, deadline: Deadline) -> None:
        """Compare Redis' clock with the pool's, for all workers. A large difference stops calls: ClockSkewed."""
        before_ms = self._redis_time_ms()
        # The answer's age adds to the error, so an answer that takes longer than the window is none.
        pool_seconds = self._read_pool_time(Deadline(min(_MEASURING_SECONDS, deadline.exchange_seconds)))
        after_ms = self._redis_time_ms()
        skew_ms = pool_seconds * 1000 + 500 - (before_ms + after_ms) // 2
        if abs(skew_ms) > _LARGEST_SKEW_MS:
            raise ClockSkewed(
                f"Calls to the pool are stopped: the Redis server's clock and the pool's are {abs(skew_ms) // 1000} s "
                "apart. Set the clock of the Redis server (NTP)."
            )
        if abs(skew_ms) <= _RESOLUTION_MS + (after_ms - before_ms) // 2:
            skew_ms = 0
        try:
            self._redis.set(self._skew_key, skew_ms, px=_SKEW_KEPT_MS)
        except RedisError as error:
            raise _redis_gone() from error

    def _redis_time_ms(self) -> int:
        try:
            seconds, microseconds = self._redis.time()
        except RedisError as error:
            raise _redis_gone() from error
        return int(seconds) * 1000 + int(microseconds) // 1000


def _redis_gone() -> CallsStopped:
    return CallsStopped("Calls to the pool are stopped: Redis, which hands out nonces, cannot be reached.")
