"""Input is taken as it is meant or refused: no number for a text, no text for a number, nothing that is not known."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import IO, Any, ClassVar, NoReturn

from django.http import QueryDict
from django.urls import register_converter
from drf_spectacular.drainage import set_override
from rest_framework import serializers
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.parsers import JSONParser

from customers.codes import CODE_LENGTH
from customers.text import NOTHING_VISIBLE, lines, normal
from customers.words import YEARS
from mining.pool.answers.decimals import plain
from portal.api.problems import TooLarge

LARGEST_BODY = 64 * 1024  # bytes; the largest body that means anything is a contract of a few hundred
MOST_DIGITS = 100  # of a whole number in a body; Python reads no more than a few thousand
CODE = rf"[a-z]{{3}}_[a-z2-7]{{{CODE_LENGTH}}}"


class CodeConverter:
    """A row's code in an address: what has not its form is at no address, and never reaches the database."""

    regex = CODE

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(CodeConverter, "code")


class BoundedJSONParser(JSONParser):
    largest_body = LARGEST_BODY

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        body = stream.read(self.largest_body + 1)
        if len(body) > self.largest_body:
            raise TooLarge(f"The body is larger than {self.largest_body // 1024} KiB.")
        try:
            return json.loads(
                body.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant, parse_int=_short_number
            )
        except UnicodeDecodeError as error:
            raise ParseError("The body is not UTF-8.") from error
        except RecursionError as error:
            raise ParseError("The body is nested too deeply.") from error
        except json.JSONDecodeError as error:
            raise ParseError(f"The body is not JSON: see line {error.lineno}, column {error.colno}.") from error
        except ValueError as error:
            raise ParseError(f"The body is not JSON as we read it: {error}.") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return values


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _short_number(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"a number has more than {MOST_DIGITS} digits")
    return int(digits)


class ObjectList(serializers.ListSerializer[Any]):
    default_error_messages = {"not_a_list": "A JSON list is needed."}


class InputSerializer(serializers.Serializer[Any]):
    """A body, or the parameters of an address, of which every name is known."""

    default_error_messages = {"invalid": "A JSON object is needed."}
    unknown_sentence = "There is no such field here."

    class Meta:
        list_serializer_class = ObjectList

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        unknown = sorted(data.keys() - self.fields.keys()) if isinstance(data, Mapping) else []
        try:
            values: dict[str, Any] = super().to_internal_value(data)
        except ValidationError as error:
            if unknown and isinstance(error.detail, dict):
                raise ValidationError({**self._refusals(unknown), **error.detail}) from error
            raise
        if unknown:
            raise ValidationError(self._refusals(unknown))
        return values

    def _refusals(self, unknown: list[str]) -> dict[str, list[str]]:
        return {name: [self.unknown_sentence] for name in unknown}


class NothingSerializer(InputSerializer):
    """A body that says nothing: {} or none."""


class ParameterSerializer(InputSerializer):
    @property
    def unknown_sentence(self) -> str:  # type: ignore[override]  # says what is known
        names = ", ".join(sorted(self.fields))
        return f"There is no such parameter here. Known: {names}." if names else "There are no parameters here."


def parameters(query: QueryDict) -> dict[str, str]:
    """The parameters of an address, each once: of two values one would be lost without a word."""
    twice = [name for name, values in query.lists() if len(values) > 1]
    if twice:
        raise ValidationError({name: ["This parameter stands twice. Give it once."] for name in twice})
    return {name: str(value) for name, value in query.items()}


# --- What is sent


class Text(serializers.CharField):
    """One line of text: trimmed, no control characters."""

    default_error_messages = {
        "invalid": "A text is needed, in quotes.",
        "one_line": "Line breaks, tabs and other control characters are not allowed.",
    }

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        text = str(super().to_internal_value(data))
        if any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in text):
            self.fail("one_line")
        return text


class Words(Text):
    """Text that people see, search or compare, in its normal form."""

    default_error_messages = {"invisible": NOTHING_VISIBLE}

    def to_internal_value(self, data: Any) -> str:
        text = normal(super().to_internal_value(data))
        if not text:
            self.fail("invisible")
        return text


class Lines(serializers.CharField):
    """As Words, over several lines."""

    default_error_messages = {"invalid": "A text is needed, in quotes."}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return lines(str(super().to_internal_value(data)))


class Email(serializers.EmailField):
    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return normal(str(super().to_internal_value(data)))


