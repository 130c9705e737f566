"""What happens to a document after it is issued: money that came in or went out, what it settled, who ended what."""

from functools import partial

from django.db import models
from django.db.models import F, Q

from billing.models.documents import Document, DocumentStatus
from customers.codes import new_code
from customers.models import Customer, TenantModel


class PaidBy(models.TextChoices):
    CUSTOMER = "customer"  # settles invoices
    PROVIDER = "provider"  # settles settlements


class Source(models.TextChoices):
    """What a payment's reference is unique in."""

    BITCOIN = "bitcoin"  # txid:vout, an output of a transaction
    BANK = "bank"  # the reference of a bank or an exchange


class PaymentTerms(TenantModel):
    """By when a provider's documents are due, and where its customers pay. None yet: the defaults hold."""

    due_days = models.PositiveSmallIntegerField(default=14)  # after the day of issue; a document keeps its day
    bitcoin_address = models.CharField(max_length=128, blank=True, default="")

    customer_field = None

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider"], name="billing_payment_terms_one"),
            models.CheckConstraint(condition=Q(due_days__lte=365), name="billing_payment_terms_due"),
        ]


class Fund(TenantModel):
    """A payment, and how much of it is not used yet. Recorded once, then written by its allocations' trigger alone."""

    code = models.CharField(max_length=32, default=partial(new_code, "pay"), editable=False)
    customer = models.ForeignKey(Customer, models.PROTECT, db_constraint=False, related_name="funds")
    paid_by = models.CharField(max_length=16, choices=PaidBy)
    asset = models.CharField(max_length=8)
    amount = models.BigIntegerField()  # in the asset's smallest unit
    amount_left = models.BigIntegerField()
    source = models.CharField(max_length=16, choices=Source)
    ref = models.CharField(max_length=100)
    received_on = models.DateField()  # the day that the money moved, in either direction
    note = models.CharField(max_length=200, blank=True, default="")
    recorded_at = models.DateTimeField()
    recorded_by = models.CharField(max_length=254)  # as the audit names people and programs
    taken_back = models.BooleanField(default=False)

    customer_field = "customer"
    append_only = True

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "code"], name="billing_fund_code"),
            # A payment that was taken back was never there: the same money may be recorded rightly.
            models.UniqueConstraint(
                fields=["provider", "source", "ref"], condition=Q(taken_back=False), name="billing_fund_ref_once"
            ),
            models.CheckConstraint(
                condition=Q(amount__gt=0, amount_left__gte=0, amount_left__lte=F("amount")), name="billing_fund_left"
            ),
            models.CheckConstraint(condition=Q(taken_back=False) | Q(amount_left=0), name="billing_fund_taken_back"),
            models.CheckConstraint(condition=Q(paid_by__in=["customer", "provider"]), name="billing_fund_paid_by"),
            models.CheckConstraint(
                condition=Q(source="bitcoin", asset="BTC", ref__regex=r"^[0-9a-f]{64}:(0|[1-9][0-9]{0,9})$")
                | (Q(source="bank") & ~Q(ref="")),
                name="billing_fund_ref",
            ),
        ]
        indexes = [
            models.Index(fields=["provider", "-id"], name="billing_fund_newest"),
            models.Index(fields=["provider", "customer", "-id"], name="billing_fund_customer"),
        ]


class DocumentOpen(TenantModel):
    """How much of an issued document is settled. Begun by its issue, written by allocations' trigger: never by us."""

    document = models.ForeignKey(Document, models.PROTECT, db_constraint=False, db_index=False, related_name="opened")
    customer = models.ForeignKey(Customer, models.PROTECT, db_constraint=False, related_name="+")
    asset = models.CharField(max_length=8)
    total = models.BigIntegerField()
    settled = models.BigIntegerField()

    customer_field = "customer"
    read_only = True

    @property
    def left(self) -> int:
        return self.total - self.settled

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "document"], name="billing_open_once"),
            models.CheckConstraint(condition=Q(settled__gte=0, settled__lte=F("total")), name="billing_open_settled"),
        ]


class Allocation(TenantModel):
    """Money of a fund put to a document; without a document: the fund taken back as a whole. Append-only: one is undone
    by another that reverses it. Its trigger writes what the fund has left and what the document has settled."""

    code = models.CharField(max_length=32, default=partial(new_code, "alc"), editable=False)
    fund = models.ForeignKey(Fund, models.PROTECT, db_constraint=False, db_index=False, related_name="allocations")
    document = models.ForeignKey(
        Document, models.PROTECT, null=True, db_constraint=False, db_index=False, related_name="allocations"
    )
    customer = models.ForeignKey(Customer, models.PROTECT, db_constraint=False, related_name="+")
    asset = models.CharField(max_length=8)
    amount = models.BigIntegerField()  # below 0 exactly when it reverses another
    reverses = models.ForeignKey(
        "self", models.PROTECT, null=True, db_constraint=False, db_index=False, related_name="reversed_by"
    )
    reason = models.CharField(max_length=200, blank=True, default="")
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=254)

    customer_field = "customer"
    append_only = True

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "code"], name="billing_allocation_code"),
            models.UniqueConstraint(fields=["provider", "reverses"], name="billing_allocation_reversed_once"),
            models.CheckConstraint(
                condition=Q(amount__gt=0, reverses=None) | Q(amount__lt=0, reverses__isnull=False),
                name="billing_allocation_sign",
            ),
        ]
        indexes = [
            models.Index(fields=["provider", "fund"], name="billing_allocation_fund"),
            models.Index(
                fields=["provider", "document"], condition=Q(document__isnull=False), name="billing_allocation_document"
            ),
        ]


class DocumentMove(TenantModel):
    """A step in a document's life after its issue: voided, written off, or taken up again. Append-only."""

    code = models.CharField(max_length=32, default=partial(new_code, "mov"), editable=False)
    document = models.ForeignKey(Document, models.PROTECT, db_constraint=False, related_name="moves")
    customer = models.ForeignKey(Customer, models.PROTECT, db_constraint=False, related_name="+")
    to_status = models.CharField(max_length=16, choices=DocumentStatus)
    asset = models.CharField(max_length=8)
    amount = models.BigIntegerField()  # what was open and is so no more, or is again
    reason = models.CharField(max_length=200)
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=254)

    customer_field = "customer"
    append_only = True

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "code"], name="billing_move_code"),
            models.CheckConstraint(
                condition=Q(to_status__in=["issued", "voided", "written_off"], amount__gte=0) & ~Q(reason=""),
                name="billing_move_said",
            ),
        ]
