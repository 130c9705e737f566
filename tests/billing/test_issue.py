"""From draft to issued: numbers, snapshot, audit, and what happens when the broker or the clock is away."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from kombu import Connection

from billing import contracts, settlement
from billing.issue import issue, issue_all
from billing.models import Document, DocumentSeries, DocumentStatus, JournalTx
from customers import tenancy
from customers.models import AuditEntry
from customers.tenancy import Access
from portal.celery import app
from tests.billing.books import AFTER_NOVEMBER, AFTER_OCTOBER, NOVEMBER, OCTOBER, Story, open_story, revenue_share
from tests.refusals import refused
from tests.waiting import ended, in_thread
from tests.world import World


def test_an_issued_document_has_its_number_snapshot_posting_and_audit(story: Story) -> None:
    story.reward(1)

    document = story.issue(OCTOBER, AFTER_OCTOBER)

    document.refresh_from_db()
    assert (document.status, document.series, document.sequence, document.number) == (
        "issued",
        "SET-2026",
        1,
        "SET-2026-000001",
    )
    assert (document.issued_at, document.issued_on) == (AFTER_OCTOBER, AFTER_OCTOBER.date())
    assert document.snapshot == {
        "title": "Settlement statement",
        "provider": {
            "name": "Northmere Hosting",
            "legal_name": "Northmere Hosting",
            "address": "",
            "tax_id": "",
            "support_email": "",
            "support_phone": "",
            "support_url": "",
            "brand_colour": "",
            "logo_sha256": "",
        },
        "customer": {
            "code": story.customer.code,
            "name": "Cedar",
            "email": "cedar@client.example",
            "external_ref": "",
        },
        "mining_accounts": [{"name": "cedar", "login": "main"}],
        "contract": story.contract.code,
        "terms": [
            {
                "version": story.contract.versions.get().code,
                "valid_from": "2026-10-01",
                "share_ppm": 150_000,
                "basis": "net",
                "pool_fee_borne_by": "shared",
                "words": "Customer 85 %, provider 15 % of the net reward, after the pool's fee."
                " The provider takes the rounding.",
            }
        ],
        "period": {
            "first_day": "2026-10-01",
            "last_day": "2026-10-31",
            "from": "2026-10-01T00:00:00Z",
            "to": "2026-11-01T00:00:00Z",
        },
        "rounding": "half-even, once per reward; the provider takes the residue",
        "pending": [],
        "left_out": [],
    }
    tx = JournalTx.objects.get()
    assert (tx.event_key, tx.effective_on) == (f"document:{document.code}:issued", AFTER_OCTOBER.date())
    entry = AuditEntry.objects.get(action="document.issued")
    assert (entry.subject, entry.details) == (document.code, {"type": "settlement", "balance_sat": 829})


def test_the_two_kinds_count_by_themselves_without_gaps(north: Access) -> None:
    drafts = settlement.close_period(north, month=OCTOBER, now=AFTER_OCTOBER)
    third = open_story(north)
    third.reward(1)

    numbers = [issue(north, draft, now=AFTER_OCTOBER).number for draft in drafts]
    numbers.append(third.issue(OCTOBER, AFTER_OCTOBER).number)

    assert numbers == ["SET-2026-000001", "INV-2026-000001", "SET-2026-000002"]


def test_the_series_is_the_year_of_the_issue_date(story: Story) -> None:
    story.reward(1)

    document = story.issue(OCTOBER, datetime(2027, 1, 1, 0, 30, tzinfo=UTC))

    assert document.number == "SET-2027-000001"


def test_a_clock_that_runs_backwards_is_refused(north: Access, story: Story) -> None:
    other = open_story(north, name="Other")
    for teller in (story, other):
        teller.reward(1)
    story.issue(OCTOBER, AFTER_NOVEMBER)

    with refused("document.dated_before_last"):
        other.issue(OCTOBER, AFTER_OCTOBER)


def test_a_refused_issue_gives_its_number_back(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    story.reward(1)
    draft = story.close(OCTOBER, AFTER_OCTOBER)
    assert draft is not None

    def broken(*_arguments: Any, **_options: Any) -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patched, pytest.raises(RuntimeError):
        patched.setattr(Document, "save", broken)
        issue(story.access, draft, now=AFTER_OCTOBER)

    assert not DocumentSeries.objects.exists()
    assert not JournalTx.objects.exists()
    assert issue(story.access, draft, now=AFTER_OCTOBER).number == "SET-2026-000001"


def test_an_issued_or_discarded_document_is_not_issued(story: Story) -> None:
    story.reward(1)
    issued = story.issue(OCTOBER, AFTER_OCTOBER)
    with refused("document.issued"):
        issue(story.access, issued, now=AFTER_OCTOBER)

    story.reward(31)
    draft = story.close(NOVEMBER, AFTER_NOVEMBER)
    assert draft is not None
    settlement.discard(story.access, draft, now=AFTER_NOVEMBER)
    with refused("document.discarded"):
        issue(story.access, draft, now=AFTER_NOVEMBER)


def test_several_documents_are_issued_all_or_none(north: Access, story: Story) -> None:
    reward = story.reward(1)
    drafts = settlement.close_period(north, month=OCTOBER, now=AFTER_OCTOBER)
    reward.status = "canceled"
    reward.save(update_fields=["status"])

    with refused("document.stale"):
        issue_all(north, drafts, now=AFTER_OCTOBER)
    assert not Document.objects.filter(status=DocumentStatus.ISSUED).exists()

    drafts = settlement.close_period(north, month=OCTOBER, now=AFTER_OCTOBER)
    assert [d.number for d in issue_all(north, drafts, now=AFTER_OCTOBER).documents] == [
        "SET-2026-000001",
        "INV-2026-000001",
    ]


def test_holds_are_asked_once_and_each_document_more_costs_the_same(north: Access) -> None:
    def statements(count: int) -> list[str]:
        settlement.close_period(north, month=OCTOBER, now=AFTER_OCTOBER)  # the world's own, the first of their series
        issue_all(north, settlement.drafts_of(north, OCTOBER), now=AFTER_OCTOBER)
        for number in range(count):
            open_story(north, name=f"Customer {count} {number}").reward(1)
        drafts = settlement.close_period(north, month=OCTOBER, now=AFTER_OCTOBER)
        with CaptureQueriesContext(connection) as sent:
            assert len(issue_all(north, drafts, now=AFTER_OCTOBER).documents) == count
        return [query["sql"] for query in sent]

    one, two, three = statements(1), statements(2), statements(3)

    assert [sum("billing_misdirected_on" in sql for sql in sent) for sent in (one, two, three)] == [1, 1, 1]
    of_a_document = len(two) - len(one)
    assert len(three) - len(two) == of_a_document <= 16
    assert len(one) - of_a_document <= 13


@pytest.mark.django_db(transaction=True)
def test_the_issue_stands_when_the_broker_is_away(
    transactional_db: None, world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    access = world.north.system
    options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    dead = Connection("redis+socket:///nowhere/valkey.sock", transport_options=options)
    monkeypatch.setattr(app, "send_task", partial(app.send_task, connection=dead))

    with tenancy.access_context(access):
        draft, *_ = settlement.close_period(access, month=OCTOBER, now=AFTER_OCTOBER)
        issue(access, draft, now=AFTER_OCTOBER)

    with tenancy.access_context(access):
        assert Document.objects.get(pk=draft.pk).status == DocumentStatus.ISSUED
    assert "dispatch.not_sent" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_many_issuers_with_rollbacks_leave_no_gap_and_no_double(transactional_db: None, world: World) -> None:
    access = world.north.system
    with tenancy.access_context(access):
        for number in range(12):
            open_story(access, name=f"Customer {number}").reward(1)
        drafts = settlement.close_period(access, month=OCTOBER, now=AFTER_OCTOBER)

    def issue_some(mine: list[Document]) -> None:
        for index, draft in enumerate(mine):
            try:
                with tenancy.access_context(access):
                    issue(access, draft, now=AFTER_OCTOBER)
                    if index % 3 == 0:
                        raise ConnectionError("lost on the way")
            except ConnectionError:
                with tenancy.access_context(access):
                    issue(access, draft, now=AFTER_OCTOBER)

    ended(*[in_thread(partial(issue_some, drafts[start::4])) for start in range(4)])

    with tenancy.access_context(access):
        issued = Document.objects.filter(series="SET-2026").order_by("sequence")
        assert [document.sequence for document in issued] == list(range(1, 14))


def test_amounts_that_were_computed_anew_since_they_were_looked_at_are_not_issued(story: Story) -> None:
    """Also when a close was under way as somebody issued: the lock that waits for it comes after the look."""
    story.reward(1)
    seen = story.close(OCTOBER, AFTER_OCTOBER)
    assert seen is not None
    story.reward(2)
    anew = story.close(OCTOBER, AFTER_OCTOBER)
    for act in (issue, lambda access, draft, now: issue_all(access, [draft], now=now)):
        with refused("document.changed_meanwhile"):
            act(story.access, seen, now=AFTER_OCTOBER)
    assert anew is not None
    assert issue(story.access, anew, now=AFTER_OCTOBER).balance_sat == 2 * 829


def test_what_a_month_carried_comes_onto_the_next_one_before_that_is_issued(north: Access) -> None:
    """Both chosen at once: the others are issued all the same."""
    story, other = open_story(north), open_story(north, name="Birch")
    contracts.new_version(
        north, story.contract, valid_from=OCTOBER, settle_in="btc", components=[revenue_share(150_000)],
        minimum_sat=830, now=AFTER_OCTOBER,
    )  # fmt: skip
    drafts = []
    for month, now in ((OCTOBER, AFTER_OCTOBER), (NOVEMBER, AFTER_NOVEMBER)):
        for one in (story, other):
            one.reward(month)
            drafts.append(one.close(month, now))

    done = issue_all(north, [draft for draft in drafts if draft is not None], now=AFTER_NOVEMBER)

    assert [document.customer for document in done.documents] == [other.customer] * 2
    assert [(hold.code, hold.document) for hold in done.held] == [("hold.earlier_carried", drafts[2])]
    assert done.carried == [drafts[0]]
    november = story.close(NOVEMBER, AFTER_NOVEMBER)
    assert november is not None
    assert issue(north, november, now=AFTER_NOVEMBER).balance_sat == 2 * 829
