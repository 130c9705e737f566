"""Bitcoin addresses of the main network: made from seeded bytes, and checked as strictly as the pool would.

Only what the sandbox needs: pay-to-public-key-hash (1…), pay-to-script-hash (3…), bech32 (bc1q…) and bech32m (bc1p…).
"""

import hashlib
from collections.abc import Iterable

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
BECH32_CONSTANT, BECH32M_CONSTANT = 1, 0x2BC830A3
PREFIX = "bc"


def make_address(material: bytes) -> str:
    """A valid address out of at least 33 bytes; the last byte picks the kind, native segwit being the commonest."""
    kind = material[32] % 8
    if kind == 0:
        return _base58check(b"\x00" + material[:20])
    if kind == 1:
        return _base58check(b"\x05" + material[:20])
    if kind == 2:
        return _segwit(1, material[:32])
    return _segwit(0, material[:20])


def is_address(text: str) -> bool:
    if text[:3].lower() == "bc1":
        return _is_segwit(text)
    return _is_base58check(text)


def _checksum58(payload: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]


def _base58check(payload: bytes) -> str:
    raw = payload + _checksum58(payload)
    number, text = int.from_bytes(raw), ""
    while number:
        number, digit = divmod(number, 58)
        text = BASE58[digit] + text
    return "1" * (len(raw) - len(raw.lstrip(b"\x00"))) + text


def _is_base58check(text: str) -> bool:
    if not 26 <= len(text) <= 35 or any(character not in BASE58 for character in text):
        return False
    number = 0
    for character in text:
        number = number * 58 + BASE58.index(character)
    if number >= 1 << 200:
        return False
    raw = number.to_bytes(25)
    if raw[0] not in (0x00, 0x05) or _checksum58(raw[:21]) != raw[21:]:
        return False
    return _base58check(raw[:21]) == text  # one spelling only: the count of leading 1s belongs to it


def _polymod(values: Iterable[int]) -> int:
    generators = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(generators):
            if top >> bit & 1:
                check ^= generator
    return check


_EXPANDED_PREFIX = [ord(c) >> 5 for c in PREFIX] + [0] + [ord(c) & 31 for c in PREFIX]


def _regroup(data: Iterable[int], bits_in: int, bits_out: int, *, pad: bool) -> list[int] | None:
    pending, bits, groups = 0, 0, []
    for value in data:
        pending = pending << bits_in | value
        bits += bits_in
        while bits >= bits_out:
            bits -= bits_out
            groups.append(pending >> bits & ((1 << bits_out) - 1))
        pending &= (1 << bits) - 1
    if pad:
        return [*groups, pending << (bits_out - bits)] if bits else groups
    return None if bits >= bits_in or pending else groups


def _segwit(version: int, program: bytes) -> str:
    values = [version, *(_regroup(program, 8, 5, pad=True) or [])]
    constant = BECH32M_CONSTANT if version else BECH32_CONSTANT
    check = _polymod([*_EXPANDED_PREFIX, *values, 0, 0, 0, 0, 0, 0]) ^ constant
    values += [check >> 5 * (5 - place) & 31 for place in range(6)]
    return PREFIX + "1" + "".join(BECH32[value] for value in values)


def _is_segwit(text: str) -> bool:
    if text not in (text.lower(), text.upper()) or not 14 <= len(text) <= 90:
        return False
    characters = text.lower()[3:]
    if any(character not in BECH32 for character in characters):
        return False
    values = [BECH32.index(character) for character in characters]
    version, program = values[0], _regroup(values[1:-6], 5, 8, pad=False)
    if version > 16 or program is None or not 2 <= len(program) <= 40:
        return False
    if version == 0 and len(program) not in (20, 32):
        return False
    return _polymod([*_EXPANDED_PREFIX, *values]) == (BECH32M_CONSTANT if version else BECH32_CONSTANT)
