from __future__ import annotations

import csv
import io
from datetime import date, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.evidence import csv_rows
from billing.models import DocumentLine
from billing.words import btc_text
from customers import tenancy
from customers.models import Role
from tests.billing.books import OCTOBER, change_amount, open_story, revenue_share
from tests.portal.customer.scenes import PDF, statement_of, words
from tests.portal.customer.test_rewards import sums, table
from tests.world import FIRST_DAY, NOW, Tenant, draft_document, make_reward, person

PARTS = ("", "pdf/", "csv/")


def test_the_statement_has_the_rows_figures_and_adds_them_up(north: Tenant) -> None:
    document = statement_of(north)
    with tenancy.access_context(north.system):
        lines = list(DocumentLine.objects.filter(document=document).order_by("position"))

    html = north.clients[0].owner.browser().get(f"/statements/{document.code}/").content.decode()

    assert table(html) == [
        [
            f"{line.day.day} Oct",
            btc_text(line.facts["total_sat"]),
            btc_text(line.facts["fee_sat"]),
            btc_text(line.net_sat),
            btc_text(line.provider_share_sat),
            btc_text(line.customer_share_sat),
            "us",
            btc_text(line.amount_sat),
        ]
        for line in lines
    ]
    assert sums(html) == [
        ["Sum", "0.00300000", "0.00007500", "0.00292500", "0.00043875", "0.00248625", "", "0.00248625"]
    ]
    text = words(html)
    assert "3 rewards paid to Northmere Hosting's main balance: your part 0.00248625" in text
    assert "We owe you 0.00248625 BTC" in text
    assert f"<h1>{document.number}</h1>" in html


def test_parties_terms_and_period_are_those_of_the_issue(north: Tenant) -> None:
    client = north.clients[0]
    document = statement_of(north)
    with tenancy.access_context(north.system):
        client.customer.name = "Renamed since"
        client.customer.save()

    text = words(client.owner.browser().get(f"/statements/{document.code}/").content)

    assert "Northmere Hosting owes Alder & Finch 0.00248625 BTC" in text
    assert "To Alder & Finch Customer no. C-0" in text
    assert "Customer 85 %, provider 15 % of the net reward, after the pool's fee." in text
    assert "October 2026, 1 to 31 October 2026 (UTC)" in text
    assert "1 October: net 0.00097500 × 85 % = 0.00082875 for the customer." in text


def test_a_customer_who_owes_is_told_so(north: Tenant) -> None:
    document = statement_of(north, index=1)

    text = words(north.clients[1].owner.browser().get(f"/statements/{document.code}/").content)

    assert "Birch Mining owes Northmere Hosting 0.00043875 BTC You owe us" in text
    assert "3 rewards paid to your address: our part −0.00043875 You owe us 0.00043875 BTC" in text


def test_two_destinations_are_added_up_apart_and_together(north: Tenant) -> None:
    client = north.clients[0]
    with tenancy.access_context(north.system):
        make_reward(client.account, FIRST_DAY.replace(day=7), destination="external_address")
    document = statement_of(north)

    html = client.owner.browser().get(f"/statements/{document.code}/").content.decode()

    assert [(row[0], row[-1]) for row in sums(html)] == [
        ("To us", "0.00248625"),
        ("To you", "−0.00014625"),
        ("Sum", "0.00234000"),
    ]
    assert "We owe you 0.00234000 BTC" in words(html)


def test_corrections_say_what_was_what_is_and_why(north: Tenant) -> None:
    with tenancy.access_context(north.system):
        story = open_story(north.system, revenue_share(150_000))
        changed = story.reward(3, total="0.00001000", fee="0.00000025")
        first = story.issue(OCTOBER, NOW)
        change_amount(changed, "0.00000900", "0.00000025")
        story.reward(date(2026, 10, 9))
        story.reward(date(2026, 11, 2))
        second = story.issue(date(2026, 11, 1), datetime(2026, 12, 3, tzinfo=NOW.tzinfo))
        browser = person(north.system, "o@cedar.example", Role.OWNER, story.customer).browser()

    html = browser.get(f"/statements/{second.code}/").content.decode()
    corrections = html[html.index("Corrections to earlier periods</h2>") :]

    assert table(corrections) == [
        ["3 Oct", "The pool changed the amount", str(first.number), "0.00000829", "0.00000744", "−0.00000085"],
        ["9 Oct", "Came after the close of its month", "–", "–", "0.00000829", "0.00000829"],
    ]
    assert "Corrections to earlier periods, 2 lines 0.00000744" in words(html)
    assert f'href="/statements/{first.code}/"' in corrections


def test_a_statement_of_nothing_owed_says_so(north: Tenant) -> None:
    with tenancy.access_context(north.system):
        story = open_story(north.system, revenue_share(1_000_000))
        story.reward(3)
        document = story.issue(OCTOBER, NOW)
        browser = person(north.system, "o@cedar.example", Role.OWNER, story.customer).browser()

    assert "Nothing is owed 0.00000000 BTC" in words(browser.get(f"/statements/{document.code}/").content)


