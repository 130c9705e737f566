"""Closing a month: repeatable, set-based, ended months only, and never twice."""

from __future__ import annotations

from datetime import UTC, date, datetime
from threading import Barrier

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import settlement
from billing.issue import issue
from billing.models import Document, DocumentLine
from customers import tenancy
from customers.errors import Refused
from customers.models import AuditEntry
from customers.tenancy import Access
from mining.models import MiningAccount
from tests.billing.books import (
    AFTER_NOVEMBER,
    AFTER_OCTOBER,
    NOVEMBER,
    OCTOBER,
    Story,
    change,
    lines_of,
    open_story,
    revenue_share,
    row_versions,
)
from tests.logins import login_of
from tests.refusals import refused
from tests.waiting import LAST_RESORT_SECONDS, ended, in_thread
from tests.world import FIRST_DAY, World, make_reward

FIRST_SEEN = AFTER_OCTOBER


def test_closing_a_closed_period_changes_nothing(north: Access) -> None:
    first = settlement.close_period(north, month=OCTOBER, now=AFTER_OCTOBER)
    before, entries = row_versions(), AuditEntry.objects.count()

    second = settlement.close_period(north, month=OCTOBER, now=AFTER_NOVEMBER)

    assert len(first) == 2
    assert [draft.pk for draft in second] == [draft.pk for draft in first]
    assert row_versions() == before
    assert AuditEntry.objects.count() == entries


def test_closing_after_the_issue_changes_nothing(north: Access) -> None:
    for draft in settlement.close_period(north, month=OCTOBER, now=AFTER_OCTOBER):
        issue(north, draft, now=AFTER_OCTOBER)
    before = row_versions()

    assert settlement.close_period(north, month=OCTOBER, now=AFTER_NOVEMBER) == []
    assert settlement.close_period(north, month=NOVEMBER, now=AFTER_NOVEMBER) == []
    assert row_versions() == before


def test_only_the_draft_whose_facts_changed_is_written(north: Access, world: World) -> None:
    settlement.close_period(north, month=OCTOBER, now=AFTER_OCTOBER)
    changed, untouched = (client.customer.pk for client in world.north.clients)
    before = {line.pk for line in DocumentLine.objects.filter(customer=untouched)}
    change(world.north.clients[0].rewards[0], status="canceled")

    settlement.close_period(north, month=OCTOBER, now=AFTER_NOVEMBER)

    assert {line.pk for line in DocumentLine.objects.filter(customer=untouched)} == before
    times = dict(Document.objects.values_list("customer_id", "computed_at"))
    assert times == {changed: AFTER_NOVEMBER, untouched: AFTER_OCTOBER}


def test_a_month_that_has_not_ended_in_utc_is_refused(north: Access) -> None:
    last_second = datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC)

    with refused("period.not_ended"):
        settlement.close_period(north, month=OCTOBER, now=last_second)

    assert len(settlement.close_period(north, month=date(2026, 10, 17), now=datetime(2026, 11, 1, tzinfo=UTC))) == 2


def test_no_rewards_no_document(north: Access) -> None:
    assert settlement.close_period(north, month=date(2026, 9, 1), now=AFTER_OCTOBER) == []


@pytest.mark.parametrize("contracts", [1, 3])
def test_a_close_makes_the_same_number_of_queries_for_any_number_of_contracts(north: Access, contracts: int) -> None:
    for number in range(contracts):
        open_story(north, name=f"Customer {number}").reward(1)

    MiningAccount.objects.update(rewards_read_in_full_at=None)

    with CaptureQueriesContext(connection) as queries:
        settlement.close_period(north, month=OCTOBER, now=AFTER_OCTOBER)

    # The last ones ask for the accounts to be read again: they lock them, and every reading waits for that.
    texts = [query["sql"] for query in queries]
    asks = next(number for number, text in enumerate(texts) if "rewards_asked_again_at" in text)
    assert (len(texts), asks) == (26, 17)


def test_the_neighbours_close_changes_nothing_here(world: World) -> None:
    with tenancy.access_context(world.north.system):
        ours = settlement.close_period(world.north.system, month=OCTOBER, now=AFTER_OCTOBER)
        issue(world.north.system, ours[0], now=AFTER_OCTOBER)
        before = row_versions()

    with tenancy.access_context(world.south.system):
        theirs = settlement.close_period(world.south.system, month=OCTOBER, now=AFTER_NOVEMBER)
        numbers = [issue(world.south.system, draft, now=AFTER_NOVEMBER).number for draft in theirs]

    # Alike customers, amounts and numbers; other documents.
    assert numbers == ["SET-2026-000001", "INV-2026-000001"]
    assert {draft.code for draft in ours}.isdisjoint(draft.code for draft in theirs)
    with tenancy.access_context(world.north.system):
        assert row_versions() == before


