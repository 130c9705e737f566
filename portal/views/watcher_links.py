"""Watcher links as pages show them, to staff and to customers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from mining.links.rules import RENEW_BEFORE
from mining.models import WatcherLink

ENDED = "ended"
# A worker makes a link within seconds: one that waits for longer can be given up, and after minutes nobody sits and
# watches for it any more.
WAITS_AFTER, WATCHED_FOR = timedelta(minutes=1), timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class LinkRow:
    link: WatcherLink
    live: bool  # whoever has the address sees the page
    over: bool
    young: bool  # handed on rather than renewed
    being_made_for: timedelta | None  # None: it is not being made

    @property
    def state(self) -> str:
        return ENDED if self.over else str(self.link.state)

    @property
    def is_followed(self) -> bool:
        """Whether the link's successor has been made, or is being made."""
        successor = self.link.successor
        return successor is not None and successor.state != WatcherLink.State.FAILED

    @property
    def renews_from(self) -> datetime | None:
        """When the successor of a link that renews itself is asked for."""
        return self.link.live_until and self.link.live_until - RENEW_BEFORE

    @property
    def waits(self) -> bool:
        return self.being_made_for is not None and self.being_made_for >= WAITS_AFTER

    @property
    def is_watched(self) -> bool:
        """Whether the page refreshes itself until the link is made."""
        return self.being_made_for is not None and self.being_made_for < WATCHED_FOR


def link_row(link: WatcherLink, *, now: datetime) -> LinkRow:
    being_made = now - link.created_at if link.state == WatcherLink.State.CREATING else None
    return LinkRow(link, link.is_live(now), link.is_over(now), link.is_young(now), being_made)
