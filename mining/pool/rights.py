"""What to ask each endpoint with, only to learn whether a key may use it: nothing can come of it.

What only reads is asked for the least there is. The three that act are asked for what the documented rules refuse in
every parameter at once: names are letters, digits and _, so no account, link or destination can be called `-`.
"""

from __future__ import annotations

from typing import NoReturn

from mining.pool.reading import Unreadable
from mining.pool.signing import Json

IMPOSSIBLE = "-"
ACTING = ("accounts/create", "payout-destination/edit", "watcher-links/create")
ENDPOINTS = (
    *("accounts", "rewards", "hashrate", "payout-destination", "miners/info"),
    *("workers/names", "workers/hashrate", "watcher-links/list"),
    *ACTING,
)


def harmless(endpoint: str, account: str | None) -> dict[str, Json]:
    """`account`: one of the key's own, where there is one, so that reading it is answered."""
    name = account or IMPOSSIBLE
    questions: dict[str, dict[str, Json]] = {
        "accounts": {"limit": 1},
        "rewards": {"limit": 1},
        "hashrate": {"account": name, "interval": "24h"},
        "payout-destination": {"accountName": name},
        "miners/info": {"account": name},
        "workers/names": {"account": name, "limit": 1},
        "workers/hashrate": {"account": name, "worker": IMPOSSIBLE, "interval": "24h"},
        "watcher-links/list": {"account": name},
        "accounts/create": {"name": IMPOSSIBLE},
        "payout-destination/edit": {"accountName": IMPOSSIBLE, "destination": IMPOSSIBLE},
        "watcher-links/create": {
            "accounts": [IMPOSSIBLE], "name": IMPOSSIBLE, "permissions": [IMPOSSIBLE], "liveUntil": IMPOSSIBLE
        },
    }  # fmt: skip
    return questions[endpoint]


def answered(_document: object) -> bool:
    return True


def must_not_be_answered(_document: object) -> NoReturn:
    raise Unreadable("did_the_impossible")
