"""What to ask each endpoint with, only to learn whether a key may use it: nothing can come of it.

What only reads is asked for the least there is. The three that act are asked for what the documented rules refuse in
every parameter at once: names are letters, digits and _, so no account, link or destination can be called `-`. Each
request breaks several rules, because an account cannot be deleted and a link not taken back: a pool that forgets one
of its rules still has the others.
"""

from __future__ import annotations

from mining.pool.transport.signing import Json

IMPOSSIBLE = "-"
# One more than the documented most: 255 for a name, 50 for a referral code, 100 for an address.
LONG_NAME, LONG_CODE, LONG_ADDRESS = IMPOSSIBLE * 256, IMPOSSIBLE * 51, IMPOSSIBLE * 101
# The `problem` of a BadAnswer: the pool answered as if it had done what cannot be.
DID_THE_IMPOSSIBLE = "did_the_impossible"
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
        "accounts/create": {"name": LONG_NAME, "referralCode": LONG_CODE},
        "payout-destination/edit": {
            "accountName": LONG_NAME, "destination": IMPOSSIBLE, "address": LONG_ADDRESS
        },
        "watcher-links/create": {
            "accounts": [LONG_NAME], "name": LONG_NAME, "permissions": [IMPOSSIBLE], "liveUntil": IMPOSSIBLE
        },
    }  # fmt: skip
    return questions[endpoint]


def answered(_document: object) -> bool:
    return True
