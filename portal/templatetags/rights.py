"""What a pool key may be used for, in words."""

from typing import NamedTuple

from django import template

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
def rights(endpoints: dict[str, bool]) -> list[Right]:
    """What the verification did not find out is unknown, and not lacking."""
    states = {True: "has", False: "lacks", None: "unknown"}
    return [Right(words, states[endpoints.get(name)]) for name, words in RIGHTS.items()]


@register.filter
def in_state(found: list[Right], state: str) -> list[str]:
    return [right.words for right in found if right.state == state]
