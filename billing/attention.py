"""What in billing needs a person: decided here, once, beside mining/attention.py. No sentence, address or button.

The caller is in the access's context; constant queries, however many rows there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from django.db.models import Exists, OuterRef, Q

from billing import queries
from billing.holds import drafts as held_drafts
from billing.holds import misdirected
from billing.holds.misdirected import Misdirection
from billing.models import FileAttempt
from customers.models import Customer
from customers.tenancy import Access
from mining import alerts
from mining.attention import Attention, Cause, Counted, Severity
from mining.models import Alert, MiningAccount, Reward
from mining.models.rewards import IN_DOUBT, RewardStatus


class Code(StrEnum):
    REWARDS_MISDIRECTED = "reward.misdirected"
    BILLED_IN_DOUBT = "reward.billed_in_doubt"
    REWARDS_MISSING = "reward.missing"
    REWARDS_UNKNOWN = "reward.unknown"
    REWARDS_UNCOVERED = "reward.uncovered"
    NO_CONTRACT = "contract.none"
    MONTH_NOT_CLOSED = "period.not_closed"
    DRAFTS = "document.drafts"
    FILES_FAILED = "document.files_failed"


@dataclass(frozen=True, kw_only=True)
class OfMisdirected(Attention):
    customer: Customer
    misdirection: Misdirection


@dataclass(frozen=True, kw_only=True)
class OfCustomers(Attention):
    customers: list[Customer]
    rewards: int = 0


@dataclass(frozen=True, kw_only=True)
class OfMonth(Attention):
    month: date


@dataclass(frozen=True, kw_only=True)
class OfDrafts(Attention):
    count: int
    held: int


@dataclass(frozen=True, kw_only=True)
class OfFiles(Attention):
    attempt: FileAttempt  # the one that failed first
    documents: int


# --- Causes: what alerts are opened from too

# Nothing of it is taken back, and the customer's next documents are held (omissions.sql).
IN_DOUBT_ONCE_BILLED = Reward.objects.filter(
    IN_DOUBT, mining_account=OuterRef("pk"), lines__document__counts=True
).exclude(status=RewardStatus.CANCELED)
BILLED_IN_DOUBT = Cause(
    Code.BILLED_IN_DOUBT,
    Alert.Kind.BILLED_IN_DOUBT,
    stands=Q(Exists(IN_DOUBT_ONCE_BILLED)),
    over=~Q(Exists(IN_DOUBT_ONCE_BILLED)),
)


def refresh_alerts(provider_id: int, *, now: datetime) -> None:
    """Alerts of the money's causes. Safe to repeat. Opens its own context."""
    accounts = alerts.Subject("mining_account", MiningAccount.objects.exclude(customer=None), (BILLED_IN_DOUBT,))
    alerts.agree(provider_id, [accounts], now=now)


# --- What needs a person now


def attention(access: Access, *, now: datetime) -> Iterator[Attention]:
    drafted = misdirected.on_drafts(access)
    yield from _misdirected(access, drafted, now)
    yield from _billed_in_doubt(access)
    unsure = queries.unsure(access)
    for code, count in ((Code.REWARDS_MISSING, unsure.missing), (Code.REWARDS_UNKNOWN, unsure.unknown)):
        if count:
            yield Counted(code=code, severity=Severity.LOW, count=count)
    yield from _failed_files(access)
    yield from _without_terms(access)
    month = queries.month_before(now.date())
    if queries.month_waits(access, month=month, now=now):
        yield OfMonth(code=Code.MONTH_NOT_CLOSED, severity=Severity.INFO, month=month)
    drafts = queries.drafts_open(access).count
    if drafts:
        held = len(held_drafts.held_drafts(access, drafted))
        yield OfDrafts(code=Code.DRAFTS, severity=Severity.INFO, count=drafts, held=held)


def _misdirected(access: Access, drafted: list[misdirected.MisdirectedReward], now: datetime) -> Iterator[Attention]:
    waiting = misdirected.of_all_customers(access, drafted, now=now)
    for customer in Customer.objects.visible_to(access).filter(pk__in=waiting).order_by("name", "pk"):
        yield OfMisdirected(
            code=Code.REWARDS_MISDIRECTED,
            severity=Severity.DOWN,
            customer=customer,
            misdirection=waiting[customer.pk],
        )


def _failed_files(access: Access) -> Iterator[Attention]:
    failed = FileAttempt.objects.visible_to(access).exclude(problem="")
    first = failed.select_related("document", "customer").order_by("pk").first()
    if first is not None:
        documents = failed.values("document").distinct().count()
        yield OfFiles(code=Code.FILES_FAILED, severity=Severity.LOW, attempt=first, documents=documents)


def _billed_in_doubt(access: Access) -> Iterator[Attention]:
    accounts = MiningAccount.objects.visible_to(access).exclude(customer=None).filter(BILLED_IN_DOUBT.stands)
    doubted = list(accounts.select_related("customer").order_by("customer__name", "pk"))
    if doubted:
        yield OfCustomers(
            code=Code.BILLED_IN_DOUBT,
            severity=Severity.DOWN,
            customers=[account.customer for account in doubted if account.customer],
        )


def _without_terms(access: Access) -> Iterator[Attention]:
    """Customers with rewards that no terms cover, and then those who have neither rewards nor a contract yet."""
    uncovered = queries.uncovered(access)
    if uncovered:
        yield OfCustomers(
            code=Code.REWARDS_UNCOVERED,
            severity=Severity.LOW,
            customers=[row.customer for row in uncovered],
            rewards=sum(row.rewards for row in uncovered),
        )
    told = {row.customer.pk for row in uncovered}
    bare = [customer for customer in queries.without_contract(access) if customer.pk not in told]
    if bare:
        yield OfCustomers(code=Code.NO_CONTRACT, severity=Severity.INFO, customers=bare)
