"""The PDF and the CSV of a document: the same numbers, the same bytes, and no harm from hostile names."""

from __future__ import annotations

import csv
import io
from datetime import date

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pypdf import PdfReader

from billing import evidence, pdf
from billing.models import Document
from billing.pdf.content import clean
from customers.models import Customer
from customers.tenancy import Access
from tests.billing.books import (
    AFTER_NOVEMBER,
    AFTER_OCTOBER,
    NOVEMBER,
    OCTOBER,
    Story,
    change,
    change_amount,
    open_story,
    revenue_share,
)
from tests.billing.printed import fonts_of, text_of

HOSTILE = '#set page(fill: red) *b* $x$ `c` <script> \\ "] 5x2 @ref // \u202eevil\u202c\x07'


def corrected_november(story: Story) -> Document:
    """An issued November with a regular day of each destination and three corrections of October."""
    changed, canceled, flipped = (story.reward(day) for day in (1, 2, 3))
    story.issue(OCTOBER, AFTER_OCTOBER)
    change_amount(changed, "0.00000900", "0.00000020")
    change(canceled, status="canceled")
    change(flipped, payout_destination="external_address")
    story.reward(31)
    story.reward(date(2026, 11, 1))
    story.reward(date(2026, 11, 2), destination="external_address")
    return story.issue(NOVEMBER, AFTER_NOVEMBER)


def rows_of(document: Document) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(b"".join(evidence.csv_rows(document)).decode())))


def test_the_pdf_says_who_owes_whom_how_much_and_why(story: Story) -> None:
    document = corrected_november(story)

    text = text_of(pdf.render(document))

    for said in (
        "Invoice",
        "INV-2026-000001",
        "Cedar owes Northmere Hosting",
        "3 December 2026",
        "1 to 30 November 2026 (UTC)",
        "Customer 85 %, provider 15 % of the net reward, after the pool's fee.",
        "1 reward paid to Northmere Hosting: the part of Cedar",
        "1 reward paid to Cedar: the part of Northmere Hosting",
        "Corrections to earlier periods, 5 lines",
        "SET-2026-000001",
        "The pool changed the amount",
        "The pool canceled it",
        "Paid to the address, not the balance",
        "Came after the close of its month",
        "1 November: net 0.00000975 × 85 % = 0.00000829 for the customer.",
        "halves to even",
        "Page 1 of",
    ):
        assert said in text, said


def test_the_sums_of_the_pdf_add_up_to_the_total(story: Story) -> None:
    document = corrected_november(story)
    content = pdf.content_of(document)

    def sat(amount: str) -> int:
        return round(float(amount) * 10**8)

    assert sum(sat(row["amount"]) for row in content["summary"]) == document.balance_sat
    assert sat(content["total"]) == document.total_sat
    whole = content["sums"][-1]
    for column in ("total", "fee", "net", "provider", "customer", "owed"):
        assert sum(sat(row[column]) for row in content["rows"]) == sat(whole[column])
        assert sum(sat(row[column]) for row in content["sums"][:-1]) == sat(whole[column])
    for column in ("net", "provider", "customer", "owed"):
        assert sum(sat(row[column]) for row in content["corrections"]) == sat(content["correction_sums"][column])
    assert sat(whole["owed"]) + sat(content["correction_sums"]["owed"]) == document.balance_sat


def test_the_pdf_and_the_csv_carry_the_same_numbers(story: Story) -> None:
    document = corrected_november(story)

    rows, content = rows_of(document), pdf.content_of(document)

    assert [row["amount_btc"] for row in rows] == [row["owed"] for row in (*content["rows"], *content["corrections"])]
    assert sum(int(row["amount_sat"]) for row in rows) == document.balance_sat


def test_the_same_document_gives_the_same_bytes(story: Story) -> None:
    document = corrected_november(story)

    assert pdf.render(document) == pdf.render(Document.objects.get(pk=document.pk))


def test_the_only_font_in_the_pdf_is_the_one_we_ship(story: Story) -> None:
    fonts = fonts_of(pdf.render(corrected_november(story)))

    assert {name.split("+")[-1].split("-")[0] for name in fonts} == {"Inter"}


def test_hostile_names_are_printed_and_do_nothing(north: Access) -> None:
    story = open_story(north, name="Hostile")
    Customer.objects.filter(pk=story.customer.pk).update(name=HOSTILE, external_ref='=cmd|"/C calc"!A0')
    story.reward(1)
    document = story.issue(OCTOBER, AFTER_OCTOBER)

    text = text_of(pdf.render(document))

    assert '#set page(fill: red) *b* $x$ `c` <script> \\ "] 5x2 @ref // evil' in " ".join(text.split())


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("  two\n lines\t", "two lines"),
        ("\u202eevil\u202c", "evil"),
        ("W" * 60, "\u200b".join(["W" * 20] * 3)),
        ("support@northmere.example", "support@northmere.example"),
    ],
)
def test_names_become_one_line_of_visible_text(name: str, shown: str) -> None:
    assert clean(name) == shown


def test_hundreds_of_lines_and_thousands_of_bitcoin_are_typeset(north: Access) -> None:
    story = open_story(north, revenue_share(333_333, "gross", "customer"))
    for day in range(1, 32):
        for occurrence in range(1, 8):
            story.reward(day, occurrence=occurrence, total="1234.56789012", fee="12.34567891")

    document = story.issue(OCTOBER, AFTER_OCTOBER)

    reader = PdfReader(io.BytesIO(pdf.render(document)))
    assert len(reader.pages) == 4
    assert "Page 4 of 4" in reader.pages[3].extract_text()


def test_only_an_issued_document_is_typeset(story: Story) -> None:
    story.reward(1)
    draft = story.close(OCTOBER, AFTER_OCTOBER)
    assert draft is not None

    with pytest.raises(ValueError, match="only issued documents are typeset"):
        pdf.render(draft)


def test_the_csv_has_one_row_for_each_line_with_stable_columns(story: Story) -> None:
    document = corrected_november(story)

    rows = rows_of(document)

    assert list(rows[0]) == list(evidence.COLUMNS)
    assert len(rows) == document.lines.count() == 7
    canceled = next(row for row in rows if row["reason"] == "status_changed")
    assert {
        "document": "INV-2026-000001",
        "kind": "correction",
        "component": "pay_customer",
        "date": "2026-10-02",
        "status": "canceled",
        "net_sat": "975",
        "customer_share_sat": "-829",
        "amount_sat": "-829",
        "amount_btc": "-0.00000829",
        "corrects_document": "SET-2026-000001",
        "corrects_line": "2",
        "was_sat": "829",
        "is_sat": "0",
        "share_ppm": "150000",
        "basis": "net",
    }.items() <= canceled.items()


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_cells_that_a_spreadsheet_would_run_are_quoted(start: str) -> None:
    assert evidence.text(f"{start}1+1") == f"'{start}1+1"
    assert evidence.text(f"1{start}") == f"1{start}"


def test_the_csv_is_read_in_the_same_number_of_queries_for_any_number_of_lines(north: Access) -> None:
    counts = []
    for number in (1, 3):
        story = open_story(north, name=f"Customer {number}")
        for day in range(1, number + 1):
            story.reward(day)
        document = story.issue(OCTOBER, AFTER_OCTOBER)
        with CaptureQueriesContext(connection) as queries:
            b"".join(evidence.csv_rows(document))
        counts.append(len(queries))

    assert counts[0] == counts[1]
