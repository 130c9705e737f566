"""What the machines did: hashrate points. A missing point is unknown, never 0 TH/s."""

from django.db import models

from customers.models import Customer, TenantModel
from mining.models.accounts import MiningAccount


class HashratePoint(TenantModel):
    """The average of one hour, as the pool says it (TH/s)."""

    mining_account = models.ForeignKey(
        MiningAccount, models.PROTECT, db_constraint=False, related_name="hashrate_points"
    )
    customer = models.ForeignKey(Customer, models.PROTECT, null=True, db_constraint=False, related_name="+")
    at = models.DateTimeField()
    hashrate_ths = models.DecimalField(max_digits=20, decimal_places=6)
    reject_rate = models.DecimalField(max_digits=9, decimal_places=6, null=True)  # 0.01 is 1 %

    customer_field = "customer"

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "mining_account", "at"], name="mining_point_once"),
            models.CheckConstraint(condition=models.Q(hashrate_ths__gte=0), name="mining_point_not_negative"),
        ]
        indexes = [models.Index(fields=["provider", "at"], name="mining_point_at")]  # the sum over all accounts
