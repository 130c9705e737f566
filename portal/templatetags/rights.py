"""What a pool key may be used for, in words."""

from datetime import UTC, datetime
from typing import NamedTuple

from django import template

from portal.templatetags.units import plain_date

register = template.Library()

# By the pool's endpoint, in the order in which one needs them.
RIGHTS = {
    "accounts": "list accounts",
    "rewards": "read rewards",
    "hashrate": "read hashrate",
    "miners/info": "count machines",
    "payout-destination": "read where rewards go",
    "workers/names": "name machines",
    "workers/hashrate": "read each machine's hashrate",
    "watcher-links/list": "list watcher links",
    "watcher-links/create": "make watcher links",
    "accounts/create": "create accounts",
    "payout-destination/edit": "change where rewards go",
}


class Right(NamedTuple):
    words: str
    state: str  # has, lacks, unknown


@register.filter
def rights(endpoints: dict[str, bool | str]) -> list[Right]:
    """What neither the verification nor use has told is unknown, and not lacking."""
    return [_right(words, endpoints.get(name)) for name, words in RIGHTS.items()]


def _right(words: str, told: bool | str | None) -> Right:
    if isinstance(told, str):  # a right can be taken away since, so the day stands beside it
        return Right(f"{words} (used on {plain_date(datetime.fromisoformat(told).replace(tzinfo=UTC))})", "has")
    return Right(words, {True: "has", False: "lacks", None: "unknown"}[told])


@register.filter
def in_state(rights: list[Right], state: str) -> list[str]:
    return [right.words for right in rights if right.state == state]
