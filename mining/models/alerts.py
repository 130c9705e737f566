"""What somebody has to know who is not looking: open from when it was found until its cause ended. And the rules that
say from when on something is one, and who is told."""

from functools import partial
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from customers.codes import new_code
from customers.models import Customer, Membership, TenantModel
from customers.tenancy import TenantQuerySet
from mining.models.accounts import Credential, MiningAccount, PoolIntent
from mining.models.fleet import Worker


class AlertKind(models.TextChoices):
    # Of the pool: they stand or do not stand, whatever a rule says.
    PAYOUT_DRIFT = "payout_drift"  # the pool pays an account elsewhere than was agreed
    KEY_REFUSED = "key_refused"  # a key that had worked, and the pool takes it no more
    KEY_QUIET = "key_quiet"  # the pool has not answered a key in use for 3 days
    KEY_SILENT = "key_silent"  # ... for 7
    BILLED_IN_DOUBT = "billed_in_doubt"  # rewards that were billed are missing, pending again or unknown
    ACT_IN_DOUBT = "act_in_doubt"  # nobody knows whether the pool did what it was asked for
    # Of the fleet: by the limits of a rule.
    WORKERS_OFFLINE = "workers_offline"  # of an account, by the pool's counts
    HASHRATE_LOW = "hashrate_low"
    WORKER_DOWN = "worker_down"  # one, for longer than the limit
    REJECT_RATE = "reject_rate"
    DATA_OLD = "data_old"
    REWARD_MISSING = "reward_missing"  # of yesterday, by a time of day


class AlertRule(TenantModel):
    """The limits of one kind, for the provider or (with a customer) for that customer's own users."""

    class Unit(models.TextChoices):
        PERCENT = "percent"
        COUNT = "count"
        THS = "ths"
        MINUTES = "minutes"

    code = models.CharField(max_length=32, default=partial(new_code, "rul"), editable=False)
    kind = models.CharField(max_length=32, choices=AlertKind)
    customer = models.ForeignKey(Customer, models.PROTECT, null=True, db_constraint=False, related_name="+")
    is_on = models.BooleanField(default=True)
    unit = models.CharField(max_length=16, choices=Unit, blank=True, default="")
    threshold = models.DecimalField(max_digits=14, decimal_places=2, null=True)  # it stands beyond this ...
    ends_at = models.DecimalField(max_digits=14, decimal_places=2, null=True)  # ... and is over on this side of that
    by_time = models.TimeField(null=True)  # UTC; of a kind that waits for a time of day
    grace_minutes = models.PositiveSmallIntegerField(default=0)  # it has to stand for so long
    clear_minutes = models.PositiveSmallIntegerField(default=0)  # and to be over for so long
    repeat_minutes = models.PositiveSmallIntegerField(null=True)  # told again while nobody acknowledged it
    # One alert where that share of the machines falls within so many minutes.
    group_percent = models.PositiveSmallIntegerField(default=30)
    group_minutes = models.PositiveSmallIntegerField(default=15)

    customer_field = "customer"

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "code"], name="mining_alert_rule_code"),
            models.UniqueConstraint(
                fields=["provider", "kind", "customer"], name="mining_alert_rule_once", nulls_distinct=False
            ),
            models.CheckConstraint(condition=Q(group_percent__range=(1, 100)), name="mining_alert_rule_share"),
        ]


class AlertWishes(TenantModel):
    """What one person is mailed, and when not. Without a row: what the role brings, at any hour."""

    membership = models.ForeignKey(Membership, models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    customer = models.ForeignKey(Customer, models.PROTECT, null=True, db_constraint=False, related_name="+")
    kinds = ArrayField(models.CharField(max_length=32, choices=AlertKind), default=list)
    quiet_from = models.TimeField(null=True)
    quiet_until = models.TimeField(null=True)
    time_zone = models.CharField(max_length=64, default="UTC")
    alarms_wake = models.BooleanField(default=True)  # they are mailed in quiet hours too

    customer_field = "customer"

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "membership"], name="mining_alert_wishes_once"),
            models.CheckConstraint(
                condition=Q(quiet_from=None, quiet_until=None) | Q(quiet_from__isnull=False, quiet_until__isnull=False),
                name="mining_alert_wishes_hours",
            ),
        ]


class AlertQuerySet(TenantQuerySet["Alert"]):
    def opened(self) -> Self:
        """Without those of which it is not sure yet that they are worth telling."""
        return self.filter(opened_at__isnull=False)

    def told_singly(self) -> Self:
        """Without those that another one stands for."""
        return self.filter(group=None)


