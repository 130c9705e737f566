"""What a token may do, in words: for the page where one is made, and wherever its scopes are shown."""

from __future__ import annotations

from typing import Any, NamedTuple

from portal.api.auth import EVERYTHING, LINKS_FOREVER, MONEY, READ_EVERYTHING
from portal.api.base import Resource
from portal.api.urls import RESOURCES

# Scopes that stand for themselves, and what they open.
BY_ITSELF = {
    EVERYTHING: "do everything, money and new tokens too",
    READ_EVERYTHING: "read everything",
    MONEY: "issue documents, approve rewards, accept payout destinations",
    LINKS_FOREVER: "make watcher links that never end",
}
# Nouns that people know by other words.
NOUNS = {
    "credentials": "pool keys",
    "intents": "acts at the pool",
    "members": "customers' people",
    "tokens": "API tokens",
}


class Choice(NamedTuple):
    """One row of the matrix: a resource that is built, and which of its two scopes mean anything."""

    words: str
    read: str
    write: str


def in_words(scope: str) -> str:
    if scope in BY_ITSELF:
        return BY_ITSELF[scope]
    noun, _, act = scope.partition(":")
    return f"{'read' if act == 'read' else 'change'} {_noun(noun)}"


def choices() -> list[Choice]:
    return [
        Choice(
            _capital(_noun(resource.resource)),
            f"{resource.resource}:read",
            f"{resource.resource}:write" if _writes(resource) else "",
        )
        for resource in RESOURCES
    ]


def _capital(words: str) -> str:
    """Not capitalize(): it would write Api tokens."""
    return words[0].upper() + words[1:]


def _noun(noun: str) -> str:
    return NOUNS.get(noun, noun.replace("-", " "))


def _writes(resource: type[Resource[Any]]) -> bool:
    acts: list[Any] = resource.get_extra_actions()
    return (
        any("post" in act.mapping for act in acts) or hasattr(resource, "create") or hasattr(resource, "partial_update")
    )
