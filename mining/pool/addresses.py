"""Bitcoin addresses of the main network: whether one can be paid to, and how it is spelled.

Legacy addresses are base58check (1… to a key, 3… to a script); native segwit is bech32 for version 0 (bc1q…) and
bech32m for the later ones (bc1p… and on), after BIP-173 and BIP-350. No Django here: the sandbox checks with it too.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable

LONGEST_ADDRESS = 100  # as the pool takes it; no address of the main network is longer than 74

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
SEGWIT = "bc1"
OTHER_NETWORKS = {"tb1": "the test network", "bcrt1": "a regression test network"}
SHORTEST_58, LONGEST_58 = 26, 35
SHORTEST_SEGWIT, LONGEST_SEGWIT = 14, 74
CHECKSUM_LENGTH = 6
LATEST_VERSION = 16

# The byte that a base58check text begins with, once decoded.
MAIN_KEY, MAIN_SCRIPT = 0, 5
TEST_KEY, TEST_SCRIPT = 111, 196
PRIVATE_KEYS = (128, 239)

AGAIN = "Copy it again, whole and alone."
OTHER_CHARACTER = "A character is wrong, missing or too many: its checksum does not fit. " + AGAIN


def problem_of(address: str) -> str | None:
    """Why nothing can be paid to it, in one or two sentences that say what to do; None when it is good.

    Later segwit versions than today's are good, as BIP-350 asks of everybody: whoever gives such an address means it.
    """
    if (problem := _problem_of_characters(address)) is not None:
        return problem
    small = address.lower()
    if small.startswith(SEGWIT):
        return _problem_of_segwit(address)
    for prefix, network in OTHER_NETWORKS.items():
        if small.startswith(prefix):
            return _other_network(network)
    return _problem_of_base58(address)


def is_address(address: str) -> bool:
    return problem_of(address) is None


def is_same(address: str, other: str) -> bool:
    """Segwit addresses may be written in capitals; in base58 capitals count."""
    return _one_spelling(address) == _one_spelling(other)


def _one_spelling(address: str) -> str:
    small = address.lower()
    return small if small.startswith(SEGWIT) and address in (small, address.upper()) else address


def _problem_of_characters(address: str) -> str | None:
    if not address:
        return "The address is empty. Paste the bitcoin address to pay to."
    if len(address) > LONGEST_ADDRESS:
        return f"The address is {len(address)} characters long, which no address is. {AGAIN}"
    if any(character.isspace() for character in address):
        return f"The address has a space or line break in it. {AGAIN}"
    # Zero-width and direction marks are not seen, and letters of other scripts look like ours: both are how a
    # clipboard is tampered with, so they are named and never quietly taken out.
    odd = next((character for character in address if not (character.isascii() and character.isprintable())), None)
    if odd is None:
        return None
    name = unicodedata.name(odd, "").lower() or f"U+{ord(odd):04X}"
    if odd.isprintable():
        return f"The address has a character that only looks right ({name}). Copy it again, from the wallet itself."
    return f"The address has an invisible character ({name}). Copy it again, from the wallet itself."


def _other_network(network: str) -> str:
    return f"This is an address of {network}, where bitcoin are worth nothing. Give one that begins with bc1, 1 or 3."


# --- Base58check: 1… and 3…


def _problem_of_base58(address: str) -> str | None:
    stranger = next((character for character in address if character not in BASE58), None)
    if stranger is not None:
        return f"No address that begins with {address[0]} has the character {stranger}. {AGAIN}"
    payload = _payload58(address)
    if payload and payload[0] in PRIVATE_KEYS:
        return "This is a private key: whoever reads it can take the money. Keep it secret, and paste an address."
    if payload is not None and len(payload) == 21 and payload[0] in (TEST_KEY, TEST_SCRIPT):
        return _other_network(OTHER_NETWORKS["tb1"])
    if address[0] not in "13":
        return f"A bitcoin address begins with bc1, 1 or 3, not with {address[0]}. {AGAIN}"
    if not SHORTEST_58 <= len(address) <= LONGEST_58:
        return f"The address is {len(address)} characters long, which none is that begins with {address[0]}. {AGAIN}"
    if payload is None or len(payload) != 21 or payload[0] not in (MAIN_KEY, MAIN_SCRIPT):
        return OTHER_CHARACTER
    return None


def _payload58(text: str) -> bytes | None:
    """What the checksum vouches for; None when it does not. One spelling only: the leading 1s belong to it."""
    number = 0
    for character in text:
        number = number * 58 + BASE58.index(character)
    zeros = len(text) - len(text.lstrip("1"))
    raw = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8)
    return raw[:-4] if _checksum58(raw[:-4]) == raw[-4:] else None


def _checksum58(payload: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]


# --- Bech32 and bech32m: bc1…


def segwit(version: int, program: bytes) -> str:
    values = [version, *_in_fives(program)]
    check = _polymod([*_EXPANDED_PREFIX, *values, *[0] * CHECKSUM_LENGTH]) ^ _constant(version)
    values += [check >> 5 * (CHECKSUM_LENGTH - 1 - place) & 31 for place in range(CHECKSUM_LENGTH)]
    return SEGWIT + "".join(BECH32[value] for value in values)


def _problem_of_segwit(address: str) -> str | None:
    small = address.lower()
    if address not in (small, address.upper()):
        return f"The address mixes capital and small letters, which no address does that begins with bc1. {AGAIN}"
    characters = small.removeprefix(SEGWIT)
    stranger = next((character for character in characters if character not in BECH32), None)
    if stranger is not None:
        return f"No address that begins with bc1 has the character {stranger} after it. {AGAIN}"
    if not SHORTEST_SEGWIT <= len(address) <= LONGEST_SEGWIT:
        return f"The address is {len(address)} characters long, which none is that begins with bc1. {AGAIN}"
    values = [BECH32.index(character) for character in characters]
    version, program = values[0], _out_of_fives(values[1:-CHECKSUM_LENGTH])
    checksum = _polymod([*_EXPANDED_PREFIX, *values])
    if checksum not in (_BECH32_CONSTANT, _BECH32M_CONSTANT):
        return OTHER_CHARACTER
    if checksum != _constant(version) or not _can_be_paid(version, program) or segwit(version, program) != small:
        return "Nobody can be paid at this address: the program that made it is out of date. Give another address."
    return None


def _can_be_paid(version: int, program: bytes) -> bool:
    if version == 0:
        return len(program) in (20, 32)
    return version <= LATEST_VERSION and 2 <= len(program) <= 40


_BECH32_CONSTANT, _BECH32M_CONSTANT = 1, 0x2BC830A3
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_PREFIX = SEGWIT.removesuffix("1")
_EXPANDED_PREFIX = [ord(c) >> 5 for c in _PREFIX] + [0] + [ord(c) & 31 for c in _PREFIX]


def _constant(version: int) -> int:
    return _BECH32M_CONSTANT if version else _BECH32_CONSTANT


def _polymod(values: Iterable[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATORS):
            if top >> bit & 1:
                check ^= generator
    return check


def _in_fives(program: bytes) -> list[int]:
    """Groups of five bits, the last one filled up with zeros."""
    count = -(-len(program) * 8 // 5)
    bits = int.from_bytes(program) << count * 5 - len(program) * 8
    return [bits >> 5 * (count - 1 - place) & 31 for place in range(count)]


def _out_of_fives(values: list[int]) -> bytes:
    """Whole bytes; what is left over is dropped, and spelling the address again tells whether it was nothing."""
    bits = 0
    for value in values:
        bits = bits << 5 | value
    length, left_over = divmod(len(values) * 5, 8)
    return (bits >> left_over).to_bytes(length)
