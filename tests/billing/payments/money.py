"""Money for stories: invoices and settlements made to order, and payments of them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.db.models import F

from billing.models import Document, DocumentOpen, DocumentType, Fund, PaidBy
from billing.payments import recording
from billing.payments.balances import Balance, balances
from billing.payments.recording import Payment
from billing.verify import problems
from customers.tenancy import Access
from tests.billing.books import AFTER_NOVEMBER, AFTER_OCTOBER, NOVEMBER, OCTOBER, Story, force_deferred_checks

ARRIVED = date(2026, 11, 4)  # the day of AFTER_OCTOBER
TODAY = AFTER_NOVEMBER.date()


def output(number: int, at: int = 0) -> str:
    """The reference of a bitcoin payment."""
    return f"{number:064x}:{at}"


def october_invoice(story: Story) -> Document:
    """146 sat owed by the customer, issued in November."""
    story.reward(1, destination="external_address")
    return story.issue(OCTOBER, AFTER_OCTOBER)


def november_invoice(story: Story) -> Document:
    """292 sat owed by the customer, issued in December."""
    story.reward(date(2026, 11, 1), destination="external_address")
    story.reward(date(2026, 11, 2), destination="external_address")
    return story.issue(NOVEMBER, AFTER_NOVEMBER)


def payment(story: Story, amount: int, ref: str | None = None, **said: Any) -> Payment:
    return Payment(
        **{
            "customer": story.customer,
            "paid_by": PaidBy.CUSTOMER,
            "amount": amount,
            "ref": ref or output(amount),
            "received_on": ARRIVED,
            **said,
        }
    )


def pay(story: Story, amount: int, ref: str | None = None, *, now: datetime = AFTER_NOVEMBER, **said: Any) -> Fund:
    return recording.record(story.access, payment(story, amount, ref, **said), now=now)


def settle_all(access: Access, *, now: datetime) -> None:
    """Pay everything that is open at a provider, in both directions."""
    for opened in DocumentOpen.objects.visible_to(access).filter(settled__lt=F("total")).select_related("document"):
        paid_by = PaidBy.CUSTOMER if opened.document.type == DocumentType.INVOICE else PaidBy.PROVIDER
        money = Payment(
            customer=opened.customer,
            paid_by=paid_by,
            amount=opened.left,
            ref=output(opened.pk, at=7),
            received_on=now.date(),
            documents=[opened.document],
        )
        recording.record(access, money, now=now)


def balance(story: Story, today: date = TODAY) -> Balance:
    """Even, where nothing is open or left."""
    found = balances(story.access, today=today, customers=[story.customer])
    return found[0] if found else Balance(story.customer, "BTC")


def settled(document: Document) -> int:
    """How much of it is settled."""
    return int(document.opened.get().settled)


def status(document: Document) -> str:
    document.refresh_from_db(fields=["status"])
    return document.status


def assert_sound(story: Story) -> None:
    force_deferred_checks()
    assert problems(story.access) == []
