"""Uptime by day, and what it is measured against: exclusions, the number of workers that is expected, settings."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from customers.codes import new_code
from customers.models import Customer, TenantModel
from mining.models.fleet import Worker
from mining.models.series import SeriesModel


class Exclusion(TenantModel):
    """A time that counts for and against nobody: of a worker, a customer, a site, or (none of them) of all."""

    class Reason(models.TextChoices):
        MAINTENANCE = "maintenance", "Maintenance"
        CURTAILMENT = "curtailment", "Curtailment"
        POWER = "power", "Power"
        NETWORK = "network", "Network"
        HARDWARE = "hardware", "Customer's hardware"
        OTHER = "other", "Other"

    code = models.CharField(max_length=32, default=partial(new_code, "exc"), editable=False)
    # Of a worker: its customer too. Of a site or of all: null, and every customer of the provider may read it.
    customer = models.ForeignKey(Customer, models.PROTECT, null=True, db_constraint=False, related_name="+")
    worker = models.ForeignKey(Worker, models.PROTECT, null=True, db_constraint=False, related_name="exclusions")
    site = models.CharField(max_length=64, blank=True, default="")
    from_at = models.DateTimeField()
    until_at = models.DateTimeField(null=True)  # null: until it is ended
    reason = models.CharField(max_length=16, choices=Reason)
    note = models.CharField(max_length=500, blank=True, default="")
    entered_by = models.CharField(max_length=254)  # as the audit names people and programs
    entered_at = models.DateTimeField()

    customer_field = "customer"

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "code"], name="mining_exclusion_code"),
            models.CheckConstraint(
                condition=Q(until_at=None) | Q(until_at__gte=F("from_at")), name="mining_exclusion_in_order"
            ),
            models.CheckConstraint(
                condition=Q(site="") | Q(customer=None, worker=None), name="mining_exclusion_one_scope"
            ),
        ]
        indexes = [models.Index(fields=["provider", "-from_at", "-id"], name="mining_exclusion_newest")]


class ExpectedWorkers(SeriesModel):
    """How many workers an account is to have, by contract, from a day on; null: as many as are in the roster."""

    pk = models.CompositePrimaryKey("provider_id", "mining_account_id", "from_day")
    from_day = models.DateField()
    workers = models.PositiveIntegerField(null=True)

    updatable: ClassVar[tuple[str, ...] | None] = ("workers",)


class Basis(models.TextChoices):
    COUNTS = "counts"  # what uptime and SLA rest on
    NAMES = "names"  # which machine it was


class UptimeDay(SeriesModel):
    """Worker-seconds of an account and UTC day. A day whose row is missing is computed again, so who changes what it
    rests on takes the row away."""

    pk = models.CompositePrimaryKey("provider_id", "mining_account_id", "basis", "day")
    basis = models.CharField(max_length=8, choices=Basis)
    day = models.DateField()
    expected_s = models.BigIntegerField()
    up_s = models.BigIntegerField()
    low_s = models.BigIntegerField()
    down_s = models.BigIntegerField()
    excluded_s = models.BigIntegerField()
    unknown_s = models.BigIntegerField()
    # The bounds that the readings leave. Hashing: up or low.
    up_least_s = models.BigIntegerField()
    up_most_s = models.BigIntegerField()
    hashing_least_s = models.BigIntegerField()
    hashing_most_s = models.BigIntegerField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(expected_s=F("up_s") + F("low_s") + F("down_s") + F("excluded_s") + F("unknown_s")),
                name="mining_uptime_day_whole",
            ),
            models.CheckConstraint(
                condition=Q(
                    up_least_s__gte=0,
                    up_s__range=(F("up_least_s"), F("up_most_s")),
                    hashing_least_s__lte=F("up_s") + F("low_s"),
                    hashing_most_s__gte=F("up_s") + F("low_s"),
                ),
                name="mining_uptime_day_bounds",
            ),
        ]


class FleetSettings(TenantModel):
    """A provider without a row has the defaults."""

    retire_after_days = models.PositiveSmallIntegerField(default=30)
    # The most that it ever was: no outage of an account that is read goes on for longer without being retired.
    retire_longest_days = models.PositiveSmallIntegerField(default=30)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider"], name="mining_fleet_settings_one"),
            models.CheckConstraint(
                condition=Q(retire_after_days__range=(1, 365), retire_longest_days__gte=F("retire_after_days")),
                name="mining_fleet_settings_retire",
            ),
        ]
