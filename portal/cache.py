"""What the cache keeps, as JSON. Django's own serializer unpickles: whoever could write Redis would run code here."""

from __future__ import annotations

import json
from typing import Any


class JSONSerializer:
    """Numbers stay numbers, so that Redis can count. What is no JSON was not written by us, and is an error."""

    def dumps(self, value: Any) -> int | bytes:
        if type(value) is int:
            return value
        return json.dumps(value, separators=(",", ":")).encode()

    def loads(self, kept: bytes) -> Any:
        return json.loads(kept)
