"""The books: accounts, transactions and their legs. Debit +, credit −; each transaction sums to zero per asset."""

from functools import partial

from django.db import models
from django.db.models import F, Q

from billing.models.documents import Document
from billing.models.payments import Fund
from customers.codes import new_code
from customers.models import Customer, TenantModel


class LedgerAccount(TenantModel):
    """An account of the chart, per asset; the first four are per customer."""

    class Name(models.TextChoices):
        PAYABLE = "payable"  # liability: owed to a customer by issued settlements
        RECEIVABLE = "receivable"  # asset: owed by a customer for issued invoices
        CREDIT = "credit"  # liability: paid by a customer, and not used for an invoice
        ADVANCE = "advance"  # asset: paid to a customer, and not used for a settlement
        BANK = "bank"  # asset: what customers paid, in wallets and accounts of the provider
        CUSTODY = "custody:main_balance"  # asset: the provider's exchange balance, the part we account for
        INCOME_REVENUE_SHARE = "income:revenue_share"
        WRITE_OFF = "expense:write_off"  # invoices given up

    name = models.CharField(max_length=32, choices=Name)
    customer = models.ForeignKey(Customer, models.PROTECT, null=True, db_constraint=False, related_name="+")
    asset = models.CharField(max_length=8)

    append_only = True

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "name", "customer", "asset"],
                name="billing_ledger_account_once",
                nulls_distinct=False,
            ),
            # What legs refer to: they are in their account's asset.
            models.UniqueConstraint(fields=["provider", "id", "asset"], name="billing_ledger_account_asset"),
            models.CheckConstraint(
                condition=Q(name__in=["payable", "receivable", "credit", "advance"], customer__isnull=False)
                | (~Q(name__in=["payable", "receivable", "credit", "advance"]) & Q(customer=None)),
                name="billing_ledger_account_customer",
            ),
        ]


class JournalTx(TenantModel):
    """One business event, posted at most once."""

    code = models.CharField(max_length=32, default=partial(new_code, "jtx"), editable=False)
    posted_at = models.DateTimeField()
    effective_on = models.DateField()
    event_key = models.CharField(max_length=100)  # derived from the event, as document:<code>:issued
    reverses = models.ForeignKey("self", models.PROTECT, null=True, db_constraint=False, related_name="+")
    # What it is about; both: money of a payment put to a document.
    document = models.ForeignKey(
        Document, models.PROTECT, null=True, db_constraint=False, db_index=False, related_name="postings"
    )
    fund = models.ForeignKey(
        Fund, models.PROTECT, null=True, db_constraint=False, db_index=False, related_name="postings"
    )
    # With so many legs it is complete, and none is added later (migrations/sql/journal_balanced.sql).
    legs = models.PositiveSmallIntegerField()

    append_only = True

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "code"], name="billing_tx_code"),
            models.UniqueConstraint(fields=["provider", "event_key"], name="billing_tx_event_once"),
            models.UniqueConstraint(fields=["provider", "reverses"], name="billing_tx_reversed_once"),
            models.UniqueConstraint(fields=["provider", "id", "legs"], name="billing_tx_legs"),
            models.CheckConstraint(condition=Q(legs__gte=2), name="billing_tx_two_legs"),
        ]


class JournalEntry(TenantModel):
    """A leg: a non-zero amount in the asset's smallest unit, the `leg`-th of its transaction's `legs`."""

    tx = models.ForeignKey(JournalTx, models.PROTECT, db_constraint=False, related_name="entries")
    account = models.ForeignKey(LedgerAccount, models.PROTECT, db_constraint=False, related_name="entries")
    asset = models.CharField(max_length=8)
    amount_sat = models.BigIntegerField()
    legs = models.PositiveSmallIntegerField()
    leg = models.PositiveSmallIntegerField()

    append_only = True

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(amount_sat=0), name="billing_entry_not_zero"),
            models.CheckConstraint(condition=Q(leg__gte=1, leg__lte=F("legs")), name="billing_entry_leg"),
            models.UniqueConstraint(fields=["provider", "tx", "leg"], name="billing_entry_leg_once"),
        ]
