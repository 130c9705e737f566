"""One call with a key: in line at the rate limit → nonce → sign → send → judge, and again where it helps (attempt.py).

The order is the point: signing before waiting would let nonces grow too old, and a repeat inside the HTTP library
would send an old nonce again. So every attempt starts from the limiter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import redis

from mining.pool.answers.parsing import parse_time
from mining.pool.errors import (
    AmbiguousOutcome,
    BadAnswer,
    CallsStopped,
    ClockSkewed,
    HeldBack,
    KeyRefused,
    NonceRefused,
    OurBug,
    PoolError,
    PoolUnavailable,
    RequestRefused,
    Unreachable,
)
from mining.pool.limits.circuit_breaker import CircuitBreaker, Kind, Passage
from mining.pool.limits.deadline import TOTAL_SECONDS, Deadline
from mining.pool.limits.nonce import NonceSource
from mining.pool.limits.rate_limit import RateLimiter
from mining.pool.transport.attempt import PUBLIC_TIME, Attempt, Waits, refuse_inside_transaction
from mining.pool.transport.error_mapping import nonce_repeated
from mining.pool.transport.http import Answer, NoAnswer
from mining.pool.transport.redaction import Redactor
from mining.pool.transport.signing import Json, Secret, sign

T = TypeVar("T")

_MOST_REPEATED_NONCES = 5
_LONGEST_KEY = 256
# One failure may be this call's own; so many in a row, with no success of the key between, are not.
_KEY_STRIKES = 5
# After waits of 1, 2 and 4 s without any other call of the key no limit is left: somebody else uses it.
_REFUSED_ALONE_IS_FOREIGN = 3


@dataclass(frozen=True)
class Endpoint:
    """`repeatable`: calling twice does no more than calling once."""

    name: str
    repeatable: bool = True

    @property
    def path(self) -> str:
        return f"/api/v4/mining/{self.name}"


@dataclass
class _Effort:
    """What one call has been through so far."""

    deadline: Deadline
    attempts: int = 0
    failures: int = 0
    repeated_nonces: int = 0
    is_slowed: bool = False  # the pool may have had too many calls of this key
    refused_alone: int = 0  # how often it said so when this was the key's only call since a while
    clock_refused: bool = False
    failure: PoolUnavailable | None = None


class Caller:
    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        secret: Secret,
        connection: redis.Redis,
        egress: str,
        rate_limit: RateLimiter,
        waits: Waits,
    ) -> None:
        if not (0 < len(api_key) <= _LONGEST_KEY and api_key.isascii() and api_key.isprintable() and secret):
            raise KeyRefused("The API key or its secret is empty, or holds characters that no key has.")
        self._api_key = api_key
        self._secret = secret
        self._waits = waits
        self.line = Attempt(
            base_url=base_url,
            connection=connection,
            egress=egress,
            rate_limit=rate_limit,
            waits=waits,
            redact=Redactor(api_key=api_key, secret=secret),
        )
        self._keys = CircuitBreaker(
            connection,
            "key",
            opens_after=_KEY_STRIKES,
            first_seconds=waits.first_seconds,
            longest_seconds=waits.longest_seconds,
        )
        self._limits = CircuitBreaker(
            connection,
            "limit",
            opens_after=1,
            first_seconds=waits.first_seconds,
            longest_seconds=waits.longest_seconds,
        )
        self._key_name = hashlib.sha256(api_key.encode()).hexdigest()[:32]
        self._nonces = NonceSource(
            connection,
            api_key=api_key,
            base_url=self.line.transport.base_url,
            read_pool_time=self._read_pool_time,
        )

    def close(self) -> None:
        self.line.close()

    def call(self, endpoint: Endpoint, parameters: Mapping[str, Json], parse: Callable[[object], T]) -> T:
        """What must not happen twice is repeated only when it surely did not happen; in doubt: AmbiguousOutcome."""
        refuse_inside_transaction(endpoint.name)
        effort = _Effort(Deadline(self._waits.deadline_seconds))
        while True:
            try:
                return self._attempt(endpoint, parameters, parse, effort)
            except HeldBack as held:
                held.endpoint = held.endpoint or endpoint.name
                # What the pool said to this very call tells more than that it was not to go on.
                raise effort.failure or held from held
            except CallsStopped as stopped:
                stopped.endpoint = stopped.endpoint or endpoint.name
                raise
            except PoolUnavailable as failure:
                effort.failure = failure
                if failure.may_have_acted and not endpoint.repeatable:
                    raise _ambiguous(endpoint) from failure
                if not self._wait_for_next(endpoint, failure, effort):
                    raise
            except BadAnswer as bad:
                if endpoint.repeatable:
                    raise
                raise _ambiguous(endpoint) from bad
            except RequestRefused as refusal:
                # One that names no field may mean our clock, in words that nobody knows: measured again, once.
                if refusal.fields or effort.clock_refused:
                    raise
                self._measure_again(effort)

    def _attempt(
        self,
        endpoint: Endpoint,
        parameters: Mapping[str, Json],
        parse: Callable[[object], T],
        effort: _Effort,
    ) -> T:
        effort.attempts += 1
        with self._keys.watching(self._keys.enter(self._key_name), _strikes_of_key):
            passage = self._slow_down(endpoint, effort)
            try:
                with self._limits.watching(passage, _strikes_of_limit):
                    return self.line.attempt(
                        endpoint.name, effort.deadline, lambda: self._send(endpoint, parameters, effort), parse
                    )
            except NonceRefused as refusal:
                if refusal.unclear:
                    effort.is_slowed = True
                    effort.refused_alone += passage.kind is Kind.PROBE
                    if effort.refused_alone >= _REFUSED_ALONE_IS_FOREIGN:
                        raise nonce_repeated(endpoint.name) from refusal
                raise

    def _slow_down(self, endpoint: Endpoint, effort: _Effort) -> Passage:
        """As for a rate limit: this key's calls to the endpoint wait, and one at a time finds out whether it is over.

        Nobody asks before the pool has said something: that would be one trip more for each call. And it is the key's
        own wait, not the endpoint's: a key that others use too must not slow everybody down.
        """
        name = f"{self._key_name}:{endpoint.name}"
        waited = self._limits.wait(name, effort.deadline) if effort.is_slowed else None
        return waited or Passage(name, Kind.CLOSED)

    def _send(self, endpoint: Endpoint, parameters: Mapping[str, Json], effort: _Effort) -> Answer | NoAnswer:
        signed = sign(
            path=endpoint.path,
            parameters=parameters,
            nonce=self._nonces.next(effort.deadline),
            api_key=self._api_key,
            secret=self._secret,
        )
        if not endpoint.repeatable and effort.deadline.left_seconds <= 0:
            # Held up on the way here, by whatever. An act that goes out later than its caller reckons with could
            # be done after the look that finds nothing; once signed, its nonce keeps it from being late.
            raise CallsStopped("The call was held up for too long and was not sent; it is tried again later.")
        return self.line.observed(
            endpoint.name,
            effort.attempts,
            lambda: self.line.transport.post(
                endpoint.path,
                signed,
                within_seconds=_exchange_seconds(endpoint, effort.deadline),
                fresh=not endpoint.repeatable,
            ),
        )

    def _wait_for_next(self, endpoint: Endpoint, failure: PoolUnavailable, effort: _Effort) -> bool:
        """False when there is to be no next attempt."""
        if isinstance(failure, NonceRefused) and failure.clock:
            if effort.clock_refused:
                raise ClockSkewed(
                    "The pool still finds our clock more than 5 s off although it has just been measured.",
                    endpoint=endpoint.name,
                ) from failure
            self._measure_again(effort)
            return True
        if isinstance(failure, NonceRefused) and failure.unclear:
            return effort.deadline.left_seconds > 0  # the wait comes before the next attempt (_slow_down)
        if isinstance(failure, NonceRefused):
            effort.repeated_nonces += 1
            # Shorter waits than for a limit, since a new number is all that is needed.
            seconds = self._waits.before_next(effort.repeated_nonces) / 10
            return effort.repeated_nonces <= _MOST_REPEATED_NONCES and effort.deadline.wait(seconds)
        effort.failures += 1
        return effort.deadline.wait(self._waits.before_next(effort.failures))

    def _measure_again(self, effort: _Effort) -> None:
        effort.clock_refused = True
        self._nonces.forget_skew()

    def _read_pool_time(self, deadline: Deadline) -> int:
        try:
            return self.line.get(
                PUBLIC_TIME,
                f"/api/v4/{PUBLIC_TIME}",
                deadline,
                lambda document: parse_time(document, self.line.extra_fields),
            )
        except CallsStopped:
            raise
        except PoolError as error:
            # Whatever happened here, the call that needs the time has not been sent.
            raise PoolUnavailable(
                "The pool's clock could not be read, so no call can be signed; it is tried again later.",
                endpoint=PUBLIC_TIME,
            ) from error


def _exchange_seconds(endpoint: Endpoint, deadline: Deadline) -> float:
    # Cutting an act short only makes its outcome unknown: there deadline bounds the waits, not the exchange.
    return deadline.exchange_seconds if endpoint.repeatable else TOTAL_SECONDS


def _strikes_of_limit(error: PoolError) -> int | None:
    if isinstance(error, NonceRefused) and error.unclear:
        return 1
    return 0 if isinstance(error, PoolUnavailable | BadAnswer | OurBug) else None


def _strikes_of_key(error: PoolError) -> int | None:
    """A pool that is silent for this key, or a key that others use too, must not cost time, threads and turns."""
    if isinstance(error, Unreachable) or (isinstance(error, NonceRefused) and not (error.clock or error.unclear)):
        return 1
    return 0 if isinstance(error, PoolUnavailable | BadAnswer | OurBug) else None


def _ambiguous(endpoint: Endpoint) -> AmbiguousOutcome:
    return AmbiguousOutcome(
        "Nobody knows whether the pool did this: look at what the pool has now before anything is tried again.",
        endpoint=endpoint.name,
    )
