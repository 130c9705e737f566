"""Which address of this machine a provider's calls leave from, where there are several."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Sequence


def address_for(party: str, addresses: Sequence[str]) -> str:
    """Always the same one for the same provider (a key may be allowed from one address only); empty without any.

    Rendezvous hashing: another address more or less moves only the providers that it wins or loses.
    """
    return max(addresses, key=lambda address: hashlib.sha256(f"{address}|{party}".encode()).digest(), default="")


def is_ours(address: str) -> bool:
    """Whether this machine can send from that address."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True