def test_a_preview_is_what_the_close_then_writes_and_leaves_nothing(north: Access) -> None:
    previews = settlement.preview(north, month=OCTOBER, now=AFTER_OCTOBER)
    assert Document.objects.count() == 0

    drafts = settlement.close_period(north, month=OCTOBER, now=AFTER_OCTOBER)

    assert [(p.contract_id, p.type, p.balance_sat, p.line_count) for p in previews] == [
        (d.contract_id, d.type, d.balance_sat, d.lines.count()) for d in drafts
    ]


def test_a_stale_draft_is_not_issued(story: Story) -> None:
    reward = story.reward(1)
    draft = story.close(OCTOBER, AFTER_OCTOBER)
    assert draft is not None
    change(reward, status="canceled")

    with refused("document.stale"):
        issue(story.access, draft, now=AFTER_OCTOBER)


def test_new_terms_make_a_draft_stale(story: Story) -> None:
    story.reward(20)
    draft = story.close(OCTOBER, AFTER_OCTOBER)
    assert draft is not None
    story.new_terms(date(2026, 10, 20), revenue_share(200_000))

    with refused("document.stale"):
        issue(story.access, draft, now=AFTER_OCTOBER)

    assert story.issue(OCTOBER, AFTER_OCTOBER).balance_sat == 780


def test_an_earlier_draft_is_issued_first_and_keeps_its_rewards(story: Story) -> None:
    story.reward(1)
    story.reward(date(2026, 11, 1))
    october = story.close(OCTOBER, AFTER_NOVEMBER)
    november = story.close(NOVEMBER, AFTER_NOVEMBER)
    assert october is not None
    assert november is not None
    assert lines_of(november) == [("2026-11-01", "pay_customer", 829, "")]

    with refused("document.earlier_draft"):
        issue(story.access, november, now=AFTER_NOVEMBER)

    issue(story.access, october, now=AFTER_NOVEMBER)
    assert issue(story.access, november, now=AFTER_NOVEMBER).number == "SET-2026-000002"
    assert story.balance.payable_sat == 1658


def test_months_closed_in_the_wrong_order_bill_each_reward_once(story: Story) -> None:
    story.reward(1)
    story.reward(date(2026, 11, 1))
    november = story.issue(NOVEMBER, AFTER_NOVEMBER)

    assert story.close(OCTOBER, AFTER_NOVEMBER) is None
    assert lines_of(november) == [
        ("2026-11-01", "pay_customer", 829, ""),
        ("2026-10-01", "pay_customer", 829, "late"),
    ]


def test_an_issued_document_is_not_discarded(story: Story) -> None:
    story.reward(1)
    document = story.issue(OCTOBER, AFTER_OCTOBER)

    with refused("document.not_draft"):
        settlement.discard(story.access, document, now=AFTER_OCTOBER)


def test_rewards_of_an_account_without_customer_are_not_billed(north: Access, story: Story) -> None:
    stray = MiningAccount.objects.create(
        provider=north.provider,
        login=login_of(north.provider),
        name="stray",
        state=MiningAccount.State.UNKNOWN,
        first_seen_at=FIRST_SEEN,
    )
    make_reward(stray, FIRST_DAY)

    assert story.close(OCTOBER, AFTER_OCTOBER) is None


@pytest.mark.django_db(transaction=True)
def test_two_closers_at_once_do_not_double(transactional_db: None, world: World) -> None:
    access, together = world.north.system, Barrier(2)
    found: list[list[int]] = []

    def close() -> None:
        together.wait(LAST_RESORT_SECONDS)
        with tenancy.access_context(access):
            drafts = settlement.close_period(access, month=OCTOBER, now=AFTER_OCTOBER)
            found.append([draft.pk for draft in drafts])

    ended(in_thread(close), in_thread(close))

    assert len(found) == 2
    assert found[0] == found[1]
    with tenancy.access_context(access):
        assert (Document.objects.count(), DocumentLine.objects.count()) == (2, 6)


@pytest.mark.django_db(transaction=True)
def test_a_double_click_on_issue_issues_once(transactional_db: None, world: World) -> None:
    access, together = world.north.system, Barrier(2)
    with tenancy.access_context(access):
        draft, *_ = settlement.close_period(access, month=OCTOBER, now=AFTER_OCTOBER)
    outcomes: list[str] = []

    def click() -> None:
        try:
            together.wait(LAST_RESORT_SECONDS)
            with tenancy.access_context(access):
                outcomes.append(str(issue(access, draft, now=AFTER_OCTOBER).number))
        except Refused as refusal:
            outcomes.append(refusal.code)

    ended(in_thread(click), in_thread(click))

    assert sorted(outcomes) == ["SET-2026-000001", "document.issued"]
