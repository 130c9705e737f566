"""Shares of rewards for pages and the API, and a month that still runs."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.shares import Before, MonthToDate, Parts, RewardShare, month_to_date, months_to_date, shares_of
from customers.models import Customer
from customers.tenancy import Access, Kind
from mining.models import Reward
from tests.billing.books import AFTER_OCTOBER, NOVEMBER, OCTOBER, Story, change, open_story, revenue_share
from tests.world import NOW, World


def sums(parts: Parts) -> tuple[int, int | None, int | None, int | None]:
    return parts.count, parts.net_sat, parts.provider_sat, parts.customer_sat


def test_each_reward_is_split_by_the_terms_of_its_day_and_says_what_it_was_before(story: Story) -> None:
    story.new_terms(date(2026, 10, 16), revenue_share(200_000))  # agreed in November
    before, after = story.reward(15), story.reward(16)

    assert shares_of([before, after]) == {
        before.pk: RewardShare(146, 829),
        after.pk: RewardShare(195, 780, ("terms_changed",), Before(NOW, 146, 829)),
    }


@pytest.mark.parametrize(
    ("facts", "share"),
    [
        ({"status": "pending"}, RewardShare(146, 829)),
        ({"status": "canceled"}, RewardShare(None, None, ("canceled",))),
        ({"status": "unknown"}, RewardShare(None, None, ("unknown_status",))),
        ({"currency": "DOGE"}, RewardShare(None, None, ("unknown_currency",))),
        ({"payout_destination": "unknown"}, RewardShare(146, 829, ("unknown_destination",))),
        ({"missing_since": AFTER_OCTOBER}, RewardShare(146, 829, ("missing",))),
    ],
)
def test_what_is_not_known_is_none_and_says_why(story: Story, facts: dict[str, Any], share: RewardShare) -> None:
    reward = story.reward(1)
    change(reward, **facts)

    assert shares_of([reward])[reward.pk] == share


def test_a_reward_before_the_first_terms_has_no_share(north: Access) -> None:
    story = open_story(north, since=date(2026, 10, 10))
    reward = story.reward(9)

    assert shares_of([reward])[reward.pk] == RewardShare(None, None, ("no_contract",))


def test_a_capped_share_is_flagged(north: Access) -> None:
    story = open_story(north, revenue_share(990_000, "gross", "customer"))
    reward = story.reward(1)

    assert shares_of([reward])[reward.pk] == RewardShare(975, 0, ("share_capped",))


@pytest.mark.parametrize("count", [1, 3])
def test_shares_take_two_queries_for_any_number_of_rewards(north: Access, count: int) -> None:
    rewards = [open_story(north, name=f"Customer {number}").reward(1) for number in range(count)]

    with CaptureQueriesContext(connection) as queries:
        shares_of(Reward.objects.filter(pk__in=[reward.pk for reward in rewards]))

    assert len(queries) == 3  # the rewards themselves, where they were paid, and the terms
    assert shares_of([]) == {}


def test_a_running_month_keeps_final_and_pending_apart(story: Story) -> None:
    story.reward(1)
    story.reward(2, destination="external_address")
    story.reward(3, status="pending")
    story.reward(4, status="canceled")
    story.reward(5, status="unknown")

    month = month_to_date(story.access, story.customer, OCTOBER, AFTER_OCTOBER)

    assert (sums(month.successful), sums(month.pending)) == ((2, 1950, 292, 1658), (1, 975, 146, 829))
    assert (month.no_contract, month.unknown, month.last_day) == (0, 1, date(2026, 10, 5))


def test_a_month_of_which_nothing_is_known_is_unknown_and_not_zero(story: Story) -> None:
    month = month_to_date(story.access, story.customer, NOVEMBER, AFTER_OCTOBER)

    assert (sums(month.successful), sums(month.pending)) == ((0, None, None, None), (0, None, None, None))
    assert month.last_day is None


def test_rewards_without_terms_are_counted_and_in_no_sum(north: Access) -> None:
    story = open_story(north, since=date(2026, 10, 10))
    story.reward(9)
    story.reward(10)

    month = month_to_date(north, story.customer, OCTOBER, AFTER_OCTOBER)

    assert (sums(month.successful), month.no_contract) == ((1, 975, 146, 829), 1)


def test_a_provider_sees_the_sum_of_its_customers_and_a_customer_only_itself(north: Access, world: World) -> None:
    whole = month_to_date(north, None, OCTOBER, AFTER_OCTOBER)
    mine, other = (client.customer for client in world.north.clients)
    by_customer = months_to_date(north, [mine, other], OCTOBER, AFTER_OCTOBER)

    # Six rewards of 97,500 sat net, three of each customer: the neighbour's are not among them.
    assert sums(whole.successful) == (6, 585_000, 87_750, 497_250)
    assert [sums(by_customer[customer.pk].successful)[:2] for customer in (mine, other)] == [(3, 292_500)] * 2
    as_customer = Access(Kind.CUSTOMER, north.provider, customer=mine)
    assert asked(as_customer, other) == asked(as_customer, mine) == by_customer[mine.pk]


def asked(access: Access, customer: Customer) -> MonthToDate:
    return month_to_date(access, customer, OCTOBER, AFTER_OCTOBER)


def test_days_that_are_yet_to_come_are_not_in_a_running_month(story: Story) -> None:
    story.reward(1)
    story.reward(20)

    month = month_to_date(story.access, story.customer, OCTOBER, AFTER_OCTOBER.replace(month=10, day=10))

    assert sums(month.successful)[0] == 1
