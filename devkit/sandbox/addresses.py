"""Addresses that nobody owns, out of seeded bytes, and whether the pool takes one.

A library's arithmetic and not the portal's own: the sandbox shares no code with what it is there to try.
"""

from embit import base58, bech32

MAIN_NETWORK = "bc"
KEY, SCRIPT = 0, 5  # the byte that a legacy address of the main network begins with, once decoded


def is_address(text: str) -> bool:
    if not text.isascii():
        return False
    if text[:3].lower() == f"{MAIN_NETWORK}1":
        return bech32.decode(MAIN_NETWORK, text)[0] is not None
    try:
        payload = base58.decode_check(text)
    except ValueError:  # a strange letter, or a checksum that does not fit
        return False
    return len(payload) == 21 and payload[0] in (KEY, SCRIPT)


def make_address(material: bytes) -> str:
    """A valid address out of at least 33 bytes; the last byte picks the kind, native segwit being the commonest."""
    kind = material[32] % 8
    if kind == 0:
        return str(base58.encode_check(bytes([KEY]) + material[:20]))
    if kind == 1:
        return str(base58.encode_check(bytes([SCRIPT]) + material[:20]))
    if kind == 2:
        return str(bech32.encode(MAIN_NETWORK, 1, material[:32]))
    return str(bech32.encode(MAIN_NETWORK, 0, material[:20]))
