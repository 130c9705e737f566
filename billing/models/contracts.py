"""Which terms were agreed with a customer, and from when to when."""

from functools import partial

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, DateRangeField, RangeOperators
from django.db import models
from django.db.models import F, Func, Q, Value

from customers.codes import new_code
from customers.models import Customer, TenantModel
from customers.tenancy import TenantQuerySet


class Contract(TenantModel):
    """A customer's agreement with the provider. What it says is in its versions."""

    code = models.CharField(max_length=32, default=partial(new_code, "con"), editable=False)
    customer = models.ForeignKey(Customer, models.PROTECT, db_constraint=False, related_name="contracts")
    created_at = models.DateTimeField()

    customer_field = "customer"

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "code"], name="billing_contract_code"),
            models.UniqueConstraint(fields=["provider", "customer"], name="billing_contract_one_per_customer"),
        ]


class ContractVersionQuerySet(TenantQuerySet["ContractVersion"]):
    def standing(self) -> "ContractVersionQuerySet":
        """But those that were withdrawn, which hold on no day."""
        return self.filter(withdrawn_at=None)


class ContractVersion(TenantModel):
    """The terms that hold on the days of `valid` (half-open: the upper bound is the first day after).

    What no issued document used can be replaced: it is withdrawn then, and stays as history.
    """

    code = models.CharField(max_length=32, default=partial(new_code, "ver"), editable=False)
    contract = models.ForeignKey(Contract, models.PROTECT, db_constraint=False, related_name="versions")
    customer = models.ForeignKey(Customer, models.PROTECT, db_constraint=False, related_name="+")
    valid = DateRangeField()
    settle_in = models.CharField(max_length=8, default="btc")
    # A smaller balance is carried to the next month; 0: everything is issued.
    minimum_sat = models.BigIntegerField(default=0)
    created_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_by = models.CharField(max_length=254, blank=True, default="")  # as the audit names people and programs

    objects = ContractVersionQuerySet.as_manager()  # type: ignore[misc]  # a manager, whatever mypy takes it for

    customer_field = "customer"

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(withdrawn_at=None, withdrawn_by="") | (Q(withdrawn_at__isnull=False) & ~Q(withdrawn_by="")),
                name="billing_version_withdrawn_by",
            ),
            models.CheckConstraint(condition=Q(minimum_sat__gte=0), name="billing_version_minimum"),
            models.UniqueConstraint(fields=["provider", "code"], name="billing_version_code"),
            models.CheckConstraint(condition=Q(settle_in="btc"), name="billing_version_settle_in"),
            models.CheckConstraint(
                condition=Q(valid__isempty=False, valid__startswith__isnull=False),
                name="billing_version_bounded",
            ),
            # int8range instead of =, so that no extension (btree_gist) is needed.
            ExclusionConstraint(
                name="billing_version_no_overlap",
                expressions=[
                    (
                        Func(F("provider_id"), F("provider_id"), Value("[]"), function="int8range"),
                        RangeOperators.OVERLAPS,
                    ),
                    (
                        Func(F("contract_id"), F("contract_id"), Value("[]"), function="int8range"),
                        RangeOperators.OVERLAPS,
                    ),
                    ("valid", RangeOperators.OVERLAPS),
                ],
                condition=Q(withdrawn_at=None),
                deferrable=models.Deferrable.IMMEDIATE,
            ),
        ]


class Basis(models.TextChoices):
    NET = "net"  # the reward after the pool's fee
    GROSS = "gross"  # the reward before the pool's fee


class FeeBearer(models.TextChoices):
    CUSTOMER = "customer"
    PROVIDER = "provider"
    SHARED = "shared"


class ContractComponent(TenantModel):
    """One kind of charge in a version. Only the revenue share is built; its formula is in billing/split.py."""

    class Kind(models.TextChoices):
        REVENUE_SHARE = "revenue_share"

    version = models.ForeignKey(ContractVersion, models.PROTECT, db_constraint=False, related_name="components")
    customer = models.ForeignKey(Customer, models.PROTECT, db_constraint=False, related_name="+")
    position = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=32, choices=Kind)
    share_ppm = models.PositiveIntegerField()  # the provider's share, parts per million
    basis = models.CharField(max_length=8, choices=Basis)
    pool_fee_borne_by = models.CharField(max_length=16, choices=FeeBearer)

    customer_field = "customer"

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "version", "position"], name="billing_component_position"),
            models.CheckConstraint(condition=Q(share_ppm__lte=1_000_000), name="billing_component_share"),
            # On a net basis the fee is off the top for both.
            models.CheckConstraint(
                condition=Q(basis="gross") | Q(basis="net", pool_fee_borne_by="shared"),
                name="billing_component_fee",
            ),
        ]


class TermsNotice(TenantModel):
    """Terms that reached back over days already mined, and the mail that tells their customer, each person once."""

    version = models.ForeignKey(ContractVersion, models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    customer = models.ForeignKey(Customer, models.PROTECT, db_constraint=False, related_name="+")
    words_before = models.CharField(max_length=255, blank=True, default="")  # the terms of its first day until then
    rewards = models.PositiveIntegerField()  # whose split changed
    difference_sat = models.BigIntegerField()  # + the customer gets more
    created_at = models.DateTimeField()
    tried_at = models.DateTimeField(null=True)  # when a worker last took it, or a person was last mailed
    mailed_to = ArrayField(models.CharField(max_length=254), default=list)  # those who have it, until all have
    told_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=500, blank=True, default="")

    customer_field = "customer"

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "version"], name="billing_terms_notice_once")]
        indexes = [
            models.Index(fields=["provider", "id"], condition=Q(told_at=None), name="billing_terms_notice_untold")
        ]
