"""How often one token may call: so many a minute, counted in Redis. A program that runs wild slows nobody else down."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import redis
import structlog
from django.conf import settings
from django.core.cache import cache
from rest_framework.exceptions import APIException

log = structlog.get_logger(__name__)
WINDOW_SECONDS = 60


class TooMany(APIException):
    status_code = 429

    def __init__(self, turn: Turn) -> None:
        super().__init__(
            f"This token has made its {turn.limit} calls of this minute. Try again in {turn.resets_in} seconds."
        )
        self.wait = turn.resets_in  # becomes Retry-After


@dataclass(frozen=True, slots=True)
class Turn:
    limit: int
    made: int
    resets_in: int

    @property
    def headers(self) -> dict[str, str]:
        """As draft-ietf-httpapi-ratelimit-headers has them: the rule, and what is left of it."""
        left = max(self.limit - self.made, 0)
        return {
            "RateLimit-Policy": f'"token";q={self.limit};w={WINDOW_SECONDS}',
            "RateLimit": f'"token";r={left};t={self.resets_in}',
        }


def take(caller: bytes, *, now: datetime) -> Turn:
    """Counts this call. Windows are the clock's minutes: round the turn of one, twice as many get through.

    Without Redis nobody is held back: the limit is there for others' sake, and they have no service either.
    """
    window, second = divmod(int(now.timestamp()), WINDOW_SECONDS)
    key = f"api.calls:{caller.hex()}:{window}"
    try:
        cache.add(key, 0, timeout=2 * WINDOW_SECONDS)
        made = cache.incr(key)
    except (redis.RedisError, ValueError) as error:  # ValueError: Redis was emptied between the two
        log.warning("api.calls_not_counted", why=type(error).__name__)
        made = 1
    return Turn(settings.API_CALLS_PER_MINUTE, made, WINDOW_SECONDS - second)
