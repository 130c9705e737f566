"""What an amount of money settles: the documents it is put to, in order, each up to what is open of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import F, QuerySet

from billing.models import Document, DocumentOpen, DocumentStatus, DocumentType, PaidBy
from customers.errors import Refused
from customers.models import Customer
from customers.tenancy import Access

SETTLES = {PaidBy.CUSTOMER: DocumentType.INVOICE, PaidBy.PROVIDER: DocumentType.SETTLEMENT}


@dataclass(frozen=True, slots=True)
class Share:
    """Of one document: what is open of it now, and how much of that the money settles."""

    document: Document
    open: int
    amount: int

    @property
    def left(self) -> int:
        return self.open - self.amount


@dataclass(frozen=True, slots=True)
class Plan:
    """What the money settles, and what is left of it: credit of whoever paid."""

    shares: list[Share]
    left: int

    @property
    def settled(self) -> int:
        return sum(share.amount for share in self.shares)

    @property
    def seen_as(self) -> list[tuple[str, int]]:
        """Stands for exactly these amounts on these documents: who confirms a plan has seen it."""
        return [(share.document.code, share.amount) for share in self.shares]


def split(amount: int, opens: Iterable[int]) -> list[int]:
    """The amount put to what is open, in order: each is filled before the next gets anything."""
    shares = []
    for open_ in opens:
        share = min(amount, open_)
        shares.append(share)
        amount -= share
    return shares


def plan(opens: Iterable[DocumentOpen], amount: int) -> Plan:
    rows = list(opens)
    parts = split(amount, (row.left for row in rows))
    shares = [Share(row.document, row.left, part) for row, part in zip(rows, parts, strict=True) if part]
    return Plan(shares, amount - sum(parts))


def to_settle(
    access: Access,
    customer: Customer,
    paid_by: PaidBy,
    asset: str,
    chosen: Iterable[Document] | None = None,
) -> list[DocumentOpen]:
    """What money of this side can settle: the chosen documents in their order, or all open ones, the oldest first."""
    return (
        _chosen(access, customer, paid_by, asset, list(chosen))
        if chosen is not None
        else list(open_of(access, customer, paid_by, asset))
    )


def open_of(access: Access, customer: Customer, paid_by: PaidBy, asset: str) -> QuerySet[DocumentOpen]:
    """The oldest first, as they fall due. What is written off is settled only by who chooses it."""
    return (
        DocumentOpen.objects.visible_to(access)
        .filter(
            customer=customer,
            asset=asset,
            document__type=SETTLES[paid_by],
            document__status=DocumentStatus.ISSUED,
            settled__lt=F("total"),
        )
        .select_related("document")
        .order_by("document__due_on", "document_id")
    )


def _chosen(
    access: Access, customer: Customer, paid_by: PaidBy, asset: str, documents: list[Document]
) -> list[DocumentOpen]:
    rows = DocumentOpen.objects.visible_to(access).filter(document__in=documents).select_related("document")
    opens = {row.document_id: row for row in rows}
    for document in documents:
        _refuse_unfit(document, opens.get(document.pk), customer, paid_by, asset)
    return [opens[pk] for pk in dict.fromkeys(document.pk for document in documents)]


def _refuse_unfit(
    document: Document, opened: DocumentOpen | None, customer: Customer, paid_by: PaidBy, asset: str
) -> None:
    if opened is None:
        raise Refused("A draft cannot be paid. Issue it first.", code="payment.document_not_issued")
    of_them = (opened.customer_id, opened.asset, opened.document.type) == (customer.pk, asset, SETTLES[paid_by])
    if not of_them:
        raise Refused(
            "%(number)s is not what this money is for: choose %(what)s in %(asset)s.",
            code="payment.document_of_others",
            params={"number": opened.document.number, "what": WHAT[paid_by], "asset": asset},
        )
    if opened.document.status == DocumentStatus.VOIDED:
        raise Refused(
            "%(number)s is voided: nothing is owed for it.",
            code="payment.document_voided",
            params={"number": opened.document.number},
        )
    if not opened.left:
        raise Refused(
            "%(number)s is paid already.",
            code="payment.document_paid",
            params={"number": opened.document.number},
        )


WHAT = {PaidBy.CUSTOMER: "an invoice to this customer", PaidBy.PROVIDER: "a settlement for this customer"}
