"""What the pool checks before it looks at a request: the gateway's limit, then signature, key, nonce and permission.

The order matters to callers: a request with a wrong signature uses up no nonce, one without permission does.
"""

import hmac
import json
import re
from base64 import b64encode
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .accounts import MINING_POOL, Key
from .answers import Refused, nonce_refused
from .mined import DAY_S

NONCE_WINDOW_MS = 5_000
DEFAULT_LIMIT_CALLS, DEFAULT_LIMIT_SECONDS = 1_000, 10.0
KEY_IDLE_S = 14 * DAY_S

_JSON_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
_WHITE_SPACE = re.compile(rb"[ \t\r\n]")


@dataclass(frozen=True, slots=True)
class Ban:
    """So many refused calls of one client address inside the limit's seconds shut it out from every endpoint."""

    after: int
    seconds: float


class RateLimit:
    """A true sliding window per endpoint and client address. What was refused does not count."""

    def __init__(
        self, calls: int = DEFAULT_LIMIT_CALLS, seconds: float = DEFAULT_LIMIT_SECONDS, ban: Ban | None = None
    ) -> None:
        self.calls, self.seconds, self.ban = calls, seconds, ban
        self._taken: dict[tuple[str, str], deque[float]] = {}
        self._refused: dict[str, deque[float]] = {}
        self._banned_until: dict[str, float] = {}

    def takes(self, endpoint: str, address: str, *, now: float) -> bool:
        """`now` is a monotonic clock's: the window must not jump with the wall clock."""
        if self.ban is None:
            return self._fits(endpoint, address, now)
        if now < self._banned_until.get(address, 0):
            return False
        fits = self._fits(endpoint, address, now)
        if not fits:
            self._count_refusal(address, now, self.ban)
        return fits

    def _count_refusal(self, address: str, now: float, ban: Ban) -> None:
        refused = self._refused.setdefault(address, deque(maxlen=ban.after))
        refused.append(now)
        if len(refused) == ban.after and refused[0] > now - self.seconds:
            self._banned_until[address] = now + ban.seconds
            refused.clear()

    def _fits(self, endpoint: str, address: str, now: float) -> bool:
        taken = self._taken.setdefault((endpoint, address), deque())
        while taken and taken[0] <= now - self.seconds:
            taken.popleft()
        if len(taken) >= self.calls:
            return False
        taken.append(now)
        return True


class NonceBook:
    """The nonces of one key."""

    def __init__(self) -> None:
        self._largest = -1
        # Nonces used inside the window, by the five seconds they lie in: whole groups are dropped when out of reach.
        self._used: dict[int, set[int]] = {}

    def take(self, nonce: int, *, windowed: bool, now_ms: int) -> None:
        if windowed:
            self._take_windowed(nonce, now_ms)
        elif nonce <= self._largest:
            raise NonceRefused
        self._largest = max(self._largest, nonce)

    def _take_windowed(self, nonce: int, now_ms: int) -> None:
        if abs(now_ms - nonce) > NONCE_WINDOW_MS:
            raise skewed()
        for group in [group for group in self._used if (group + 1) * NONCE_WINDOW_MS < now_ms - NONCE_WINDOW_MS]:
            del self._used[group]
        used = self._used.setdefault(nonce // NONCE_WINDOW_MS, set())
        if nonce in used:
            raise NonceRefused
        used.add(nonce)

    def remembered(self) -> int:
        return sum(map(len, self._used.values()))


class NonceRefused(Refused):
    def __init__(self) -> None:
        super().__init__(429, "Too many requests.")
        self.answer = nonce_refused()


def skewed() -> Refused:
    # Only this sentence is documented; a nonce that is too far ahead gets the same one.
    return Refused(400, "Your nonce is more than 5 seconds lesser than the current nonce")


def wrong_signature() -> Refused:
    return Refused(401, "Unauthorized request.")


def key_disabled() -> Refused:
    return Refused(401, "This action is unauthorized. Enable your key in API settings")


def no_permission() -> Refused:
    return Refused(403, "You don't have permission to use this endpoint.")


def invalid_payload() -> Refused:
    return Refused(400, "Invalid payload.", code=9)


def check_signature(
    keys: Mapping[str, Key], headers: Mapping[bytes, bytes], body: bytes, address: str, *, now: int
) -> Key:
    """The key that signed exactly these bytes, when it may be used from this address and was not idle for too long.

    `now` is the data clock's.
    """
    payload = headers.get(b"x-txc-payload")
    if not payload:
        raise Refused(401, "Payload not provided.")
    if payload != b64encode(body) or not is_compact(body):
        raise invalid_payload()
    key = keys.get(headers.get(b"x-txc-apikey", b"").decode("latin-1"))
    if key is None:
        raise wrong_signature()
    expected = hmac.digest(key.secret.encode(), payload, "sha512").hex().encode()
    if not hmac.compare_digest(expected, headers.get(b"x-txc-signature", b"")):
        raise wrong_signature()
    idle = now - key.used_at >= KEY_IDLE_S
    if idle or not key.enabled or (key.addresses is not None and address not in key.addresses):
        raise key_disabled()
    return key


def is_compact(body: bytes) -> bool:
    """No white space outside strings."""
    return not _WHITE_SPACE.search(body) or not _WHITE_SPACE.search(_JSON_STRING.sub(b"", body))


def read_body(body: bytes, headers: Mapping[bytes, bytes]) -> dict[str, Any]:
    # A body that is not declared as JSON is not read at all, so its fields are missing.
    if not headers.get(b"content-type", b"").lower().startswith(b"application/json"):
        return {}
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise invalid_payload() from None
    if not isinstance(value, dict):
        raise invalid_payload()
    return value


def _refuse_constant(name: str) -> Iterator[None]:
    raise ValueError(name)


def check_envelope(fields: dict[str, Any], path: str, nonces: NonceBook, *, now_ms: int) -> None:
    """`request` and the nonce. The nonce counts as used from here on, whatever happens to the request."""
    request = fields.pop("request", None)
    if request is None:
        raise Refused(400, "Request not provided.")
    if request != path:
        raise invalid_payload()
    window = fields.pop("nonceWindow", False)
    if not isinstance(window, bool):
        raise Refused(400, "Invalid nonceWindow.")
    nonces.take(_nonce(fields.pop("nonce", None)), windowed=window, now_ms=now_ms)


def _nonce(value: Any) -> int:
    # The pool's own guides send digits in quotes as well.
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise Refused(422, "Nonce not provided.")


def check_permission(key: Key, endpoint: str) -> None:
    if MINING_POOL not in key.permissions or (key.endpoints is not None and endpoint not in key.endpoints):
        raise no_permission()
