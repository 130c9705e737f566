"""What of the money needs a person, as a month goes by."""

from __future__ import annotations

from datetime import datetime

from billing.attention import Code, OfCustomers, OfDrafts, OfMisdirected, OfMonth, attention
from billing.issue import issue_all
from billing.settlement import close_period, drafts_of
from customers.tenancy import Access
from mining.attention import Attention, Severity
from tests.billing.books import AFTER_OCTOBER, OCTOBER, Story, agree_payout, change, drift
from tests.world import FIRST_DAY


def told(access: Access, now: datetime = AFTER_OCTOBER) -> list[Attention]:
    return list(attention(access, now=now))


def test_a_month_waits_to_be_closed_and_then_its_drafts_to_be_issued(north: Access, story: Story) -> None:
    story.reward(1)
    assert told(north) == [OfMonth(code=Code.MONTH_NOT_CLOSED, severity=Severity.INFO, month=OCTOBER)]

    close_period(north, month=OCTOBER, now=AFTER_OCTOBER)
    drift(story, AFTER_OCTOBER)
    assert told(north) == [OfDrafts(code=Code.DRAFTS, severity=Severity.INFO, count=3, held=1)]

    drift(story, None)
    issue_all(north, drafts_of(north, OCTOBER), now=AFTER_OCTOBER)
    assert told(north) == []


def test_a_misdirected_reward_is_the_worst(north: Access, story: Story) -> None:
    agree_payout(story, "main_balance", at=AFTER_OCTOBER)
    change(story.reward(12, destination="external_address"), payout_address="bc1qthief")
    close_period(north, month=OCTOBER, now=AFTER_OCTOBER)

    row, drafts = told(north)

    assert isinstance(row, OfMisdirected)
    assert (row.severity, row.customer, row.misdirection.count) == (Severity.DOWN, story.customer, 1)
    assert isinstance(drafts, OfDrafts)
    assert (drafts.count, drafts.held) == (3, 1)


def test_rewards_that_cannot_be_billed_are_counted_by_why(north: Access, story: Story) -> None:
    close_period(north, month=OCTOBER, now=AFTER_OCTOBER)
    issue_all(north, drafts_of(north, OCTOBER), now=AFTER_OCTOBER)
    story.reward(2, status="unknown")
    change(story.reward(3), missing_since=AFTER_OCTOBER)
    story.reward(FIRST_DAY.replace(month=9))

    rows = told(north)

    assert [(row.code, row.severity) for row in rows] == [
        (Code.REWARDS_MISSING, Severity.LOW),
        (Code.REWARDS_UNKNOWN, Severity.LOW),
        (Code.REWARDS_UNCOVERED, Severity.LOW),
    ]
    uncovered = rows[-1]
    assert isinstance(uncovered, OfCustomers)
    assert (uncovered.customers, uncovered.rewards) == ([story.customer], 1)
