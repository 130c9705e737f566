"""While the pool is in trouble calls are held back, and one at a time finds out whether the trouble is over.

All workers share what is known, in Redis. Three breakers are kept (transport/ says what counts for which): one for each
endpoint and egress address and one for each key and endpoint, whose callers wait, and one for each key, whose callers
are refused at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import IntEnum

import redis
from redis.exceptions import RedisError

from mining.pool.errors import CallsStopped, HeldBack, PoolError
from mining.pool.limits.deadline import TOTAL_SECONDS, Deadline

# Longer than a probe can take with its waits for a nonce: one that has not come back by then died with its worker.
_PROBE_SECONDS = TOTAL_SECONDS + 5.0
# Who waits looks again this often, so that all go on soon after a probe got through.
_NAP_SECONDS = 0.2
_KEPT_MS = 600_000


class Kind(IntEnum):
    CLOSED = 0
    WATCHED = 1  # there were failures, too few to hold anybody back
    PROBE = 2  # the one call of this back-off step
    HELD = 3


@dataclass(frozen=True)
class Passage:
    """Leave to make one call, inside `watching`."""

    name: str
    kind: Kind


# An `until` further ahead than any that is written is left from before a step back of the clock.
_ASK = """
local strikes = tonumber(redis.call('HGET', KEYS[1], 'strikes') or '0')
if strikes == 0 then return {0, 0, ''} end
if strikes < tonumber(ARGV[1]) then return {1, 0, ''} end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local probe, longest = tonumber(ARGV[2]), tonumber(ARGV[3])
local kept = redis.call('HMGET', KEYS[1], 'until', 'why', 'probing')
local wait = tonumber(kept[1]) - now
if wait > 0 and wait <= math.max(probe, longest) then
  -- Nobody knows how long a probe takes; it may be over at once.
  if kept[3] == '1' then wait = 0 end
  return {3, wait, kept[2]}
end
redis.call('HSET', KEYS[1], 'until', string.format('%.0f', now + probe), 'probing', '1')
return {2, 0, kept[2]}
"""

# A call that went out before its breaker opened and fails now tells nothing new: only the probe lengthens the back-off.
_FAILED = """
local opens_after, is_probe = tonumber(ARGV[1]), ARGV[3] == '1'
if tonumber(redis.call('HGET', KEYS[1], 'strikes') or '0') >= opens_after and not is_probe then return end
local strikes = redis.call('HINCRBY', KEYS[1], 'strikes', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[7])
if strikes < opens_after then return end
local steps = math.min(redis.call('HINCRBY', KEYS[1], 'steps', 1), 30)
local time = redis.call('TIME')
local step = math.min(tonumber(ARGV[5]), tonumber(ARGV[4]) * 2 ^ (steps - 1))
local ends = string.format('%.0f', time[1] * 1000000 + time[2] + step)
redis.call('HSET', KEYS[1], 'until', ends, 'why', ARGV[6], 'probing', '0')
"""

# What went out before the breaker opened and comes back late says how things were then: only a probe closes it.
_WORKED = """
if ARGV[2] == '1' or tonumber(redis.call('HGET', KEYS[1], 'strikes') or '0') < tonumber(ARGV[1]) then
  redis.call('DEL', KEYS[1])
end
"""

# The probe never went out: another may go at once, and what is known stays.
_RELEASED = """
if redis.call('HGET', KEYS[1], 'probing') == '1' then redis.call('HSET', KEYS[1], 'until', '0', 'probing', '0') end
"""


class CircuitBreaker:
    """Opens after so many strikes with no success between, then for the first wait, doubling to the longest."""

    def __init__(
        self, connection: redis.Redis, kind: str, *, opens_after: int, first_seconds: float, longest_seconds: float
    ) -> None:
        self._ask_script = connection.register_script(_ASK)
        self._failed_script = connection.register_script(_FAILED)
        self._worked_script = connection.register_script(_WORKED)
        self._released_script = connection.register_script(_RELEASED)
        self._kind = kind
        self._opens_after = opens_after
        self._first_us, self._longest_us = int(first_seconds * 1e6), int(longest_seconds * 1e6)

    def enter(self, name: str) -> Passage:
        """Leave to call now. Raises HeldBack at once."""
        passage, _, why = self._ask(name)
        if passage.kind is Kind.HELD:
            raise self._held(why)
        return passage

    def wait(self, name: str, deadline: Deadline) -> Passage | None:
        """Leave to call, after a wait if need be; None when it waited and the trouble is over, so that all come at
        once and have to line up again. Raises HeldBack when deadline cannot last."""
        waited = False
        while True:
            passage, seconds, why = self._ask(name)
            if passage.kind is not Kind.HELD:
                return None if waited and passage.kind is not Kind.PROBE else passage
            if seconds > deadline.left_seconds or not deadline.wait(min(seconds or _NAP_SECONDS, _NAP_SECONDS)):
                raise self._held(why)
            waited = True

    @contextmanager
    def watching(self, passage: Passage, strikes: Callable[[PoolError], int | None]) -> Iterator[None]:
        """Round the call. `strikes` judges how it failed: None proves that there is no trouble, and 0 tells nothing,
        except that a probe has not got through. What our own side stopped is not judged."""
        try:
            yield
        except CallsStopped:
            self._released(passage)
            raise
        except PoolError as error:
            count = strikes(error)
            if count is None:
                self._worked(passage)
            elif count or passage.kind is Kind.PROBE:
                self._failed(passage, count, error.sentence)
            raise
        self._worked(passage)

    # Without Redis the next call stops by itself; what this one brought is not lost for that.

    def _worked(self, passage: Passage) -> None:
        if passage.kind is not Kind.CLOSED:
            arguments = [self._opens_after, int(passage.kind is Kind.PROBE)]
            with suppress(RedisError):
                self._worked_script(keys=[self._key(passage.name)], args=arguments)

    def _released(self, passage: Passage) -> None:
        if passage.kind is Kind.PROBE:
            with suppress(RedisError):
                self._released_script(keys=[self._key(passage.name)])

    def _failed(self, passage: Passage, strikes: int, why: str) -> None:
        arguments: list[str | int] = [self._opens_after, strikes, int(passage.kind is Kind.PROBE)]
        arguments += [self._first_us, self._longest_us, why, _KEPT_MS]
        with suppress(RedisError):
            self._failed_script(keys=[self._key(passage.name)], args=arguments)

    def _ask(self, name: str) -> tuple[Passage, float, str]:
        arguments = [self._opens_after, int(_PROBE_SECONDS * 1e6), self._longest_us]
        try:
            kind, wait_us, why = self._ask_script(keys=[self._key(name)], args=arguments)
        except RedisError as error:
            raise CallsStopped(
                "Calls to the pool are stopped: Redis, which remembers the pool's troubles, cannot be reached."
            ) from error
        return Passage(name, Kind(kind)), wait_us / 1e6, why.decode() if isinstance(why, bytes) else str(why)

    def _held(self, why: str) -> HeldBack:
        return HeldBack(f"Calls of this {self._kind} are held back for now: {why}")

    def _key(self, name: str) -> str:
        return f"pool:circuit_breaker:{self._kind}:{name}"
