"""Reads for pages and the API: what waits to be billed, and what waits to be issued.

The caller is in the access's context; every function takes the access and sees what it sees.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateRange
from django.db.models import Count, Q, QuerySet, Sum

from billing.models import Contract, ContractComponent, Document, DocumentStatus
from billing.settlement import ended_month, month_of
from customers.models import Customer
from customers.tenancy import Access
from mining.models import Reward
from mining.models.rewards import RewardStatus

ENDED = (DocumentStatus.DISCARDED, DocumentStatus.VOIDED)  # their month may be closed again


@dataclass(frozen=True, slots=True)
class Owed:
    """What some documents come to, each side by itself: they are owed to and by different customers."""

    count: int
    to_customers_sat: int
    by_customers_sat: int


def owed(documents: Iterable[Document]) -> Owed:
    balances = [document.balance_sat for document in documents]
    return Owed(len(balances), sum(b for b in balances if b > 0), -sum(b for b in balances if b < 0))


def drafts_open(access: Access) -> Owed:
    """All drafts, whatever their month."""
    sums = (
        Document.objects.visible_to(access)
        .filter(status=DocumentStatus.DRAFT)
        .aggregate(
            count=Count("pk"),
            to_customers=Sum("balance_sat", filter=Q(balance_sat__gt=0), default=0),
            by_customers=Sum("balance_sat", filter=Q(balance_sat__lt=0), default=0),
        )
    )
    return Owed(sums["count"], int(sums["to_customers"]), -int(sums["by_customers"]))


@dataclass(frozen=True, slots=True)
class Uncovered:
    """Rewards of a customer before its first terms (all of them, without a contract): billed once terms cover them."""

    customer: Customer
    rewards: int
    first_day: date


# Versions follow each other without a gap, so what no version covers lies before the first one.
UNCOVERED = """
SELECT c.id, count(r.id), min(r.day)
FROM customers_customer c
LEFT JOIN (
    SELECT customer_id, min(lower(valid)) AS first_day FROM billing_contractversion
    WHERE provider_id = %(provider)s AND withdrawn_at IS NULL GROUP BY customer_id
) v ON v.customer_id = c.id
JOIN mining_reward r ON r.provider_id = c.provider_id AND r.customer_id = c.id AND r.status <> 'canceled'
    AND (v.first_day IS NULL OR r.day < v.first_day)
WHERE c.provider_id = %(provider)s
GROUP BY c.id
"""


def uncovered(access: Access) -> list[Uncovered]:
    """Customers with rewards that no terms cover. Two queries."""
    with connection.cursor() as cursor:
        cursor.execute(UNCOVERED, {"provider": access.provider.pk})
        counts = {pk: (count, first_day) for pk, count, first_day in cursor.fetchall()}
    customers = Customer.objects.visible_to(access).filter(pk__in=counts).order_by("name", "pk")
    return [Uncovered(customer, *counts[customer.pk]) for customer in customers]


def without_contract(access: Access) -> list[Customer]:
    """Active customers with whom nothing is agreed yet."""
    agreed = Contract.objects.visible_to(access).values("customer")
    customers = Customer.objects.visible_to(access).filter(status=Customer.Status.ACTIVE)
    return list(customers.exclude(pk__in=agreed).order_by("name", "pk"))


def terms_on(access: Access, customer: Customer, day: date) -> ContractComponent | None:
    """What was agreed with the customer for a day: the revenue share with its version, or None. One query."""
    return _shares(access, customer).filter(version__valid__contains=day).select_related("version").first()


def terms_of_month(access: Access, customer: Customer, month: date, now: datetime) -> ContractComponent | None:
    """What holds on all agreed days of a month so far; None where nothing does, or the terms changed. One query."""
    period = month_of(month)
    days = DateRange(period.lower, min(period.upper, now.astimezone(UTC).date() + timedelta(days=1)))
    shares = list(_shares(access, customer).filter(version__valid__overlap=days)[:2])
    return shares[0] if len(shares) == 1 else None


def _shares(access: Access, customer: Customer) -> QuerySet[ContractComponent]:
    shares = ContractComponent.objects.visible_to(access).filter(kind=ContractComponent.Kind.REVENUE_SHARE)
    return shares.filter(customer=customer, version__withdrawn_at=None).order_by("position")


@dataclass(frozen=True, slots=True)
class Unsure:
    """Rewards that cannot be billed as the pool tells them now, and how far back they go."""

    unknown: int  # a status, currency or destination that we do not know
    missing: int  # once listed, now not
    first_day: date | None


def unsure(access: Access) -> Unsure:
    rewards = Reward.objects.visible_to(access).exclude(customer=None)
    strange = Q(status=RewardStatus.UNKNOWN) | Q(payout_destination="unknown") | ~Q(currency="BTC")
    missing = Q(missing_since__isnull=False)
    counted = (
        rewards.exclude(status=RewardStatus.CANCELED)
        .filter(strange | missing)
        .aggregate(unknown=Count("pk", filter=strange & ~missing), missing=Count("pk", filter=missing))
    )
    first = rewards.exclude(status=RewardStatus.CANCELED).filter(strange | missing).order_by("day").first()
    return Unsure(counted["unknown"], counted["missing"], first.day if first else None)


def month_waits(access: Access, *, month: date, now: datetime) -> bool:
    """Whether an ended month has rewards of contract customers and no document at all: nobody has closed it."""
    period = ended_month(month, now)
    if Document.objects.visible_to(access).filter(period=period).exclude(status__in=ENDED).exists():
        return False
    contracts = Contract.objects.visible_to(access).values("customer")
    return (
        Reward.objects.visible_to(access)
        .filter(customer__in=contracts, day__gte=period.lower, day__lt=period.upper, status=RewardStatus.SUCCESSFUL)
        .exists()
    )


def month_before(day: date) -> date:
    """The first day of the month before."""
    first: date = month_of(day).lower
    return first.replace(year=first.year - 1, month=12) if first.month == 1 else first.replace(month=first.month - 1)
