"""Watcher links for the tests of pages, as a worker would have stored them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from customers import tenancy
from mining.models import MiningAccount, WatcherLink
from tests.world import NOW, Tenant

WEEK = timedelta(days=7)


def make_link(
    tenant: Tenant, account: MiningAccount, *, live_until: datetime | None = NOW + WEEK, **facts: Any
) -> WatcherLink:
    """An active link of 7 days that was issued here, unless told otherwise."""
    number = facts.pop("number", "")
    stored = {
        "state": "active",
        "origin": "portal",
        "name": "ours",
        "pool_id": f"pool-{account.pk}-{number}",
        "url": f"https://whitebit.com/mining-pool/watcher-link/{account.code}{number}",
        "permissions": ["dashboard", "workers"],
        "lifetime": "7d",
        "created_at": NOW,
        "seen_at": NOW,
    }
    with tenancy.access_context(tenant.system):
        return WatcherLink.objects.create(
            provider=tenant.provider,
            mining_account=account,
            customer_id=account.customer_id,
            live_until=live_until,
            **(stored | facts),
        )
