"""What was called: counts per endpoint and the last requests, without keys, signatures or secrets."""

from collections import Counter, deque
from typing import Any

KEPT = 500


class CallLog:
    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self._calls: Counter[str] = Counter()
        self._statuses: Counter[tuple[str, str]] = Counter()
        self._last: deque[dict[str, Any]] = deque(maxlen=KEPT)

    def note(self, endpoint: str, status: int | None, entry: dict[str, Any]) -> None:
        """`status` is None when the caller got no answer."""
        self._calls[endpoint] += 1
        self._statuses[endpoint, "none" if status is None else str(status)] += 1
        self._last.append({"endpoint": endpoint, "status": status} | entry)

    def as_dict(self) -> dict[str, Any]:
        statuses: dict[str, dict[str, int]] = {}
        for (endpoint, status), count in sorted(self._statuses.items()):
            statuses.setdefault(endpoint, {})[status] = count
        return {"calls": dict(self._calls), "statuses": statuses, "last": [_readable(entry) for entry in self._last]}


def _readable(entry: dict[str, Any]) -> dict[str, Any]:
    # Bodies are kept as they came: most of them are never looked at.
    return entry | {"body": entry["body"].decode(errors="replace")} if "body" in entry else entry
