"""What we tell a customer about money: settlements and invoices, their lines, numbers and files."""

from datetime import date, timedelta
from functools import partial
from typing import cast

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, RangeOperators
from django.db import models
from django.db.models import F, Func, Q, Value

from billing.models.contracts import Contract, ContractVersion
from customers.codes import new_code
from customers.models import Customer, TenantModel
from mining.models import Reward


class DocumentType(models.TextChoices):
    SETTLEMENT = "settlement"  # the provider owes the customer
    INVOICE = "invoice"  # the customer owes the provider


class DocumentStatus(models.TextChoices):
    """What is stored. That an issued one is paid is computed: its DocumentOpen says how much is settled."""

    DRAFT = "draft"
    ISSUED = "issued"
    VOIDED = "voided"  # taken back as a whole: its lines are billed anew, its number stays used
    WRITTEN_OFF = "written_off"  # an invoice given up; what it billed stays billed
    CARRIED = "carried"  # below the contract's minimum: the next document bills its lines
    DISCARDED = "discarded"


def direction_of(balance_sat: int) -> str:
    return "provider_owes" if balance_sat >= 0 else "customer_owes"


class Document(TenantModel):
    """One contract, one period, one asset. A draft is computed freely; once issued the database freezes it."""

    code = models.CharField(max_length=32, default=partial(new_code, "doc"), editable=False)
    customer = models.ForeignKey(Customer, models.PROTECT, db_constraint=False, related_name="documents")
    contract = models.ForeignKey(Contract, models.PROTECT, db_constraint=False, related_name="documents")
    period = DateRangeField()  # UTC days, half-open
    asset = models.CharField(max_length=8, default="BTC")
    status = models.CharField(max_length=16, choices=DocumentStatus, default=DocumentStatus.DRAFT)
    type = models.CharField(max_length=16, choices=DocumentType)
    # Sum of the lines; + the provider owes the customer. The document's total is its absolute value.
    balance_sat = models.BigIntegerField()
    created_at = models.DateTimeField()
    computed_at = models.DateTimeField()
    series = models.CharField(max_length=16, null=True)
    sequence = models.PositiveIntegerField(null=True)
    number = models.CharField(max_length=32, null=True)
    issued_at = models.DateTimeField(null=True)
    issued_on = models.DateField(null=True)
    due_on = models.DateField(null=True)
    # Whether what its lines say is billed: a voided document says nothing any more.
    counts = models.GeneratedField(
        expression=Q(status__in=["issued", "written_off"]),  # type: ignore[arg-type]  # the stubs know no Q here
        output_field=models.BooleanField(),
        db_persist=True,
    )
    # Parties, terms and what else the document says, as it stood at issue.
    snapshot = models.JSONField(null=True)

    customer_field = "customer"

    @property
    def total_sat(self) -> int:
        """What the document asks or promises: never negative, `direction` says who owes."""
        return abs(self.balance_sat)

    @property
    def direction(self) -> str:
        return direction_of(self.balance_sat)

    @property
    def month(self) -> str:
        """2026-10"""
        return f"{self.first_day:%Y-%m}"

    @property
    def first_day(self) -> date:
        return cast("date", self.period.lower)

    @property
    def last_day(self) -> date:
        return cast("date", self.period.upper) - timedelta(days=1)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "code"], name="billing_document_code"),
            models.UniqueConstraint(fields=["provider", "series", "sequence"], name="billing_document_sequence"),
            models.UniqueConstraint(fields=["provider", "number"], name="billing_document_number"),
            models.CheckConstraint(
                condition=Q(
                    status__in=["issued", "voided", "written_off"],
                    series__isnull=False,
                    sequence__isnull=False,
                    number__isnull=False,
                    issued_at__isnull=False,
                    issued_on__isnull=False,
                    due_on__isnull=False,
                    snapshot__isnull=False,
                )
                | Q(
                    status__in=["draft", "carried", "discarded"],
                    series=None,
                    sequence=None,
                    number=None,
                    issued_at=None,
                    issued_on=None,
                    due_on=None,
                    snapshot=None,
                ),
                name="billing_document_number_when_issued",
            ),
            models.CheckConstraint(
                condition=Q(type="settlement", balance_sat__gte=0) | Q(type="invoice", balance_sat__lt=0),
                name="billing_document_type_by_sign",
            ),
            ExclusionConstraint(
                name="billing_document_period_once",
                expressions=[
                    (
                        Func(F("provider_id"), F("provider_id"), Value("[]"), function="int8range"),
                        RangeOperators.OVERLAPS,
                    ),
                    (
                        Func(F("contract_id"), F("contract_id"), Value("[]"), function="int8range"),
                        RangeOperators.OVERLAPS,
                    ),
                    ("period", RangeOperators.OVERLAPS),
                ],
                condition=~Q(status__in=["discarded", "voided"]),
            ),
            # Only an invoice can be given up.
            models.CheckConstraint(
                condition=~Q(status="written_off") | Q(type="invoice"), name="billing_document_written_off"
            ),
        ]
        indexes = [
            models.Index(fields=["provider", "-id"], name="billing_document_newest"),
            models.Index(fields=["provider", "customer", "-id"], name="billing_document_customer"),
        ]


