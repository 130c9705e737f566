"""No document is issued in ignorance: what it does not know holds it, by name, until a person lets that pass."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from billing import attention, settlement
from billing.evidence import csv_rows
from billing.holds import drafts as held_drafts
from billing.holds import omissions
from billing.holds.omissions import Kind
from billing.issue import issue, issue_all
from billing.models import Document, OmissionPass
from billing.pdf.content import content_of
from customers.models import AuditEntry
from customers.tenancy import Access
from mining.models import Alert, QuarantinedRecord, Reward, SyncRun
from tests.billing.books import (
    AFTER_DECEMBER,
    AFTER_NOVEMBER,
    AFTER_OCTOBER,
    DECEMBER,
    NOVEMBER,
    OCTOBER,
    Story,
    change,
    let_pass,
    open_story,
)
from tests.refusals import refused
from tests.world import NOW, World

UNREADABLE = "totalReward: not_a_number"


def quarantine(story: Story, world: World, day: date | None, *, name: str | None = None) -> QuarantinedRecord:
    return QuarantinedRecord.objects.create(
        provider=story.access.provider, login=story.account.login, sync_run=world.north.run, reason=UNREADABLE,
        account_name=story.account.name if name is None else name, fingerprint=f"{day}{name}", raw="{}", day=day,
        seen_at=NOW,
    )  # fmt: skip


def drafted(story: Story, month: date = OCTOBER, now: datetime = AFTER_OCTOBER) -> Document:
    draft = story.close(month, now)
    assert draft is not None
    return draft


def kinds(story: Story, draft: Document) -> list[Kind]:
    """What holds it; all that ask agree."""
    left_out = omissions.on_documents(story.access, [draft]).get(draft.pk, [])
    assert omissions.on_drafts(story.access).get(draft.pk, []) == left_out
    holding = omissions.holding(left_out)
    hold = held_drafts.why_held(story.access, [draft]).get(draft.pk)
    assert (hold.code if hold else None) == ("hold.incomplete" if holding else None)
    assert held_drafts.held_drafts(story.access).get(draft.pk) == hold
    (preview,) = [
        row
        for row in settlement.preview(story.access, month=draft.first_day, now=AFTER_DECEMBER)
        if row.customer == story.customer
    ]
    assert (preview.hold.code if preview.hold else None) == (hold.code if hold else None)
    return [omission.kind for omission in holding]


@pytest.fixture
def draft(story: Story) -> Document:
    story.reward(1)
    return drafted(story)


def test_what_is_all_known_is_not_held(story: Story) -> None:
    story.reward(1)
    story.reward(2, status="pending")  # told as information, billed later
    story.reward(3, status="canceled")
    assert kinds(story, drafted(story)) == []
    assert story.issue(OCTOBER, AFTER_OCTOBER).number == "SET-2026-000001"


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        ({"status": "unknown", "status_raw": "frozen"}, Kind.UNKNOWN),
        ({"payout_destination": "unknown"}, Kind.UNKNOWN),
        ({"currency": "LTC"}, Kind.UNKNOWN),
        ({"missing_since": NOW}, Kind.MISSING),
    ],
)
def test_a_reward_that_nobody_can_count_holds_its_month(story: Story, facts: dict[str, Any], kind: Kind) -> None:
    story.reward(1)
    doubted = story.reward(2)
    change(doubted, **facts)
    assert kinds(story, drafted(story)) == [kind]
    with refused("hold.incomplete") as held:
        story.issue(OCTOBER, AFTER_OCTOBER)
    assert "for 2 October 2026" in str(held.value)

    for name in facts:
        setattr(doubted, name, {"status": "successful", "status_raw": "successful", "currency": "BTC"}.get(name))
    change(doubted, payout_destination="main_balance", missing_since=None, status="successful", currency="BTC")
    assert story.issue(OCTOBER, AFTER_OCTOBER).lines.count() == 2


def test_a_reward_that_no_terms_cover_or_of_a_later_month_holds_nothing(story: Story) -> None:
    story.reward(1)
    story.reward(date(2026, 9, 30), status="unknown")
    story.reward(date(2026, 11, 1), status="unknown")
    assert kinds(story, drafted(story)) == []


@pytest.mark.parametrize("day", [date(2026, 10, 18), None])
@pytest.mark.parametrize("name", [None, ""])
def test_a_quarantined_record_holds_until_it_is_settled(
    story: Story, world: World, draft: Document, day: date | None, name: str | None
) -> None:
    record = quarantine(story, world, day, name=name)
    assert kinds(story, draft) == [Kind.QUARANTINED]
    QuarantinedRecord.objects.filter(pk=record.pk).update(settled_at=NOW, settled_as="dismissed", settled_by="r")
    assert kinds(story, draft) == []


def test_records_of_others_of_other_days_and_of_links_hold_nothing(story: Story, world: World, draft: Document) -> None:
    quarantine(story, world, date(2026, 11, 1))
    quarantine(story, world, date(2026, 9, 30))
    quarantine(story, world, date(2026, 10, 18), name="somebody")
    of_links = quarantine(story, world, date(2026, 10, 19))
    run = SyncRun.objects.create(
        provider=story.access.provider, login=story.account.login, subject="watchers", state="ok", queued_at=NOW
    )
    QuarantinedRecord.objects.filter(pk=of_links.pk).update(sync_run=run)
    assert kinds(story, draft) == []


@pytest.mark.parametrize(("day", "held_by"), [(1, [Kind.QUARANTINED]), (2, [Kind.QUARANTINED]), (3, [])])
def test_a_record_of_the_next_month_that_may_be_a_reward_of_this_one_holds(
    story: Story, world: World, draft: Document, day: int, held_by: list[Kind]
) -> None:
    record = quarantine(story, world, date(2026, 11, day))
    QuarantinedRecord.objects.filter(pk=record.pk).update(reason="moved_or_new")
    assert kinds(story, draft) == held_by


def test_what_is_no_draft_any_more_leaves_out_nothing_new(story: Story, draft: Document) -> None:
    settlement.discard(story.access, draft, now=NOW)
    story.read(None)
    assert omissions.of_document(draft) == []


def test_a_month_that_was_not_read_to_its_end_or_from_the_beginning_is_held(story: Story, draft: Document) -> None:
    story.read(datetime.combine(NOVEMBER, NOW.timetz()).replace(hour=0, minute=0) - timedelta(seconds=1))
    assert kinds_now(story, draft) == [Kind.NOT_READ]
    story.read(datetime.combine(NOVEMBER, NOW.timetz()).replace(hour=0, minute=0))
    assert kinds_now(story, draft) == []
    story.read(None)
    assert kinds_now(story, draft) == [Kind.NOT_READ]


def kinds_now(story: Story, draft: Document) -> list[Kind]:
    """Without a close, which reads first here."""
    return [omission.kind for omission in omissions.on_documents(story.access, [draft]).get(draft.pk, [])]


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        ({"missing_since": AFTER_NOVEMBER}, Kind.BILLED_MISSING),
        ({"status": "pending"}, Kind.BILLED_PENDING),
        ({"status": "unknown", "status_raw": "frozen"}, Kind.BILLED_UNKNOWN),
    ],
)
def test_what_was_billed_and_is_in_doubt_now_holds_every_next_document(
    story: Story, facts: dict[str, Any], kind: Kind
) -> None:
    billed = story.reward(1)
    story.issue(OCTOBER, AFTER_OCTOBER)
    change(billed, **facts)
    story.reward(date(2026, 11, 2))
    november = drafted(story, NOVEMBER, AFTER_NOVEMBER)
    assert kinds(story, november) == [kind]
    told = {row.code for row in attention.attention(story.access, now=AFTER_NOVEMBER)}
    assert attention.Code.BILLED_IN_DOUBT in told

    let_pass(story.access, november)
    assert story.issue(NOVEMBER, AFTER_NOVEMBER).balance_sat == 829  # nothing is taken back
    story.reward(date(2026, 12, 2))
    assert kinds(story, drafted(story, DECEMBER, AFTER_DECEMBER)) == [kind]

    change(billed, status="canceled", missing_since=None)
    assert story.issue(DECEMBER, AFTER_DECEMBER).balance_sat == 0


def test_a_doubt_that_ended_and_came_back_holds_again(story: Story) -> None:
    billed = story.reward(1)
    story.issue(OCTOBER, AFTER_OCTOBER)
    story.reward(date(2026, 11, 2))
    november = drafted(story, NOVEMBER, AFTER_NOVEMBER)
    change(billed, status="pending", changed_at=AFTER_NOVEMBER)
    let_pass(story.access, november)
    assert kinds(story, november) == []
    change(billed, status="successful", changed_at=AFTER_NOVEMBER + timedelta(hours=1))
    change(billed, status="pending", changed_at=AFTER_NOVEMBER + timedelta(hours=2))
    assert kinds(story, november) == [Kind.BILLED_PENDING]


def test_an_alert_opens_and_ends_with_the_doubt(story: Story) -> None:
    billed = story.reward(1)
    story.issue(OCTOBER, AFTER_OCTOBER)
    provider = story.access.provider.pk
    change(billed, status="pending")
    for _ in range(2):
        attention.refresh_alerts(provider, now=NOW)
    (alert,) = Alert.objects.filter(kind="billed_in_doubt")
    assert (alert.customer, alert.ended_at) == (story.customer, None)
    change(billed, status="successful")
    attention.refresh_alerts(provider, now=NOW)
    alert.refresh_from_db()
    assert alert.ended_at == NOW


def test_what_a_person_lets_pass_is_named_on_the_document_and_asked_once(story: Story, world: World) -> None:
    story.reward(1)
    change(story.reward(2), missing_since=NOW)
    record = quarantine(story, world, date(2026, 10, 18))
    draft = drafted(story)
    seen_as = omissions.digest_of(omissions.on_documents(story.access, [draft])[draft.pk])
    with refused("omission.note_missing"):
        let_pass(story.access, draft, note=" ")
    assert let_pass(story.access, draft) == 2
    with refused("omission.none"):
        omissions.let_pass(story.access, draft, seen_as=seen_as, note="Twice.", now=NOW)
    (entry,) = AuditEntry.objects.filter(action="document.let_pass")
    assert (entry.subject, entry.details["causes"]) == (draft.code, 2)

    document = story.issue(OCTOBER, AFTER_OCTOBER)

    assert document.snapshot is not None
    assert [row["kind"] for row in document.snapshot["left_out"]] == ["missing", "quarantined"]
    face = content_of(document)["left_out"]
    assert face is not None
    assert "2 October 2026: a reward is not listed by the pool any more" in face
    assert record.code in face
    rows = b"".join(csv_rows(document)).decode().splitlines()
    assert [row.split(",")[2] for row in rows[2:]] == ["left_out", "left_out"]
    story.reward(date(2026, 11, 2))
    assert kinds(story, drafted(story, NOVEMBER, AFTER_NOVEMBER)) == []  # it stands on October's face


def test_a_new_cause_holds_again_and_what_changed_is_not_let_pass_unseen(
    story: Story, world: World, draft: Document
) -> None:
    quarantine(story, world, date(2026, 10, 18))
    seen_as = omissions.digest_of(omissions.on_documents(story.access, [draft])[draft.pk])
    quarantine(story, world, date(2026, 10, 19))
    with refused("omission.changed_meanwhile"):
        omissions.let_pass(story.access, draft, seen_as=seen_as, note="Known.", now=NOW)
    assert OmissionPass.objects.count() == 0
    let_pass(story.access, draft)
    doubted = story.reward(3)
    change(doubted, missing_since=NOW)
    draft = drafted(story)
    assert kinds(story, draft) == [Kind.MISSING]
    let_pass(story.access, draft)
    change(doubted, missing_since=None)
    change(doubted, missing_since=NOW + timedelta(hours=1))  # it was back, and vanished again
    assert kinds(story, draft) == [Kind.MISSING]


def test_the_database_refuses_what_the_code_would_let_through(story: Story, world: World, draft: Document) -> None:
    quarantine(story, world, date(2026, 10, 18))
    with pytest.raises(IntegrityError, match="nobody let that pass"), transaction.atomic():
        Document.objects.filter(pk=draft.pk).update(status="issued")
    let_pass(story.access, draft)
    issued = issue(story.access, draft, now=AFTER_OCTOBER)
    with refused("omission.not_draft"):
        omissions.let_pass(story.access, issued, seen_as="", note="Late.", now=NOW)
    passes = OmissionPass.objects.filter(document=issued)
    with pytest.raises(DatabaseError, match=r"permission denied|append-only"), transaction.atomic():
        passes.update(note="other")
    with pytest.raises(DatabaseError, match=r"permission denied|append-only"), transaction.atomic():
        passes.delete()


def test_one_that_is_held_keeps_nobody_else_and_the_later_one_waits_for_it(story: Story, world: World) -> None:
    birch = open_story(story.access, name="Birch")
    for one in (story, birch):
        one.reward(1)
        one.reward(date(2026, 11, 2))
    quarantine(story, world, date(2026, 10, 18))
    drafts = [drafted(one, OCTOBER, AFTER_OCTOBER) for one in (story, birch)]
    issued = issue_all(story.access, drafts, now=AFTER_OCTOBER)
    assert [hold.code for hold in issued.held] == ["hold.incomplete"]
    november = drafted(story, NOVEMBER, AFTER_NOVEMBER)
    hold = held_drafts.why_held(story.access, [november])[november.pk]
    assert (hold.code, hold.first and hold.first.code) == ("hold.earlier_document", "hold.incomplete")


def test_a_thousand_cost_as_many_statements_as_one(north: Access, story: Story, world: World) -> None:
    def statements() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            settlement.preview(north, month=OCTOBER, now=AFTER_OCTOBER)
        return len(captured)

    story.reward(1)
    drafted(story)
    quarantine(story, world, date(2026, 10, 18))
    few = statements()
    for number in range(5):
        more = open_story(north, name=f"Customer {number}")
        more.reward(1)
        change(more.reward(2), missing_since=NOW)
    statements()  # writes the new drafts, and rolls them back
    settlement.close_period(north, month=OCTOBER, now=AFTER_OCTOBER)
    assert statements() == few
    assert Reward.objects.filter(missing_since__isnull=False).count() == 5
