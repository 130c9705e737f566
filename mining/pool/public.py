"""What the pool tells everybody, without a key: itself, its clock, and what a bitcoin costs.

These calls share the rate limit and its troubles with those of keys, under the same egress address.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TypeVar
from urllib.parse import urlencode

import redis as redis_py

from mining.pool.answers import parsing
from mining.pool.answers.types import DailyPrice, PoolOverview
from mining.pool.errors import CallsStopped, OurBug, PoolUnavailable
from mining.pool.limits.deadline import Deadline
from mining.pool.limits.rate_limit import Priority, RateLimiter
from mining.pool.transport.attempt import PUBLIC_TIME, Attempt, Waits, refuse_inside_transaction
from mining.pool.transport.closing import Closing
from mining.pool.transport.redaction import Redactor

T = TypeVar("T")

MARKET = "BTC_USDT"
MOST_DAYS = 1_440


class PublicPool(Closing):
    """Every method raises the errors of errors.py and nothing else. One for each thread, as with PoolClient."""

    def __init__(
        self,
        *,
        base_url: str,
        redis: redis_py.Redis,
        party: str = "",
        priority: Priority = Priority.ACCOUNTS,
        egress: str = "",
        deadline_seconds: float = 30.0,
        first_wait_seconds: float = 1.0,
        longest_wait_seconds: float = 30.0,
    ) -> None:
        self._waits = Waits(deadline_seconds, first_wait_seconds, longest_wait_seconds)
        self._line = Attempt(
            base_url=base_url,
            connection=redis,
            egress=egress,
            rate_limit=RateLimiter(redis, egress=egress, party=party, priority=priority),
            waits=self._waits,
            redact=Redactor(),
        )

    def close(self) -> None:
        self._line.close()

    def time(self) -> datetime:
        """The pool's clock, in whole seconds."""
        seconds = self._get(PUBLIC_TIME, "", lambda document: parsing.parse_time(document, self._line.extra_fields))
        return datetime.fromtimestamp(seconds, UTC)

    def overview(self) -> PoolOverview:
        return self._get(
            "public/mining-pool", "", lambda document: parsing.parse_overview(document, self._line.extra_fields)
        )

    def last_price(self, market: str = MARKET) -> Decimal:
        """In the quoted currency: USDT for one BTC."""
        return self._get("public/ticker", "", lambda document: parsing.parse_last_price(document, market))

    def daily_prices(self, first_day: date, last_day: date, market: str = MARKET) -> tuple[DailyPrice, ...]:
        """One for each UTC day, both ends included, at most 1,440; days without trade or still to come are missing."""
        if not 0 <= (last_day - first_day).days < MOST_DAYS:
            raise OurBug(f"Prices come for 1 to {MOST_DAYS} days at once, the first one first.")
        query = urlencode(
            {
                "market": market,
                "interval": "1d",
                "start": int(datetime.combine(first_day, time(), UTC).timestamp()),
                "end": int(datetime.combine(last_day, time(), UTC).timestamp()),
                "limit": MOST_DAYS,
            }
        )
        return self._get("public/kline", f"?{query}", parsing.parse_daily_prices, version="v1")

    def _get(self, endpoint: str, query: str, parse: Callable[[object], T], *, version: str = "v4") -> T:
        refuse_inside_transaction(endpoint)
        deadline, failures = Deadline(self._waits.deadline_seconds), 0
        while True:
            try:
                path = f"/api/{version}/{endpoint}{query}"
                return self._line.get(endpoint, path, deadline, parse, number=failures + 1)
            except CallsStopped:
                raise
            except PoolUnavailable:
                failures += 1
                if not deadline.wait(self._waits.before_next(failures)):
                    raise
