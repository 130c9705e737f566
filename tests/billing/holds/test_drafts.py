"""Rewards that were paid where nobody had agreed to, though nothing drifts now, and who approves them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from billing import journal
from billing.holds import drafts as held_drafts
from billing.holds import misdirected
from billing.issue import issue, issue_all
from billing.models import Document, RewardApproval
from customers import tenancy
from customers.models import AuditEntry
from customers.tenancy import Access
from mining.models import Reward
from tests.billing.books import (
    AFTER_NOVEMBER,
    AFTER_OCTOBER,
    NOVEMBER,
    OCTOBER,
    Story,
    agree_payout,
    change,
    drift,
    let_pass,
    lines_of,
    open_story,
)
from tests.refusals import refused
from tests.world import FIRST_DAY, World

MAIN, EXTERNAL = "main_balance", "external_address"
THEIRS = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
LEGACY = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
THIEF = "bc1qthief0000000000000000000000000000000000"
OCTOBER_10 = datetime(2026, 10, 10, 12, 0, tzinfo=UTC)


def paid_to(story: Story, day: int | date, address: str | None) -> Reward:
    reward = story.reward(day, destination=EXTERNAL)
    change(reward, payout_address=address)
    return reward


def waiting(story: Story) -> dict[int, misdirected.Misdirection]:
    return misdirected.of_all_customers(story.access, misdirected.on_drafts(story.access), now=AFTER_OCTOBER)


def why(story: Story, month: date = OCTOBER, now: datetime = AFTER_OCTOBER) -> str | None:
    """Why the month's draft is held, if it is; all drafts that are held are asked for, and this one by itself."""
    draft = story.close(month, now)
    assert draft is not None
    alone = held_drafts.why_held(story.access, [draft]).get(draft.pk)
    assert held_drafts.held_drafts(story.access).get(draft.pk) == alone
    return str(alone) if alone else None


def test_what_a_stranger_was_paid_is_not_billed_when_the_destination_is_put_back(story: Story) -> None:
    """The account drifted, or nobody saw it: all that is left of it is where the reward itself was paid."""
    agree_payout(story, MAIN, at=OCTOBER_10)
    story.reward(11)
    stray = paid_to(story, 12, THIEF)
    drift(story, AFTER_OCTOBER)
    drift(story, None)
    neighbour = open_story(story.access, name="Birch")
    neighbour.reward(12, destination=EXTERNAL)

    with refused("hold.misdirected") as held:
        story.issue(OCTOBER, AFTER_OCTOBER)
    assert f"Cedar is held: 1 reward was paid to {THIEF}" in str(held.value)
    assert story.balance == journal.CustomerBalance()
    assert neighbour.issue(OCTOBER, AFTER_OCTOBER).number == "INV-2026-000001"

    shown = misdirected.of_customer(story.access, story.customer, now=AFTER_OCTOBER)
    assert shown.rewards == [stray]
    assert misdirected.approve(story.access, story.customer, seen_as=shown.seen_as, now=AFTER_OCTOBER) == 1
    document = story.issue(OCTOBER, AFTER_OCTOBER)
    assert [line[1:3] for line in lines_of(document)] == [("pay_customer", 829), ("bill_customer", -146)]
    (entry,) = AuditEntry.objects.filter(provider=story.access.provider, action="reward.approved")
    assert (entry.subject, entry.details) == (stray.code, {"customer": story.customer.code, "paid_to": THIEF})


def test_what_lies_before_an_agreement_that_was_found_is_billed(story: Story) -> None:
    paid_to(story, 5, THIEF)
    assert why(story) is None  # nothing was read yet: nothing is known of what was agreed
    agree_payout(story, MAIN, at=OCTOBER_10, source="found")
    paid_to(story, 10, LEGACY)  # at midnight, twelve hours before
    assert why(story) is None
    paid_to(story, 11, LEGACY)
    assert f"1 reward was paid to {LEGACY}" in str(why(story))


@pytest.mark.parametrize("source", ["accepted", "changed"])
def test_what_was_paid_while_an_account_drifted_without_any_agreement_is_not_billed(story: Story, source: str) -> None:
    """The first reading was garbled, the pool paid a stranger, it was put back, and only then somebody agreed."""
    drift(story, OCTOBER_10.replace(day=1))
    stray = paid_to(story, 5, THIEF)
    agree_payout(story, MAIN, at=OCTOBER_10, source=source)
    drift(story, None)
    with refused("hold.misdirected"):
        story.issue(OCTOBER, AFTER_OCTOBER)

    draft = story.close(OCTOBER, AFTER_OCTOBER)
    assert draft is not None
    with pytest.raises(IntegrityError, match="a reward on it was paid where nobody"), transaction.atomic():
        Document.objects.filter(pk=draft.pk).update(status="issued")  # whatever the code looks at

    seen_as = misdirected.of_customer(story.access, story.customer, now=AFTER_OCTOBER).seen_as
    misdirected.approve(story.access, story.customer, seen_as=seen_as, now=AFTER_OCTOBER)
    assert lines_of(story.issue(OCTOBER, AFTER_OCTOBER)) == [(str(stray.day), "bill_customer", -146, "")]


