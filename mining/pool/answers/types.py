"""What the pool says, in our units: exact Decimals in BTC, UTC moments, hashrates with the unit in the name.

`unread` names the fields that only decorate, were sent in a form that nobody can read, and are None therefore.
"""

from __future__ import annotations

import decimal
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType

# One for all the records that have none.
NOTHING: Mapping[str, str] = MappingProxyType({})

# 100 digits: more than any amount that the parser lets through, so nothing is rounded here.
_EXACT = decimal.Context(prec=100, traps=[decimal.InvalidOperation])


@dataclass(frozen=True)
class PoolAccount:
    name: str
    created_at: datetime | None
    unread: tuple[str, ...] = ()


@dataclass(frozen=True)
class AccountsPage:
    """In the pool's order. `rejected`: entries that name no account that we could have."""

    accounts: tuple[PoolAccount, ...]
    rejected: tuple[RejectedRecord, ...]


@dataclass(frozen=True)
class RewardRecord:
    """One reward as the pool lists it now. `status` and `destination` are the pool's words, known to us or not."""

    account: str
    reward_at: datetime
    currency: str
    total: Decimal
    net: Decimal
    fee: Decimal
    total_raw: str
    net_raw: str
    fee_raw: str
    fpps_rate: Decimal | None
    hashrate_hs: Decimal | None
    status: str
    destination: str
    address: str | None
    transaction_hash: str | None
    paid_at: datetime | None
    # The documented fields only: a field that the pool adds one day must not make every record look changed.
    raw: Mapping[str, str | int | None] = field(compare=False, repr=False)
    # With the pool's text for each, which the canonical text keeps (so the observation of a reward has it).
    unread: Mapping[str, str] = field(default_factory=lambda: NOTHING, hash=False, repr=False)

    def canonical(self) -> str:
        """The same text for the same record, whether numbers came as 0.10, "0.1" or 1e-1, in whatever order."""
        plain: dict[str, str | int | None] = dict(self.raw)
        for name, amount in (
            ("totalReward", self.total),
            ("reward", self.net),
            ("fee", self.fee),
            ("fppsRate", self.fpps_rate),
            ("hashRate", self.hashrate_hs),
        ):
            plain[name] = None if amount is None else _plain(amount)
        plain["date"] = int(self.reward_at.timestamp())
        plain["payoutTime"] = None if self.paid_at is None else int(self.paid_at.timestamp())
        plain["payoutAddress"] = self.address
        plain["payoutTransactionHash"] = self.transaction_hash
        if self.unread:
            return json.dumps(plain | {"unread": dict(self.unread)}, sort_keys=True, separators=(",", ":"))
        return json.dumps(plain, sort_keys=True, separators=(",", ":"))


def _plain(amount: Decimal) -> str:
    # Without its sign: no amount is negative, but a zero can be.
    return format(amount.copy_abs().normalize(_EXACT), "f")


@dataclass(frozen=True)
class RejectedRecord:
    """A record that could not be read. `raw` is what came, redacted, at most 4 kB."""

    reason: str
    raw: str


@dataclass(frozen=True)
class RewardsPage:
    """`limit` is what the pool says it served by, which may be less than what was asked for."""

    records: tuple[RewardRecord, ...]
    rejected: tuple[RejectedRecord, ...]
    limit: int
    offset: int


@dataclass(frozen=True)
class HashratePoint:
    at: datetime
    hashrate_ths: Decimal
    # A share: 0.01 is one per cent.
    reject_rate: Decimal | None


@dataclass(frozen=True)
class HashrateSeries:
    """`left_out`: points without a moment or a hashrate that can be read. What is missing is unknown, never zero."""

    points: tuple[HashratePoint, ...]
    left_out: int = 0
    unread: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stratum:
    url: str
    workers: int


@dataclass(frozen=True)
class MinersInfo:
    fee_percent: Decimal | None
    online: int
    offline: int
    low: int
    stratum: tuple[Stratum, ...]
    unread: tuple[str, ...] = ()


@dataclass(frozen=True)
class PayoutDestination:
    destination: str
    address: str | None


@dataclass(frozen=True)
class WorkerNames:
    """Names of the workers that are online now: who is offline is not listed. `limit` is what the pool served by."""

    names: tuple[str, ...]
    rejected: tuple[RejectedRecord, ...]
    limit: int
    offset: int


@dataclass(frozen=True)
class WorkerPoint:
    at: datetime
    hashrate_ths: Decimal


@dataclass(frozen=True)
class WorkerSeries:
    """`left_out` as in HashrateSeries."""

    points: tuple[WorkerPoint, ...]
    left_out: int = 0


@dataclass(frozen=True)
class CreatedLink:
    """`live_until` None: for ever. The address opens the page for anybody who has it, so it is in no repr."""

    id: str
    url: str = field(repr=False)
    live_until: datetime | None
    created_at: datetime | None


@dataclass(frozen=True)
class ListedLink:
    """An active watcher link as the pool lists it. `permissions` are the pool's words, known to us or not."""

    id: str
    name: str
    accounts: tuple[str, ...]
    permissions: tuple[str, ...]
    url: str = field(repr=False)
    live_until: datetime | None
    created_at: datetime | None
    unread: tuple[str, ...] = ()


@dataclass(frozen=True)
class WatcherLinks:
    links: tuple[ListedLink, ...]
    rejected: tuple[RejectedRecord, ...]


@dataclass(frozen=True)
class PoolDay:
    at: datetime
    hashrate_hs: Decimal


@dataclass(frozen=True)
class PoolOverview:
    """The whole pool as its public page tells it: hashrate in H/s now and on the last days, newest block."""

    location: str
    workers: int
    hashrate_hs: Decimal
    last_days: tuple[PoolDay, ...]
    stratum_urls: tuple[str, ...]
    newest_block_height: int | None
    newest_block_at: datetime | None


@dataclass(frozen=True)
class DailyPrice:
    """One UTC day of a market, in the quoted currency (USDT for BTC_USDT). Volume in BTC."""

    day: date
    open: Decimal
    close: Decimal
    high: Decimal
    low: Decimal
    volume_btc: Decimal
