"""Strict reading of JSON from outside: exact numbers, named reasons, nothing taken for granted.

`Unreadable` never leaves the client: for a record it becomes a RejectedRecord, for anything else a BadAnswer.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from urllib.parse import urlsplit

# Longer numbers are kept as Decimals, which are cheap to make; an int of thousands of digits is not.
_LONGEST_INT = 30
_LONGEST_NUMBER = 64
_MOST_DIGITS = 40
_MOST_TEXTS = 10_000
_LONGEST_ADDRESS = 1000
_MOST_DECIMALS = 18
_LARGEST_AMOUNT = Decimal(10**10)
_LARGEST_QUANTITY = Decimal(10**30)
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,4})?")
_ISO_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})")
_WHOLE = re.compile(r"[0-9]{1,18}")

_EARLIEST_S = int(datetime(2009, 1, 1, tzinfo=UTC).timestamp())
_END_S = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp())

# Control characters, lone surrogates, line and paragraph separators: PostgreSQL refuses NUL and surrogates, logs and
# CSV files break on the others. Everything else may be in a name and is escaped where it is shown.
_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
_MOST_EXTRA_NAMES = 200
_LONGEST_EXTRA_NAME = 64

# Makes text from outside fit to be kept: without our keys, at most so long (redaction.py).
Redact = Callable[[str, int], str]


class Unreadable(Exception):
    """`str()` is the reason: a fixed word, or `field: word`."""


def read_json(body: bytes) -> object:
    try:
        text = body.decode("utf-8")
        return json.loads(text, parse_float=_decimal, parse_int=_int, parse_constant=_not_json)
    except UnicodeDecodeError:
        problem = "not_utf8"
    except ValueError:
        problem = "not_json" if body.strip() else "empty"
    except RecursionError:
        problem = "too_deep"
    raise Unreadable(problem)


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        # An exponent beyond all bounds: let the one field be refused, not the whole page.
        return Decimal("NaN")


def _int(text: str) -> int | Decimal:
    return int(text) if len(text) <= _LONGEST_INT else Decimal(text)


def _not_json(constant: str) -> Decimal:
    """NaN and Infinity are not JSON, but Python reads them: the field is refused like any other silly number."""
    return Decimal("NaN")


class ExtraFields:
    """Undocumented fields by `endpoint.field`: kept out of our data, counted so that somebody notices."""

    def __init__(self, redact: Redact) -> None:
        self.counts: Counter[str] = Counter()
        self._redact = redact

    def note(self, endpoint: str, names: set[str]) -> None:
        for name in names:
            key = f"{endpoint}.{self._redact(name, _LONGEST_EXTRA_NAME)}"
            # Names come from outside: a hostile answer must not fill the memory.
            known = key in self.counts or len(self.counts) < _MOST_EXTRA_NAMES
            self.counts[key if known else f"{endpoint}.*"] += 1


class Fields:
    """A JSON object whose fields are read by name and kind. Fields never read count as extra."""

    def __init__(self, value: object, *, name: str = "") -> None:
        if not isinstance(value, dict):
            raise Unreadable(_reason(name, "missing" if value is None else "not_an_object"))
        self._values: dict[str, object] = value
        self._prefix = f"{name}." if name else ""
        self._read: set[str] = set()

    def extra(self) -> set[str]:
        return self._values.keys() - self._read

    def has(self, name: str) -> bool:
        return name in self._values

    def either(self, name: str, other: str) -> str:
        """The one of two names under which the pool sent it: a few things are documented twice."""
        return other if other in self._values else name

    def ignore(self, *names: str) -> None:
        """Documented, and of no use to us."""
        self._read.update(names)

    def value(self, name: str) -> object:
        self._read.add(name)
        if name not in self._values:
            raise self._unreadable(name, "missing")
        return self._values[name]

    def records(self, name: str) -> list[object]:
        value = self.value(name)
        if not isinstance(value, list):
            raise self._unreadable(name, "missing" if value is None else "not_a_list")
        return value

    def inner(self, name: str) -> Fields:
        return Fields(self.value(name), name=self._prefix + name)

    def text(self, name: str, *, longest: int) -> str:
        value = self.value(name)
        if not isinstance(value, str):
            raise self._unreadable(name, "not_a_text")
        if not value:
            raise self._unreadable(name, "empty")
        if len(value) > longest:
            raise self._unreadable(name, "too_long")
        if not (value.isascii() and value.isprintable()) and any(
            unicodedata.category(character) in _FORBIDDEN_CATEGORIES for character in value
        ):
            raise self._unreadable(name, "forbidden_character")
        return value

    def text_or_none(self, name: str, *, longest: int) -> str | None:
        if self.value(name) in (None, ""):
            return None
        return self.text(name, longest=longest)

    def texts(self, name: str, *, longest: int) -> tuple[str, ...]:
        values = self.records(name)
        if len(values) > _MOST_TEXTS:
            raise self._unreadable(name, "too_many")
        return tuple(
            Fields({name: value}, name=self._prefix.rstrip(".")).text(name, longest=longest) for value in values
        )

    def web_address(self, name: str) -> str:
        """An https address that a page may offer as a link: nothing that a browser would run or send a password to."""
        value = self.text(name, longest=_LONGEST_ADDRESS)
        if any(character.isspace() for character in value):
            raise self._unreadable(name, "not_an_address")
        try:
            parts = urlsplit(value)
        except ValueError:
            raise self._unreadable(name, "not_an_address") from None
        if parts.scheme != "https" or not parts.hostname or parts.username is not None:
            raise self._unreadable(name, "not_an_address")
        return value

    def amount(self, name: str) -> tuple[Decimal, str]:
        """An amount in BTC, exact, and as it was written. Strings by the documentation, numbers tolerated."""
        return self._number(name, largest=_LARGEST_AMOUNT, most_decimals=_MOST_DECIMALS)

    def quantity(self, name: str) -> Decimal:
        """Any other number that is not negative."""
        return self._number(name, largest=_LARGEST_QUANTITY, most_decimals=_MOST_DIGITS)[0]

    def quantity_or_none(self, name: str) -> Decimal | None:
        return None if self.value(name) is None else self.quantity(name)

    def count(self, name: str) -> int:
        return self._whole(name, largest=10**9)

    def moment(self, name: str) -> datetime:
        """Unix seconds, or ISO 8601 with a zone: the pool documents the form of some of its times only.

        Milliseconds land far behind 2100 and are refused with everything else out of range."""
        value = self.value(name)
        iso = isinstance(value, str) and _ISO_MOMENT.fullmatch(value)
        seconds = self._iso_seconds(name, iso[0]) if iso else self._whole(name, largest=10**18)
        if not _EARLIEST_S <= seconds < _END_S:
            raise self._unreadable(name, "out_of_range")
        return datetime.fromtimestamp(seconds, UTC)

    def moment_or_none(self, name: str) -> datetime | None:
        return None if self.value(name) is None else self.moment(name)

    def plain(self) -> dict[str, str | int | None]:
        """The fields read so far as JSON can hold them again: numbers with a point or too long become texts."""
        plain: dict[str, str | int | None] = {}
        for name in sorted(self._read):
            value = self._values[name]
            plain[name] = value if value is None or isinstance(value, str | int) else _written(value)
        return plain

    def _iso_seconds(self, name: str, text: str) -> int:
        try:
            return int(datetime.fromisoformat(text).timestamp())
        except (ValueError, OverflowError):
            problem = "not_a_moment"
        raise self._unreadable(name, problem)

    def _whole(self, name: str, *, largest: int) -> int:
        value = self.value(name)
        if isinstance(value, str) and _WHOLE.fullmatch(value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._unreadable(name, "not_a_whole_number")
        if not 0 <= value <= largest:
            raise self._unreadable(name, "out_of_range")
        return value

    def _number(self, name: str, *, largest: Decimal, most_decimals: int) -> tuple[Decimal, str]:
        value = self.value(name)
        if isinstance(value, str):
            if len(value) > _LONGEST_NUMBER or not _NUMBER.fullmatch(value):
                raise self._unreadable(name, "not_a_number")
            number, written = Decimal(value), value
        elif isinstance(value, int | Decimal) and not isinstance(value, bool):
            number, written = Decimal(value), ""
        else:
            raise self._unreadable(name, "not_a_number")
        self._check(name, number, largest, most_decimals)
        return number, written or _written(number)

    def _check(self, name: str, number: Decimal, largest: Decimal, most_decimals: int) -> None:
        if not number.is_finite():
            raise self._unreadable(name, "not_finite")
        _, digits, exponent = number.as_tuple()
        if number.is_signed() and number:
            raise self._unreadable(name, "negative")
        # The exponent is looked at before anything is computed or written out: 0e999999999 is a long text.
        if not isinstance(exponent, int) or number.adjusted() > largest.adjusted() or number > largest:
            raise self._unreadable(name, "out_of_range")
        if len(digits) > _MOST_DIGITS or -exponent > most_decimals:
            raise self._unreadable(name, "too_many_digits")

    def _unreadable(self, name: str, problem: str) -> Unreadable:
        return Unreadable(_reason(self._prefix + name, problem))


def _written(value: object) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _reason(name: str, problem: str) -> str:
    return f"{name}: {problem}" if name else problem
