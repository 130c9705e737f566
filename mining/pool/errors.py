"""What a call to the pool can fail with. Each class says what to do next; `.sentence` may be shown to staff.

Sentences are ours, and hold no key, signature or secret; of the pool's text at most the names of fields, redacted.

    PoolError
    ├── KeyRefused            stop using this key, tell staff
    │   ├── WrongSignature    key and secret do not belong together
    │   ├── KeyDisabled       switched off, or this address is not allowed
    │   └── PermissionMissing this endpoint is not allowed for the key
    ├── PoolUnavailable       nothing is wrong with the request: try again later
    │   ├── CallsStopped      ... our own side holds calls back: no Redis, or a long queue
    │   │   ├── ClockSkewed   ... until somebody has set the clock
    │   │   └── HeldBack      ... until a single call has found out that the pool's trouble is over
    │   ├── Unreachable       ... no answer came, or not in time
    │   ├── OutOfOrder        ... an answer of 500 or above
    │   ├── NonceRefused      ... with a new nonce
    │   └── RateLimited       ... more slowly
    ├── RequestRefused        the pool checked the parameters and said no: see `.fields`
    ├── BadAnswer             not what is documented: somebody has to look
    ├── AmbiguousOutcome      it may have happened or not: read back before anything else
    └── OurBug                we built a request that must not exist
"""

from __future__ import annotations


class PoolError(Exception):
    def __init__(self, sentence: str, *, endpoint: str = "") -> None:
        # Only the sentence goes into args: Celery pickles exceptions and rebuilds them from args alone.
        super().__init__(sentence)
        self.sentence = sentence
        self.endpoint = endpoint

    def __str__(self) -> str:
        return f"{self.endpoint}: {self.sentence}" if self.endpoint else self.sentence


class KeyRefused(PoolError):
    pass


class WrongSignature(KeyRefused):
    pass


class KeyDisabled(KeyRefused):
    pass


class PermissionMissing(KeyRefused):
    pass


class PoolUnavailable(PoolError):
    """`may_have_acted`: the request could have reached the pool, so an act that must not happen twice is in doubt."""

    def __init__(self, sentence: str, *, endpoint: str = "", may_have_acted: bool = False) -> None:
        super().__init__(sentence, endpoint=endpoint)
        self.may_have_acted = may_have_acted


class CallsStopped(PoolUnavailable):
    pass


class ClockSkewed(CallsStopped):
    pass


class HeldBack(CallsStopped):
    pass


class Unreachable(PoolUnavailable):
    pass


class OutOfOrder(PoolUnavailable):
    """503 is maintenance and means everybody; another `status` may come from this one request."""

    def __init__(self, sentence: str, *, endpoint: str = "", status: int = 500) -> None:
        super().__init__(sentence, endpoint=endpoint, may_have_acted=True)
        self.status = status


class NonceRefused(PoolUnavailable):
    """`clock`: refused as too old, so the skew is to be measured again. Else the number had been used before; or, when
    it is `unclear`, there were too many calls, which the pool says in the same words."""

    def __init__(self, sentence: str, *, endpoint: str = "", clock: bool = False, unclear: bool = False) -> None:
        super().__init__(sentence, endpoint=endpoint)
        self.clock = clock
        self.unclear = unclear


class RateLimited(PoolUnavailable):
    pass


class RequestRefused(PoolError):
    """`fields` holds the pool's own words for each field, shortened and without control characters."""

    def __init__(
        self,
        sentence: str,
        *,
        endpoint: str = "",
        status: int = 400,
        fields: dict[str, list[str]] | None = None,
    ) -> None:
        super().__init__(sentence, endpoint=endpoint)
        self.status = status
        self.fields = fields or {}


class BadAnswer(PoolError):
    """`excerpt` is the beginning of what came, redacted; `problem` names what was wrong with it."""

    def __init__(self, sentence: str, *, endpoint: str = "", problem: str = "", excerpt: str = "") -> None:
        super().__init__(sentence, endpoint=endpoint)
        self.problem = problem
        self.excerpt = excerpt


class AmbiguousOutcome(PoolError):
    pass


class OurBug(PoolError):
    pass
