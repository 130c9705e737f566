"""Money that moved and what is owed: payments, the journal, balances and statements of account."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch, QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from billing.models import Allocation, Document, Fund, JournalEntry, JournalTx, LedgerAccount, PaidBy, Source
from billing.payments import files, recording
from billing.payments.allocation import Plan, Share
from billing.payments.balances import Balance, balances
from billing.payments.recording import MOST, Payment
from billing.payments.statement import Entry, Happened, Statement, csv_rows, statement
from customers.models import Customer
from customers.tenancy import Access
from portal.api.auth import MONEY
from portal.api.base import Filter, Resource, operation, wrong
from portal.api.document_shapes import ReasonSerializer
from portal.api.fields import (
    BoundedJSONParser,
    Choice,
    Code,
    Day,
    InputSerializer,
    ParameterSerializer,
    Text,
    WholeNumber,
    Words,
)

HAPPENED = [(happened.value, happened.value) for happened in Happened]
LARGEST_FILE = 256 * 1024
SIDE_HELP = "Who paid: the customer, for invoices, or the provider, for settlements."
REF_HELP = "bitcoin: the output, as txid:number. bank: the reference of the bank or the exchange. Recorded once."
SAT = "In satoshi."
SIGNED_SAT = "In satoshi; + the provider owes it, − the customer owes it."


class ShareSerializer(serializers.Serializer[Share]):
    document = serializers.CharField(source="document.code")
    number = serializers.CharField(source="document.number")
    amount_sat = serializers.IntegerField(source="amount", help_text="In satoshi: how much of it is settled.")
    left_sat = serializers.IntegerField(source="left", help_text="In satoshi: what is open of it after that.")


class PlanSerializer(serializers.Serializer[Plan]):
    settles = ShareSerializer(source="shares", many=True)
    left_sat = serializers.IntegerField(source="left", help_text="In satoshi: credit of whoever paid.")


class AllocationSerializer(serializers.Serializer[Allocation]):
    document = serializers.CharField(source="document.code")
    number = serializers.CharField(source="document.number")
    amount_sat = serializers.IntegerField(source="amount", help_text="In satoshi; below 0: taken off it again.")


class PaymentSerializer(serializers.Serializer[Fund]):
    id = serializers.CharField(source="code")
    customer = serializers.CharField(source="customer.code")
    paid_by = serializers.ChoiceField(choices=PaidBy.choices, help_text=SIDE_HELP)
    asset = serializers.CharField(help_text="What `amount_sat` counts.")
    amount_sat = serializers.IntegerField(source="amount", help_text=SAT)
    left_sat = serializers.IntegerField(source="amount_left", help_text="In satoshi: not used for a document.")
    source = serializers.ChoiceField(choices=Source.choices)  # type: ignore[assignment]  # DRF takes declared fields out
    reference = serializers.CharField(source="ref", help_text=REF_HELP)
    received_on = serializers.DateField(help_text="The day that the money moved.")
    note = serializers.CharField()
    taken_back = serializers.BooleanField(help_text="true: it was recorded wrongly, or did not last.")
    recorded_at = serializers.DateTimeField()
    allocations = serializers.SerializerMethodField(help_text="What it settled, in order.")

    @extend_schema_field(AllocationSerializer(many=True))
    def get_allocations(self, fund: Fund) -> Any:
        rows: Any = [row for row in fund.allocations.all() if row.document_id]
        return AllocationSerializer(rows, many=True).data


class NewPaymentSerializer(InputSerializer):
    customer = Code("cus")
    paid_by = Choice(choices=PaidBy.choices, required=False, default=PaidBy.CUSTOMER, help_text=SIDE_HELP)
    amount_sat = WholeNumber(min_value=1, max_value=MOST, help_text=SAT)
    source = Choice(choices=Source.choices, required=False, default=Source.BITCOIN)  # type: ignore[assignment]  # as above
    reference = Text(max_length=100, help_text=REF_HELP)
    received_on = Day(help_text="The day that the money moved (UTC).")
    note = Words(required=False, default="", allow_blank=True, max_length=200)
    documents = serializers.ListField(
        child=Code("doc"), required=False, max_length=100, allow_empty=True,
        help_text="What it settles, in this order; left out: what is open, the oldest first; []: nothing yet.",
    )  # fmt: skip


class SeenShareSerializer(InputSerializer):
    document = Code("doc")
    amount_sat = WholeNumber(min_value=1, max_value=MOST, help_text="In satoshi: how much of it is settled.")


class RecordedPaymentSerializer(NewPaymentSerializer):
    settles = SeenShareSerializer(
        many=True, required=False, help_text="As you read it of the preview: refused (409) where it has changed."
    )


class UseSerializer(InputSerializer):
    documents = serializers.ListField(
        child=Code("doc"), required=False, min_length=1, max_length=100,
        help_text="What it settles, in this order; left out: what is open, the oldest first.",
    )  # fmt: skip


class FileSerializer(InputSerializer):
    csv = serializers.CharField(
        max_length=LARGEST_FILE,
        trim_whitespace=False,
        help_text=f"The first line names the columns: {', '.join(files.COLUMNS)}; customer or documents may be left"
        " out, and the last three. amount_btc is written as 0.01250000, documents as numbers with spaces between.",
    )


class FileRowSerializer(serializers.Serializer[files.Row]):
    line = serializers.IntegerField(help_text="Of the file; the head is 1.")
    problem = serializers.CharField(help_text="Why it cannot be recorded; empty: it can.")
    payment = serializers.SerializerMethodField(help_text="Its id, once recorded.")
    settles = serializers.SerializerMethodField()
    left_sat = serializers.SerializerMethodField(help_text="In satoshi: credit of whoever paid.")

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_payment(self, row: files.Row) -> str | None:
        return row.fund.code if row.fund and self.context.get("recorded") else None

    @extend_schema_field(ShareSerializer(many=True))
    def get_settles(self, row: files.Row) -> Any:
        shares: Any = row.plan.shares if row.plan else []
        return ShareSerializer(shares, many=True).data

    def get_left_sat(self, row: files.Row) -> int:
        return row.plan.left if row.plan else 0


class FileRowsSerializer(serializers.Serializer[Any]):
    data = FileRowSerializer(many=True)  # type: ignore[assignment]  # DRF takes declared fields out of the class


class FileParser(BoundedJSONParser):
    largest_body = 2 * LARGEST_FILE  # line breaks and quotes take two characters in JSON


class Payments(ListModelMixin, RetrieveModelMixin, Resource[Fund]):
    resource = "payments"
    one = "payment"
    model = Fund
    related = ("customer",)
    serializer_class = PaymentSerializer
    about = "In both directions. A payment is never changed: one that is wrong is taken back."
    filters = (
        Filter("customer", "customer__code", Code, "cus"),
        Filter("paid_by", "paid_by", serializers.ChoiceField, PaidBy.choices),
        Filter("received_from", "received_on__gte", Day, not_after="received_to", help_text="The first day."),
        Filter("received_to", "received_on__lte", Day, help_text="The last day, inclusive."),
    )
    enums = {"PaidBy": PaidBy, "PaymentSource": Source}

    def get_queryset(self) -> QuerySet[Fund]:
        allocations = Allocation.objects.visible_to(self.access).select_related("document").order_by("pk")
        return super().get_queryset().prefetch_related(Prefetch("allocations", queryset=allocations))

    @operation(
        "Record a payment",
        body=RecordedPaymentSerializer,
        status=201,
        scope=MONEY,
        key_required=True,
        description="It settles what it names, or what is open, the oldest first; what is left is credit of whoever"
        " paid. A written-off invoice is settled only when it is named, and is open again by that.",
    )
    def create(self, request: Request) -> Response:
        asked = self.body()
        seen = asked.get("settles")
        fund = recording.record(
            self.access,
            self._payment(asked),
            seen=None if seen is None else [(share["document"], share["amount_sat"]) for share in seen],
            now=self.now,
        )
        return self.answer_anew(fund, located=True)

    @operation(
        "What a payment would settle",
        body=NewPaymentSerializer,
        answer=PlanSerializer,
        description="As recording it now would. Nothing is changed.",
    )
    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        plan = recording.preview(self.access, self._payment(self.body()), now=self.now)
        return Response(PlanSerializer(plan).data)

    @operation(
        "Settle with what a payment has left",
        body=UseSerializer,
        scope=MONEY,
        key_required=True,
        description="The credit of a customer, or what was paid to one ahead.",
    )
    @action(detail=True, methods=["post"])
    def use(self, request: Request, id: str) -> Response:
        asked, fund = self.body(), self.row()
        recording.use(self.access, fund, documents=self._documents(asked), now=self.now)
        return self.answer_anew(fund)

    @operation(
        "Take a payment back",
        body=ReasonSerializer,
        scope=MONEY,
        key_required=True,
        description="What it settled is open again, by entries that reverse it. Its reference may be recorded anew.",
    )
    @action(detail=True, methods=["post"], url_path="take-back")
    def take_back(self, request: Request, id: str) -> Response:
        asked, fund = self.body(), self.row()
        recording.take_back(self.access, fund, reason=asked["reason"], now=self.now)
        return self.answer_anew(fund)

    @operation(
        "What a file of payments would record",
        body=FileSerializer,
        answer=FileRowsSerializer,
        description="Every row, and why it cannot be recorded where it cannot. Nothing is changed.",
    )
    @action(detail=False, methods=["post"], url_path="import/preview", parser_classes=[FileParser])
    def look_at_file(self, request: Request) -> Response:
        return self._rows(files.look_at(self.access, self.body()["csv"], now=self.now), recorded=False)

    @operation(
        "Record a file of payments",
        body=FileSerializer,
        answer=FileRowsSerializer,
        scope=MONEY,
        key_required=True,
        description="All of them, or none (409) where one cannot be recorded.",
    )
    @action(detail=False, methods=["post"], url_path="import", parser_classes=[FileParser])
    def record_file(self, request: Request) -> Response:
        return self._rows(files.record_file(self.access, self.body()["csv"], now=self.now), recorded=True)

    def _rows(self, rows: Any, *, recorded: bool) -> Response:
        return Response({"data": FileRowSerializer(rows, many=True, context={"recorded": recorded}).data})

    def _payment(self, asked: dict[str, Any]) -> Payment:
        return Payment(
            customer=customer_of(self.access, asked["customer"]),
            paid_by=PaidBy(asked["paid_by"]),
            amount=asked["amount_sat"],
            source=Source(asked["source"]),
            ref=asked["reference"],
            received_on=asked["received_on"],
            note=asked["note"],
            documents=self._documents(asked),
        )

    def _documents(self, asked: dict[str, Any]) -> list[Document] | None:
        codes = asked.get("documents")
        if codes is None:
            return None
        found = {row.code: row for row in Document.objects.visible_to(self.access).filter(code__in=codes)}
        if unknown := [code for code in codes if code not in found]:
            raise wrong("documents", f"There is no document {unknown[0]}.")
        return [found[code] for code in codes]


def customer_of(access: Access, code: str) -> Customer:
    customer = Customer.objects.visible_to(access).filter(code=code).first()
    if customer is None:
        raise wrong("customer", f"There is no customer {code}.")
    return customer


# --- The journal, and what is owed


class LegSerializer(serializers.Serializer[JournalEntry]):
    account = serializers.ChoiceField(choices=LedgerAccount.Name.choices, source="account.name")
    customer = serializers.SerializerMethodField(help_text="null: the account is the provider's own.")
    asset = serializers.CharField()
    amount_sat = serializers.IntegerField(help_text="In satoshi; debit +, credit −.")

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_customer(self, leg: JournalEntry) -> str | None:
        customer = leg.account.customer
        return customer.code if customer else None


class LedgerEntrySerializer(serializers.Serializer[JournalTx]):
    id = serializers.CharField(source="code")
    date = serializers.DateField(source="effective_on")
    posted_at = serializers.DateTimeField()
    event = serializers.CharField(source="event_key", help_text="What was posted, once.")
    document = serializers.SerializerMethodField()
    payment = serializers.SerializerMethodField()
    reverses = serializers.SerializerMethodField(help_text="The id of the entry that this one undoes.")
    legs = LegSerializer(source="entries", many=True, help_text="They sum to 0.")

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_document(self, tx: JournalTx) -> str | None:
        return tx.document.code if tx.document else None

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_payment(self, tx: JournalTx) -> str | None:
        return tx.fund.code if tx.fund else None

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_reverses(self, tx: JournalTx) -> str | None:
        return tx.reverses.code if tx.reverses else None


class BalanceSerializer(serializers.Serializer[Balance]):
    customer = serializers.CharField(source="customer.code")
    asset = serializers.CharField()
    provider_owes_sat = serializers.IntegerField(source="provider_owes", help_text="In satoshi, by open settlements.")
    customer_owes_sat = serializers.IntegerField(source="customer_owes", help_text="In satoshi, by open invoices.")
    overdue_sat = serializers.IntegerField(source="overdue", help_text="In satoshi, of what the customer owes.")
    credit_sat = serializers.IntegerField(source="credit", help_text="In satoshi: paid by the customer, and not used.")
    advance_sat = serializers.IntegerField(source="advance", help_text="In satoshi: paid to the customer, not used.")
    net_sat = serializers.IntegerField(source="net", help_text=SIGNED_SAT)
    provider_owes_since = serializers.DateField(allow_null=True, help_text="The issue of the oldest open settlement.")
    customer_owes_since = serializers.DateField(allow_null=True, help_text="The issue of the oldest open invoice.")
    oldest_due = serializers.DateField(allow_null=True, help_text="When the first open invoice is due.")


class BalancesSerializer(serializers.Serializer[Any]):
    data = BalanceSerializer(many=True)  # type: ignore[assignment]  # DRF takes declared fields out of the class


class RangeSerializer(ParameterSerializer):
    customer = Code("cus")
    date_from = Day(help_text="The first day.")
    date_to = Day(help_text="The last day, inclusive.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["date_from"] > attrs["date_to"]:
            raise wrong("date_from", "This day is after date_to.")
        return attrs


class EntrySerializer(serializers.Serializer[Entry]):
    date = serializers.DateField(source="day")
    entry = serializers.ChoiceField(choices=HAPPENED, source="what")
    reference = serializers.CharField(source="about", help_text="The document's number, or the payment's reference.")
    id = serializers.CharField(source="code", help_text="Of the document or the payment.")
    amount_sat = serializers.IntegerField(source="amount", help_text=SIGNED_SAT)
    balance_sat = serializers.IntegerField(source="balance", help_text="After it. " + SIGNED_SAT)


class StatementSerializer(serializers.Serializer[Statement]):
    customer = serializers.CharField(source="customer.code")
    asset = serializers.CharField()
    date_from = serializers.DateField(source="first_day")
    date_to = serializers.DateField(source="last_day")
    opening_sat = serializers.IntegerField(source="opening", help_text="Before the first day. " + SIGNED_SAT)
    entries = EntrySerializer(many=True)
    closing_sat = serializers.IntegerField(source="closing", help_text="After the last day. " + SIGNED_SAT)


def of_customer(rows: QuerySet[JournalTx], code: str, _: Any) -> QuerySet[JournalTx]:
    return rows.filter(entries__account__customer__code=code).distinct()


class LedgerEntries(ListModelMixin, RetrieveModelMixin, Resource[JournalTx]):
    resource = "ledger-entries"
    one = "ledger entry"
    model = JournalTx
    related = ("document", "fund", "reverses")
    serializer_class = LedgerEntrySerializer
    about = "The journal in double entry: each entry is one event, and its legs sum to 0. None is ever changed."
    filters = (
        Filter("customer", of_customer, Code, "cus"),
        Filter("date_from", "effective_on__gte", Day, not_after="date_to", help_text="The first day."),
        Filter("date_to", "effective_on__lte", Day, help_text="The last day, inclusive."),
    )
    enums = {"LedgerAccountName": LedgerAccount.Name, "Happened": HAPPENED}

    def get_queryset(self) -> QuerySet[JournalTx]:
        legs = JournalEntry.objects.visible_to(self.access).select_related("account__customer").order_by("leg")
        return super().get_queryset().prefetch_related(Prefetch("entries", queryset=legs))

    @operation(
        "What is owed both ways, customer by customer",
        answer=BalancesSerializer,
        description="All customers with something open or left, what is overdue longest first.",
    )
    @action(detail=False)
    def balances(self, request: Request) -> Response:
        rows: Any = balances(self.access, today=self.now.date())
        return Response({"data": BalanceSerializer(rows, many=True).data})

    @operation("A customer's statement of account", answer=StatementSerializer, query=RangeSerializer)
    @action(detail=False)
    def statement(self, request: Request) -> Response:
        return Response(StatementSerializer(self._statement()).data)

    @operation(
        "A customer's statement of account as CSV",
        answer=OpenApiTypes.STR,
        media_type="text/csv",
        query=RangeSerializer,
    )
    @action(detail=False, url_path="statement/csv")
    def statement_csv(self, request: Request) -> HttpResponse:
        told = self._statement()
        name = f"statement-{told.customer.code}-{told.first_day}-{told.last_day}.csv"
        return HttpResponse(
            b"".join(csv_rows(told)),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    def _statement(self) -> Statement:
        customer = customer_of(self.access, self.asked["customer"])
        return statement(self.access, customer, first_day=self.asked["date_from"], last_day=self.asked["date_to"])
