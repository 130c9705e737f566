"""A reward as the pool writes it, and pages of such."""

from __future__ import annotations

import json
from typing import Any

from mining.pool.answers import parsing
from mining.pool.answers.strict_json import ExtraFields, read_json
from mining.pool.answers.types import RewardsPage

REWARD: dict[str, Any] = {
    "miningAccountName": "north",
    "payoutDestination": "external_address",
    "payoutTransactionHash": "ab" * 32,
    "payoutAddress": "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
    "payoutTime": 1763856000,
    "rewardCurrency": "BTC",
    "totalReward": "0.001000000000000001",
    "reward": "0.000975000000000001",
    "fee": "0.000025",
    "fppsRate": "0.00000042",
    "hashRate": "500000000000000",
    "date": 1763769600,
    "status": "successful",
}


def unchanged(text: str, limit: int) -> str:
    return text[:limit]


def page_of(*records: Any, extra: ExtraFields | None = None) -> RewardsPage:
    body = json.dumps({"offset": 0, "limit": 100, "data": list(records)}).encode()
    return rewards(body, extra)


def rewards(body: bytes, extra: ExtraFields | None = None) -> RewardsPage:
    return parsing.parse_rewards(read_json(body), extra if extra is not None else ExtraFields(unchanged), unchanged)


def reason(**changes: Any) -> str:
    """Why a reward with these changes is quarantined; "" when it is not."""
    page = page_of(REWARD | changes)
    return page.rejected[0].reason if page.rejected else ""
