"""Where a customer's rewards were agreed to go. What the pool says beside it is on the mining account."""

from functools import partial

from django.db import models
from django.db.models import Q

from customers.codes import new_code
from customers.models import Customer, TenantModel
from mining.models.accounts import MiningAccount


class PayoutAgreement(TenantModel):
    """The newest one of an account counts. Append-only: what was agreed once stays readable."""

    class Source(models.TextChoices):
        FOUND = "found"  # as it stood at the pool when the account came to its customer
        ACCEPTED = "accepted"  # the pool said something else, and a person agreed to it
        CHANGED = "changed"  # changed by us, through an approved change

    code = models.CharField(max_length=32, default=partial(new_code, "pag"), editable=False)
    mining_account = models.ForeignKey(
        MiningAccount, models.PROTECT, db_constraint=False, related_name="payout_agreements"
    )
    customer = models.ForeignKey(Customer, models.PROTECT, db_constraint=False, related_name="+")
    destination = models.CharField(max_length=32)
    address = models.CharField(max_length=100, null=True)
    source = models.CharField(max_length=16, choices=Source)
    agreed_by = models.CharField(max_length=254)  # as the audit names people and programs
    agreed_at = models.DateTimeField()

    customer_field = "customer"
    append_only = True

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "code"], name="mining_agreement_code"),
            models.CheckConstraint(
                condition=Q(destination="main_balance", address=None)
                | Q(destination="external_address", address__isnull=False),
                name="mining_agreement_whole",
            ),
        ]
        indexes = [models.Index(fields=["provider", "mining_account", "-id"], name="mining_agreement_newest")]