class Alert(TenantModel):
    """About one row, or about many that fell together. What has opened is never taken back or deleted: a cause that
    comes back opens another alert."""

    Kind = AlertKind

    class Level(models.TextChoices):
        WARNING = "warning"
        ALARM = "alarm"

    code = models.CharField(max_length=32, default=partial(new_code, "alr"), editable=False)
    kind = models.CharField(max_length=32, choices=AlertKind)
    # Whose alert it is: null: the staff's. A customer's own is no business of the staff's.
    for_customer = models.ForeignKey(Customer, models.PROTECT, null=True, db_constraint=False, related_name="+")
    customer = models.ForeignKey(Customer, models.PROTECT, null=True, db_constraint=False, related_name="+")
    # What it is about: exactly one of these, and a worker beside its account; of many that fell together none.
    mining_account = models.ForeignKey(MiningAccount, models.PROTECT, null=True, db_constraint=False, related_name="+")
    credential = models.ForeignKey(Credential, models.PROTECT, null=True, db_constraint=False, related_name="+")
    intent = models.ForeignKey(PoolIntent, models.PROTECT, null=True, db_constraint=False, related_name="+")
    worker = models.ForeignKey(Worker, models.PROTECT, null=True, db_constraint=False, related_name="+")
    is_group = models.BooleanField(default=False)
    group = models.ForeignKey("self", models.PROTECT, null=True, db_constraint=False, related_name="members")
    site = models.CharField(max_length=64, blank=True, default="")  # of a group: where all of them stand
    # As last measured: machines down, TH/s, a share of 1; beside what they are measured against.
    value = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    base = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    machines = models.PositiveIntegerField(default=0)  # the weight by which it is told whether many fell
    day = models.DateField(null=True)  # whose reward is missing

    stood_at = models.DateTimeField()  # since when its cause has stood
    opened_at = models.DateTimeField(null=True)  # null: it may still pass by itself
    clear_at = models.DateTimeField(null=True)  # since when its cause has been over
    ended_at = models.DateTimeField(null=True)
    is_silenced = models.BooleanField(default=False)  # an exclusion runs: it stands here, and nobody is told
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.CharField(max_length=254, blank=True, default="")
    assigned_to = models.ForeignKey(Membership, models.PROTECT, null=True, db_constraint=False, related_name="+")
    note = models.CharField(max_length=500, blank=True, default="")
    noted_by = models.CharField(max_length=254, blank=True, default="")

    told_at = models.DateTimeField(null=True)  # when it was mailed to everybody, the last time
    mailed_to = ArrayField(models.BigIntegerField(), default=list)  # the users who have it, while others do not yet
    end_told_at = models.DateTimeField(null=True)  # when its end was
    end_mailed_to = ArrayField(models.BigIntegerField(), default=list)
    tried_at = models.DateTimeField(null=True)  # when a worker last began to mail it
    problem = models.CharField(max_length=500, blank=True, default="")  # why it could not be mailed

    objects = AlertQuerySet.as_manager()  # type: ignore[misc]  # a manager, whatever mypy takes it for

    customer_field = "for_customer"

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "code"], name="mining_alert_code"),
            models.UniqueConstraint(
                fields=["provider", "kind", "for_customer", "mining_account", "credential", "intent", "worker"],
                condition=Q(ended_at=None, is_group=False),
                name="mining_alert_one_open",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(is_group=False, mining_account__isnull=False, credential=None, intent=None)
                | Q(is_group=False, mining_account=None, credential__isnull=False, intent=None, worker=None)
                | Q(is_group=False, mining_account=None, credential=None, intent__isnull=False, worker=None)
                | Q(is_group=True, mining_account=None, credential=None, intent=None, worker=None, group=None),
                name="mining_alert_one_subject",
            ),
            models.CheckConstraint(
                condition=(Q(opened_at=None) | Q(opened_at__gte=F("stood_at")))
                & (Q(ended_at=None) | Q(opened_at__isnull=False)),
                name="mining_alert_in_order",
            ),
        ]
        indexes = [
            models.Index(fields=["provider", "-id"], name="mining_alert_newest"),
            models.Index(fields=["provider", "mining_account"], condition=Q(ended_at=None), name="mining_alert_open"),
        ]

    @property
    def level(self) -> Level:
        """A warning waits for the morning."""
        calm = (AlertKind.KEY_QUIET, AlertKind.WORKER_DOWN, AlertKind.REJECT_RATE, AlertKind.REWARD_MISSING)
        return self.Level.WARNING if self.kind in calm else self.Level.ALARM

    @property
    def is_open(self) -> bool:
        return self.ended_at is None