@pytest.mark.parametrize(
    ("agreed", "paid", "is_held"),
    [
        (THEIRS, THEIRS.upper(), False),
        (THEIRS.upper(), THEIRS, False),
        (THEIRS, THEIRS.replace("q", "Q"), True),  # mixed: no address at all
        (LEGACY, LEGACY, False),
        (LEGACY, LEGACY.swapcase(), True),
        (THEIRS, None, True),  # which address, the pool does not say
    ],
)
def test_addresses_are_compared_as_bitcoin_does(story: Story, agreed: str, paid: str | None, is_held: bool) -> None:
    agree_payout(story, EXTERNAL, agreed, at=OCTOBER_10)
    paid_to(story, 12, paid)
    assert (why(story) is not None) is is_held


def test_what_was_agreed_at_any_time_counts(story: Story) -> None:
    """A reward may be older than the day somebody agreed to where it went, or younger than the next agreement."""
    agree_payout(story, EXTERNAL, THEIRS, at=OCTOBER_10)
    agree_payout(story, MAIN, at=OCTOBER_10.replace(day=20))
    story.reward(12)
    paid_to(story, 25, THEIRS)
    assert why(story) is None


def test_an_account_of_our_balance_is_strange_when_only_an_address_was_agreed(story: Story) -> None:
    agree_payout(story, EXTERNAL, THEIRS, at=OCTOBER_10)
    story.reward(12)
    assert "1 reward was paid to the main balance, to which nobody had agreed" in str(why(story))


def test_a_release_holds_for_these_rewards_at_this_place_only(story: Story) -> None:
    agree_payout(story, MAIN, at=OCTOBER_10)
    stray = paid_to(story, 12, THIEF)
    story.close(OCTOBER, AFTER_OCTOBER)
    seen_as = misdirected.of_customer(story.access, story.customer, now=AFTER_OCTOBER).seen_as

    paid_to(story, 13, None)
    assert "2 rewards were paid to" in str(why(story))
    with refused("reward.changed_meanwhile"):
        misdirected.approve(story.access, story.customer, seen_as=seen_as, now=AFTER_OCTOBER)
    assert RewardApproval.objects.count() == 0

    seen_as = misdirected.of_customer(story.access, story.customer, now=AFTER_OCTOBER).seen_as
    assert misdirected.approve(story.access, story.customer, seen_as=seen_as, now=AFTER_OCTOBER) == 2
    with refused("reward.not_misdirected"):  # clicked twice
        misdirected.approve(story.access, story.customer, seen_as=seen_as, now=AFTER_OCTOBER)
    assert why(story) is None

    change(stray, payout_address=LEGACY)
    assert f"1 reward was paid to {LEGACY}" in str(why(story))
    change(stray, payout_address=THIEF)
    story.issue(OCTOBER, AFTER_OCTOBER)
    paid_to(story, date(2026, 11, 2), THIEF)
    with refused("hold.misdirected"):
        story.issue(NOVEMBER, AFTER_NOVEMBER)


def test_what_the_pool_has_no_known_word_for_is_left_out_of_what_passes(story: Story) -> None:
    """The draft is older than the word: closing again leaves the reward out, and the others are approved meanwhile."""
    agree_payout(story, MAIN, at=OCTOBER_10)
    stale, stray = paid_to(story, 12, THIEF), paid_to(story, 13, THIEF)
    draft = story.close(OCTOBER, AFTER_OCTOBER)
    assert draft is not None
    change(stale, payout_destination="unknown", payout_address=None)

    shown = misdirected.of_customer(story.access, story.customer, now=AFTER_OCTOBER)
    assert (shown.rewards, waiting(story)[story.customer.pk].count) == ([stray], 1)
    assert misdirected.approve(story.access, story.customer, seen_as=shown.seen_as, now=AFTER_OCTOBER) == 1
    with refused("hold.destination_unknown"):
        issue(story.access, draft, now=AFTER_OCTOBER)
    assert waiting(story) == {}
    with refused("hold.incomplete"):  # it leaves that one out, and says so once a person lets it pass
        story.issue(OCTOBER, AFTER_OCTOBER)
    let_pass(story.access, draft)
    assert lines_of(story.issue(OCTOBER, AFTER_OCTOBER)) == [("2026-10-13", "bill_customer", -146, "")]


def test_what_no_draft_bills_yet_waits_for_a_person_already(story: Story) -> None:
    """As soon as it is read: a person can approve it before the month is closed."""
    agree_payout(story, MAIN, at=OCTOBER_10, source="found")
    change(paid_to(story, 12, THIEF), status="canceled")
    change(paid_to(story, 13, THIEF), payout_destination="unknown")
    paid_to(story, 14, THIEF)
    pending = paid_to(story, 15, LEGACY)
    change(pending, status="pending")
    paid_to(story, FIRST_DAY - timedelta(days=1), THIEF)  # before the first terms: no document bills it

    assert waiting(story) == {story.customer.pk: misdirected.Misdirection(2, [LEGACY, THIEF], date(2026, 10, 14))}
    shown = misdirected.of_customer(story.access, story.customer, now=AFTER_OCTOBER)
    assert shown.rewards[1] == pending
    misdirected.approve(story.access, story.customer, seen_as=shown.seen_as, now=AFTER_OCTOBER)
    assert waiting(story) == {}
    draft = story.close(OCTOBER, AFTER_OCTOBER)
    assert draft is not None
    let_pass(story.access, draft)  # that one reward is paid nobody knows where
    story.issue(OCTOBER, AFTER_OCTOBER)


