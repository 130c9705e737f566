"""One attempt at the pool, with a key or without: in line at the rate limit → send → judge what came back.

What is counted, logged and learned about an endpoint's troubles is the same for every call, so it is here.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import redis
import structlog

from mining.pool.answers.strict_json import ExtraFields, Unreadable
from mining.pool.errors import (
    BadAnswer,
    CallsStopped,
    NonceRefused,
    OurBug,
    OutOfOrder,
    PoolError,
    PoolUnavailable,
    RateLimited,
    Unreachable,
)
from mining.pool.limits.circuit_breaker import CircuitBreaker, Passage
from mining.pool.limits.deadline import Deadline
from mining.pool.limits.rate_limit import RateLimiter
from mining.pool.transport.error_mapping import bad_answer, open_answer
from mining.pool.transport.http import Answer, NoAnswer, Transport
from mining.pool.transport.redaction import Redactor

T = TypeVar("T")

_log = structlog.get_logger("mining.pool")

PUBLIC_TIME = "public/time"
# Names that the log of this process has, of which a hostile pool could send ever new ones.
_told: set[str] = set()
_MOST_TOLD = 1_000
# One failure may be this call's own; so many in a row, with no success of anybody between, are not.
_ENDPOINT_STRIKES = 3


@dataclass(frozen=True)
class Waits:
    """All that one call may take, and the back-off between its attempts, doubling from the first to the longest."""

    deadline_seconds: float
    first_seconds: float
    longest_seconds: float

    def before_next(self, failures: int) -> float:
        whole = min(self.longest_seconds, self.first_seconds * 2.0 ** min(failures - 1, 16))
        # Jitter, so that workers that failed together do not come back together.
        return whole * random.uniform(0.5, 1.0)  # noqa: S311 (nothing secret about it)


class Attempt:
    """The way to the pool from one egress address. Not for sharing between threads, like its transport."""

    def __init__(
        self,
        *,
        base_url: str,
        connection: redis.Redis,
        egress: str,
        rate_limit: RateLimiter,
        waits: Waits,
        redact: Redactor,
    ) -> None:
        self.transport = Transport(base_url, source_address=egress)
        self.redact = redact
        self.extra_fields = ExtraFields(redact)
        self.calls = 0
        self._egress = egress
        self._rate_limit = rate_limit
        self._endpoints = CircuitBreaker(
            connection,
            "endpoint",
            opens_after=_ENDPOINT_STRIKES,
            first_seconds=waits.first_seconds,
            longest_seconds=waits.longest_seconds,
        )

    def close(self) -> None:
        """Close the connections; a later attempt opens new ones."""
        _tell_once(self.extra_fields.counts)
        self.transport.close()

    def attempt(
        self, endpoint: str, deadline: Deadline, send: Callable[[], Answer | NoAnswer], parse: Callable[[object], T]
    ) -> T:
        """`send` is called when the call may go out, and sends through `observed`."""
        try:
            passage = self._line_up(endpoint, deadline)
        except CallsStopped as stopped:
            stopped.endpoint = endpoint  # here, because reading the clock is a call within another one
            raise
        with self._endpoints.watching(passage, _strikes):
            return self._judge(endpoint, send(), parse)

    def get(self, endpoint: str, path: str, deadline: Deadline, parse: Callable[[object], T], *, number: int = 1) -> T:
        """One attempt without a key."""

        def send() -> Answer | NoAnswer:
            return self.observed(
                endpoint, number, lambda: self.transport.get(path, within_seconds=deadline.exchange_seconds)
            )

        return self.attempt(endpoint, deadline, send, parse)

    def _line_up(self, endpoint: str, deadline: Deadline) -> Passage:
        """Return when one call may go out: its turn has come, and the endpoint is not known to be in trouble."""
        while True:
            self._rate_limit.take(endpoint, deadline)
            passage = self._endpoints.wait(f"{self._egress}:{endpoint}", deadline)
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

    def observed(self, endpoint: str, attempt: int, exchange: Callable[[], Answer | NoAnswer]) -> Answer | NoAnswer:
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


def _strikes(error: PoolError) -> int | None:
    """The pool has had enough of us, or is in maintenance: everybody is meant. An endpoint that breaks on one account
    again and again must not hold the others back, nor one key's silence all keys."""
    if isinstance(error, RateLimited) or (isinstance(error, OutOfOrder) and error.status == 503):
        return _ENDPOINT_STRIKES
    if isinstance(error, OutOfOrder):
        return 1
    if isinstance(error, NonceRefused) and not error.unclear:
        return None
    # What cannot be read proves nothing: a page of the hall's network or the gateway's ban is no answer of the pool.
    return 0 if isinstance(error, PoolUnavailable | BadAnswer | OurBug) else None


def _tell_once(counts: Mapping[str, int]) -> None:
    """Kept out of our data; told, so that somebody notices that the pool has learned something new."""
    new = {name: count for name, count in counts.items() if name not in _told}
    if new and len(_told) < _MOST_TOLD:
        _told.update(new)
        _log.info("pool.undocumented_fields", fields=new)


def refuse_inside_transaction(endpoint: str) -> None:
    """A call takes seconds; in a transaction it would hold locks and a connection for as long."""
    from django.conf import settings
    from django.db import connection

    if settings.configured and connection.in_atomic_block:
        raise OurBug("The pool must not be called inside a database transaction.", endpoint=endpoint)
