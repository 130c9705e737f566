"""Rewards that a person bills all the same, though the pool paid them where nobody had agreed to."""

from django.db import models
from django.db.models import Q

from customers.models import Customer, TenantModel
from mining.models import Reward


class RewardApproval(TenantModel):
    """For this reward at this place only: the next one there, or this one elsewhere, is held again. Append-only."""

    reward = models.ForeignKey(Reward, models.PROTECT, db_constraint=False, related_name="approvals")
    customer = models.ForeignKey(Customer, models.PROTECT, db_constraint=False, related_name="+")
    destination = models.CharField(max_length=32)
    address = models.CharField(max_length=128, null=True)  # null: the pool named none
    approved_by = models.CharField(max_length=254)  # as the audit names people and programs
    approved_at = models.DateTimeField()

    customer_field = "customer"
    append_only = True

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "reward", "destination", "address"],
                nulls_distinct=False,
                name="billing_approval_once",
            ),
            models.CheckConstraint(
                condition=Q(destination="main_balance") | Q(destination="external_address"),
                name="billing_approval_destination",
            ),
        ]
