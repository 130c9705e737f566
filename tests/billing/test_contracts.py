"""Agreeing on terms, changing them, and what is refused."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from billing import contracts, queries, settlement
from billing.issue import issue
from billing.models import ContractVersion, Document
from customers import tenancy
from customers.errors import Refused
from customers.models import AuditEntry, Customer
from customers.tenancy import Access
from tests.billing.books import AFTER_NOVEMBER, AFTER_OCTOBER, OCTOBER, Story, open_story, revenue_share
from tests.refusals import refused
from tests.waiting import ended, in_thread, waits_for_us
from tests.world import FIRST_DAY, NOW, World


def periods(story: Story) -> list[tuple[date, date | None]]:
    versions = ContractVersion.objects.filter(contract=story.contract, withdrawn_at=None).order_by("valid")
    return [(version.valid.lower, version.valid.upper) for version in versions]


def test_a_contract_begins_with_one_open_version(story: Story) -> None:
    assert periods(story) == [(FIRST_DAY, None)]
    component = queries.terms_on(story.access, story.customer, date(2027, 5, 1))
    assert component is not None
    assert (component.share_ppm, component.basis, component.pool_fee_borne_by) == (150_000, "net", "shared")
    assert queries.terms_on(story.access, story.customer, date(2026, 9, 30)) is None
    assert AuditEntry.objects.filter(action="contract.agreed", subject=story.contract.code).count() == 1


def test_a_new_version_ends_the_former_one_the_day_before(story: Story) -> None:
    story.new_terms(date(2026, 11, 1), revenue_share(200_000))
    story.new_terms(date(2027, 1, 1), revenue_share(100_000, "gross", "customer"))

    assert periods(story) == [
        (date(2026, 10, 1), date(2026, 11, 1)),
        (date(2026, 11, 1), date(2027, 1, 1)),
        (date(2027, 1, 1), None),
    ]


@pytest.mark.parametrize("start", [FIRST_DAY, date(2026, 9, 1)])
def test_terms_that_begin_within_billed_days_are_refused(story: Story, start: date) -> None:
    story.reward(20)
    story.issue(OCTOBER, AFTER_OCTOBER)
    with refused("terms.days_billed"):
        story.new_terms(start, revenue_share(200_000))
    assert periods(story) == [(FIRST_DAY, None)]


def test_a_slip_that_has_begun_and_billed_nothing_is_put_right_from_its_first_day(story: Story) -> None:
    """51 % for 15 %: the draft that was priced by it is stale, and is priced again by the next close."""
    story.reward(20)
    story.new_terms(FIRST_DAY, revenue_share(510_000))
    draft = story.close(OCTOBER, AFTER_OCTOBER)
    assert draft is not None
    assert draft.balance_sat == 478  # 49 % of 975
    effect = contracts.effect_of(
        story.access, story.contract, valid_from=FIRST_DAY, settle_in="btc", components=[revenue_share(150_000)],
        now=AFTER_OCTOBER,
    )  # fmt: skip
    (slip,) = effect.withdrawn
    assert (effect.rewards, effect.first_day, effect.last_day, effect.difference_sat) == (
        *(1, date(2026, 10, 20), date(2026, 10, 20)),
        829 - 478,
    )

    story.new_terms(FIRST_DAY, revenue_share(150_000))

    assert settlement.is_stale(draft)
    with refused("document.stale"):
        issue(story.access, draft, now=AFTER_OCTOBER)
    with pytest.raises(IntegrityError, match="terms that are withdrawn"), transaction.atomic():
        Document.objects.filter(pk=draft.pk).update(
            status="issued", number="SET-2026-000001", series="SET-2026", sequence=1, issued_on=NOW.date(),
            issued_at=NOW, snapshot={},
        )  # fmt: skip
    assert story.issue(OCTOBER, AFTER_OCTOBER).balance_sat == 829
    slip.refresh_from_db()
    assert (slip.withdrawn_at, slip.withdrawn_by) == (NOW, story.access.actor)
    for change_it in ("valid = '[2026-09-01,)'", "withdrawn_at = NULL, withdrawn_by = ''"):
        with pytest.raises(IntegrityError, match="is withdrawn"), transaction.atomic():
            connection.cursor().execute(f"UPDATE billing_contractversion SET {change_it} WHERE id = %s", [slip.pk])


def test_what_new_terms_would_do_is_told_before_anybody_agrees(story: Story) -> None:
    story.reward(20)
    story.issue(OCTOBER, AFTER_OCTOBER)
    planned = story.new_terms(date(2026, 12, 1), revenue_share(200_000))
    for day in (2, 3):
        story.reward(date(2026, 11, day))
    before = periods(story)
    effect = contracts.effect_of(
        story.access, story.contract, valid_from=date(2026, 11, 3), settle_in="btc",
        components=[revenue_share(250_000)], now=AFTER_NOVEMBER,
    )  # fmt: skip
    assert effect.withdrawn == [planned]
    assert effect.ends is not None
    assert effect.ends.valid.lower == FIRST_DAY
    assert (effect.rewards, effect.first_day, effect.difference_sat) == (1, date(2026, 11, 3), 731 - 829)
    assert periods(story) == before
    with refused("terms.days_billed"):
        contracts.effect_of(
            story.access, story.contract, valid_from=FIRST_DAY, settle_in="btc",
            components=[revenue_share(250_000)], now=AFTER_NOVEMBER,
        )  # fmt: skip


def test_a_second_contract_with_a_customer_is_refused(story: Story) -> None:
    with refused("contract.exists"):
        contracts.agree(
            story.access,
            customer=story.customer,
            valid_from=FIRST_DAY,
            settle_in="btc",
            components=[revenue_share(1)],
            now=NOW,
        )


def test_the_neighbours_customer_is_not_found(story: Story, world: World) -> None:
    with pytest.raises(Customer.DoesNotExist):
        contracts.agree(
            story.access,
            customer=world.south.clients[0].customer,
            valid_from=FIRST_DAY,
            settle_in="btc",
            components=[revenue_share(1)],
            now=NOW,
        )


@pytest.mark.parametrize(
    ("settle_in", "components", "code"),
    [
        ("eur", [revenue_share(1)], "terms.settle_in_unknown"),
        ("btc", [], "terms.not_one_component"),
        ("btc", [revenue_share(1), revenue_share(2)], "terms.not_one_component"),
        ("btc", [{"kind": "hosting_fee"}], "terms.kind_unknown"),
        ("btc", [revenue_share(1) | {"cap": 5}], "terms.field_unknown"),
        ("btc", [revenue_share(-1)], "terms.share_invalid"),
        ("btc", [revenue_share(1_000_001)], "terms.share_invalid"),
        ("btc", [{"kind": "revenue_share", "share_ppm": True, "basis": "net"}], "terms.share_invalid"),
        ("btc", [{"kind": "revenue_share", "share_ppm": 0.15, "basis": "net"}], "terms.share_invalid"),
        ("btc", [revenue_share(1, "fiat")], "terms.basis_invalid"),
        ("btc", [revenue_share(1, "net", "customer")], "terms.fee_bearer_superfluous"),
        ("btc", [revenue_share(1, "gross")], "terms.fee_bearer_missing"),
        ("btc", [revenue_share(1, "gross", "nobody")], "terms.fee_bearer_missing"),
    ],
)
def test_what_can_not_be_agreed_is_refused(settle_in: str, components: list[dict[str, Any]], code: str) -> None:
    with refused(code):
        contracts.read_terms(settle_in, components)


def test_used_terms_may_end_on_the_last_day_they_billed_but_not_before(story: Story) -> None:
    story.reward(20)
    story.issue(OCTOBER, AFTER_OCTOBER)
    (version,) = story.contract.versions.all()

    assert contracts.last_day_billed(version) == date(2026, 10, 20)
    for end, is_refused in (("2026-10-20", True), ("2026-10-21", False)):
        statement = f"UPDATE billing_contractversion SET valid = '[2026-10-01,{end})' WHERE id = %s"
        if is_refused:
            with pytest.raises(DatabaseError, match="may only end nearer"), transaction.atomic():
                connection.cursor().execute(statement, [version.pk])
        else:
            connection.cursor().execute(statement, [version.pk])


def test_terms_that_billed_nothing_yet_may_still_be_changed(north: Access) -> None:
    story = open_story(north)
    story.close(OCTOBER, AFTER_OCTOBER)
    (version,) = story.contract.versions.all()

    assert version.components.update(share_ppm=1) == 1


@pytest.mark.django_db(transaction=True)
def test_new_terms_wait_for_an_issue_that_is_under_way(transactional_db: None, world: World) -> None:
    """Else they could begin within days that the issue has just billed, which nobody could see yet."""
    access = world.north.system
    with tenancy.access_context(access):
        story = open_story(access)
        story.reward(20)
    outcome: list[str] = []

    def change_terms() -> None:
        try:
            with tenancy.access_context(access):
                story.new_terms(date(2026, 10, 15), revenue_share(200_000))
        except Refused as refusal:
            outcome.append(refusal.code)

    with tenancy.access_context(access):
        story.issue(OCTOBER, AFTER_OCTOBER)
        other = in_thread(change_terms)
        assert waits_for_us(other)
    ended(other)

    assert outcome == ["terms.days_billed"]


def test_terms_that_have_not_begun_are_replaced_by_agreeing_again(story: Story) -> None:
    story.new_terms(date(2029, 12, 1), revenue_share(200_000))
    story.new_terms(date(2030, 12, 1), revenue_share(250_000))

    story.new_terms(date(2026, 12, 1), revenue_share(300_000))

    assert periods(story) == [(FIRST_DAY, date(2026, 12, 1)), (date(2026, 12, 1), None)]
    latest = queries.terms_on(story.access, story.customer, date(2031, 1, 1))
    assert latest is not None
    assert latest.share_ppm == 300_000


def test_a_day_far_ahead_is_taken_for_a_slip(story: Story) -> None:
    with refused("terms.too_far_ahead"):
        story.new_terms(date(9999, 12, 31), revenue_share(200_000))
    assert periods(story) == [(FIRST_DAY, None)]


@pytest.mark.parametrize("slip", [date(26, 10, 1), date(1, 1, 1), date(2021, 1, 1)])
def test_a_day_far_back_is_taken_for_a_slip(story: Story, slip: date) -> None:
    with refused("terms.too_far_back"):
        story.new_terms(slip, revenue_share(200_000))
    assert periods(story) == [(FIRST_DAY, None)]