def test_what_is_issued_waits_for_nobody(story: Story) -> None:
    """Issued before anything was agreed: history, also once an agreement makes it strange. A correction of it waits."""
    stray = paid_to(story, 12, THIEF)
    story.issue(OCTOBER, AFTER_OCTOBER)
    agree_payout(story, MAIN, at=OCTOBER_10)
    assert misdirected.among([stray]) == {stray.pk}
    assert waiting(story) == {}
    change(stray, status="canceled")
    story.close(NOVEMBER, AFTER_NOVEMBER)
    assert misdirected.of_customer(story.access, story.customer, now=AFTER_NOVEMBER).rewards == [stray]


def test_a_drift_between_the_look_and_the_number_is_told_in_the_same_sentence(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.reward(1)
    draft = story.close(OCTOBER, AFTER_OCTOBER)
    post = journal.post_document

    def drift_meanwhile(*arguments: Any, **named: Any) -> Any:
        drift(story, AFTER_OCTOBER)  # as a reading does that commits now
        return post(*arguments, **named)

    monkeypatch.setattr(journal, "post_document", drift_meanwhile)
    with refused("hold.payout_drifting"):
        story.issue(OCTOBER, AFTER_OCTOBER)
    assert draft is not None
    draft.refresh_from_db()
    assert (draft.status, draft.number) == ("draft", None)


def test_the_questions_are_as_many_for_many_drafts_as_for_one(story: Story, django_assert_num_queries: Any) -> None:
    others = [open_story(story.access, name=name) for name in ("Birch", "Alder")]
    for one in (story, *others):
        agree_payout(one, MAIN, at=OCTOBER_10)
        paid_to(one, 12, THIEF)
        paid_to(one, 13, THIEF)
    drafts = [one.close(OCTOBER, AFTER_OCTOBER) for one in (story, *others)]
    loaded = [draft for draft in drafts if draft is not None]
    assert [draft.customer.name for draft in loaded] == ["Cedar", "Birch", "Alder"]
    for some in (loaded[:1], loaded):
        with django_assert_num_queries(5):
            assert len(held_drafts.why_held(story.access, some)) == len(some)
    with django_assert_num_queries(8):
        assert [hold.document.customer.name for hold in held_drafts.held_drafts(story.access).values()] == [
            "Alder",
            "Birch",
            "Cedar",
        ]


def test_a_draft_waits_for_an_earlier_one_that_is_held_and_for_nobody_elses(story: Story) -> None:
    birch = open_story(story.access, name="Birch")
    agree_payout(story, MAIN, at=OCTOBER_10)
    paid_to(story, 12, THIEF)
    assert why(story) is not None
    for one in (story, birch):
        one.reward(date(2026, 11, 2))
    assert f"its draft of October 2026 comes first, and on that 1 reward was paid to {THIEF}" in str(
        why(story, NOVEMBER, AFTER_NOVEMBER)
    )
    assert why(birch, NOVEMBER, AFTER_NOVEMBER) is None

    drafts = list(
        Document.objects.visible_to(story.access).filter(status="draft", customer__in=[story.customer, birch.customer])
    )
    issued = issue_all(story.access, drafts, now=AFTER_NOVEMBER)
    assert [document.customer_id for document in issued.documents] == [birch.customer.pk]
    assert [hold.document.month for hold in issued.held] == ["2026-10", "2026-11"]


def test_the_neighbour_neither_sees_nor_releases_it(world: World) -> None:
    north, south = world.north.system, world.south.system
    with tenancy.access_context(north):
        story = open_story(north)
        agree_payout(story, MAIN, at=OCTOBER_10)
        paid_to(story, 12, THIEF)
        draft = story.close(OCTOBER, AFTER_OCTOBER)
        seen_as = misdirected.of_customer(north, story.customer, now=AFTER_OCTOBER).seen_as
    assert draft is not None
    with tenancy.access_context(south):
        assert (
            misdirected.on_documents(south, [draft]),
            misdirected.of_all_customers(south, misdirected.on_drafts(south), now=AFTER_OCTOBER),
        ) == ({}, {})
        assert _of_another(south, north, story) == ({}, [])
    with tenancy.access_context(north):
        assert misdirected.of_customer(north, story.customer, now=AFTER_OCTOBER).seen_as == seen_as


def _of_another(south: Access, north: Access, story: Story) -> tuple[dict[int, Any], list[Any]]:
    """The rows of the database itself, whatever the code asks for."""
    return misdirected.of_all_customers(north, misdirected.on_drafts(north), now=AFTER_OCTOBER), list(
        RewardApproval.objects.filter(provider=north.provider)
    )
