"""What a customer reads of what is owed and paid, and how it pays."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine

from billing import life
from billing.models import PaidBy
from billing.payments import recording
from billing.payments.recording import Payment
from billing.payments.requests import bitcoin_request
from billing.payments.terms import change_terms
from customers import tenancy
from tests.portal.customer.scenes import statement_of, words
from tests.world import NOW, Tenant

ADDRESS = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"


def pay(tenant: Tenant, index: int, amount: int, paid_by: PaidBy) -> None:
    customer = tenant.clients[index].customer
    payment = Payment(customer=customer, paid_by=paid_by, amount=amount, ref="cd" * 32 + ":0", received_on=NOW.date())
    with tenancy.access_context(tenant.system):
        recording.record(tenant.system, payment, now=NOW)


def page(tenant: Tenant, index: int, path: str) -> str:
    return words(tenant.clients[index].owner.browser().get(path).content)


def test_the_overview_sums_what_is_owed_over_all_open_statements(north: Tenant) -> None:
    statement_of(north)
    assert "We owe you 0.00248625 BTC For 1 statement" in page(north, 0, "/overview/")

    pay(north, 0, 248_625, PaidBy.PROVIDER)

    assert "Balance nothing is owed All statements are paid" in page(north, 0, "/overview/")


def test_statements_say_whether_they_are_paid(north: Tenant) -> None:
    invoice = statement_of(north, index=1)
    assert "Due 18 Nov 2026" in page(north, 1, "/statements/")
    with time_machine.travel(NOW + timedelta(days=20)):
        assert "Was due 18 Nov 2026" in page(north, 1, "/statements/")
    pay(north, 1, 875, PaidBy.CUSTOMER)
    assert "Paid in part, due 18 Nov 2026" in page(north, 1, "/statements/")
    told = page(north, 1, f"/statements/{invoice.code}/")
    assert "0.00000875 Open 0.00043000 BTC" in told


def test_a_voided_statement_stays_and_says_so(north: Tenant) -> None:
    invoice = statement_of(north, index=1)
    with tenancy.access_context(north.system):
        life.void(north.system, invoice, reason="A secret of ours", now=NOW)

    told = page(north, 1, f"/statements/{invoice.code}/")

    assert "This statement was taken back: nothing is owed for it." in told
    assert "A secret of ours" not in told


def test_what_is_owed_can_be_paid_by_its_code_once_there_is_an_address(north: Tenant) -> None:
    invoice = statement_of(north, index=1)
    path = f"/statements/{invoice.code}/"
    assert "Open in your wallet" not in page(north, 1, path)
    with tenancy.access_context(north.system):
        change_terms(north.system, due_days=14, bitcoin_address=ADDRESS, now=NOW)

    html = north.clients[1].owner.browser().get(path).content.decode()

    uri = f"bitcoin:{ADDRESS}?amount=0.00043875&amp;label=Northmere%20Hosting&amp;message={invoice.number}"
    assert f'href="{uri}"' in html
    assert 'class="qr"' in html and " style=" not in html
    settlement = statement_of(north)
    assert "Open in your wallet" not in page(north, 0, f"/statements/{settlement.code}/")


@pytest.mark.parametrize(
    ("sat", "amount"),
    [(1, "0.00000001"), (100_000_000, "1"), (120_000_000, "1.2"), (2_100_000_000_000_000, "21000000")],
)
def test_a_request_holds_its_amount_without_idle_zeros(sat: int, amount: str) -> None:
    uri = bitcoin_request(ADDRESS, sat, label="A & B, 5 %", message="INV-2026-000001")

    parts = urlsplit(uri)
    assert (parts.scheme, parts.path) == ("bitcoin", ADDRESS)
    assert parse_qs(parts.query) == {"amount": [amount], "label": ["A & B, 5 %"], "message": ["INV-2026-000001"]}
