"""Watcher links of the pool: pages anybody who has the address can look at. The pool cannot take one back."""

from datetime import datetime, timedelta
from functools import partial
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from customers.codes import new_code
from customers.models import Customer, TenantModel
from customers.tenancy import TenantQuerySet
from mining.models.accounts import MiningAccount

NEVER_ENDS = Q(live_until=None)
# What `problem` begins with when the link shows more than our words tell.
UNKNOWN_WORDS = "The pool names permissions that we do not know: "


class LinkPermission(models.TextChoices):
    """The pool's words for what a link shows, in the order in which they are stored and shown."""

    DASHBOARD = "dashboard"
    REWARDS = "rewards"
    WORKERS = "workers"


class LinkLifetime(models.TextChoices):
    HOUR = "1h"
    DAY = "24h"
    WEEK = "7d"
    ALWAYS = "always"

    @property
    def duration(self) -> timedelta | None:
        """None: for ever."""
        return {"1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7)}.get(self.value)

    @property
    def half(self) -> timedelta | None:
        """While so much is left a link is handed on, and no other one is made in its place. None: always."""
        return None if self.duration is None else self.duration / 2


class WatcherLinkQuerySet(TenantQuerySet["WatcherLink"]):
    """Reads of links. The pool's list is read once a day: a time that is over ends a link before it is read again."""

    def live(self, now: datetime) -> Self:
        """Whoever has the address sees the page."""
        return self.filter(NEVER_ENDS | Q(live_until__gt=now), state=WatcherLink.State.ACTIVE)

    def taking_room(self, now: datetime) -> Self:
        """Of whatever origin. What nobody knows of may be at the pool."""
        return self.filter(state__in=[WatcherLink.State.CREATING, WatcherLink.State.UNKNOWN]) | self.live(now)

    def over(self, now: datetime) -> Self:
        """Those that were there."""
        ended = Q(state=WatcherLink.State.ACTIVE, live_until__lte=now)
        return self.filter(ended | Q(state=WatcherLink.State.GONE))


class WatcherLink(TenantModel):
    """A link that shows one account. One made outside the portal that shows several stands once for each of them."""

    class State(models.TextChoices):
        CREATING = "creating"  # its intent says how far it is
        ACTIVE = "active"  # the pool lists it, until `live_until`
        FAILED = "failed"  # surely not made; `problem` says why
        UNKNOWN = "unknown"  # nobody knows whether the pool made it: needs a person
        GONE = "gone"  # the pool no longer lists it: it ended, or somebody asked WhiteBIT to end it

    class Origin(models.TextChoices):
        PORTAL = "portal"
        POOL = "pool"  # made outside the portal, found in the pool's list

    code = models.CharField(max_length=32, default=partial(new_code, "wlk"), editable=False)
    mining_account = models.ForeignKey(MiningAccount, models.PROTECT, db_constraint=False, related_name="watcher_links")
    # The account's customer, null while unassigned; filled in by the database like a reward's.
    customer = models.ForeignKey(Customer, models.PROTECT, null=True, db_constraint=False, related_name="+")
    state = models.CharField(max_length=16, choices=State)
    origin = models.CharField(max_length=16, choices=Origin)
    pool_id = models.CharField(max_length=64, null=True)  # null: the pool has not told one
    # Its name at the pool. Ours hold the intent's mark, by which a link whose answer was lost is found again.
    name = models.CharField(max_length=255)
    url = models.CharField(max_length=1000, null=True)
    permissions = ArrayField(models.CharField(max_length=16, choices=LinkPermission))
    lifetime = models.CharField(max_length=8, choices=LinkLifetime, null=True)  # as it was asked for; null: not by us
    live_until = models.DateTimeField(null=True)  # null: for ever (once it is active)
    shows_others = models.BooleanField(default=False)  # it shows other accounts too: never shown to this customer
    renewals_failed = models.PositiveSmallIntegerField(
        default=0
    )  # how many successors were not made, one after another
    renews = models.BooleanField(default=False)  # a new one is made before this one ends
    successor = models.ForeignKey("self", models.PROTECT, null=True, db_constraint=False, related_name="+")
    created_at = models.DateTimeField()  # when it was asked for; of one made outside the portal: at the pool
    seen_at = models.DateTimeField(null=True)  # first seen in the pool's list, or in its answer
    missing_since = models.DateTimeField(null=True)  # active, and first not listed by a reading that began then
    ended_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=500, blank=True, default="")

    customer_field = "customer"

    objects = WatcherLinkQuerySet.as_manager()  # type: ignore[misc]  # a manager, whatever mypy takes it for

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "code"], name="mining_link_code"),
            models.UniqueConstraint(fields=["provider", "mining_account", "pool_id"], name="mining_link_once"),
            models.CheckConstraint(
                condition=~Q(state="active") | Q(pool_id__isnull=False, url__isnull=False, seen_at__isnull=False),
                name="mining_link_active_is_known",
            ),
            models.CheckConstraint(
                condition=Q(renews=False) | Q(lifetime="7d", origin="portal"), name="mining_link_renews_weekly"
            ),
        ]
        indexes = [
            models.Index(fields=["provider", "-id"], name="mining_link_newest"),
            models.Index(fields=["provider", "mining_account", "-id"], name="mining_link_account"),
        ]

    def is_live(self, now: datetime) -> bool:
        return self.state == self.State.ACTIVE and (self.live_until is None or now < self.live_until)

    def is_over(self, now: datetime) -> bool:
        """It was there, and nobody sees the page any more."""
        return self.state == self.State.GONE or (self.state == self.State.ACTIVE and not self.is_live(now))

    def is_young(self, now: datetime) -> bool:
        """At least half of the life that was asked for is left."""
        half = LinkLifetime(self.lifetime).half if self.lifetime else None
        return half is not None and self.is_live(now) and self.live_until is not None and self.live_until >= now + half

    @property
    def shows_more(self) -> bool:
        """More than `permissions` tells."""
        return self.problem.startswith(UNKNOWN_WORDS)
