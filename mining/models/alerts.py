"""What somebody has to know who is not looking: open from when it was found until its cause ended."""

from functools import partial

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from customers.codes import new_code
from customers.models import Customer, TenantModel
from mining.models.accounts import Credential, MiningAccount, PoolIntent


class Alert(TenantModel):
    """About one row. Nothing is taken back or deleted: a cause that comes back opens another alert."""

    class Kind(models.TextChoices):
        PAYOUT_DRIFT = "payout_drift"  # the pool pays an account elsewhere than was agreed
        KEY_REFUSED = "key_refused"  # a key that had worked, and the pool takes it no more
        KEY_QUIET = "key_quiet"  # the pool has not answered a key in use for 3 days
        KEY_SILENT = "key_silent"  # ... for 7
        BILLED_IN_DOUBT = "billed_in_doubt"  # rewards that were billed are missing, pending again or unknown
        ACT_IN_DOUBT = "act_in_doubt"  # nobody knows whether the pool did what it was asked for

    class Level(models.TextChoices):
        WARNING = "warning"
        ALARM = "alarm"

    code = models.CharField(max_length=32, default=partial(new_code, "alr"), editable=False)
    kind = models.CharField(max_length=32, choices=Kind)
    customer = models.ForeignKey(Customer, models.PROTECT, null=True, db_constraint=False, related_name="+")
    # What it is about: exactly one of these.
    mining_account = models.ForeignKey(MiningAccount, models.PROTECT, null=True, db_constraint=False, related_name="+")
    credential = models.ForeignKey(Credential, models.PROTECT, null=True, db_constraint=False, related_name="+")
    intent = models.ForeignKey(PoolIntent, models.PROTECT, null=True, db_constraint=False, related_name="+")
    opened_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    told_at = models.DateTimeField(null=True)  # when it was mailed to everybody, the last time
    mailed_to = ArrayField(models.BigIntegerField(), default=list)  # the users who have it, while others do not yet
    tried_at = models.DateTimeField(null=True)  # when a worker last began to mail it
    problem = models.CharField(max_length=500, blank=True, default="")  # why it could not be mailed

    # What the provider's staff has to see to: customers do not see it.
    customer_field = None

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "code"], name="mining_alert_code"),
            models.UniqueConstraint(
                fields=["provider", "kind", "mining_account", "credential", "intent"],
                condition=Q(ended_at=None),
                name="mining_alert_one_open",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(mining_account__isnull=False, credential=None, intent=None)
                | Q(mining_account=None, credential__isnull=False, intent=None)
                | Q(mining_account=None, credential=None, intent__isnull=False),
                name="mining_alert_one_subject",
            ),
        ]
        indexes = [models.Index(fields=["provider", "-id"], name="mining_alert_newest")]

    @property
    def level(self) -> Level:
        return self.Level.WARNING if self.kind == self.Kind.KEY_QUIET else self.Level.ALARM

    @property
    def is_open(self) -> bool:
        return self.ended_at is None
