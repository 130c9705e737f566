"""Addresses that nobody owns, out of seeded bytes. Whether one is good is told by the portal's own check."""

from ..addresses import base58check, is_address, segwit

__all__ = ["is_address", "make_address"]


def make_address(material: bytes) -> str:
    """A valid address out of at least 33 bytes; the last byte picks the kind, native segwit being the commonest."""
    kind = material[32] % 8
    if kind == 0:
        return base58check(b"\x00" + material[:20])
    if kind == 1:
        return base58check(b"\x05" + material[:20])
    if kind == 2:
        return segwit(1, material[:32])
    return segwit(0, material[:20])
