"""What the machines did: hashrate points, counts of workers, the workers and their outages.

States are kept as changes. A change is known to lie in (not_before, at]: the last reading that saw otherwise, and the
first that saw it. What was not read (mining/models/coverage.py) is unknown, never 0 and never down.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from customers.codes import new_code
from customers.models import Customer, TenantModel
from mining.models.accounts import MiningAccount
from mining.models.series import Millionths, SeriesModel


class Point(SeriesModel):
    """The average of one interval, stamped with its start, as the pool says it."""

    pk = models.CompositePrimaryKey("provider_id", "mining_account_id", "at")
    at = models.DateTimeField()
    hashrate_ths = Millionths(db_column="ths_micro")
    reject_rate = Millionths(null=True, db_column="reject_ppm")  # 0.01 is 1 %

    updatable: ClassVar[tuple[str, ...] | None] = ("ths_micro", "reject_ppm")

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(condition=Q(hashrate_ths__gte=0), name="%(app_label)s_%(class)s_not_negative")
        ]


class HashratePoint5m(Point):
    """Five minutes; kept for 30 days."""


class HashratePoint(Point):
    """One hour; kept for 13 months."""

    class Meta(Point.Meta):
        indexes = [models.Index(fields=["provider", "at"], name="mining_point_at")]  # the sum over all accounts


class HashratePoint24h(Point):
    """One day (UTC); kept for ever."""


class Counts(SeriesModel):
    """How many workers of an account the pool counted, and its fee, from `at` on until the next row."""

    pk = models.CompositePrimaryKey("provider_id", "mining_account_id", "at")
    at = models.DateTimeField()
    not_before = models.DateTimeField()  # the first row of an account: its own moment
    online = models.PositiveIntegerField()
    low = models.PositiveIntegerField()
    offline = models.PositiveIntegerField()
    fee_ppm = models.PositiveIntegerField(null=True)  # 25,000 is 2.5 %

    updatable: ClassVar[tuple[str, ...] | None] = ("online", "low", "offline", "fee_ppm")

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(not_before__lte=F("at")), name="mining_counts_in_order")]


class Worker(TenantModel):
    """The roster: every machine that was ever listed, by its exact name. The pool itself names online ones only."""

    code = models.CharField(max_length=32, default=partial(new_code, "wrk"), editable=False)
    mining_account = models.ForeignKey(
        MiningAccount, models.PROTECT, db_constraint=False, db_index=False, related_name="workers"
    )
    customer = models.ForeignKey(
        Customer, models.PROTECT, null=True, db_constraint=False, db_index=False, related_name="+"
    )
    name = models.CharField(max_length=255, db_collation="C")  # hostile text; names may differ in case alone
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()  # of one that is up: when it last came up; it is seen with each reading since
    retired_at = models.DateTimeField(null=True)  # out of every count until it is heard again
    site = models.CharField(max_length=64, blank=True, default="")

    customer_field = "customer"

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "code"], name="mining_worker_code"),
            models.UniqueConstraint(fields=["provider", "mining_account", "name"], name="mining_worker_name"),
        ]


class Outage(SeriesModel):
    """A time in which a worker was missing from the pool's list."""

    class State(models.TextChoices):
        DOWN = "down"
        UNKNOWN = "unknown"  # the list and the counts did not agree, so that nothing follows from its missing

    pk = models.CompositePrimaryKey("provider_id", "mining_account_id", "worker_id", "from_at")
    worker = models.ForeignKey(Worker, models.PROTECT, db_constraint=False, db_index=False, related_name="outages")
    state = models.CharField(max_length=8, choices=State, default=State.DOWN)
    from_at = models.DateTimeField()
    from_not_before = models.DateTimeField()
    until_at = models.DateTimeField(null=True)
    until_not_before = models.DateTimeField(null=True)
    retired_at = models.DateTimeField(null=True)  # from here on it was no worker of the account

    updatable: ClassVar[tuple[str, ...] | None] = ("state", "until_at", "until_not_before", "retired_at")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(from_not_before__lte=F("from_at"))
                & (
                    Q(until_at=None, until_not_before=None)
                    | Q(until_at__gte=F("until_not_before"), until_not_before__gte=F("from_at"))
                ),
                name="mining_outage_in_order",
            ),
        ]
        indexes = [
            models.Index(
                fields=["provider", "mining_account", "worker"], condition=Q(until_at=None), name="mining_outage_open"
            ),
            models.Index(
                fields=["provider", "mining_account"],
                condition=Q(retired_at__isnull=False),
                name="mining_outage_retired",
            ),
        ]
