"""Which address of this machine a provider's calls leave from, where there are several."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def address_for(party: str, addresses: Sequence[str]) -> str:
    """Always the same one for the same provider (a key may be allowed from one address only); empty without any.

    Rendezvous hashing: another address more or less moves only the providers that it wins or loses.
    """
    return max(addresses, key=lambda address: hashlib.sha256(f"{address}|{party}".encode()).digest(), default="")
