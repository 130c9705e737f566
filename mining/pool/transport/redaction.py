"""Text from outside, made fit for a log, an error or a page of staff: short, printable and without our keys."""

from __future__ import annotations

import re

from mining.pool.transport.signing import Secret

# Signatures are 128 characters and payloads longer; addresses (90) and transaction hashes (64) stay readable.
_LONG_TOKEN = re.compile(r"[A-Za-z0-9+/=_-]{100,}")


class Redactor:
    def __init__(self, *, api_key: str = "", secret: Secret | None = None) -> None:
        """Without a key, what comes from the public endpoints is only made short and printable."""
        self._api_key = api_key
        self._secret = secret or Secret("")

    def __call__(self, text: str, limit: int = 200) -> str:
        """Redacts before it shortens: cutting first could leave half a secret at the edge."""
        text = self._secret.hide_in(text)
        if self._api_key:
            text = text.replace(self._api_key, "[key]")
        text = _LONG_TOKEN.sub("[long token]", text)
        printable = "".join(character if character.isprintable() else " " for character in text[:limit])
        return printable if len(text) <= limit else printable + "…"
