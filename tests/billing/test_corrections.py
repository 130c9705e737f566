"""What an issued document says otherwise than the pool says now, and where that is put right."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.corrections import NOTHING, Amounts, Correction, corrections_of, difference_of
from billing.shares import month_to_date, shares_of
from customers.tenancy import Kind
from mining.models import Reward
from tests.billing.books import (
    AFTER_NOVEMBER,
    AFTER_OCTOBER,
    NOVEMBER,
    OCTOBER,
    Story,
    change,
    change_amount,
    let_pass,
)

SINCE = AFTER_OCTOBER + timedelta(days=2)
AS_BILLED = Amounts(provider_sat=146, customer_sat=829, owed_sat=829)  # of 1,000, fee 25, share 15 %


def correction(story: Story, reward: Reward) -> Correction | None:
    return corrections_of(story.access, [reward], shares_of([reward])).get(reward.pk)


def test_what_says_the_same_as_its_document_is_no_correction(story: Story) -> None:
    reward = story.reward(18)
    assert correction(story, reward) is None
    story.issue(OCTOBER, AFTER_OCTOBER)
    assert correction(story, reward) is None
    assert difference_of(story.access, story.customer, OCTOBER) is None


def test_a_changed_amount_goes_on_the_next_document_then_its_draft_then_stands_there(story: Story) -> None:
    reward = story.reward(18)
    october = story.issue(OCTOBER, AFTER_OCTOBER)
    change_amount(reward, "0.00002000", "0.00000050")
    change(reward, changed_at=SINCE)

    expected = Correction(october, AS_BILLED, Amounts(292, 1658, 1658), SINCE, None)
    assert correction(story, reward) == expected
    draft = story.close(NOVEMBER, AFTER_NOVEMBER)
    assert correction(story, reward) == replace(expected, on=draft)
    november = story.issue(NOVEMBER, AFTER_NOVEMBER)
    assert correction(story, reward) == replace(expected, on=november)


def test_a_customer_is_told_of_no_draft(story: Story) -> None:
    reward = story.reward(18)
    story.issue(OCTOBER, AFTER_OCTOBER)
    change_amount(reward, "0.00002000", "0.00000050")
    story.close(NOVEMBER, AFTER_NOVEMBER)
    customer = replace(story.access, kind=Kind.CUSTOMER, customer=story.customer)
    found = corrections_of(customer, [reward], shares_of([reward]))[reward.pk]
    assert found.on is None


def test_a_canceled_reward_is_taken_back_and_a_doubtful_one_is_not(story: Story) -> None:
    canceled, doubtful = story.reward(18), story.reward(19)
    story.issue(OCTOBER, AFTER_OCTOBER)
    change(canceled, status="canceled", changed_at=SINCE)
    change(doubtful, missing_since=SINCE)

    of_canceled, of_doubtful = correction(story, canceled), correction(story, doubtful)
    assert of_canceled is not None
    assert of_doubtful is not None
    assert (of_canceled.now, of_canceled.customer_sat) == (NOTHING, -829)
    assert (of_doubtful.now, of_doubtful.since) == (None, SINCE)
    draft = story.close(NOVEMBER, AFTER_NOVEMBER)
    assert draft is not None
    let_pass(story.access, draft, now=AFTER_NOVEMBER)
    found = correction(story, doubtful)
    assert found is not None
    assert found.on is None  # nothing is taken back


def test_one_that_came_late_was_not_on_the_document_of_its_month(story: Story) -> None:
    story.reward(18)
    october = story.issue(OCTOBER, AFTER_OCTOBER)
    late = story.reward(19, status="pending")
    assert correction(story, late) is None  # nothing is owed for it yet
    change(late, status="successful", first_seen_at=SINCE)
    assert correction(story, late) == Correction(october, None, AS_BILLED, SINCE, None)


def test_one_that_was_paid_to_another_place_has_the_same_parts(story: Story) -> None:
    reward = story.reward(18)
    story.issue(OCTOBER, AFTER_OCTOBER)
    change(reward, payout_destination="external_address", payout_address="bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4")
    found = correction(story, reward)
    assert found is not None
    assert found.now == Amounts(146, 829, -146)
    assert (found.moved_only, found.customer_sat) == (True, 0)


def test_the_difference_of_a_month_is_what_its_sum_and_its_document_differ_by(story: Story) -> None:
    canceled, changed, doubtful = (story.reward(day) for day in (17, 18, 19))
    same = story.reward(20)
    october = story.issue(OCTOBER, AFTER_OCTOBER)
    change(canceled, status="canceled")
    change_amount(changed, "0.00002000", "0.00000050")
    change(doubtful, status="pending")
    late = story.reward(21)

    found = difference_of(story.access, story.customer, date(2026, 10, 1))
    assert found is not None
    assert found.document == october
    assert [reward for reward, _ in found.rewards] == [late, doubtful, changed, canceled]
    month = month_to_date(story.access, story.customer, OCTOBER, AFTER_NOVEMBER)
    assert month.successful.customer_sat is not None
    assert found.customer_sat == month.successful.customer_sat - october.balance_sat == 829 - 829 + 829 - 829
    assert same.pk not in {reward.pk for reward, _ in found.rewards}


def test_it_costs_two_queries_however_many_rewards(story: Story) -> None:
    rewards = [story.reward(day) for day in (17, 18, 19)]
    story.issue(OCTOBER, AFTER_OCTOBER)
    for count in (1, 3):
        shares = shares_of(rewards[:count])
        with CaptureQueriesContext(connection) as made:
            corrections_of(story.access, rewards[:count], shares)
        assert len(made) == 2
