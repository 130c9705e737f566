"""One call, from the rate limit to the parsed answer: limiter → nonce → sign → send → judge, and again where it helps.

The order is the point: signing before waiting would let nonces grow too old, and a repeat inside the HTTP library
would send an old nonce again. So every attempt starts from the limiter.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import redis
import structlog

from mining.pool.breaker import Breaker, Passage
from mining.pool.budget import RateBudget
from mining.pool.errors import (
    AmbiguousOutcome,
    BadAnswer,
    CallsStopped,
    ClockSkewed,
    HeldBack,
    KeyRefused,
    NonceRefused,
    OurBug,
    OutOfOrder,
    PoolError,
    PoolUnavailable,
    RateLimited,
    Unreachable,
)
from mining.pool.nonce import NonceSource
from mining.pool.parsing import parse_time
from mining.pool.patience import Patience
from mining.pool.reading import ExtraFields, Unreadable
from mining.pool.redaction import Redactor
from mining.pool.refusals import bad_answer, open_answer
from mining.pool.signing import Json, Secret, sign
from mining.pool.transport import TOTAL_SECONDS, Answer, NoAnswer, Transport

T = TypeVar("T")

_log = structlog.get_logger("mining.pool")

_MOST_REPEATED_NONCES = 5
_LONGEST_KEY = 256
_SHORTEST_EXCHANGE_SECONDS = 0.05
# One failure may be this call's own; so many in a row, with no success of anybody between, are not.
_ENDPOINT_STRIKES = 3
_KEY_STRIKES = 5


@dataclass(frozen=True)
class Endpoint:
    """`repeatable`: calling twice does no more than calling once."""

    name: str
    repeatable: bool = True

    @property
    def path(self) -> str:
        return f"/api/v4/mining/{self.name}"


_TIME = "public/time"


@dataclass(frozen=True)
class Waits:
    """All that one call may take, and the back-off between its attempts, doubling from the first to the longest."""

    patience_seconds: float
    first_seconds: float
    longest_seconds: float

    def before_next(self, failures: int) -> float:
        whole = min(self.longest_seconds, self.first_seconds * 2.0 ** min(failures - 1, 16))
        # Jitter, so that workers that failed together do not come back together.
        return whole * random.uniform(0.5, 1.0)  # noqa: S311 (nothing secret about it)


@dataclass
class _Effort:
    """What one call has been through so far."""

    patience: Patience
    attempts: int = 0
    failures: int = 0
    repeated_nonces: int = 0
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
        budget: RateBudget,
        waits: Waits,
    ) -> None:
        if not (0 < len(api_key) <= _LONGEST_KEY and api_key.isascii() and api_key.isprintable() and secret):
            raise KeyRefused("The API key or its secret is empty, or holds characters that no key has.")
        self._api_key = api_key
        self._secret = secret
        self._waits = waits
        self._transport = Transport(base_url, source_address=egress)
        self._egress = egress
        self._budget = budget
        back_off = {"first_seconds": waits.first_seconds, "longest_seconds": waits.longest_seconds}
        self._endpoints = Breaker(connection, "endpoint", opens_after=_ENDPOINT_STRIKES, **back_off)
        self._keys = Breaker(connection, "key", opens_after=_KEY_STRIKES, **back_off)
        self._key_name = hashlib.sha256(api_key.encode()).hexdigest()[:32]
        self._nonces = NonceSource(
            connection,
            api_key=api_key,
            base_url=self._transport.base_url,
            read_pool_time=self._read_pool_time,
        )
        self.redact = Redactor(api_key=api_key, secret=secret)
        self.extra_fields = ExtraFields(self.redact)
        self.calls = 0

    def close(self) -> None:
        self._transport.close()

    def call(self, endpoint: Endpoint, parameters: Mapping[str, Json], parse: Callable[[object], T]) -> T:
        """What must not happen twice is repeated only when it surely did not happen; in doubt: AmbiguousOutcome."""
        refuse_inside_transaction(endpoint.name)
        effort = _Effort(Patience(self._waits.patience_seconds))
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

    def _attempt(
        self,
        endpoint: Endpoint,
        parameters: Mapping[str, Json],
        parse: Callable[[object], T],
        effort: _Effort,
    ) -> T:
        effort.attempts += 1
        with (
            self._keys.watching(self._keys.enter(self._key_name), _strikes_of_key),
            self._endpoints.watching(self._line_up(endpoint.name, effort.patience), _strikes_of_endpoint),
        ):
            signed = sign(
                path=endpoint.path,
                parameters=parameters,
                nonce=self._nonces.next(effort.patience),
                api_key=self._api_key,
                secret=self._secret,
            )
            answer = self._observed(
                endpoint.name,
                effort.attempts,
                lambda: self._transport.post(
                    endpoint.path,
                    signed,
                    within_seconds=_exchange_seconds(endpoint, effort.patience),
                    fresh=not endpoint.repeatable,
                ),
            )
            return self._judge(endpoint.name, answer, parse)

    def _line_up(self, endpoint: str, patience: Patience) -> Passage:
        """Return when one call may go out: its turn has come, and the endpoint is not known to be in trouble."""
        while True:
            self._budget.take(endpoint, patience)
            passage = self._endpoints.wait(f"{self._egress}:{endpoint}", patience)
            if passage is not None:
                return passage

    def _judge(self, endpoint: str, answer: Answer | NoAnswer, parse: Callable[[object], T]) -> T:
        if isinstance(answer, NoAnswer):
            raise Unreachable(
                f"The pool cannot be reached ({answer.reason}); it is tried again later.",
                endpoint=endpoint,
                may_have_acted=answer.may_have_acted,
            )
        document = open_answer(endpoint, answer, self.redact)
        try:
            return parse(document)
        except Unreadable as unreadable:
            problem = str(unreadable)
        words = f"answered in a form that is not documented ({problem})"
        raise bad_answer(endpoint, problem, words, answer, self.redact)

    def _wait_for_next(self, endpoint: Endpoint, failure: PoolUnavailable, effort: _Effort) -> bool:
        """False when there is to be no next attempt."""
        if isinstance(failure, NonceRefused) and failure.clock:
            if effort.clock_refused:
                raise ClockSkewed(
                    "The pool still finds our clock more than 5 s off although it has just been measured.",
                    endpoint=endpoint.name,
                ) from failure
            effort.clock_refused = True
            self._nonces.forget_skew()
            return True
        if isinstance(failure, NonceRefused):
            effort.repeated_nonces += 1
            # Shorter waits than for a limit, since a new number is all that is needed; but waits, in case it was one.
            seconds = self._waits.before_next(effort.repeated_nonces) / 10
            return effort.repeated_nonces <= _MOST_REPEATED_NONCES and effort.patience.wait(seconds)
        effort.failures += 1
        return effort.patience.wait(self._waits.before_next(effort.failures))

    def _read_pool_time(self, patience: Patience) -> int:
        try:
            with self._endpoints.watching(self._line_up(_TIME, patience), _strikes_of_endpoint):
                answer = self._observed(
                    _TIME,
                    1,
                    lambda: self._transport.get(
                        f"/api/v4/{_TIME}", within_seconds=max(patience.left_seconds, _SHORTEST_EXCHANGE_SECONDS)
                    ),
                )
                return self._judge(_TIME, answer, lambda document: parse_time(document, self.extra_fields))
        except CallsStopped:
            raise
        except PoolError as error:
            # Whatever happened here, the call that needs the time has not been sent.
            raise PoolUnavailable(
                "The pool's clock could not be read, so no call can be signed; it is tried again later.",
                endpoint=_TIME,
            ) from error

    def _observed(self, endpoint: str, attempt: int, exchange: Callable[[], Answer | NoAnswer]) -> Answer | NoAnswer:
        self.calls += 1
        started = time.monotonic()
        answer = exchange()
        duration_ms = round((time.monotonic() - started) * 1000)
        if isinstance(answer, Answer):
            _log.info(
                "pool.call",
                endpoint=endpoint,
                status=answer.status,
                duration_ms=duration_ms,
                attempt=attempt,
            )
        else:
            _log.info(
                "pool.call",
                endpoint=endpoint,
                status=None,
                duration_ms=duration_ms,
                attempt=attempt,
                failure=answer.reason,
            )
        return answer


def _exchange_seconds(endpoint: Endpoint, patience: Patience) -> float:
    # Cutting an act short only makes its outcome unknown: there patience bounds the waits, not the exchange.
    return max(patience.left_seconds, _SHORTEST_EXCHANGE_SECONDS) if endpoint.repeatable else TOTAL_SECONDS


def _strikes_of_endpoint(error: PoolError) -> int | None:
    """The pool has had enough of us, or is in maintenance: everybody is meant. An endpoint that breaks on one account
    again and again must not hold the others back, nor one key's silence all keys."""
    if isinstance(error, RateLimited) or (isinstance(error, OutOfOrder) and error.status == 503):
        return _ENDPOINT_STRIKES
    if isinstance(error, OutOfOrder):
        return 1
    return 0 if isinstance(error, PoolUnavailable) and not isinstance(error, NonceRefused) else None


def _strikes_of_key(error: PoolError) -> int | None:
    """A pool that is silent for this key, or a key that others use too, must not cost time, threads and turns."""
    if isinstance(error, Unreachable) or (isinstance(error, NonceRefused) and not error.clock):
        return 1
    return 0 if isinstance(error, PoolUnavailable) else None


def _ambiguous(endpoint: Endpoint) -> AmbiguousOutcome:
    return AmbiguousOutcome(
        "Nobody knows whether the pool did this: look at what the pool has now before anything is tried again.",
        endpoint=endpoint.name,
    )


def refuse_inside_transaction(endpoint: str) -> None:
    """A call takes seconds; in a transaction it would hold locks and a connection for as long."""
    from django.conf import settings
    from django.db import connection

    if settings.configured and connection.in_atomic_block:
        raise OurBug("The pool must not be called inside a database transaction.", endpoint=endpoint)
