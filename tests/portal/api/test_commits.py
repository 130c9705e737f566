"""What only shows where requests really commit: streams after the commit, races, and nothing left of what failed."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from billing.models import Document
from customers import tenancy
from customers.models import ApiToken, Customer
from mining import accounts
from tests.portal.api.conftest import Caller, code_of, detail_of
from tests.waiting import LAST_RESORT_SECONDS
from tests.world import NOW, Tenant, World

pytestmark = pytest.mark.django_db(transaction=True)
CEDAR = {
    "name": "Cedar",
    "email": "office@cedar.example",
    "external_ref": "C-77",
    "mining_account": {"name": "cedar_1", "adopt": False},
}


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    barrier = Barrier(len(acts))

    def run(act: Callable[[], Any]) -> Any:
        try:
            barrier.wait(LAST_RESORT_SECONDS)
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(run, acts))


def test_a_drafts_evidence_is_whole_after_the_commit(world: World, close: Callable[[Tenant], list[Document]]) -> None:
    documents = close(world.north)
    answer = Caller(world.north.api()).get(f"documents/{documents[1].code}/evidence")
    assert len(b"".join(answer.streaming_content).decode().splitlines()) == 1 + 3


def test_two_calls_with_one_reference_make_one_customer(world: World) -> None:
    answers = at_once(
        lambda: Caller(world.north.api()).post("customers", CEDAR),
        lambda: Caller(world.north.api()).post(
            "customers", {**CEDAR, "mining_account": {"name": "cedar_2", "adopt": False}}
        ),
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    (refused,) = (answer for answer in answers if answer.status_code == 409)
    assert code_of(refused, 409) == "customer.reference_taken"
    with tenancy.access_context(world.north.system):
        assert Customer.objects.filter(external_ref="C-77").count() == 1


def test_two_contracts_for_one_customer_make_one(world: World) -> None:
    with tenancy.access_context(world.north.system):
        customer = Customer.objects.create(
            provider=world.north.provider, name="Cedar", email="c@c.example", created_at=NOW
        )
    terms = {
        "customer": customer.code,
        "valid_from": "2026-10-01",
        "settle_in": "btc",
        "components": [{"kind": "revenue_share", "share_ppm": 1, "basis": "net"}],
    }
    answers = at_once(*[lambda: Caller(world.north.api()).post("contracts", terms)] * 3)
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]


def test_calls_of_one_token_do_not_wait_for_each_other_to_note_its_use(world: World) -> None:
    with tenancy.access_context(world.north.system):
        # Somebody holds the token's row, as a long call does that has just noted its use.
        ApiToken.objects.filter(provider=world.north.provider).update(last_used_at=None, name="held")
        (answer,) = at_once(lambda: Caller(world.north.api()).get("customers"))
    assert answer.status_code == 200


def test_what_a_call_wrote_before_it_failed_is_gone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def creates_and_fails(*_: Any, **__: Any) -> None:
        Customer.objects.create(provider=world.north.provider, name="half", email="h@h.example", created_at=NOW)
        raise RuntimeError

    monkeypatch.setattr(accounts, "onboard_customer", creates_and_fails)
    client = world.north.api()
    client.raise_request_exception = False
    detail_of(Caller(client).post("customers", CEDAR), 500)
    with tenancy.access_context(world.north.system):
        assert Customer.objects.filter(name="half").count() == 0
