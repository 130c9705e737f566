"""When a watcher link renews itself, how often it is tried, and how long it holds a place."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import F, Q

from mining.models import WatcherLink
from mining.sync.reading import READ_AT_GRAIN

State, Origin = WatcherLink.State, WatcherLink.Origin


RENEW_BEFORE = timedelta(hours=24)
# A renewal that failed is tried again after this, then after twice as long, and at the link's end, which frees its
# place: six tries, and then it is left to people, who are told. (The pool's cap stays full for hours; what it refuses
# else it goes on refusing.)
RENEW_AGAIN_AFTER = timedelta(hours=1)
MOST_RENEWALS = 6
# One that found no room before the end is made up for as long; then nobody has missed it.
RENEW_LATE = timedelta(days=7)
# So long links that are no rows of ours keep a place: nobody knows when they end, and the list is read once a day.
# After that one more is asked for: its worker reads the list first, and calls nothing when that is full.
UNSEEN_HOLDS = READ_AT_GRAIN
# When people are told that it has no successor yet.
RENEWED_BY = RENEW_BEFORE - timedelta(hours=1)
# When people are told that one ends, which does not renew itself.
ENDS_SOON = timedelta(days=2)


def to_renew(now: datetime) -> Q:
    """Renews itself, and is there or ended lately and in time."""
    in_time = Q(state=State.ACTIVE) | Q(state=State.GONE, ended_at=F("live_until"))
    return Q(in_time, renews=True, live_until__gt=now - RENEW_LATE)
