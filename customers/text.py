"""Text that people see, search or compare, in one normal form: what looks the same is the same, and it can be seen.

Every door asks this function (forms, API, commands), so that rows hold one spelling and a search finds it.
"""

from __future__ import annotations

import unicodedata

NOTHING_VISIBLE = "Write at least one character that can be seen."
# Letters and symbols by category, and blank or nothing to the eye.
BLANK = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180e\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, (*range(0xFE00, 0xFE0F), *range(0xE0100, 0xE01F0))))
)
JOINERS = "\u200c\u200d"  # meant inside of words of some scripts, and between the parts of an emoji
EMOJI_FORM = "\ufe0f"  # asks for the coloured picture of the character before it


def normal(text: str) -> str:
    """Composed (NFC), one space between words, none around, nothing invisible that is not meant. May be empty."""
    words = unicodedata.normalize("NFC", "".join(_meant(text))).split()
    return unicodedata.normalize("NFC", " ".join(words)) if any(map(_is_seen, words)) else ""


def lines(text: str) -> str:
    """Each line in its normal form, none empty."""
    return "\n".join(filter(None, map(normal, text.splitlines())))


def _meant(text: str) -> list[str]:
    """Without direction marks, zero-width spaces, soft hyphens, fillers and their like; joiners that join stay."""
    kept = [character for character in text if character in JOINERS + EMOJI_FORM or not _is_invisible(character)]
    return [
        character
        for index, character in enumerate(kept)
        if character not in JOINERS + EMOJI_FORM or _belongs(character, kept[:index][-1:], kept[index + 1 : index + 2])
    ]


def _belongs(character: str, before: list[str], after: list[str]) -> bool:
    """A joiner between two characters that are neither space nor Latin, the emoji form after a symbol."""
    if character == EMOJI_FORM:
        return bool(before) and unicodedata.category(before[0]) in ("So", "Sm", "Po", "Nd")
    return all(_is_joined(neighbour) for neighbour in (before, after))


def _is_joined(neighbour: list[str]) -> bool:
    if not neighbour or neighbour[0].isspace() or neighbour[0] in JOINERS:
        return False
    return not unicodedata.name(neighbour[0], "").startswith(("LATIN", "DIGIT"))


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) == "Cf" or character in BLANK


def _is_seen(word: str) -> bool:
    """Half a character (Cs) too: it is refused by a sentence of its own."""
    categories = map(unicodedata.category, word)
    return any(category[0] in "LNPS" or category == "Cs" for category in categories)
