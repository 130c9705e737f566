"""What every customer page shows round its content: how old the pool's data is, and whom to ask."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.http import Http404

from customers.models import Customer
from customers.profile import profile_of
from customers.tenancy import Access
from mining import queries as mining
from mining.models import MiningAccount
from mining.payouts.views import PayoutView, payout_view
from portal.look import Look, look_of

# Readings come every 5 to 15 minutes and are stamped to within ten: what is older than this has missed several.
LATE_AFTER, LOST_AFTER = timedelta(minutes=90), timedelta(hours=6)


class Freshness(StrEnum):
    FRESH = "fresh"
    LATE = "late"  # shown, muted, with its age
    LOST = "lost"  # unknown, with the last known value
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Frame:
    account: MiningAccount | None
    read_at: datetime | None  # the oldest reading among those there are
    freshness: Freshness
    support_email: str
    support_phone: str
    support_url: str
    look: Look

    @property
    def is_old(self) -> bool:
        return self.freshness in (Freshness.LATE, Freshness.LOST)


def frame_of(access: Access, *, now: datetime) -> Frame:
    account = mining.account_of(access, customer_of(access))
    profile = profile_of(access)
    read_at = _oldest_reading(account) if account is not None else None
    return Frame(
        account,
        read_at,
        freshness(read_at, now=now),
        support_email=profile.support_email if profile else "",
        support_phone=profile.support_phone if profile else "",
        support_url=profile.support_url if profile else "",
        look=look_of(access.provider, profile),
    )


def drift_of(access: Access, frame: Frame) -> PayoutView | None:
    """What was agreed and what the pool does, when that is not the same. No query else."""
    if frame.account is None or frame.account.payout_drift_since is None:
        return None
    return payout_view(access, frame.account)


def customer_of(access: Access) -> Customer:
    if access.customer is None:
        raise Http404
    return access.customer


def freshness(read_at: datetime | None, *, now: datetime) -> Freshness:
    if read_at is None:
        return Freshness.NEVER
    age = now - read_at
    return Freshness.FRESH if age < LATE_AFTER else Freshness.LATE if age < LOST_AFTER else Freshness.LOST


def _oldest_reading(account: MiningAccount) -> datetime | None:
    # A part that was never read says so in its own place; it does not make the others "never read".
    read_at = (account.rewards_read_at, account.workers_read_at, account.hashrate_read_at)
    return min((moment for moment in read_at if moment is not None), default=None)