class Matching(Text):
    """A text of a given form; `sentence` says which."""

    described: ClassVar[dict[str, str]] = {}  # beside type and pattern, in the schema

    def __init__(self, pattern: str, sentence: str, **options: Any) -> None:
        super().__init__(**options)
        self._pattern, self._sentence = re.compile(pattern), sentence
        set_override(self, "field", {"type": "string", "pattern": f"^{pattern}$", **self.described})

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if self.max_length is not None and len(text) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        if not self._pattern.fullmatch(text):
            raise ValidationError(self._sentence)
        return text


class Code(Matching):
    """The id of a row, such as cus_…."""

    def __init__(self, prefix: str, **options: Any) -> None:
        pattern = rf"{prefix}_[a-z2-7]{{{CODE_LENGTH}}}"
        super().__init__(pattern, f"This is not an id: one begins with {prefix}_ and has 24 characters.", **options)


class Choice(serializers.ChoiceField):
    """One of a few words. Not what merely looks like one when Python writes it as text."""

    default_error_messages = {"invalid": "A text is needed, in quotes."}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class Choices(serializers.ListField):
    default_error_messages = {"not_a_list": "A JSON list is needed."}


class Flag(serializers.BooleanField):
    default_error_messages = {"invalid": "true or false is needed, without quotes."}

    def to_internal_value(self, data: Any) -> bool:
        if data is not True and data is not False:
            self.fail("invalid", input=data)
        return data is True


class WholeNumber(serializers.IntegerField):
    sentence = "A whole number from {} to {} is needed, without quotes or a point."

    def __init__(self, *, min_value: int, max_value: int, **options: Any) -> None:
        wrong = self.sentence.format(min_value, max_value)
        messages: dict[str, Any] = dict.fromkeys(("invalid", "min_value", "max_value"), wrong)
        super().__init__(min_value=min_value, max_value=max_value, error_messages=messages, **options)

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return data


class Day(Matching):
    """A day: 2026-10-31."""

    described = {"format": "date"}

    def __init__(self, **options: Any) -> None:
        super().__init__(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", "Write the day as 2026-10-31.", **options)

    def to_internal_value(self, data: Any) -> date:  # type: ignore[override]  # a text comes in, a day goes on
        try:
            day = date.fromisoformat(super().to_internal_value(data))
        except ValueError as error:
            raise ValidationError("There is no such day.") from error
        if day.year not in YEARS:
            raise ValidationError(f"Check the year: it is from {YEARS[0]} to {YEARS[-1]}.")
        return day


class Month(Matching):
    """A month: 2026-10. Its first day goes on."""

    def __init__(self, **options: Any) -> None:
        super().__init__(r"20[0-9]{2}-(0[1-9]|1[0-2])", "Write the month as 2026-10.", **options)

    def to_internal_value(self, data: Any) -> date:  # type: ignore[override]  # a text comes in, a day goes on
        return date.fromisoformat(f"{super().to_internal_value(data)}-01")


class Moment(Matching):
    """A moment in UTC: 2026-10-31T14:30:00Z."""

    described = {"format": "date-time"}

    def __init__(self, **options: Any) -> None:
        pattern = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?Z"
        super().__init__(pattern, "Write the moment as 2026-10-31T14:30:00Z.", **options)

    def to_internal_value(self, data: Any) -> datetime:  # type: ignore[override]  # a text comes in, a moment goes on
        try:
            moment = datetime.fromisoformat(super().to_internal_value(data).replace("Z", "+00:00"))
        except ValueError as error:
            raise ValidationError("There is no such moment.") from error
        if moment.year not in YEARS:
            raise ValidationError(f"Check the year: it is from {YEARS[0]} to {YEARS[-1]}.")
        return moment


class QueryNumber(WholeNumber):
    """A whole number in an address, where everything is text."""

    sentence = "Write a whole number from {} to {}."

    def to_internal_value(self, data: Any) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", str(data)):
            self.fail("invalid")
        return int(data)


class QueryFlag(serializers.BooleanField):
    default_error_messages = {"invalid": "Write true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if data not in ("true", "false"):
            self.fail("invalid", input=data)
        return bool(data == "true")


# --- What is answered


class Exact(serializers.CharField):
    """A number with all its digits, as text: programs that read JSON numbers as floats would lose some."""

    def to_representation(self, value: Decimal | str) -> str:
        text = plain(value)
        # What a column padded loses its zeros again. Not normalize(): it rounds to the context's 28 digits.
        padded = isinstance(value, Decimal) and "." in text
        return text.rstrip("0").rstrip(".") if padded else text


class OrNull(serializers.CharField):
    """A sentence, or null where the row holds an empty text."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_null=True, **options)

    def to_representation(self, value: str) -> str | None:  # type: ignore[override]  # null is the point
        return value or None
