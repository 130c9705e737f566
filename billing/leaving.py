"""Close a customer: refused while anything between the two is open, so that closed means that nobody owes anything
the portal knows of."""

from __future__ import annotations

from datetime import datetime

from django.db import connection, transaction
from django.db.models import Count, Exists, Min, OuterRef

from billing import settlement
from billing.models import Contract, Document, DocumentLine, DocumentStatus
from billing.payments.balances import balances
from customers import leaving
from customers.errors import Refused
from customers.models import Customer
from customers.tenancy import Access
from customers.words import day_in_words, month_in_words
from mining.links import issuing
from mining.models import PoolIntent, Reward
from mining.models.rewards import RewardStatus


def close_customer(access: Access, customer: Customer, *, now: datetime) -> None:
    """End its people's access and its links' renewals, or refuse and say what is open.

    Its mining account stays its own and is read on: should machines mine to it again, that is billed like all else.
    """
    with transaction.atomic():
        settlement.lock_closing(access)  # no draft of it is made while it is looked at
        if (why := what_is_open(access, customer, now=now)) is not None:
            raise why
        issuing.end_renewals(access, customer, now=now)
        leaving.close(access, customer, now=now)


def what_is_open(access: Access, customer: Customer, *, now: datetime) -> Refused | None:
    """The first thing that keeps the customer, or None. At most seven queries."""
    return (
        _act(access, customer)
        or _draft(access, customer)
        or _unbilled(access, customer)
        or _correction(access, customer, now=now)
        or _owed(access, customer, now=now)
    )


def _act(access: Access, customer: Customer) -> Refused | None:
    if not PoolIntent.objects.visible_to(access).filter(customer=customer, state__in=PoolIntent.UNSETTLED).exists():
        return None
    return Refused(
        "An act at the pool for %(customer)s is not settled yet.",
        code="customer.act_open",
        params={"customer": customer.name},
    )


def _draft(access: Access, customer: Customer) -> Refused | None:
    drafts = Document.objects.visible_to(access).filter(customer=customer, status=DocumentStatus.DRAFT)
    if (draft := drafts.order_by("period").first()) is None:
        return None
    return Refused(
        "The draft of %(month)s for %(customer)s is not issued: issue it first.",
        code="customer.draft_open",
        params={"month": month_in_words(draft.first_day), "customer": customer.name},
    )


def _unbilled(access: Access, customer: Customer) -> Refused | None:
    """Also what is not final, without terms, or not told clearly by the pool: nobody knows yet who is owed it."""
    billed = DocumentLine.objects.visible_to(access).filter(reward=OuterRef("pk"), document__counts=True)
    rewards = Reward.objects.visible_to(access).filter(~Exists(billed), customer=customer)
    unbilled = rewards.exclude(status=RewardStatus.CANCELED).aggregate(count=Count("pk"), first_day=Min("day"))
    if not unbilled["count"]:
        return None
    return Refused(
        "%(count)d of %(customer)s's rewards are not billed, from %(first_day)s on: have the machines stopped,"
        " then close and issue the months up to the last reward.",
        code="customer.rewards_open",
        params={
            "count": unbilled["count"],
            "customer": customer.name,
            "first_day": day_in_words(unbilled["first_day"]),
        },
    )


def _correction(access: Access, customer: Customer, *, now: datetime) -> Refused | None:
    """What changed after it was billed, and waits for the next document."""
    contract = Contract.objects.visible_to(access).filter(customer=customer).first()
    if contract is None:
        return None
    period = settlement.month_of(now.date())
    values = {"provider": access.provider.pk, "contract": contract.pk, "period": period}
    with connection.cursor() as cursor:
        cursor.execute(settlement.EXPECTED_LINES, values)
        if cursor.fetchone() is None:
            return None
    return Refused(
        "Billed rewards of %(customer)s have changed since: the correction is on the next document, of %(month)s.",
        code="customer.correction_open",
        params={"customer": customer.name, "month": month_in_words(period.lower)},
    )


def _owed(access: Access, customer: Customer, *, now: datetime) -> Refused | None:
    """Also what one side has paid too much: whoever leaves gets it back first."""
    if not balances(access, today=now.date(), customers=[customer]):
        return None
    return Refused(
        "Not everything between you and %(customer)s is paid, or something is paid that no document asks for:"
        " record the payments, or write off what will not come.",
        code="customer.balance_open",
        params={"customer": customer.name},
    )
