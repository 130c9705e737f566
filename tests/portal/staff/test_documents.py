"""Documents: closed, looked at, and issued on exactly the amounts that were shown."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from billing import files, tasks
from billing.issue import issue
from billing.models import Document, FileKind
from billing.settlement import close_period, discard
from customers import tenancy
from customers.models import AuditEntry
from mining.models import MiningAccount, PayoutAgreement, Reward
from tests.portal.staff.reading import heading, rows, text
from tests.world import FIRST_DAY, NOW, Person, Tenant, World, make_reward

pytestmark = pytest.mark.django_db

LIST, CLOSE, ISSUE = "/staff/documents/", "/staff/documents/close/", "/staff/documents/issue/"


def close(tenant: Tenant) -> list[Document]:
    with tenancy.access_context(tenant.system):
        return close_period(tenant.system, month=FIRST_DAY, now=NOW)


def issue_one(tenant: Tenant) -> Document:
    (draft, *_) = close(tenant)
    with tenancy.access_context(tenant.system):
        return issue(tenant.system, draft, now=NOW)


def page_of(document: Document, name: str = "document") -> str:
    return reverse(f"staff:{name}", args=[document.code])


def confirmed(page: Any) -> list[str]:
    """The hidden fields of the confirm page."""
    return re.findall(r'name="document"\s+value="([^"]+)"', page.content.decode())


def confirm_and_issue(who: Person, **chosen: str) -> Any:
    browser = who.browser()
    return browser.post(ISSUE, who.form(document=confirmed(browser.get(ISSUE, chosen))), follow=True)


# --- Closing


def test_closing_a_month_makes_its_drafts_and_closing_again_changes_nothing(north: Tenant) -> None:
    browser = north.finance.browser()
    answer = browser.post(CLOSE, north.finance.form(month="2026-10"), follow=True)
    assert "October 2026: 2 drafts to look at." in text(answer)
    assert heading(answer) == "2 drafts to issue"
    drafts = rows(north, Document)
    assert [(d.status, d.balance_sat) for d in drafts] == [("draft", 248_625), ("draft", -43_875)]
    browser.post(CLOSE, north.finance.form(month="2026-10"))
    assert [(d.pk, d.computed_at) for d in rows(north, Document)] == [(d.pk, d.computed_at) for d in drafts]


def test_a_close_asks_for_old_rewards_and_the_pages_say_how_far_that_is(north: Tenant) -> None:
    ask = "2 accounts were not read again since the month ended. That is asked for now:"
    browser = north.finance.browser()
    with tenancy.access_context(north.system):
        MiningAccount.objects.update(rewards_read_in_full_at=NOW - timedelta(days=20))

    assert ask in text(browser.post(CLOSE, north.finance.form(month="2026-10"), follow=True))

    with tenancy.access_context(north.system):
        MiningAccount.objects.filter(pk=north.clients[0].account.pk).update(rewards_read_in_full_at=timezone.now())
    assert "read again once a week and before a close: 1 of 2 accounts done" in text(browser.get("/staff/sync/"))
    with tenancy.access_context(north.system):
        MiningAccount.objects.update(rewards_read_in_full_at=timezone.now())
    assert ask not in text(browser.post(CLOSE, north.finance.form(month="2026-10"), follow=True))
    assert "read again once a week" not in text(browser.get("/staff/sync/"))


@pytest.mark.parametrize("month", ["", "2026-11", "2026-13", "x", "\x00", "1999-01"])
def test_a_month_that_cannot_be_closed_is_told_and_changes_nothing(north: Tenant, month: str) -> None:
    answer = north.finance.browser().post(CLOSE, north.finance.form(month=month), follow=True)
    assert re.search(r"Choose the month to close\.|Only a month that has ended can be closed, from", text(answer))
    assert rows(north, Document) == []


def test_months_to_close_begin_with_that_of_the_first_reward(north: Tenant) -> None:
    def offered() -> list[str]:
        html = north.finance.browser().get(LIST).content.decode()
        form = html[html.index(CLOSE) :] if CLOSE in html else "</form>"
        return re.findall(r'<option value="([^"]+)"', form[: form.index("</form>")])

    assert offered() == ["2026-10"]
    with tenancy.access_context(north.system):
        make_reward(north.clients[0].account, FIRST_DAY - timedelta(days=1))
    assert offered() == ["2026-10", "2026-09"]
    with tenancy.access_context(north.system):
        Reward.objects.filter(provider=north.provider).delete()
        make_reward(north.clients[0].account, NOW.date())
    assert offered() == []


def test_a_month_without_rewards_says_so(north: Tenant) -> None:
    with tenancy.access_context(north.system):
        make_reward(north.clients[0].account, FIRST_DAY - timedelta(days=70))
    answer = north.finance.browser().post(CLOSE, north.finance.form(month="2026-08"), follow=True)
    assert "August 2026: nothing to bill" in text(answer)


def test_support_may_look_and_neither_close_nor_issue(north: Tenant) -> None:
    draft = close(north)[0]
    browser = north.support.browser()
    for address in (CLOSE, ISSUE, page_of(draft, "document_discard")):
        assert browser.post(address, north.support.form(month="2026-10")).status_code == 403
    for address in (LIST, page_of(draft)):
        words = text(browser.get(address))
        assert "Issue…" not in words
        assert "Work out the drafts" not in words


# --- The list


def test_the_list_filters_by_month_stage_and_words(north: Tenant) -> None:
    number = issue_one(north).number
    browser = north.auditor.browser()

    def found(**filters: str) -> list[str]:
        return [document.customer.name for document, _ in browser.get(LIST, filters).context["rows"]]

    assert found() == ["Birch Mining", "Alder & Finch"]
    assert found(status="draft") == ["Birch Mining"]
    assert found(q=str(number)) == ["Alder & Finch"]
    assert found(q="birch") == ["Birch Mining"]
    assert found(month="2026-09") == []
    assert found(customer=north.clients[0].customer.code) == ["Alder & Finch"]
    assert "Select a valid choice." in text(browser.get(LIST, {"month": "2030-01"}))


def test_the_neighbours_documents_do_not_exist(world: World) -> None:
    theirs = close(world.south)[0]
    browser = world.north.owner.browser()
    for name in ("document", "document_pdf", "document_csv"):
        assert browser.get(page_of(theirs, name)).status_code == 404
    assert browser.post(page_of(theirs, "document_discard"), world.north.owner.form()).status_code == 404
    assert theirs.code not in browser.get(LIST).content.decode()
    assert "Choose at least one draft" in text(browser.get(ISSUE, {"document": theirs.code}, follow=True))
    stolen = world.north.owner.form(document=[f"{theirs.code}:{theirs.balance_sat}"])
    assert "Nothing was issued." in text(browser.post(ISSUE, stolen, follow=True))
    assert [d.status for d in rows(world.south, Document)] == ["draft", "draft"]


# --- Issuing


def test_the_confirm_page_repeats_the_exact_effect_and_changes_nothing(north: Tenant) -> None:
    drafts = close(north)
    page = north.finance.browser().get(ISSUE, {"month": "2026-10"})
    assert heading(page) == "Issue 2 documents, 0.00248625 BTC owed to customers, 0.00043875 BTC owed to us"
    assert confirmed(page) == [f"{draft.code}:{draft.balance_sat}" for draft in drafts]
    assert [d.status for d in rows(north, Document)] == ["draft", "draft"]


def test_issuing_a_month_gives_each_its_number_once(north: Tenant) -> None:
    close(north)
    answer = confirm_and_issue(north.finance, month="2026-10")
    assert "Issued 2 documents: SET-2026-000001 to INV-2026-000001." in text(answer)
    issued = rows(north, Document)
    assert [(d.status, d.number, d.balance_sat) for d in issued] == [
        ("issued", "SET-2026-000001", 248_625),
        ("issued", "INV-2026-000001", -43_875),
    ]
    assert len(rows(north, AuditEntry, action="document.issued")) == 2
    again = north.finance.form(document=[f"{d.code}:{d.balance_sat}" for d in issued])
    repeated = north.finance.browser().post(ISSUE, again, follow=True)
    assert "SET-2026-000001 is issued already." in text(repeated)
    assert [d.number for d in rows(north, Document)] == ["SET-2026-000001", "INV-2026-000001"]


def test_issuing_one_leaves_the_other_a_draft(north: Tenant) -> None:
    draft = close(north)[1]
    answer = confirm_and_issue(north.finance, document=draft.code)
    assert answer.redirect_chain[-1][0] == page_of(draft)
    assert [d.status for d in rows(north, Document)] == ["draft", "issued"]


def test_what_changed_after_the_look_is_not_issued_and_neither_is_the_rest(north: Tenant) -> None:
    close(north)
    browser = north.finance.browser()
    shown = confirmed(browser.get(ISSUE, {"month": "2026-10"}))
    with tenancy.access_context(north.system):
        make_reward(north.clients[1].account, FIRST_DAY + timedelta(days=9), destination="external_address")
    answer = browser.post(ISSUE, north.finance.form(document=shown), follow=True)
    assert "Rewards or terms changed after this draft was computed." in text(answer)
    assert [d.status for d in rows(north, Document)] == ["draft", "draft"]
    close(north)
    answer = browser.post(ISSUE, north.finance.form(document=shown), follow=True)
    assert "What was to be issued is not what you looked at any more. Nothing was issued." in text(answer)
    assert [d.status for d in rows(north, Document)] == ["draft", "draft"]


WHY = "since 4 November 2026 the pool pays its rewards elsewhere than was agreed."


def hold(tenant: Tenant, document: Document) -> None:
    with tenancy.access_context(tenant.system):
        MiningAccount.objects.filter(customer=document.customer).update(payout_drift_since=NOW)


def settled_at(document: Document, part: str = "payout") -> str:
    return f'href="/staff/customers/{document.customer.code}/#{part}"'


def test_a_draft_that_is_held_says_why_and_where_to_settle_it_wherever_one_could_issue_it(north: Tenant) -> None:
    mine, theirs = close(north)
    hold(north, mine)
    browser, why = north.finance.browser(), f"{mine.customer.name} is held: {WHY}"

    listed = browser.get(LIST)
    assert f"Held Alder & Finch {WHY.capitalize()[0]}{WHY[1:]} Settle it" in text(listed)
    assert "owed to us 0.00043875 BTC ; 1 of them held" in text(listed)
    assert "Issue 1 of October 2026…" in text(listed)
    for page in (listed, browser.get(page_of(mine)), browser.get(ISSUE, {"month": "2026-10"})):
        assert settled_at(mine) in page.content.decode()
        assert settled_at(theirs) not in page.content.decode()
    assert 'aria-label="Choose the draft for Alder & Finch"' not in listed.content.decode()
    assert (why in text(browser.get(page_of(mine))), "Issue…" in text(browser.get(page_of(mine)))) == (True, False)
    assert "Issue…" in text(browser.get(page_of(theirs)))

    hold(north, theirs)
    assert "2 of October 2026 held" in text(browser.get(LIST))
    assert (heading(browser.get(LIST)), "of them held" in text(browser.get(LIST))) == ("2 drafts are held", False)
    for chosen, count in (({"document": mine.code}, "1 draft is"), ({"month": "2026-10"}, "2 drafts are")):
        page = browser.get(ISSUE, chosen)
        assert heading(page) == f"Nothing to issue: {count} held"
        assert (settled_at(mine) in page.content.decode(), confirmed(page)) == (True, [])
    for who in (north.support, north.auditor):
        assert "Held" in text(who.browser().get(LIST))


def test_the_main_button_issues_the_newest_month_that_is_not_wholly_held(north: Tenant) -> None:
    birch, september = north.clients[1], FIRST_DAY - timedelta(days=1)
    with tenancy.access_context(north.system):
        birch.version.valid = (september, None)
        birch.version.save()
        make_reward(birch.account, september)
        close_period(north.system, month=september, now=NOW)
    mine, theirs = close(north)

    def main_buttons() -> list[str]:
        return re.findall(r'button--main"\s+href="([^"]+)"', north.finance.browser().get(LIST).content.decode())

    assert main_buttons() == [f"{ISSUE}?month=2026-10"]
    hold(north, mine)
    with tenancy.access_context(north.system):
        discard(north.system, theirs, now=NOW)
    assert main_buttons() == [f"{ISSUE}?month=2026-09"]


def test_a_draft_that_waits_for_its_month_to_be_closed_again_leads_nowhere_else(north: Tenant) -> None:
    draft, alder = close(north)[0], north.clients[0]
    with tenancy.access_context(north.system):
        PayoutAgreement.objects.create(
            provider=north.provider, mining_account=alder.account, customer=alder.customer, source="accepted",
            destination="main_balance", agreed_by="robin@north.example", agreed_at=NOW,
        )  # fmt: skip
        Reward.objects.filter(pk=alder.rewards[0].pk).update(payout_destination="unknown")
    for page in (page_of(draft), LIST, f"{LIST}issue/?month=2026-10"):
        words = text(north.finance.browser().get(page))
        assert "Close October 2026 again" in words
        assert "Settle it" not in words


def test_who_is_held_keeps_nobody_else_waiting(north: Tenant) -> None:
    mine, theirs = close(north)
    browser = north.finance.browser()
    shown = confirmed(browser.get(ISSUE, {"month": "2026-10"}))
    hold(north, mine)  # after they were looked at
    page = browser.get(ISSUE, {"month": "2026-10"})
    assert confirmed(page) == [f"{theirs.code}:{theirs.balance_sat}"]
    assert heading(page) == "Issue 1 document, 0.00043875 BTC owed to us"

    why = f"{mine.customer.name} is held: {WHY}"
    alone = browser.post(ISSUE, north.finance.form(document=shown[:1]), follow=True)
    assert (why in text(alone), "Issued" in text(alone)) == (True, False)
    answer = text(browser.post(ISSUE, north.finance.form(document=shown), follow=True))
    assert "Issued 1 document: INV-2026-000001." in answer
    assert f"Not issued: {why}" in answer
    assert [d.status for d in rows(north, Document)] == ["draft", "issued"]


@pytest.mark.parametrize("document", [[], ["doc_x:1"], [":"], ["x"], ["doc_x:1e9"], ["\x00:1"], ["doc_x:-"]])
def test_a_made_up_choice_issues_nothing(north: Tenant, document: list[str]) -> None:
    close(north)
    answer = north.finance.browser().post(ISSUE, north.finance.form(document=document), follow=True)
    assert "Nothing was issued." in text(answer)
    assert [d.status for d in rows(north, Document)] == ["draft", "draft"]


def test_choosing_nothing_leads_back_with_a_sentence(north: Tenant) -> None:
    for chosen in ({}, {"document": "\x00"}, {"month": "x"}, {"month": "2026-01"}):
        answer = north.finance.browser().get(ISSUE, chosen, follow=True)
        assert "Choose at least one draft to issue." in text(answer)


# --- One document


def test_a_draft_shows_its_lines_and_their_sum(north: Tenant) -> None:
    draft = close(north)[1]
    answer = north.finance.browser().get(page_of(draft))
    assert heading(answer) == "Owed to us: 0.00043875 BTC"
    words = text(answer)
    assert "1 Oct an address 0.00100000 0.00002500 0.00097500 0.00014625 0.00082875 −0.00014625" in words
    assert "Sum 0.00300000 0.00007500 0.00292500 0.00043875 0.00248625 −0.00043875" in words
    assert "The numbers agree with what the pool says now." in words


def test_a_draft_that_the_facts_left_behind_says_so(north: Tenant) -> None:
    draft = close(north)[0]
    with tenancy.access_context(north.system):
        make_reward(north.clients[0].account, FIRST_DAY + timedelta(days=9))
    browser = north.finance.browser()
    words = text(browser.get(page_of(draft)))
    assert "Rewards or terms changed after this draft was worked out." in words
    assert "Issue…" not in words
    browser.post(CLOSE, north.finance.form(month="2026-10"))
    assert heading(browser.get(page_of(draft))) == "We owe 0.00331500 BTC"


def test_corrections_stand_apart_and_name_what_they_correct(north: Tenant) -> None:
    issued = issue_one(north)
    with tenancy.access_context(north.system):
        Reward.objects.filter(pk=north.clients[0].rewards[0].pk).update(status="canceled", status_raw="canceled")
        make_reward(north.clients[0].account, NOW.date().replace(day=1))
    december = NOW + timedelta(days=30)
    with tenancy.access_context(north.system):
        close_period(north.system, month=NOW.date(), now=december)
        (draft,) = Document.objects.filter(period__startswith=NOW.date().replace(day=1), customer=issued.customer_id)
    words = text(north.finance.browser().get(page_of(draft)))
    assert "Corrections of earlier months" in words
    assert f"1 Oct 2026 The pool canceled it {issued.number}" in words
    assert "−0.00082875" in words


def test_discarding_puts_a_draft_aside_once(north: Tenant) -> None:
    draft = close(north)[0]
    browser = north.finance.browser()
    for says in ("The draft for Alder & Finch is discarded.", "Only a draft can be discarded."):
        answer = browser.post(page_of(draft, "document_discard"), north.finance.form(), follow=True)
        assert says in text(answer)
    assert [d.status for d in rows(north, Document)] == ["discarded", "draft"]
    assert len(rows(north, AuditEntry, action="document.discarded")) == 1
    assert draft.code not in browser.get(LIST).content.decode()
    assert draft.code in browser.get(LIST, {"status": "discarded"}).content.decode()


def test_the_pdf_is_the_kept_file_and_until_then_a_sentence(north: Tenant) -> None:
    document = issue_one(north)
    browser = north.support.browser()
    waiting = browser.get(page_of(document, "document_pdf"), follow=True)
    assert "The PDF is being made." in text(waiting)
    with tenancy.access_context(north.system):
        files.keep(document, FileKind.PDF, b"%PDF-kept", version=1, now=NOW)
    answer = browser.get(page_of(document, "document_pdf"))
    assert (answer.content, answer["Content-Type"]) == (b"%PDF-kept", "application/pdf")
    assert answer["Content-Disposition"] == f'inline; filename="{document.number}.pdf"'


def test_the_csv_has_a_row_for_each_line_before_the_issue_and_after(north: Tenant) -> None:
    (draft, *_) = close(north)
    browser = north.auditor.browser()
    answer = browser.get(page_of(draft, "document_csv"))
    lines = b"".join(answer.streaming_content).decode().splitlines()  # type: ignore[attr-defined]  # a streamed answer
    assert len(lines) == 1 + 3
    assert lines[1].startswith(",1,regular,pay_customer,2026-10-01")

    with tenancy.access_context(north.system):
        document = issue(north.system, draft, now=NOW)
    tasks.make_files(document.provider_id, document.pk)
    kept = browser.get(page_of(document, "document_csv"))
    assert [line.removeprefix(document.number or "") for line in kept.content.decode().splitlines()][1:] == lines[1:]
    assert kept["Content-Disposition"] == f'attachment; filename="{document.number}.csv"'


def test_a_file_that_failed_says_why_and_is_tried_again_by_a_person(north: Tenant) -> None:
    document = issue_one(north)
    with tenancy.access_context(north.system):
        for kind in FileKind:
            files.claim(north.provider.pk, document.pk, kind, now=NOW)
        files.fail(document, FileKind.PDF, "KeyError: 'terms'")

    page = north.support.browser().get(page_of(document))
    assert "The PDF could not be made." in text(page)
    assert "KeyError: 'terms'" in text(page)
    assert "Try again" not in text(page)
    assert document.code in north.support.browser().get(LIST, {"status": "file_failed"}).content.decode()
    assert "1 document lacks a file" in text(north.owner.browser().get("/staff/"))

    answer = north.finance.browser().post(page_of(document, "document_files_retry"), north.finance.form(), follow=True)
    assert "A worker makes what failed anew" in text(answer)
    tasks.make_files(north.provider.pk, document.pk)
    assert north.finance.browser().get(page_of(document, "document_pdf")).content.startswith(b"%PDF-")
    assert document.code not in north.support.browser().get(LIST, {"status": "file_failed"}).content.decode()
    assert len(rows(north, AuditEntry, action="document.files_retried")) == 1
