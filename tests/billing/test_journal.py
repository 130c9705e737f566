"""What documents post, reversals, and the nightly check of the books."""

from __future__ import annotations

from datetime import date

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from billing import journal, verify
from billing.journal import DocumentSums, Leg, Name, document_legs
from billing.models import JournalTx
from customers import tenancy
from customers.models import AuditEntry
from customers.tenancy import Access
from portal.database import as_owner
from tests.billing.books import (
    AFTER_NOVEMBER,
    AFTER_OCTOBER,
    NOVEMBER,
    OCTOBER,
    Story,
    change,
    force_deferred_checks,
    open_story,
)
from tests.refusals import refused
from tests.world import World

sats = st.integers(-(10**15), 10**15)


@pytest.mark.parametrize(
    ("sums", "legs"),
    [
        (DocumentSums(1000, 850, 0), [(Name.CUSTODY, 1000), (Name.INCOME_REVENUE_SHARE, -150), (Name.PAYABLE, -850)]),
        (DocumentSums(0, 0, 150), [(Name.INCOME_REVENUE_SHARE, -150), (Name.RECEIVABLE, 150)]),
        (
            DocumentSums(1000, 850, 900),
            [(Name.CUSTODY, 1000), (Name.INCOME_REVENUE_SHARE, -1050), (Name.RECEIVABLE, 50)],
        ),
        (DocumentSums(1000, 850, 850), [(Name.CUSTODY, 1000), (Name.INCOME_REVENUE_SHARE, -1000)]),
        (DocumentSums(1000, 1000, 0), [(Name.CUSTODY, 1000), (Name.PAYABLE, -1000)]),
        (
            DocumentSums(-1000, -850, 0),
            [(Name.CUSTODY, -1000), (Name.INCOME_REVENUE_SHARE, 150), (Name.RECEIVABLE, 850)],
        ),
        (DocumentSums(0, 0, 0), []),
    ],
)
def test_a_documents_legs(sums: DocumentSums, legs: list[tuple[Name, int]]) -> None:
    assert document_legs(sums) == [Leg(name, amount) for name, amount in legs]


@given(net=sats, customer=sats, external=sats)
def test_legs_always_balance_and_are_never_zero_or_alone(net: int, customer: int, external: int) -> None:
    legs = document_legs(DocumentSums(net, customer, external))

    assert sum(leg.amount_sat for leg in legs) == 0
    assert all(leg.amount_sat for leg in legs)
    assert len(legs) in (0, 2, 3)


def test_a_reversal_takes_the_books_back(story: Story) -> None:
    story.reward(1)
    story.issue(OCTOBER, AFTER_OCTOBER)
    original = JournalTx.objects.get()

    mirror = journal.reverse(story.access, original, effective_on=date(2026, 11, 5), now=AFTER_OCTOBER)

    force_deferred_checks()
    assert (story.books, story.balance) == ({}, journal.CustomerBalance())
    assert (mirror.reverses, mirror.effective_on) == (original, date(2026, 11, 5))
    assert AuditEntry.objects.filter(action="journal.reversed", subject=original.code).exists()
    with refused("posting.reversed"):
        journal.reverse(story.access, original, effective_on=date(2026, 11, 5), now=AFTER_OCTOBER)
    with refused("posting.is_reversal"):
        journal.reverse(story.access, mirror, effective_on=date(2026, 11, 5), now=AFTER_OCTOBER)


def test_books_kept_by_the_rules_have_no_problems(north: Access, story: Story) -> None:
    cancelled, flipped = story.reward(1), story.reward(2)
    other = open_story(north, name="Other")
    other.reward(3, destination="external_address")
    for teller in (story, other):
        teller.issue(OCTOBER, AFTER_OCTOBER)
    change(cancelled, status="canceled")
    change(flipped, payout_destination="external_address")
    story.issue(NOVEMBER, AFTER_NOVEMBER)

    assert verify.problems(north) == []


def test_a_posting_without_a_document_is_found(story: Story) -> None:
    story.reward(1)
    story.issue(OCTOBER, AFTER_OCTOBER)
    journal.reverse(story.access, JournalTx.objects.get(), effective_on=date(2026, 11, 5), now=AFTER_OCTOBER)

    assert verify.problems(story.access) == [
        f"Customer {story.customer.code}: documents and payments come to payable 0.00000829 BTC, the books say nothing."
    ]


@pytest.mark.django_db(transaction=True)
def test_what_was_changed_past_the_triggers_is_found(transactional_db: None, world: World) -> None:
    access = world.north.system
    with tenancy.access_context(access):
        story = open_story(access)
        story.reward(1)
        document = story.issue(OCTOBER, AFTER_OCTOBER)
        reward = document.lines.get().reward.code
    with as_owner(), connection.cursor() as cursor:
        for table in ("billing_document", "billing_documentline", "billing_documentseries", "billing_journalentry"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(
            "UPDATE billing_documentline SET net_sat = net_sat + 5, provider_share_sat = provider_share_sat + 5"
            " WHERE document_id = %s",
            [document.pk],
        )
        cursor.execute("UPDATE billing_document SET balance_sat = 900 WHERE id = %s", [document.pk])
        cursor.execute("UPDATE billing_documentseries SET last_sequence = 2")
        cursor.execute("DELETE FROM billing_journalentry WHERE amount_sat < -800")

    with tenancy.access_context(access):
        tx = JournalTx.objects.get()
        assert verify.problems(access) == [
            "Series SET-2026 gave out 2 numbers, but 1 documents have one, the last 1.",
            "Document SET-2026-000001 says 0.00000900 BTC, its 1 lines sum to 0.00000829 BTC.",
            f"Reward {reward}: what issued lines billed in all is not the reward as they knew it.",
            f"Transaction {tx.code} sums to 829 and not to zero.",
            f"Transaction {tx.code} has 2 of its 3 legs.",
            "SET-2026-000001 asks 900 and its allocations sum to 0, but 0 of 829 counts as settled.",
            f"Customer {story.customer.code}: documents and payments come to payable 0.00000829 BTC,"
            " the books say nothing.",
        ]
