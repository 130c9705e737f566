"""Watcher links as pages show them, to staff and to customers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from mining.models import WatcherLink

ENDED = "ended"
SOON = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class LinkRow:
    link: WatcherLink
    live: bool  # whoever has the address sees the page

    @property
    def state(self) -> str:
        """The link's own, but a time that is over says so before the pool's list is read again."""
        return ENDED if self.link.state == WatcherLink.State.ACTIVE and not self.live else str(self.link.state)


def link_row(link: WatcherLink, *, now: datetime) -> LinkRow:
    return LinkRow(link, link.is_live(now))


def live(links: QuerySet[WatcherLink], *, now: datetime) -> QuerySet[WatcherLink]:
    return links.filter(Q(live_until=None) | Q(live_until__gt=now), state=WatcherLink.State.ACTIVE)
