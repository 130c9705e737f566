"""Amounts too small to issue are carried to the next month, and never lost."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from billing import contracts, settlement, verify
from billing.evidence import csv_rows
from billing.issue import issue, issue_all
from billing.leaving import close_customer
from billing.models import Document
from billing.pdf.content import content_of
from customers.models import AuditEntry, Customer
from customers.tenancy import Access
from tests.billing.books import (
    AFTER_DECEMBER,
    AFTER_NOVEMBER,
    AFTER_OCTOBER,
    DECEMBER,
    NOVEMBER,
    OCTOBER,
    Story,
    change,
    lines_of,
    open_story,
    revenue_share,
)
from tests.billing.payments.money import settle_all
from tests.refusals import refused
from tests.world import FIRST_DAY, NOW

SHARE = revenue_share(150_000)  # 829 sat of each reward are the customer's


@pytest.fixture
def story(north: Access) -> Story:
    """Cedar, with 1,000 sat as the smallest amount to issue."""
    story = open_story(north)
    terms: dict[str, Any] = {"settle_in": "btc", "components": [SHARE], "minimum_sat": 1_000}
    contracts.new_version(north, story.contract, valid_from=FIRST_DAY, now=NOW, **terms)
    return story


def test_a_small_month_is_carried_and_the_next_document_bills_it(story: Story) -> None:
    story.reward(1)
    (preview,) = [row for row in settlement.preview(story.access, month=OCTOBER, now=AFTER_OCTOBER) if of(story, row)]
    assert (preview.balance_sat, preview.below_sat) == (829, 1_000)

    carried = story.issue(OCTOBER, AFTER_OCTOBER)

    assert (carried.status, carried.number, story.books) == ("carried", None, {})
    assert story.close(OCTOBER, AFTER_OCTOBER) is None  # it is not reopened
    with refused("document.carried"):
        issue(story.access, carried, now=AFTER_OCTOBER)
    (entry,) = AuditEntry.objects.filter(action="document.carried")
    assert (entry.subject, entry.details) == (carried.code, {"balance_sat": 829, "minimum_sat": 1_000})

    story.reward(date(2026, 11, 2))
    november = story.issue(NOVEMBER, AFTER_NOVEMBER)
    assert (november.number, november.balance_sat) == ("SET-2026-000001", 2 * 829)
    assert lines_of(november) == [
        ("2026-11-02", "pay_customer", 829, ""),
        ("2026-10-01", "pay_customer", 829, "carried"),
    ]
    summary = [row["text"] for row in content_of(november)["summary"]]
    assert "Carried in from October 2026, which was below the minimum, 1 line" in summary
    assert b"carried" in b"".join(csv_rows(november))
    assert story.balance.net_sat == 2 * 829
    assert verify.problems(story.access) == []


def of(story: Story, row: settlement.Preview) -> bool:
    return row.customer == story.customer


def test_small_months_add_up_until_they_are_enough(story: Story) -> None:
    for month, now in ((OCTOBER, AFTER_OCTOBER), (NOVEMBER, AFTER_NOVEMBER)):
        reward = story.reward(month, total="0.00000500", fee="0.00000010")
        assert reward.net_sat == 490
        assert story.issue(month, now).status == "carried"
    story.reward(DECEMBER, total="0.00000500", fee="0.00000010")
    december = story.issue(DECEMBER, AFTER_DECEMBER)
    assert (december.status, december.balance_sat) == ("issued", 3 * 416)
    assert [line[3] for line in lines_of(december)] == ["", "carried", "carried"]


def test_what_was_carried_is_billed_as_it_is_by_then(story: Story) -> None:
    reward = story.reward(1)
    story.issue(OCTOBER, AFTER_OCTOBER)
    change(reward, status="canceled")
    late = story.reward(2)
    story.reward(date(2026, 11, 2))
    november = story.issue(NOVEMBER, AFTER_NOVEMBER)
    assert [(line[0], line[3]) for line in lines_of(november)] == [("2026-11-02", ""), (str(late.day), "late")]


@pytest.mark.parametrize(("minimum_sat", "status"), [(829, "issued"), (830, "carried"), (0, "issued")])
def test_what_is_just_enough_is_issued(north: Access, minimum_sat: int, status: str) -> None:
    story = open_story(north)
    terms: dict[str, Any] = {"settle_in": "btc", "components": [SHARE], "minimum_sat": minimum_sat}
    contracts.new_version(north, story.contract, valid_from=FIRST_DAY, now=NOW, **terms)
    story.reward(1)
    assert story.issue(OCTOBER, AFTER_OCTOBER).status == status


def test_an_amount_owed_by_the_customer_counts_by_its_size(story: Story) -> None:
    story.reward(1, destination="external_address")
    assert story.issue(OCTOBER, AFTER_OCTOBER).status == "carried"


def test_without_a_minimum_a_document_of_nothing_has_its_number_as_before(north: Access) -> None:
    story = open_story(north)
    story.reward(1, total="0", fee="0")
    assert story.issue(OCTOBER, AFTER_OCTOBER).number == "SET-2026-000001"


def test_who_leaves_is_paid_to_the_last_satoshi(story: Story) -> None:
    story.reward(1)
    Customer.objects.filter(pk=story.customer.pk).update(status=Customer.Status.CLOSED, closed_at=NOW)
    assert story.issue(OCTOBER, AFTER_OCTOBER).balance_sat == 829


def test_a_person_issues_the_last_one_so_that_the_customer_can_be_closed(story: Story) -> None:
    reward = story.reward(1)
    assert story.issue(OCTOBER, AFTER_OCTOBER).status == "carried"
    with refused("customer.rewards_open"):
        close_customer(story.access, story.customer, now=AFTER_NOVEMBER)
    november = story.close(NOVEMBER, AFTER_NOVEMBER)  # nothing of its own, but what was carried
    assert november is not None
    issued = issue(story.access, november, final=True, now=AFTER_NOVEMBER)
    assert (issued.status, lines_of(issued)) == ("issued", [(str(reward.day), "pay_customer", 829, "carried")])
    settle_all(story.access, now=AFTER_NOVEMBER)
    close_customer(story.access, story.customer, now=AFTER_NOVEMBER)


def test_a_month_of_many_carries_some_and_issues_the_others(story: Story) -> None:
    birch = open_story(story.access, name="Birch")
    for one in (story, birch):
        one.reward(1)
        one.close(OCTOBER, AFTER_OCTOBER)
    mine = settlement.drafts_of(story.access, OCTOBER).filter(customer__in=[story.customer, birch.customer])
    done = issue_all(story.access, mine, now=AFTER_OCTOBER)
    assert [document.customer for document in done.documents] == [birch.customer]
    assert [document.customer for document in done.carried] == [story.customer]
    with pytest.raises(IntegrityError, match="does not become issued"), transaction.atomic():
        Document.objects.filter(pk=done.carried[0].pk).update(status="issued")


@pytest.mark.parametrize("minimum_sat", [-1, 100_000_001])
def test_a_minimum_that_would_keep_everything_back_is_refused(story: Story, minimum_sat: int) -> None:
    with refused("terms.minimum_invalid"):
        contracts.new_version(
            story.access, story.contract, valid_from=NOVEMBER, settle_in="btc", components=[SHARE],
            minimum_sat=minimum_sat, now=NOW,
        )  # fmt: skip
