"""Balances, payments and the steps of a document, as staff see and do them. Birch owes 0.00043875 BTC for October."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from billing.models import Document, Fund, PaymentTerms
from customers.models import AuditEntry
from tests.portal.customer.scenes import statement_of
from tests.portal.staff.reading import heading, rows, text
from tests.world import Person, Tenant

pytestmark = pytest.mark.django_db
NEW, FILE, BOARD, TERMS = (
    "/staff/payments/new/",
    "/staff/payments/file/",
    "/staff/balances/",
    "/staff/settings/payments/",
)
OUTPUT = "ab" * 32 + ":1"
ADDRESS = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
OWED_SAT = 43_875


def invoice_of(tenant: Tenant) -> Document:
    return statement_of(tenant, index=1)


def page_of(document: Document, name: str = "document") -> str:
    return reverse(f"staff:{name}", args=[document.code])


def said(tenant: Tenant, **changes: Any) -> dict[str, Any]:
    return {
        "customer": tenant.clients[1].customer.code,
        "paid_by": "customer",
        "amount": "0.0005",
        "received_on": "2026-11-04",
        "source": "bitcoin",
        "ref": OUTPUT,
        "note": "",
        **changes,
    }


def look_and_record(who: Person, **form: Any) -> Any:
    browser = who.browser()
    looked = browser.post(NEW, who.form(**form))
    (seen,) = re.findall(r'name="seen"\s+value="([^"]*)"', looked.content.decode())
    return looked, browser.post(NEW, who.form(**form, seen=seen), follow=True)


def test_a_payment_shows_what_it_settles_and_is_recorded_as_shown(north: Tenant) -> None:
    invoice = invoice_of(north)

    looked, _ = look_and_record(north.finance, **said(north))

    told = text(looked)
    assert f"{invoice.number}, settled 0.00043875 Kept as credit 0.00006125 Paid 0.00050000 BTC" in told
    (fund,) = rows(north, Fund)
    assert (fund.amount, fund.amount_left, fund.ref, fund.recorded_by) == (
        50_000,
        6_125,
        OUTPUT,
        north.finance.user.email,
    )


def test_nothing_is_recorded_by_looking(north: Tenant) -> None:
    invoice_of(north)
    north.finance.browser().post(NEW, north.finance.form(**said(north)))
    assert rows(north, Fund) == []


def test_what_changed_since_it_was_looked_at_is_shown_anew(north: Tenant) -> None:
    invoice_of(north)
    who = north.finance
    browser = who.browser()
    looked = browser.post(NEW, who.form(**said(north)))
    (seen,) = re.findall(r'name="seen"\s+value="([^"]*)"', looked.content.decode())

    answer = browser.post(NEW, who.form(**said(north, amount="0.0004"), seen=seen))

    assert "Something changed since you looked. Nothing was recorded." in text(answer)
    assert rows(north, Fund) == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"amount": "0"}, "more than 0"),
        ({"amount": "half"}, "Write the amount as 0.01250000."),
        ({"amount": "0.000000001"}, "8 decimal places"),
        ({"ref": "abc"}, "64 characters"),
        ({"received_on": "2027-01-01"}, "in the future"),
        ({"documents": ["doc_guess"]}, "Select a valid choice"),
    ],
)
def test_a_payment_that_cannot_be_is_refused_with_a_sentence(
    north: Tenant, changes: dict[str, Any], sentence: str
) -> None:
    invoice_of(north)
    answer = north.finance.browser().post(NEW, north.finance.form(**said(north, **changes)))
    assert sentence in text(answer)
    assert rows(north, Fund) == []


def test_a_payment_is_taken_back_with_a_reason(north: Tenant) -> None:
    invoice = invoice_of(north)
    look_and_record(north.finance, **said(north))
    (fund,) = rows(north, Fund)
    browser, path = north.finance.browser(), reverse("staff:payment_take_back", args=[fund.code])
    assert f"0.00043875 BTC of {invoice.number} is open again." in text(browser.get(path))

    nothing = browser.post(path, north.finance.form(reason=""))
    assert not rows(north, Fund, taken_back=True) and "required" in text(nothing)
    answer = browser.post(path, north.finance.form(reason="Another's"), follow=True)

    assert "What it settled is open again." in text(answer)
    assert rows(north, Fund, taken_back=True)


def test_the_board_tells_what_is_owed_both_ways(north: Tenant) -> None:
    statement_of(north)
    invoice_of(north)

    answer = north.support.browser().get(BOARD)

    assert heading(answer) == "Nothing is overdue"
    told = text(answer)
    assert "Owed to us 0.00043875 1 open invoice We owe 0.00248625 1 open settlement" in told
    assert "Record a payment" not in told  # support may look
    assert north.clients[1].customer.name in text(north.owner.browser().get(BOARD, {"show": "owes-us"}))
    assert north.clients[1].customer.name not in text(north.owner.browser().get(BOARD, {"show": "we-owe"}))


def test_a_document_tells_what_is_paid_and_leads_to_its_steps(north: Tenant) -> None:
    invoice = invoice_of(north)
    look_and_record(north.finance, **said(north, amount="0.0001"))

    told = text(north.finance.browser().get(page_of(invoice)))

    assert "Paid in part" in told
    assert "Open 0.00033875 BTC" in told
    assert "Write off…" in told and "Void…" not in told


def test_an_invoice_is_written_off_and_taken_up_again(north: Tenant) -> None:
    invoice = invoice_of(north)
    browser, path = north.finance.browser(), page_of(invoice, "document_write_off")
    page = browser.get(path)
    assert heading(page) == f"Write off 0.00043875 BTC of {invoice.number}?"

    changed = browser.post(path, north.finance.form(reason="Gone", open="1"))
    assert "is open now. Nothing was changed." in text(changed)
    browser.post(path, north.finance.form(reason="Gone", open=str(OWED_SAT)))
    assert rows(north, Document, pk=invoice.pk)[0].status == "written_off"
    assert "Written off: Gone" in text(browser.get(page_of(invoice)))

    browser.post(page_of(invoice, "document_take_up_again"), north.finance.form(reason="Found"))
    assert rows(north, Document, pk=invoice.pk)[0].status == "issued"


def test_a_document_is_voided_with_its_effects_above_the_button(north: Tenant) -> None:
    invoice = invoice_of(north)
    browser, path = north.finance.browser(), page_of(invoice, "document_void")
    told = text(browser.get(path))
    assert told.index("It cannot be undone.") < told.index(f"Void {invoice.number} Back")

    browser.post(path, north.finance.form(reason="Wrong terms"))

    assert rows(north, Document, pk=invoice.pk)[0].status == "voided"
    assert "cannot be voided" in heading(browser.get(path))


def test_a_file_is_shown_row_by_row_and_recorded_as_a_whole(north: Tenant) -> None:
    invoice = invoice_of(north)
    who = north.finance
    browser = who.browser()
    head = "date,amount_btc,reference,documents\n"
    bad = SimpleUploadedFile("p.csv", (head + f"2026-11-04,1,5,{invoice.number}\n").encode())
    answer = browser.post(FILE, who.form(file=bad))
    assert heading(answer) == "1 row cannot be recorded" and "64 characters" in text(answer)

    content = head + f"2026-11-04,0.00043875,{OUTPUT},{invoice.number}\n"
    looked = browser.post(FILE, who.form(file=SimpleUploadedFile("p.csv", content.encode())))
    assert heading(looked) == "Record 1 payment?" and rows(north, Fund) == []
    browser.post(FILE, who.form(csv=content, record="yes"))

    assert [(fund.amount, fund.amount_left) for fund in rows(north, Fund)] == [(OWED_SAT, 0)]


def test_an_owner_sets_by_when_and_to_where_customers_pay(north: Tenant) -> None:
    browser = north.owner.browser()
    bad = browser.post(TERMS + "change/", north.owner.form(due_days="30", bitcoin_address=ADDRESS[:-1] + "5"))
    assert "checksum" in text(bad) and rows(north, PaymentTerms) == []

    browser.post(TERMS + "change/", north.owner.form(due_days="30", bitcoin_address=ADDRESS))

    assert [(t.due_days, t.bitcoin_address) for t in rows(north, PaymentTerms)] == [(30, ADDRESS)]
    (entry,) = rows(north, AuditEntry, action="payment_terms.changed")
    assert entry.details == {"due_days": 30, "bitcoin_address": ADDRESS, "was": ""}
    invoice = invoice_of(north)
    assert invoice.due_on is not None and invoice.issued_on is not None
    assert (invoice.due_on - invoice.issued_on).days == 30


def test_a_customers_page_tells_its_balance(north: Tenant) -> None:
    invoice_of(north)
    answer = north.support.browser().get(f"/staff/customers/{north.clients[1].customer.code}/")
    assert "Owes us, since 4 Nov 2026 0.00043875" in text(answer)
