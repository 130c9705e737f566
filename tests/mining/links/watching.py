"""One customer's account whose watcher links, and whose payouts, are asked for and settled as a worker would."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from mining import intents
from mining.links import issuing
from mining.links import room as link_room
from mining.links.room import Room
from mining.models import MiningAccount, PoolIntent, WatcherLink
from tests.mining.hosting import Hosting
from tests.mining.test_accounts import onboard

# After the call: what is not there at either time is certainly not there.
LOOKED, SETTLED = timedelta(seconds=56), timedelta(seconds=59.6)


@dataclass
class Watched:
    hosting: Hosting
    account: MiningAccount
    now: datetime

    def later(self, **duration: float) -> datetime:
        """Moves the pool's clock along, and this one's."""
        self.now += timedelta(**duration)
        self.hosting.pool.clock(now=self.now)
        return self.now

    def issue(self, *permissions: str, lifetime: str = "7d", **asked: Any) -> WatcherLink:
        with self.hosting.context():
            return issuing.issue_link(
                self.hosting.access,
                self.account,
                permissions=permissions or ("dashboard",),
                lifetime=lifetime,
                **({"now": self.now} | asked),
            )

    def settle(self, link: WatcherLink, *, after: timedelta = timedelta()) -> WatcherLink:
        with self.hosting.context():
            intent = PoolIntent.objects.get(watcher_link=link)
        self.look(intent, after=after)
        return self.link(link)

    def look(self, intent: PoolIntent, *, after: timedelta = timedelta()) -> None:
        """As workers do: what is to be certain is looked at twice."""
        for moment in (LOOKED, SETTLED) if after == SETTLED else (after,):
            intents.settle_intent(self.hosting.provider.pk, intent.pk, now=self.now + moment)

    def made(self, *permissions: str, **asked: Any) -> WatcherLink:
        return self.settle(self.issue(*permissions, **asked))

    def link(self, link: WatcherLink) -> WatcherLink:
        with self.hosting.context():
            return WatcherLink.objects.select_related("successor").get(pk=link.pk)

    def links(self, **wanted: Any) -> list[WatcherLink]:
        with self.hosting.context():
            return list(WatcherLink.objects.filter(mining_account=self.account, **wanted).order_by("pk"))

    def intents(self, **wanted: Any) -> list[PoolIntent]:
        with self.hosting.context():
            return list(PoolIntent.objects.filter(**wanted).order_by("pk"))

    def room(self) -> Room:
        with self.hosting.context():
            account = MiningAccount.objects.get(pk=self.account.pk)
            return link_room.room(self.hosting.access, account, now=self.now)

    def at_pool(self) -> list[dict[str, Any]]:
        """The active links of this account that there really are."""
        users = self.hosting.pool.truth()["users"]
        user = next(user for user in users if user["login"] == self.hosting.login)
        return [link for link in user["links"] if self.account.name in link["accounts"] and link["active"]]

    def outside(self, **facts: Any) -> dict[str, Any]:
        """Somebody makes a link on the website."""
        made = {"login": self.hosting.login, "accounts": [self.account.name], "name": "by_hand"} | facts
        return self.hosting.pool.edit("add_link", **made)

    def sync(self) -> Any:
        return self.hosting.sync("watchers")


def watched(hosting: Hosting) -> Watched:
    """The pool's clock is set to now: links have an end."""
    now = timezone.now()
    hosting.pool.clock(now=now)
    hosting.sync("accounts")
    onboard(hosting, "south", adopt=True)
    return Watched(hosting, hosting.account("south"), now)
