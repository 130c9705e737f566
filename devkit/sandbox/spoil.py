"""Ways to spoil a good answer: same status, something wrong inside."""

import json
import random
import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from .answers import JSON, Answer, encode

Spoiler = Callable[[Answer, random.Random], Answer]

_STRING_NUMBERS = re.compile(
    rb'"(totalReward|reward|fee|fppsRate|hashRate|hashrate|current_hash_rate|last_price|base_volume|quote_volume)"'
    rb':"([0-9.]+)"'
)
_PLAIN_NUMBERS = re.compile(
    rb'"(date|payoutTime|time|timestamp|rejectRate|createdAt|liveUntil|online|offline|low|workers|workersCount|limit'
    rb'|offset|block_found_at|block_height)":([0-9.]+)'
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
    "Case_Twin",
    "case_TWIN",
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


def _on_data(change: Callable[[dict[str, Any], str], Any]) -> Spoiler:
    """Payout destinations and most public answers have no `data` around them: there the first field suffers."""

    def changed(value: Any, dice: random.Random) -> Any:
        if not isinstance(value, dict):  # ping's list
            return {}
        return change(value, "data" if "data" in value else next(iter(value), "data"))

    return _on_value(changed)


def _without(value: dict[str, Any], name: str) -> Any:
    return {key: inner for key, inner in value.items() if key != name}


def _with_null(value: dict[str, Any], name: str) -> Any:
    return value | {name: None}


def _with_other_type(value: dict[str, Any], name: str) -> Any:
    return value | {name: {} if isinstance(value.get(name), list) else []}


def _with_extra_fields(value: Any, dice: random.Random) -> Any:
    if isinstance(value, list):
        return [_with_extra_fields(item, dice) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: _with_extra_fields(inner, dice) for key, inner in value.items()} | {"unheardOf": {"version": 2}}


def _with_hostile_names(value: Any, dice: random.Random) -> Any:
    entries = value["data"]
    if isinstance(entries, dict):  # workers/names: texts, and twins but for their case
        entries["workers"] += [*HOSTILE_NAMES, *(name.swapcase() for name in entries["workers"][:1])]
        return value
    name_field = "miningAccountName" if entries and "miningAccountName" in entries[0] else "name"
    pattern = entries[0] if entries else {"createdAt": 1_760_000_000}
    value["data"] = entries + [pattern | {name_field: name} for name in HOSTILE_NAMES]
    return value


def _scrambled(value: Any, dice: random.Random) -> Any:
    points = _points(value)
    if len(points) >= 3:
        moment = "timestamp" if "timestamp" in points[0] else "time"
        points.pop(dice.randrange(len(points)))
        points.append(dict(points[0]))
        points.append(points[-2] | {moment: points[-2][moment] + 10 * 365 * 86_400})
        dice.shuffle(points)
    return value


def _in_hashes(value: Any, dice: random.Random) -> Any:
    for point in _points(value):
        point["hashrate"] = f"{float(point['hashrate']) * 1e12:.0f}"
    return value


def _points(value: Any) -> list[dict[str, Any]]:
    data = value["data"]
    points: list[dict[str, Any]] = data["hashrate" if "hashrate" in data else "hashrates"]
    return points


def _on_paid(changes: dict[str, Any]) -> Spoiler:
    def change(value: Any, dice: random.Random) -> Any:
        value["data"] = [r | changes if r["status"] == "successful" else r for r in value["data"]]
        return value

    return _on_value(change)


def _with_more_reward(value: Any, dice: random.Random) -> Any:
    if value["data"]:
        record = dice.choice(value["data"])
        for name in ("totalReward", "reward"):
            record[name] = format(Decimal(record[name]) + Decimal("0.00000001"), "f")
    return value


def _with_unknown_destination(value: Any, dice: random.Random) -> Any:
    records = value.get("data", [value])
    if records:
        dice.choice(records)["payoutDestination"] = "cold_storage"
    return value


_CAMEL = re.compile(r"_([a-z])")


def _camel(value: Any) -> Any:
    if isinstance(value, list):
        return [_camel(item) for item in value]
    if isinstance(value, dict):
        return {_CAMEL.sub(lambda found: found[1].upper(), name): _camel(inner) for name, inner in value.items()}
    return value


def localized(answer: Answer, dice: random.Random) -> Answer:
    """Status, code and the names of fields stay as they are; every sentence is another one."""
    if answer.content_type != JSON:
        return answer
    value = json.loads(answer.body)
    sentence = dice.choice(("Вказано хибне значення.", "miningPool.validation.{}", "Недійсне поле {}."))
    value["errors"] = {name: [sentence.format(name)] for name in value["errors"]}
    messages = ("Помилка валідації", "validation.failed") if value["errors"] else ("Запит відхилено.", "api.refused")
    value["message"] = dice.choice(messages)
    return replace(answer, body=encode(value))


def field(name: str, wrong: str) -> Spoiler:
    """One record of the page, chosen by the dice, says `wrong`."""

    def change(value: Any, dice: random.Random) -> Any:
        if value["data"]:
            dice.choice(value["data"])[name] = wrong
        return value

    return _on_value(change)


def amount(wrong: str) -> Spoiler:
    return field("totalReward", wrong)


data_missing = _on_data(_without)
data_null = _on_data(_with_null)
data_of_wrong_type = _on_data(_with_other_type)
status_back = _on_paid({"status": "pending", "payoutTime": None, "payoutTransactionHash": None})
hash_late = _on_paid({"payoutTransactionHash": None})
amount_changed = _on_value(_with_more_reward)
destination = _on_value(_with_unknown_destination)
overview_as_list = _on_value(lambda value, dice: {"data": [_camel(value["data"])]})
extra_fields = _on_value(_with_extra_fields)
hostile_names = _on_value(_with_hostile_names)
points_scrambled = _on_value(_scrambled)
hashrate_in_hashes = _on_value(_in_hashes)
