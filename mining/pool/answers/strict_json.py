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
from typing import TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")

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
_ISO_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_UNIX_MOMENT = re.compile(r"[0-9]{1,13}(\.[0-9]{1,9})?")
_MOST_MOMENT_DIGITS = 13  # before the point: milliseconds
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
            has_room = key in self.counts or len(self.counts) < _MOST_EXTRA_NAMES
            self.counts[key if has_room else f"{endpoint}.*"] += 1


class Fields:
    """A JSON object whose fields are read by name and kind. Fields never read count as extra.

    `unread`: names of decorations that could not be read, in the order in which they were asked for.
    """

    def __init__(self, value: object, *, name: str = "") -> None:
        if not isinstance(value, dict):
            raise Unreadable(_reason(name, "missing" if value is None else "not_an_object"))
        self._values: dict[str, object] = value
        self._prefix = f"{name}." if name else ""
        self._read: set[str] = set()
        self.unread: list[str] = []

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

    def decoration(self, name: str, read: Callable[[str], T]) -> T | None:
        """What neither identity nor money needs: None when it cannot be read, and noted as `unread`."""
        try:
            return read(name)
        except Unreadable:
            self.unread.append(name)
            return None

    def written(self, name: str) -> str:
        """The field as JSON text, whatever it holds; empty when it was not sent."""
        if name not in self._values:
            return ""
        # Lone surrogates and NUL leave json.dumps as plain ASCII escapes, which any column can hold.
        return json.dumps(self._values[name], default=str, separators=(",", ":"))

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

    def quantity(self, name: str, *, below: Decimal | None = None) -> Decimal:
        """Any other number that is not negative."""
        number, _ = self._number(name, largest=_LARGEST_QUANTITY, most_decimals=_MOST_DIGITS)
        if below is not None and number >= below:
            raise self._unreadable(name, "out_of_range")
        return number

    def quantity_or_none(self, name: str, *, below: Decimal | None = None) -> Decimal | None:
        return None if self.value(name) is None else self.quantity(name, below=below)

    def count(self, name: str) -> int:
        return self._whole(name, largest=10**9)

    def moment(self, name: str) -> datetime:
        """To the second, in any spelling that a pool may use: Unix seconds or milliseconds, as a number or a text, or
        ISO 8601 (without a zone: UTC, as all days of the pool)."""
        value = self.value(name)
        iso = _ISO_MOMENT.fullmatch(value) if isinstance(value, str) else None
        seconds = self._iso_seconds(name, iso) if iso else self._unix_seconds(name, value)
        if not _EARLIEST_S <= seconds < _END_S:
            raise self._unreadable(name, "out_of_range")
        return datetime.fromtimestamp(seconds, UTC)

    def moment_or_none(self, name: str) -> datetime | None:
        return None if self.value(name) is None else self.moment(name)

    def moment_if_known(self, name: str) -> datetime | None:
        """Where null, "" and 0 all say that the pool does not know it (yet)."""
        value = self.value(name)
        is_zero = isinstance(value, int | Decimal) and not isinstance(value, bool) and value == 0
        return None if value is None or is_zero or value in ("", "0") else self.moment(name)

    def plain(self) -> dict[str, str | int | None]:
        """The fields read so far as JSON can hold them again: numbers with a point or too long become texts."""
        plain: dict[str, str | int | None] = {}
        for name in sorted(self._read.difference(self.unread)):
            value = self._values[name]
            plain[name] = value if value is None or isinstance(value, str | int) else _written(value)
        return plain

    def _iso_seconds(self, name: str, written: re.Match[str]) -> int:
        day, time, _, zone = written.groups()
        try:
            return int(datetime.fromisoformat(f"{day}T{time}{zone or 'Z'}").timestamp())
        except (ValueError, OverflowError):
            problem = "not_a_moment"
        raise self._unreadable(name, problem)

    def _unix_seconds(self, name: str, value: object) -> int:
        if isinstance(value, str) and _UNIX_MOMENT.fullmatch(value):
            value = Decimal(value)
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise self._unreadable(name, "not_a_moment")
        number = Decimal(value)
        if not number.is_finite():
            raise self._unreadable(name, "not_a_moment")
        # The exponent is looked at before anything is computed: 1e400 is a long number.
        if number < 0 or number.adjusted() >= _MOST_MOMENT_DIGITS:
            raise self._unreadable(name, "out_of_range")
        seconds = int(number)
        # No second of our time has so many digits: these are milliseconds.
        return seconds // 1000 if seconds >= _EARLIEST_S * 1000 else seconds

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
