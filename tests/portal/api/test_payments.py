"""Payments, steps of documents and balances over the API."""

from __future__ import annotations

import json
from typing import Any

import pytest
import time_machine

from billing.models import Document, Fund
from customers import tenancy
from tests.portal.api.conftest import API, Caller, code_of, detail_of, with_scopes
from tests.portal.customer.scenes import statement_of
from tests.world import NOW, Tenant, World

pytestmark = pytest.mark.django_db
OUTPUT = "ef" * 32 + ":3"
OWED_SAT = 43_875


@pytest.fixture(autouse=True)
def at_the_worlds_moment() -> Any:
    with time_machine.travel(NOW):
        yield


@pytest.fixture
def invoice(world: World) -> Document:
    return statement_of(world.north, index=1)


def said(tenant: Tenant, **changes: Any) -> dict[str, Any]:
    return {
        "customer": tenant.clients[1].customer.code,
        "amount_sat": 50_000,
        "reference": OUTPUT,
        "received_on": "2026-11-04",
        **changes,
    }


def test_a_payment_is_looked_at_recorded_and_taken_back(world: World, north: Caller, invoice: Document) -> None:
    plan = north.post("payments/preview", said(world.north)).json()
    assert plan == {
        "settles": [{"document": invoice.code, "number": invoice.number, "amount_sat": OWED_SAT, "left_sat": 0}],
        "left_sat": 6_125,
    }
    seen = [{"document": invoice.code, "amount_sat": OWED_SAT}]

    made = north.post("payments", said(world.north, settles=seen))

    assert made.status_code == 201, made.content
    payment = made.json()
    assert (payment["left_sat"], payment["allocations"]) == (
        6_125,
        [{"document": invoice.code, "number": invoice.number, "amount_sat": OWED_SAT}],
    )
    assert north.get(f"documents/{invoice.code}").json()["settled_sat"] == OWED_SAT
    assert north.ids("documents", open="true") == []
    assert code_of(north.post("payments", said(world.north)), 409) == "payment.exists"

    back = north.post(f"payments/{payment['id']}/take-back", {"reason": "Wrong"}).json()
    assert (back["taken_back"], [row["amount_sat"] for row in back["allocations"]]) == (True, [OWED_SAT, -OWED_SAT])
    assert north.ids("documents", open="true") == [invoice.code]


def test_a_plan_that_changed_is_refused(world: World, north: Caller, invoice: Document) -> None:
    stale = [{"document": invoice.code, "amount_sat": 5}]
    assert code_of(north.post("payments", said(world.north, settles=stale)), 409) == "payment.open_changed"


def test_the_same_call_is_done_once_and_needs_its_key(world: World, north: Caller, invoice: Document) -> None:
    def send(**headers: str) -> Any:
        body = json.dumps(said(world.north))
        return north.client.post(f"{API}/payments", body, content_type="application/json", headers=headers)

    first, again = (send(**{"Idempotency-Key": "pay-1"}) for _ in range(2))

    assert (first.status_code, again.status_code, again["Idempotency-Replayed"]) == (201, 201, "true")
    assert first.json() == again.json()
    assert send().status_code == 400


def test_another_providers_document_and_customer_are_not_there(world: World, north: Caller, invoice: Document) -> None:
    theirs = statement_of(world.south, index=1)
    foreign = world.south.clients[1].customer.code
    assert "There is no document" in str(north.post("payments", said(world.north, documents=[theirs.code])).json())
    assert "There is no customer" in str(north.post("payments", said(world.north, customer=foreign)).json())


def test_money_moves_with_its_own_scope_alone(world: World, invoice: Document) -> None:
    writer = with_scopes(world.north, "payments:write", "payments:read")
    assert "money:write" in detail_of(writer.post("payments", said(world.north)), 403)


def test_a_document_is_written_off_taken_up_and_voided(north: Caller, invoice: Document) -> None:
    path = f"documents/{invoice.code}"
    assert code_of(north.post(f"{path}/write-off", {"reason": "Gone", "open_sat": 5}), 409) == "document.open_changed"
    written_off = north.post(f"{path}/write-off", {"reason": "Gone", "open_sat": OWED_SAT}).json()
    assert written_off["status"] == "written_off"
    assert north.post(f"{path}/take-up-again", {"reason": "Found"}).json()["status"] == "issued"
    assert north.post(f"{path}/void", {"reason": "Wrong"}).json()["status"] == "voided"
    assert code_of(north.post(f"{path}/void", {"reason": "Wrong"}), 409) == "document.voided"


def test_a_file_is_looked_at_and_recorded_as_a_whole(world: World, north: Caller, invoice: Document) -> None:
    rows = f"date,amount_btc,reference,documents\n2026-11-04,0.00043875,{OUTPUT},{invoice.number}\n"
    (row,) = north.post("payments/import/preview", {"csv": rows}).json()["data"]
    assert (row["line"], row["problem"], row["payment"], row["left_sat"]) == (2, "", None, 0)
    bad = north.post("payments/import", {"csv": rows + rows.splitlines()[1] + "\n"})
    assert code_of(bad, 409) == "payment.file_rows"
    with tenancy.access_context(world.north.system):
        assert not Fund.objects.exists()

    (row,) = north.post("payments/import", {"csv": rows}).json()["data"]

    assert north.ids("payments") == [row["payment"]]


def test_balances_the_journal_and_the_statement_agree(world: World, north: Caller, invoice: Document) -> None:
    customer = world.north.clients[1].customer.code
    north.post("payments", said(world.north, amount_sat=3_875))

    (balance,) = north.get("ledger-entries/balances").json()["data"]
    assert (balance["customer"], balance["customer_owes_sat"], balance["net_sat"]) == (customer, 40_000, -40_000)
    assert (balance["customer_owes_since"], balance["oldest_due"]) == ("2026-11-04", "2026-11-18")
    entries = north.data("ledger-entries", customer=customer)
    assert [sum(leg["amount_sat"] for leg in entry["legs"]) for entry in entries] == [0, 0, 0]
    owed = [leg["amount_sat"] for entry in entries for leg in entry["legs"] if leg["customer"] == customer]
    assert sum(owed) == 40_000

    dates = {"customer": customer, "date_from": "2026-11-01", "date_to": "2026-11-30"}
    told = north.get("ledger-entries/statement", **dates).json()
    assert (told["opening_sat"], told["closing_sat"]) == (0, -40_000)
    assert [(entry["entry"], entry["amount_sat"]) for entry in told["entries"]] == [
        ("document_issued", -OWED_SAT),
        ("payment", 3_875),
    ]
    csv = north.get("ledger-entries/statement/csv", **dates).content.decode()
    assert csv.splitlines()[-1] == "2026-11-30,closing_balance,,,BTC,,,-40000,-0.00040000"
    wrong = north.get("ledger-entries/statement", **{**dates, "date_from": "2026-12-01"})
    assert "after date_to" in str(wrong.json())
