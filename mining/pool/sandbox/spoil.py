"""Ways to spoil a good answer: same status, something wrong inside."""

import json
import random
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .answers import Answer, encode

Spoiler = Callable[[Answer, random.Random], Answer]

_STRING_NUMBERS = re.compile(rb'"(totalReward|reward|fee|fppsRate|hashRate|hashrate)":"([0-9.]+)"')
_PLAIN_NUMBERS = re.compile(
    rb'"(date|payoutTime|timestamp|rejectRate|createdAt|online|offline|low|limit|offset)":([0-9.]+)'
)

HOSTILE_NAMES = (
    "<script>alert(1)</script>",
    "=1+1",
    '=HYPERLINK("http://127.0.0.1:9/","pay")',
    "line\nbreak",
    "slash/../../etc",
    "\U0001f98a_fox",
    "N" * 255,
    "a\u202egnp.exe",
    "north'; DROP TABLE rewards; --",
    "{{7*7}}",
    "",
)


def truncated(answer: Answer, dice: random.Random) -> Answer:
    return replace(answer, body=answer.body[: len(answer.body) // 2])


def not_utf8(answer: Answer, dice: random.Random) -> Answer:
    return replace(answer, body=answer.body.replace(b'":"', b'":"\xff', 1))


def numbers_for_strings(answer: Answer, dice: random.Random) -> Answer:
    # On the text, because a trip through float would also change the digits.
    return replace(answer, body=_STRING_NUMBERS.sub(rb'"\1":\2', answer.body))


def strings_for_numbers(answer: Answer, dice: random.Random) -> Answer:
    return replace(answer, body=_PLAIN_NUMBERS.sub(rb'"\1":"\2"', answer.body))


def _on_value(change: Callable[[Any, random.Random], Any]) -> Spoiler:
    def spoiled(answer: Answer, dice: random.Random) -> Answer:
        return replace(answer, body=encode(change(json.loads(answer.body), dice)))

    return spoiled


def _without_data(value: Any, dice: random.Random) -> Any:
    # payout-destination has no `data` around it: there the first field goes.
    name = "data" if "data" in value else next(iter(value), "data")
    return {key: inner for key, inner in value.items() if key != name}


def _with_null_data(value: Any, dice: random.Random) -> Any:
    return value | {"data" if "data" in value else next(iter(value), "data"): None}


def _with_other_type(value: Any, dice: random.Random) -> Any:
    name = "data" if "data" in value else next(iter(value), "data")
    return value | {name: {} if isinstance(value.get(name), list) else []}


def _with_extra_fields(value: Any, dice: random.Random) -> Any:
    if isinstance(value, list):
        return [_with_extra_fields(item, dice) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: _with_extra_fields(inner, dice) for key, inner in value.items()} | {"unheardOf": {"version": 2}}


def _with_hostile_names(value: Any, dice: random.Random) -> Any:
    entries = value["data"]
    name_field = "miningAccountName" if entries and "miningAccountName" in entries[0] else "name"
    pattern = entries[0] if entries else {"createdAt": 1_760_000_000}
    value["data"] = entries + [pattern | {name_field: name} for name in HOSTILE_NAMES]
    return value


def _scrambled(value: Any, dice: random.Random) -> Any:
    points = value["data"]["hashrate"]
    if len(points) >= 3:
        points.pop(dice.randrange(len(points)))
        points.append(dict(points[0]))
        points.append(points[-2] | {"timestamp": points[-2]["timestamp"] + 10 * 365 * 86_400})
        dice.shuffle(points)
    return value


def _in_hashes(value: Any, dice: random.Random) -> Any:
    for point in value["data"]["hashrate"]:
        point["hashrate"] = f"{float(point['hashrate']) * 1e12:.0f}"
    return value


def field(name: str, wrong: str) -> Spoiler:
    """One record of the page, chosen by the dice, says `wrong`."""

    def change(value: Any, dice: random.Random) -> Any:
        if value["data"]:
            dice.choice(value["data"])[name] = wrong
        return value

    return _on_value(change)


def amount(wrong: str) -> Spoiler:
    return field("totalReward", wrong)


data_missing = _on_value(_without_data)
data_null = _on_value(_with_null_data)
data_of_wrong_type = _on_value(_with_other_type)
extra_fields = _on_value(_with_extra_fields)
hostile_names = _on_value(_with_hostile_names)
points_scrambled = _on_value(_scrambled)
hashrate_in_hashes = _on_value(_in_hashes)