class LineKind(models.TextChoices):
    REGULAR = "regular"
    CORRECTION = "correction"


class LineComponent(models.TextChoices):
    PAY_CUSTOMER = "pay_customer"  # paid to the provider's main balance: the provider owes the customer part
    BILL_CUSTOMER = "bill_customer"  # paid to the customer's address: the customer owes the provider part


class LineReason(models.TextChoices):
    """Why a line is a correction."""

    LATE = "late"  # the reward, or the terms for its day, came after its period was closed
    CARRIED = "carried"  # first billed here: the document of its month was below the contract's minimum
    STATUS_CHANGED = "status_changed"
    AMOUNT_CHANGED = "amount_changed"
    DESTINATION_CHANGED = "destination_changed"
    CONTRACT_CHANGED = "contract_changed"


class DocumentLine(TenantModel):
    """One reward's amount in a document: target minus billed. + the provider owes. Replaced, never edited."""

    # A close writes a month of lines at once: the keys have no index of their own where another serves, or none asks.
    document = models.ForeignKey(Document, models.PROTECT, db_constraint=False, db_index=False, related_name="lines")
    customer = models.ForeignKey(Customer, models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    position = models.PositiveIntegerField()
    kind = models.CharField(max_length=16, choices=LineKind)
    component = models.CharField(max_length=16, choices=LineComponent)
    reward = models.ForeignKey(Reward, models.PROTECT, db_constraint=False, db_index=False, related_name="lines")
    version = models.ForeignKey(ContractVersion, models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    day = models.DateField()
    amount_sat = models.BigIntegerField()
    net_sat = models.BigIntegerField()
    provider_share_sat = models.BigIntegerField()
    customer_share_sat = models.BigIntegerField()
    reason = models.CharField(max_length=32, choices=LineReason, blank=True, default="")
    # The latest line that billed this reward in an issued document; null: it was never billed before.
    corrects = models.ForeignKey(
        "self", models.PROTECT, null=True, db_constraint=False, db_index=False, related_name="+"
    )
    # The record's facts as they stood when the line was computed, so that the document can be read for ever.
    facts = models.JSONField()

    customer_field = "customer"

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "document", "position"], name="billing_line_position"),
            models.UniqueConstraint(fields=["provider", "document", "reward", "component"], name="billing_line_once"),
            models.CheckConstraint(
                condition=Q(net_sat=F("provider_share_sat") + F("customer_share_sat")),
                name="billing_line_parts",
            ),
            models.CheckConstraint(
                condition=Q(component="pay_customer", amount_sat=F("customer_share_sat"))
                | Q(component="bill_customer", amount_sat=-F("provider_share_sat")),
                name="billing_line_amount",
            ),
            models.CheckConstraint(
                condition=Q(kind="regular", reason="", corrects=None)
                | Q(kind="correction", reason__in=["late", "carried"], corrects=None)
                | Q(
                    kind="correction",
                    reason__in=["status_changed", "amount_changed", "destination_changed", "contract_changed"],
                    corrects__isnull=False,
                ),
                name="billing_line_reason",
            ),
        ]
        indexes = [
            models.Index(fields=["provider", "reward"], name="billing_line_reward"),
            # For the foreign key: each line that leaves a draft is looked up here.
            models.Index(
                fields=["provider", "corrects"], condition=Q(corrects__isnull=False), name="billing_line_corrects"
            ),
        ]


class DocumentSeries(TenantModel):
    """The last number of a series. Taken only at issue, as the last write before commit: gap-free."""

    series = models.CharField(max_length=16)
    last_sequence = models.PositiveIntegerField(default=0)
    last_issued_on = models.DateField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "series"], name="billing_series_once")]


class FileKind(models.TextChoices):
    PDF = "pdf", "PDF"
    CSV = "csv", "CSV"


class DocumentFile(TenantModel):
    """A file of an issued document: made once, later downloads return the same bytes. Append-only."""

    document = models.ForeignKey(Document, models.PROTECT, db_constraint=False, related_name="files")
    customer = models.ForeignKey(Customer, models.PROTECT, db_constraint=False, related_name="+")
    kind = models.CharField(max_length=8, choices=FileKind)
    content = models.BinaryField()
    sha256 = models.CharField(max_length=64)
    version = models.PositiveSmallIntegerField()  # of the template, or of the columns
    created_at = models.DateTimeField()

    customer_field = "customer"
    append_only = True

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "document", "kind"], name="billing_file_once")]


class FileAttempt(TenantModel):
    """A file that is being made, or could not be: there until it is made."""

    document = models.ForeignKey(Document, models.PROTECT, db_constraint=False, related_name="file_attempts")
    customer = models.ForeignKey(Customer, models.PROTECT, db_constraint=False, related_name="+")
    kind = models.CharField(max_length=8, choices=FileKind)
    tries = models.PositiveIntegerField()
    tried_at = models.DateTimeField()
    retry_at = models.DateTimeField()
    problem = models.CharField(max_length=300, blank=True, default="")  # empty: nothing has gone wrong yet

    customer_field = "customer"

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "document", "kind"], name="billing_attempt_once")]