@pytest.mark.parametrize("part", PARTS)
def test_a_draft_does_not_exist_for_customers(north: Tenant, part: str) -> None:
    client = north.clients[0]
    with tenancy.access_context(north.system):
        draft = draft_document(client)

    assert client.owner.browser().get(f"/statements/{draft.code}/{part}").status_code == 404
    assert draft.code not in client.owner.browser().get("/statements/").content.decode()


@pytest.mark.parametrize("part", PARTS)
def test_a_neighbours_statement_does_not_exist(north: Tenant, part: str) -> None:
    document = statement_of(north, index=0)

    assert north.clients[1].owner.browser().get(f"/statements/{document.code}/{part}").status_code == 404
    assert north.clients[1].owner.browser().get(f"/statements/%00/{part}").status_code == 404


@pytest.mark.parametrize("part", PARTS)
def test_owner_and_viewer_get_the_same(north: Tenant, part: str) -> None:
    client, path = north.clients[0], f"/statements/{statement_of(north).code}/{part}"

    owner, viewer = client.owner.browser().get(path), client.viewer.browser().get(path)

    if part:
        assert owner.getvalue() == viewer.getvalue()
    else:
        assert words(owner.content) == words(viewer.content)


def test_the_pdf_is_the_bytes_that_were_kept(north: Tenant) -> None:
    document = statement_of(north)

    response = north.clients[0].owner.browser().get(f"/statements/{document.code}/pdf/")

    assert response.content == PDF
    assert response["Content-Type"] == "application/pdf"
    assert response["Content-Disposition"] == f'attachment; filename="{document.number}.pdf"'
    assert response["Cache-Control"] == "no-store"


def test_a_pdf_that_is_still_being_made_is_answered_kindly(north: Tenant) -> None:
    document = statement_of(north, with_files=False)
    browser = north.clients[0].owner.browser()

    response = browser.get(f"/statements/{document.code}/pdf/")

    assert response.status_code == 409
    assert f"The PDF of {document.number} is not there yet" in words(response.content)
    assert "The PDF is being made. Try again in a minute." in words(response.content)
    page = browser.get(f"/statements/{document.code}/").content.decode()
    assert "The PDF is being made" in page
    assert f"/statements/{document.code}/pdf/" not in page


def test_the_csv_is_the_documents_evidence_and_equals_the_page(north: Tenant) -> None:
    document = statement_of(north)
    browser = north.clients[0].owner.browser()
    with tenancy.access_context(north.system):
        evidence = b"".join(csv_rows(document))

    body = browser.get(f"/statements/{document.code}/csv/").getvalue()

    assert body == evidence
    rows = list(csv.DictReader(io.StringIO(body.decode())))
    shown = table(browser.get(f"/statements/{document.code}/").content.decode())
    assert [row["amount_btc"] for row in rows] == [cells[-1] for cells in shown]
    assert [btc_text(int(row["total_sat"])) for row in rows] == [cells[1] for cells in shown]


def test_statements_are_listed_newest_first(north: Tenant) -> None:
    client = north.clients[0]
    with tenancy.access_context(north.system):
        make_reward(client.account, date(2026, 11, 2))
    october, november = statement_of(north), statement_of(north, month=date(2026, 11, 1))

    shown = table(client.owner.browser().get("/statements/").content.decode())

    assert [row[0].split()[0] for row in shown] == [november.number, october.number]
    assert shown[1][1:] == ["October 2026", "4 Nov 2026", "We owe you", "Due 18 Nov 2026", "0.00248625"]


def test_without_statements_the_page_says_when_the_first_comes(north: Tenant) -> None:
    assert "No statements yet." in words(north.clients[0].owner.browser().get("/statements/").content)


def test_three_rows_cost_as_many_queries_as_one(north: Tenant) -> None:
    client = north.clients[0]
    browser = client.owner.browser()
    months = [FIRST_DAY, date(2026, 11, 1), date(2026, 12, 1)]
    with tenancy.access_context(north.system):
        for month in months[1:]:
            make_reward(client.account, month + timedelta(days=1))
    three_lines = statement_of(north)
    browser.get("/statements/")
    with CaptureQueriesContext(connection) as one_document:
        browser.get("/statements/")
    one_line, _ = statement_of(north, month=months[1]), statement_of(north, month=months[2])
    with CaptureQueriesContext(connection) as three_documents:
        browser.get("/statements/")
    with CaptureQueriesContext(connection) as of_one:
        browser.get(f"/statements/{one_line.code}/")
    with CaptureQueriesContext(connection) as of_three:
        browser.get(f"/statements/{three_lines.code}/")

    assert len(one_document) == len(three_documents)
    assert len(of_one) == len(of_three)
