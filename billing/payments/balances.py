"""What is owed both ways, customer by customer and asset by asset: of open documents less payments, at this moment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from django.db.models import Count, F, Min, Q, Sum

from billing.journal import CustomerBalance
from billing.models import DocumentOpen, DocumentStatus, DocumentType, Fund, PaidBy
from customers.models import Customer
from customers.tenancy import Access

LEFT = F("total") - F("settled")
BY_INVOICE = Q(document__type=DocumentType.INVOICE)
BY_SETTLEMENT = Q(document__type=DocumentType.SETTLEMENT)
LEFT_OF = {
    "credit": Sum("amount_left", filter=Q(paid_by=PaidBy.CUSTOMER), default=0),
    "advance": Sum("amount_left", filter=Q(paid_by=PaidBy.PROVIDER), default=0),
}
AGES = (10, 30)  # days over: up to the first, up to the second, and more


@dataclass(frozen=True, slots=True)
class Balance:
    """Between the provider and one customer, in one asset; all in its smallest unit, none below 0."""

    customer: Customer
    asset: str
    customer_owes: int = 0
    provider_owes: int = 0
    credit: int = 0  # paid by the customer, and not used for an invoice
    advance: int = 0  # paid to the customer, and not used for a settlement
    invoices: int = 0  # open ones
    settlements: int = 0
    customer_owes_since: date | None = None  # the day of issue of the oldest one that is open
    provider_owes_since: date | None = None
    oldest_due: date | None = None  # of the invoices
    over: tuple[int, ...] = field(default=(0, 0, 0))  # overdue, by the steps of AGES

    @property
    def overdue(self) -> int:
        return sum(self.over)

    @property
    def not_due(self) -> int:
        return self.customer_owes - self.overdue

    @property
    def net(self) -> int:
        """+ the provider owes."""
        return self.provider_owes + self.credit - self.customer_owes - self.advance

    @property
    def is_even(self) -> bool:
        return not (self.customer_owes or self.provider_owes or self.credit or self.advance)


def balances(access: Access, *, today: date, customers: Iterable[Customer] | None = None) -> list[Balance]:
    """Of all customers, or of these, where anything is open or left; what is overdue longest first. Three queries."""
    opens = DocumentOpen.objects.visible_to(access).filter(
        document__status=DocumentStatus.ISSUED, settled__lt=F("total")
    )
    funds = Fund.objects.visible_to(access).filter(amount_left__gt=0)
    if customers is not None:
        of_these = list(customers)
        opens, funds = opens.filter(customer__in=of_these), funds.filter(customer__in=of_these)
    found: dict[tuple[Any, Any], dict[str, Any]] = {}
    for sums in map(dict, opens.values("customer_id", "asset").annotate(**_open_sums(today))):
        key = sums.pop("customer_id"), sums.pop("asset")
        over = tuple(sums.pop(f"over_{step}") for step in range(len(AGES) + 1))
        found[key] = {**sums, "over": over}
    for sums in map(dict, funds.values("customer_id", "asset").annotate(**LEFT_OF)):
        key = sums.pop("customer_id"), sums.pop("asset")
        found.setdefault(key, {}).update(sums)
    names = Customer.objects.visible_to(access).in_bulk({customer for customer, _ in found})
    rows = [Balance(names[customer], asset, **sums) for (customer, asset), sums in found.items()]
    return sorted(rows, key=_worst_first)


def _open_sums(today: date) -> dict[str, Any]:
    first, second = (today - timedelta(days=days) for days in AGES)
    overdue = BY_INVOICE & Q(document__due_on__lt=today)
    ages = (
        overdue & Q(document__due_on__gte=first),
        overdue & Q(document__due_on__lt=first, document__due_on__gte=second),
        overdue & Q(document__due_on__lt=second),
    )
    return {
        "customer_owes": Sum(LEFT, filter=BY_INVOICE, default=0),
        "provider_owes": Sum(LEFT, filter=BY_SETTLEMENT, default=0),
        "invoices": Count("pk", filter=BY_INVOICE),
        "settlements": Count("pk", filter=BY_SETTLEMENT),
        "customer_owes_since": Min("document__issued_on", filter=BY_INVOICE),
        "provider_owes_since": Min("document__issued_on", filter=BY_SETTLEMENT),
        "oldest_due": Min("document__due_on", filter=BY_INVOICE),
        **{f"over_{step}": Sum(LEFT, filter=age, default=0) for step, age in enumerate(ages)},
    }


def _worst_first(balance: Balance) -> tuple[object, ...]:
    due = balance.oldest_due if balance.overdue and balance.oldest_due else date.max
    return due, -balance.customer_owes, -balance.provider_owes, balance.customer.name, balance.customer.pk


def of_documents(access: Access, *, asset: str = "BTC") -> dict[int, CustomerBalance]:
    """By customer id, what the journal's balances should be: documents less payments."""
    opens = (
        DocumentOpen.objects.visible_to(access)
        .filter(document__status=DocumentStatus.ISSUED, asset=asset)
        .values_list("customer_id")
        .annotate(
            payable=Sum(LEFT, filter=BY_SETTLEMENT, default=0), receivable=Sum(LEFT, filter=BY_INVOICE, default=0)
        )
    )
    funds = Fund.objects.visible_to(access).filter(asset=asset).values_list("customer_id").annotate(**LEFT_OF)
    owed = {customer: (int(payable), int(receivable)) for customer, payable, receivable in opens}
    left = {customer: (int(credit), int(advance)) for customer, credit, advance in funds}
    return {
        customer: CustomerBalance(*owed.get(customer, (0, 0)), *left.get(customer, (0, 0)))
        for customer in owed.keys() | left.keys()
    }
