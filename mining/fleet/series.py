"""Hashrate of an account over time, at one of the pool's three intervals. A missing point is None: unknown, not 0."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from customers.tenancy import Access
from mining.fleet.hashrate import DAILY, FINE, HOURLY, Kind
from mining.models import MiningAccount

__all__ = ["DAILY", "FINE", "HOURLY", "Place", "series"]


@dataclass(frozen=True, slots=True)
class Place:
    """One interval, by its start."""

    at: datetime
    hashrate_ths: Decimal | None


def series(access: Access, account: MiningAccount, kind: Kind, *, length: timedelta, now: datetime) -> list[Place]:
    """Every interval of the length up to the one that runs, oldest first. One query."""
    step = kind.step
    last = datetime.fromtimestamp(now.timestamp() // step.total_seconds() * step.total_seconds(), tz=now.tzinfo)
    first = last - length + step
    rows = kind.model._default_manager.filter(
        provider=access.provider, mining_account=account, at__gte=first, at__lt=last + step
    )
    # Stamped otherwise than at a whole interval: it is that interval's all the same.
    known = {(at - first) // step: ths for at, ths in rows.order_by("at").values_list("at", "hashrate_ths")}
    return [Place(first + number * step, known.get(number)) for number in range(length // step)]


def hourly(
    access: Access, accounts: Iterable[MiningAccount], *, hours: int, now: datetime
) -> dict[int, list[Decimal | None]]:
    """By account's key, oldest first, up to the hour before the one that runs. One query, however many accounts."""
    last = now.replace(minute=0, second=0, microsecond=0)
    first = last - hours * HOURLY.step
    keys = [account.pk for account in accounts]
    rows = HOURLY.model._default_manager.filter(
        provider=access.provider, mining_account__in=keys, at__gte=first, at__lt=last
    )
    found: dict[int, list[Decimal | None]] = {key: [None] * hours for key in keys}
    for key, at, ths in rows.values_list("mining_account_id", "at", "hashrate_ths"):
        found[key][(at - first) // HOURLY.step] = ths
    return found
