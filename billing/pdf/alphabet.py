"""Which characters a document can show. Whatever none of its fonts has is printed as a box, and never stops it.

The template uses no font but those beside it, and PDF/A refuses a glyph that is missing: so what people type is
brought into this alphabet before it is typeset.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FONTS = Path(__file__).parent / "fonts"
MISSING = "□"


def readable(value: Any, alphabet: frozenset[int]) -> Any:
    """The same content with a box for each character that is not in the alphabet."""
    match value:
        case str():
            return "".join(character if ord(character) in alphabet else MISSING for character in value)
        case dict():
            return {key: readable(part, alphabet) for key, part in value.items()}
        case [int(), *_]:
            return value  # the bytes of a logo
        case list():
            return [readable(part, alphabet) for part in value]
    return value


@functools.cache
def of_fonts() -> frozenset[int]:
    """The characters of all fonts together."""
    files = FONTS.glob("*.[ot]tf")
    return frozenset(character for file in files for span in _spans(file.read_bytes()) for character in span)


def _spans(font: bytes) -> Iterator[range]:
    """The table of characters in an OpenType file: cmap, in format 12, which every font here has."""
    (tables,) = struct.unpack_from(">H", font, 4)
    records = (struct.unpack_from(">4s4xI", font, 12 + 16 * number) for number in range(tables))
    cmap = next(offset for tag, offset in records if tag == b"cmap")
    (subtables,) = struct.unpack_from(">H", font, cmap + 2)
    for number in range(subtables):
        at = cmap + struct.unpack_from(">4xI", font, cmap + 4 + 8 * number)[0]
        if struct.unpack_from(">H", font, at)[0] == 12:
            (groups,) = struct.unpack_from(">I", font, at + 12)
            for group in range(groups):
                first, last = struct.unpack_from(">II", font, at + 16 + 12 * group)
                yield range(first, last + 1)
            return
    raise ValueError("a font without a table of characters in format 12")
