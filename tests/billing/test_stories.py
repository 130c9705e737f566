"""Months told step by step, with the documents and the balances after each step. Northmere's share is 15 % of net."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from billing import settlement
from billing.issue import issue
from billing.journal import CustomerBalance
from billing.models import ContractComponent, ContractVersion, DocumentStatus
from customers.tenancy import Access
from mining.models import Reward
from tests.billing.books import (
    AFTER_DECEMBER,
    AFTER_NOVEMBER,
    AFTER_OCTOBER,
    DECEMBER,
    NOVEMBER,
    OCTOBER,
    Story,
    change,
    change_amount,
    drift,
    force_deferred_checks,
    lines_of,
    open_story,
    revenue_share,
)
from tests.refusals import refused


def test_a_month_to_the_main_balance_is_owed_to_the_customer(story: Story) -> None:
    story.reward(1)
    story.reward(2)

    document = story.issue(OCTOBER, AFTER_OCTOBER)

    assert lines_of(document) == [
        ("2026-10-01", "pay_customer", 829, ""),
        ("2026-10-02", "pay_customer", 829, ""),
    ]
    assert (document.type, document.number, document.total_sat) == ("settlement", "SET-2026-000001", 1658)
    assert story.balance == CustomerBalance(payable_sat=1658)
    assert story.books == {"custody:main_balance": 1950, "income:revenue_share": -292, "payable": -1658}
    force_deferred_checks()


def test_a_month_to_the_customers_address_is_an_invoice(story: Story) -> None:
    story.reward(1, destination="external_address")
    story.reward(2, destination="external_address")

    document = story.issue(OCTOBER, AFTER_OCTOBER)

    assert (document.type, document.direction, document.number) == ("invoice", "customer_owes", "INV-2026-000001")
    assert (document.balance_sat, document.total_sat) == (-292, 292)
    assert story.balance == CustomerBalance(receivable_sat=292)
    assert story.books == {"receivable": 292, "income:revenue_share": -292}
    force_deferred_checks()


def test_two_destinations_in_one_month_are_netted(story: Story) -> None:
    story.reward(1)
    story.reward(2, destination="external_address")

    document = story.issue(OCTOBER, AFTER_OCTOBER)

    assert lines_of(document) == [
        ("2026-10-01", "pay_customer", 829, ""),
        ("2026-10-02", "bill_customer", -146, ""),
    ]
    assert (document.type, document.balance_sat) == ("settlement", 683)
    assert story.books == {"custody:main_balance": 975, "income:revenue_share": -292, "payable": -683}
    force_deferred_checks()


def test_a_flip_of_the_destination_after_billing_takes_back_one_part_and_bills_the_other(story: Story) -> None:
    reward = story.reward(1)
    story.issue(OCTOBER, AFTER_OCTOBER)
    change(reward, payout_destination="external_address")

    document = story.issue(NOVEMBER, AFTER_NOVEMBER)

    assert lines_of(document) == [
        ("2026-10-01", "pay_customer", -829, "destination_changed"),
        ("2026-10-01", "bill_customer", -146, "destination_changed"),
    ]
    assert (document.type, document.total_sat) == ("invoice", 975)
    assert story.balance == CustomerBalance(payable_sat=829, receivable_sat=975)
    assert story.books == {"income:revenue_share": -146, "payable": -829, "receivable": 975}
    force_deferred_checks()


def test_a_reward_canceled_after_billing_is_taken_back_on_the_next_document(story: Story) -> None:
    reward = story.reward(1)
    october = story.issue(OCTOBER, AFTER_OCTOBER)
    change(reward, status="canceled")
    story.reward(date(2026, 11, 5))

    november = story.issue(NOVEMBER, AFTER_NOVEMBER)

    assert lines_of(november) == [
        ("2026-11-05", "pay_customer", 829, ""),
        ("2026-10-01", "pay_customer", -829, "status_changed"),
    ]
    correction = november.lines.get(kind="correction")
    assert correction.corrects == october.lines.get()
    assert (correction.facts["was_status"], correction.facts["was_sat"]) == ("successful", 829)
    assert (november.type, november.balance_sat) == ("settlement", 0)
    assert story.balance == CustomerBalance(payable_sat=829)
    # What the pool took back is gone from custody; the reward of November took its place.
    assert story.books == {"custody:main_balance": 975, "income:revenue_share": -146, "payable": -829}
    force_deferred_checks()


def test_a_canceled_reward_that_becomes_successful_again_is_paid_again(story: Story) -> None:
    reward = story.reward(1)
    story.issue(OCTOBER, AFTER_OCTOBER)
    change(reward, status="canceled")
    november = story.issue(NOVEMBER, AFTER_NOVEMBER)
    change(reward, status="successful")

    december = story.issue(DECEMBER, AFTER_DECEMBER)

    assert lines_of(december) == [("2026-10-01", "pay_customer", 829, "status_changed")]
    assert december.lines.get().corrects == november.lines.get()
    assert december.number == "SET-2027-000001"  # the year of the issue date
    assert story.balance == CustomerBalance(payable_sat=1658, receivable_sat=829)
    force_deferred_checks()


def test_a_changed_amount_is_corrected_by_its_difference(story: Story) -> None:
    reward = story.reward(1)
    story.issue(OCTOBER, AFTER_OCTOBER)
    change_amount(reward, "0.00000900", "0.00000020")

    document = story.issue(NOVEMBER, AFTER_NOVEMBER)

    # 880 net: 748 to the customer (85 %) where 829 were billed.
    assert lines_of(document) == [("2026-10-01", "pay_customer", -81, "amount_changed")]
    line = document.lines.get()
    assert (line.net_sat, line.provider_share_sat, line.customer_share_sat) == (-95, -14, -81)
    assert story.balance == CustomerBalance(payable_sat=829, receivable_sat=81)
    force_deferred_checks()


def test_a_late_reward_of_a_closed_month_comes_on_the_next_document(story: Story) -> None:
    story.reward(1)
    story.issue(OCTOBER, AFTER_OCTOBER)
    story.reward(31)
    assert story.close(OCTOBER, AFTER_OCTOBER) is None

    document = story.issue(NOVEMBER, AFTER_NOVEMBER)

    assert lines_of(document) == [("2026-10-31", "pay_customer", 829, "late")]
    assert document.lines.get().kind == "correction"
    assert story.balance == CustomerBalance(payable_sat=1658)


@pytest.mark.parametrize("facts", [{"status": "pending"}, {"status": "unknown"}, {"missing_since": AFTER_OCTOBER}])
def test_a_billed_reward_that_is_no_longer_sure_is_held_and_not_taken_back(
    story: Story, facts: dict[str, object]
) -> None:
    reward = story.reward(1)
    story.issue(OCTOBER, AFTER_OCTOBER)
    change(reward, **facts)

    assert story.close(NOVEMBER, AFTER_NOVEMBER) is None
    assert story.balance == CustomerBalance(payable_sat=829)


@pytest.mark.parametrize(
    "facts",
    [
        {"status": "pending"},
        {"status": "unknown"},
        {"status": "canceled"},
        {"missing_since": AFTER_OCTOBER},
        {"payout_destination": "unknown"},
        {"currency": "DOGE"},
    ],
)
def test_a_reward_that_is_not_sure_is_not_billed(story: Story, facts: dict[str, object]) -> None:
    change(story.reward(1), **facts)

    assert story.close(OCTOBER, AFTER_OCTOBER) is None


def test_a_pending_reward_is_billed_late_once_it_is_final(story: Story) -> None:
    reward = story.reward(31, status="pending")
    story.reward(1)
    october = story.issue(OCTOBER, AFTER_OCTOBER)
    assert october.snapshot is not None
    assert october.snapshot["pending"] == [{"day": "2026-10-31", "net_sat": 975}]
    change(reward, status="successful")

    november = story.issue(NOVEMBER, AFTER_NOVEMBER)

    assert lines_of(november) == [("2026-10-31", "pay_customer", 829, "late")]


def test_a_new_share_in_mid_month_holds_from_its_day_on(story: Story) -> None:
    story.new_terms(date(2026, 10, 16), revenue_share(200_000))
    story.reward(15)
    story.reward(16)

    document = story.issue(OCTOBER, AFTER_OCTOBER)

    assert lines_of(document) == [
        ("2026-10-15", "pay_customer", 829, ""),
        ("2026-10-16", "pay_customer", 780, ""),
    ]
    assert document.snapshot is not None
    assert [terms["share_ppm"] for terms in document.snapshot["terms"]] == [150_000, 200_000]
    assert story.books == {"custody:main_balance": 1950, "income:revenue_share": -341, "payable": -1609}


def test_new_terms_in_days_that_are_billed_are_refused_and_later_ones_are_not(story: Story) -> None:
    story.reward(20)
    story.issue(OCTOBER, AFTER_OCTOBER)

    with refused("terms.days_billed"):
        story.new_terms(date(2026, 10, 20), revenue_share(200_000))

    story.new_terms(date(2026, 10, 21), revenue_share(200_000))


@pytest.mark.parametrize(
    ("share_ppm", "customer_sat", "provider_sat"),
    [(0, 975, 0), (1_000_000, 0, 975), (333_333, 650, 325)],
)
def test_shares_at_the_edges(north: Access, share_ppm: int, customer_sat: int, provider_sat: int) -> None:
    to_us, to_them = (open_story(north, revenue_share(share_ppm), name=name) for name in ("Us", "Them"))
    to_us.reward(1)
    to_them.reward(1, destination="external_address")

    settlement_of_us, invoice_of_them = to_us.issue(OCTOBER, AFTER_OCTOBER), to_them.issue(OCTOBER, AFTER_OCTOBER)

    assert settlement_of_us.balance_sat == customer_sat
    assert invoice_of_them.balance_sat == -provider_sat
    # Nothing owed is a settlement of 0, with its line.
    assert settlement_of_us.type == "settlement"
    assert invoice_of_them.type == ("settlement" if provider_sat == 0 else "invoice")
    force_deferred_checks()


def test_a_document_of_zeros_is_issued_and_posts_nothing(north: Access) -> None:
    story = open_story(north, revenue_share(0))
    story.reward(1, destination="external_address")

    document = story.issue(OCTOBER, AFTER_OCTOBER)

    assert (document.number, document.total_sat, lines_of(document)) == (
        "SET-2026-000001",
        0,
        [("2026-10-01", "bill_customer", 0, "")],
    )
    assert story.books == {}
    force_deferred_checks()


def test_gross_terms_say_who_bears_the_pools_fee(north: Access) -> None:
    customer_bears = open_story(north, revenue_share(150_000, "gross", "customer"), name="Bears")
    provider_bears = open_story(north, revenue_share(150_000, "gross", "provider"), name="Free")
    for story in (customer_bears, provider_bears):
        story.reward(1)

    assert customer_bears.issue(OCTOBER, AFTER_OCTOBER).balance_sat == 825
    assert provider_bears.issue(OCTOBER, AFTER_OCTOBER).balance_sat == 850


def test_a_customer_part_capped_at_zero_is_flagged_on_its_line(north: Access) -> None:
    story = open_story(north, revenue_share(990_000, "gross", "customer"))
    story.reward(1)

    document = story.close(OCTOBER, AFTER_OCTOBER)

    assert document is not None
    line = document.lines.get()
    assert (line.customer_share_sat, line.provider_share_sat, line.facts["share_capped"]) == (0, 975, True)


def test_a_provider_part_below_zero_is_owed_by_the_provider(north: Access) -> None:
    story = open_story(north, revenue_share(10_000, "gross", "provider"))
    story.reward(1, destination="external_address")

    document = story.issue(OCTOBER, AFTER_OCTOBER)

    assert (document.type, document.balance_sat) == ("settlement", 15)
    assert story.books == {"income:revenue_share": 15, "payable": -15}


def test_two_records_of_one_day_are_two_lines(story: Story) -> None:
    story.reward(1)
    story.reward(1, occurrence=2, destination="external_address")

    document = story.issue(OCTOBER, AFTER_OCTOBER)

    assert lines_of(document) == [
        ("2026-10-01", "pay_customer", 829, ""),
        ("2026-10-01", "bill_customer", -146, ""),
    ]


def move(reward: Reward, to: datetime) -> None:
    """The pool dates it anew (mining/rewards/matching.py has told that it is the same one)."""
    change(reward, reward_at=to, day=to.date())


@pytest.mark.parametrize(
    "to",
    [
        datetime(2026, 10, 31, 6, tzinfo=UTC),  # the same day
        datetime(2026, 11, 1, 6, tzinfo=UTC),  # the next month
        datetime(2026, 9, 30, 18, tzinfo=UTC),  # before the first terms
    ],
)
def test_a_billed_reward_that_moves_is_neither_billed_again_nor_taken_back(story: Story, to: datetime) -> None:
    reward = story.reward(31)
    october = story.issue(OCTOBER, AFTER_OCTOBER)
    said = lines_of(october)

    move(reward, to)

    assert story.close(NOVEMBER, AFTER_NOVEMBER) is None
    assert lines_of(october) == said == [("2026-10-31", "pay_customer", 829, "")]


def test_a_reward_that_moves_into_the_next_month_before_it_is_billed_is_billed_there_once(story: Story) -> None:
    story.reward(1)
    reward = story.reward(31)
    draft = story.close(OCTOBER, AFTER_OCTOBER)
    assert draft is not None

    move(reward, datetime(2026, 11, 1, 6, tzinfo=UTC))

    with refused("document.stale"):
        issue(story.access, draft, now=AFTER_OCTOBER)
    assert lines_of(story.issue(OCTOBER, AFTER_OCTOBER)) == [("2026-10-01", "pay_customer", 829, "")]
    assert lines_of(story.issue(NOVEMBER, AFTER_NOVEMBER)) == [("2026-11-01", "pay_customer", 829, "")]


def test_a_billed_reward_that_moves_under_other_terms_is_shared_by_those(story: Story) -> None:
    reward = story.reward(31)
    story.issue(OCTOBER, AFTER_OCTOBER)
    story.new_terms(NOVEMBER, revenue_share(250_000))

    move(reward, datetime(2026, 11, 1, 6, tzinfo=UTC))

    (line,) = lines_of(story.issue(NOVEMBER, AFTER_NOVEMBER))
    assert line == ("2026-11-01", "pay_customer", 731 - 829, "contract_changed")


def test_rewards_before_the_first_terms_wait_until_a_version_covers_them(north: Access) -> None:
    story = open_story(north, since=date(2026, 10, 10))
    story.reward(9)
    story.reward(10)
    october = story.issue(OCTOBER, AFTER_OCTOBER)
    assert lines_of(october) == [("2026-10-10", "pay_customer", 829, "")]
    assert story.close(NOVEMBER, AFTER_NOVEMBER) is None

    # A version for the days before is agreed later (versions only follow each other by contracts.py).
    version = ContractVersion.objects.create(
        provider=north.provider,
        contract=story.contract,
        customer=story.customer,
        valid=(date(2026, 10, 1), date(2026, 10, 10)),
        created_at=AFTER_OCTOBER,
    )
    ContractComponent.objects.create(
        provider=north.provider,
        version=version,
        customer=story.customer,
        position=1,
        kind="revenue_share",
        share_ppm=100_000,
        basis="net",
        pool_fee_borne_by="shared",
    )

    november = story.issue(NOVEMBER, AFTER_NOVEMBER)
    assert lines_of(november) == [("2026-10-09", "pay_customer", 878, "late")]


def test_while_the_pool_pays_elsewhere_than_was_agreed_nothing_is_issued_and_the_others_go_on(story: Story) -> None:
    neighbour = open_story(story.access, name="Dunmore")
    for teller in (story, neighbour):
        teller.reward(1)
    story.issue(OCTOBER, AFTER_OCTOBER)
    drift(story, AFTER_OCTOBER)
    story.reward(date(2026, 11, 5), destination="external_address")

    november = story.close(NOVEMBER, AFTER_NOVEMBER)  # closing goes on: a draft tells what it would say

    assert november is not None
    assert (november.status, lines_of(november)) == ("draft", [("2026-11-05", "bill_customer", -146, "")])
    with refused("hold.payout_drifting"):
        story.issue(NOVEMBER, AFTER_NOVEMBER)
    assert story.balance == CustomerBalance(payable_sat=829)
    assert neighbour.issue(OCTOBER, AFTER_OCTOBER).number == "SET-2026-000002"

    drift(story, None)  # agreed, or put back
    assert story.issue(NOVEMBER, AFTER_NOVEMBER).number == "INV-2026-000001"
    assert story.balance == CustomerBalance(payable_sat=829, receivable_sat=146)
    assert story.books == {
        "custody:main_balance": 1950, "income:revenue_share": -438, "payable": -1658, "receivable": 146
    }  # fmt: skip
    force_deferred_checks()


def test_a_draft_that_becomes_empty_is_discarded_with_what_it_said(story: Story) -> None:
    reward = story.reward(1)
    draft = story.close(OCTOBER, AFTER_OCTOBER)
    assert draft is not None
    change(reward, status="canceled")

    assert story.close(OCTOBER, AFTER_OCTOBER) is None

    draft.refresh_from_db()
    assert (draft.status, len(lines_of(draft))) == (DocumentStatus.DISCARDED, 1)


def test_a_discarded_draft_is_made_anew_by_the_next_close(story: Story) -> None:
    story.reward(1)
    first = story.close(OCTOBER, AFTER_OCTOBER)
    assert first is not None
    settlement.discard(story.access, first, now=AFTER_OCTOBER)

    second = story.close(OCTOBER, AFTER_OCTOBER)

    assert second is not None
    assert second.pk != first.pk
    assert lines_of(second) == lines_of(first)
