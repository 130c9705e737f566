"""How many watcher links an account may still have, and which of them end without a successor."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from customers.tenancy import Access
from mining.links.reconcile import MOST_ACTIVE, NOT_RENEWED
from mining.links.rules import MOST_RENEWALS, RENEW_BEFORE, RENEWED_BY, UNSEEN_HOLDS, State, to_renew
from mining.models import MiningAccount, WatcherLink
from mining.models.links import WatcherLinkQuerySet


@dataclass(frozen=True, slots=True)
class Room:
    """How many links of an account may be active at the pool, those that are being made included."""

    used: int  # never more than `most`
    most: int
    next_end_at: datetime | None  # None: none of them is known to end
    unseen: int  # of those that are used: no rows of ours, and nobody knows when they end
    counted_at: datetime | None  # of what others made the pool's list tells, as of then; None: it was never read
    # Links, by their primary key, that renew themselves and find no place for that before they end: each is followed
    # only once it has ended, so that for minutes neither address opens anything.
    renewed_late: frozenset[int]
    is_full: bool  # by our rows and what the pool told within UNSEEN_HOLDS; otherwise one more may be asked for


def room(access: Access, account: MiningAccount, *, now: datetime) -> Room:
    own = WatcherLink.objects.visible_to(access).filter(mining_account=account).select_related("successor")
    taken = list(own.taking_room(now))
    ends = [link.live_until for link in taken if link.state == State.ACTIVE and link.live_until is not None]
    ours, read_at = min(len(taken), MOST_ACTIVE), account.links_read_at
    unseen = min(account.links_unseen, MOST_ACTIVE - ours)
    late = _renewed_late(taken) if ours + unseen == MOST_ACTIVE else frozenset()
    holding = unseen if read_at is not None and now - read_at < UNSEEN_HOLDS else 0
    is_full = ours + holding == MOST_ACTIVE
    return Room(ours + unseen, MOST_ACTIVE, min(ends, default=None), unseen, read_at, late, is_full)


def _renewed_late(taken: list[WatcherLink]) -> frozenset[int]:
    """Of links that leave no place free. One that ends sooner frees its place, unless its own next one takes that."""
    ends = [(link, link.live_until) for link in taken if link.state == State.ACTIVE and link.live_until is not None]
    freed_at = min((end for link, end in ends if not _will_be_followed(link)), default=None)
    return frozenset(link.pk for link, end in ends if _will_be_followed(link) and (freed_at is None or end <= freed_at))


def _will_be_followed(link: WatcherLink) -> bool:
    """It renews itself, and its new one is still to be made."""
    if not link.renews or link.successor is None:
        return link.renews
    return link.successor.state == State.FAILED and link.renewals_failed < MOST_RENEWALS


def not_renewed(links: WatcherLinkQuerySet, *, now: datetime) -> WatcherLinkQuerySet:
    """Those that should have renewed themselves by now and have no successor that works."""
    told = Q(live_until__lte=now + RENEWED_BY) | Q(live_until__lte=now + RENEW_BEFORE, renewals_failed__gt=0)
    told |= Q(live_until__lte=now + RENEW_BEFORE, problem__startswith=NOT_RENEWED)
    return links.filter(to_renew(now), told).exclude(successor__state=State.ACTIVE)
