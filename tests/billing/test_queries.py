"""What waits to be billed or issued, and the same months told for one customer and for many."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from billing import queries
from billing.issue import issue_all
from billing.models import Document
from billing.settlement import close_period
from billing.shares import month_to_date, months_to_date
from customers.models import Customer
from customers.tenancy import Access
from mining.models import Reward
from tests.billing.books import OCTOBER, Story, change
from tests.refusals import refused
from tests.world import FIRST_DAY, NOW, World, make_reward


def test_months_of_many_are_the_months_of_each(north: Access, story: Story, world: World) -> None:
    story.reward(4)
    story.reward(5, status="pending")
    story.reward(6, status="unknown")
    story.reward(FIRST_DAY - timedelta(days=1))
    everybody = list(Customer.objects.visible_to(north))
    for month in (OCTOBER, date(2026, 9, 1), date(2026, 1, 1)):
        together = months_to_date(north, everybody, month, NOW)
        assert together == {customer.pk: month_to_date(north, customer, month, NOW) for customer in everybody}
    assert months_to_date(north, [], OCTOBER, NOW) == {}


def test_rewards_before_the_first_terms_wait_and_canceled_ones_do_not(north: Access, story: Story) -> None:
    for day, status in ((1, "successful"), (2, "pending"), (3, "canceled")):
        make_reward(story.account, FIRST_DAY - timedelta(days=day), status=status)
    story.reward(4)
    (row,) = queries.uncovered(north)
    assert (row.customer, row.rewards, row.first_day) == (story.customer, 2, FIRST_DAY - timedelta(days=2))


def test_without_a_contract_every_reward_waits(north: Access, world: World) -> None:
    bare = Customer.objects.create(provider=north.provider, name="Bare", email="b@b.example", created_at=NOW)
    assert queries.without_contract(north) == [bare]
    account = world.north.clients[0].account
    Reward.objects.filter(mining_account=account).update(missing_since=NOW)
    assert (queries.unsure(north).missing, queries.unsure(north).first_day) == (3, FIRST_DAY)


def test_a_closed_month_no_longer_waits(north: Access) -> None:
    assert queries.month_waits(north, month=OCTOBER, now=NOW)
    assert not queries.month_waits(north, month=date(2026, 9, 1), now=NOW)
    close_period(north, month=OCTOBER, now=NOW)
    assert not queries.month_waits(north, month=OCTOBER, now=NOW)


@pytest.mark.parametrize(
    ("day", "first"), [(date(2026, 11, 23), date(2026, 10, 1)), (date(2027, 1, 1), date(2026, 12, 1))]
)
def test_the_month_before(day: date, first: date) -> None:
    assert queries.month_before(day) == first


def test_drafts_are_summed_each_side_by_itself(north: Access) -> None:
    drafts = close_period(north, month=OCTOBER, now=NOW)
    assert queries.drafts_open(north) == queries.owed(drafts) == queries.Owed(2, 248_625, 43_875)


def test_issuing_several_is_all_or_nothing(north: Access, world: World) -> None:
    drafts = close_period(north, month=OCTOBER, now=NOW)
    change(world.north.clients[1].rewards[0], status="canceled", status_raw="canceled")
    with refused("document.stale"):
        issue_all(north, drafts, now=NOW)
    assert {d.status for d in Document.objects.visible_to(north)} == {"draft"}
    fresh = close_period(north, month=OCTOBER, now=NOW)
    assert [d.number for d in issue_all(north, reversed(fresh), now=NOW).documents] == [
        "SET-2026-000001",
        "INV-2026-000001",
    ]
