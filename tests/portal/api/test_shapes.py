"""What each resource answers, whole: programs of others are written against it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine

from billing import contracts, files, settlement, tasks
from billing.models import FileKind
from customers import tenancy
from mining.keys import health as key_health
from mining.models import Credential, MiningAccount, PayoutAgreement, Reward
from mining.pool.rights import ACTING, ENDPOINTS
from tests.portal.api.conftest import Caller, October, code_of
from tests.world import NOW, World, make_reward

pytestmark = pytest.mark.django_db
HOST = "http://testserver/api/v1"
SEEN = "2026-11-04T14:32:00Z"


def test_a_customer(world: World, north: Caller) -> None:
    client = world.north.clients[0]
    expected = {
        "id": client.customer.code,
        "name": "Alder & Finch",
        "email": "office@0.example",
        "external_ref": "C-0",
        "status": "active",
        "closed_at": None,
        "mining_account": {
            "id": client.account.code,
            "name": "client_0",
            "credential": "main",
            "state": "active",
            "payout_destination": "main_balance",
            "payout_address": None,
            "payout_first_seen_at": None,
            "payout_drift_since": None,
        },
    }
    assert north.get(f"customers/{client.customer.code}").json() == expected
    assert north.get("customers").json() == {
        "data": [north.get(f"customers/{world.north.clients[1].customer.code}").json(), expected],
        "next": None,
    }


def test_a_customer_without_an_account_has_none(world: World, north: Caller) -> None:
    client = world.north.clients[0]
    with tenancy.access_context(world.north.system):
        other = type(client.customer).objects.create(
            provider=world.north.provider, name="Cedar", email="c@c.example", created_at=client.customer.created_at
        )
    answer = north.get(f"customers/{other.code}").json()
    assert (answer["mining_account"], answer["external_ref"]) == (None, None)


def test_a_mining_account_of_a_customer_and_one_of_nobody(world: World, north: Caller) -> None:
    client = world.north.clients[0]
    with tenancy.access_context(world.north.system):
        unknown = MiningAccount.objects.create(
            provider=world.north.provider,
            login=world.north.login,
            name="who_is_it",
            state="active",
            first_seen_at=client.account.first_seen_at,
        )
    expected = {
        "id": client.account.code,
        "customer": client.customer.code,
        "name": "client_0",
        "credential": "main",
        "state": "active",
        "payout_destination": "main_balance",
        "payout_address": None,
        "payout_first_seen_at": None,
        "payout_drift_since": None,
        "site": "",
    }
    assert north.get(f"mining-accounts/{client.account.code}").json() == expected
    of_nobody = {
        "id": unknown.code,
        "customer": None,
        "name": "who_is_it",
        "credential": "main",
        "state": "active",
        "payout_destination": None,
        "payout_address": None,
        "payout_first_seen_at": None,
        "payout_drift_since": None,
        "site": "",
    }
    assert north.data("mining-accounts", unassigned="true") == [of_nobody]
    assert north.data("mining-accounts")[0] == of_nobody
    assert north.ids("mining-accounts", unassigned="false")[-1] == client.account.code


def test_a_reward_with_its_parts(world: World, north: Caller) -> None:
    client = world.north.clients[1]
    reward = client.rewards[2]
    expected = {
        "id": reward.code,
        "customer": client.customer.code,
        "mining_account": client.account.code,
        "date": "2026-10-03",
        "reward_at": "2026-10-03T00:00:00Z",
        "occurrence": 1,
        "currency": "BTC",
        "total_reward": "0.00100000",
        "pool_fee": "0.00002500",
        "net_reward": "0.00097500",
        "fpps_rate": "0.00000045",
        "hashrate_hs": "10050000000000000",
        "status": "successful",
        "payout_destination": "external_address",
        "payout_address": "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        "transaction_hash": None,
        "paid_at": None,
        "provider_share_sat": 14_625,
        "customer_share_sat": 82_875,
        "flags": [],
        "before": None,
        "correction": None,
        "first_seen_at": SEEN,
        "changed_at": SEEN,
    }
    assert north.get(f"rewards/{reward.code}").json() == expected
    assert north.data("rewards", customer=client.customer.code)[0] == expected


def test_a_reward_without_terms_has_no_parts_and_says_why(world: World, north: Caller) -> None:
    with tenancy.access_context(world.north.system):
        early = make_reward(world.north.clients[0].account, date(2026, 9, 30))
        Reward.objects.filter(pk=early.pk).update(fpps_rate=None, hashrate_hs=None)
    answer = north.get(f"rewards/{early.code}").json()
    assert (answer["provider_share_sat"], answer["customer_share_sat"]) == (None, None)
    assert answer["flags"] == ["no_contract"]
    assert (answer["fpps_rate"], answer["hashrate_hs"]) == (None, None)


def test_a_contract_with_two_versions_whose_days_are_inclusive(world: World, north: Caller) -> None:
    client = world.north.clients[0]
    with tenancy.access_context(world.north.system):
        gross = {"kind": "revenue_share", "share_ppm": 200_000, "basis": "gross", "pool_fee_borne_by": "provider"}
        contracts.new_version(
            world.north.system,
            client.contract,
            valid_from=date(2026, 11, 1),
            settle_in="btc",
            components=[gross],
            now=client.contract.created_at,
        )
    btc = {"settle_in": "btc", "minimum_sat": 0}
    net = {"kind": "revenue_share", "share_ppm": 150_000, "basis": "net", "pool_fee_borne_by": "shared"}
    expected = {
        "id": client.contract.code,
        "customer": client.customer.code,
        "versions": [
            {"valid_from": "2026-10-01", "valid_to": "2026-10-31", **btc, "components": [net]},
            {"valid_from": "2026-11-01", "valid_to": None, **btc, "components": [gross]},
        ],
        "withdrawn_versions": [],
    }
    assert north.get(f"contracts/{client.contract.code}").json() == expected
    assert north.data("contracts", customer=client.customer.code) == [expected]


def test_an_issued_document_and_a_draft(world: World, north: Caller, october: October) -> None:
    issued, draft = october.north
    assert north.get(f"documents/{issued.code}").json() == {
        "id": issued.code,
        "type": "settlement",
        "direction": "provider_owes",
        "number": issued.number,
        "status": "issued",
        "customer": world.north.clients[0].customer.code,
        "period": "2026-10",
        "asset": "BTC",
        "total_sat": 3 * 82_875,
        "issued_at": SEEN,
        "due_on": "2026-11-18",
        "settled_sat": 0,
        "below_minimum_sat": None,
        "held": None,
        "files": [{"kind": kind, "state": "being_made", "problem": None, "tried_at": None} for kind in ("pdf", "csv")],
        "leaves_out": [],
        "leaves_out_seen_as": None,
        "lines": f"{HOST}/documents/{issued.code}/lines",
        "pdf": f"{HOST}/documents/{issued.code}/pdf",
        "evidence": f"{HOST}/documents/{issued.code}/evidence",
    }
    assert north.data("documents", status="draft") == [
        {
            "id": draft.code,
            "type": "invoice",
            "direction": "customer_owes",
            "number": None,
            "status": "draft",
            "customer": world.north.clients[1].customer.code,
            "period": "2026-10",
            "asset": "BTC",
            "total_sat": 3 * 14_625,
            "issued_at": None,
            "due_on": None,
            "settled_sat": None,
            "below_minimum_sat": None,
            "held": None,
            "files": [],
            "leaves_out": [],
            "leaves_out_seen_as": None,
            "lines": f"{HOST}/documents/{draft.code}/lines",
            "pdf": f"{HOST}/documents/{draft.code}/pdf",
            "evidence": f"{HOST}/documents/{draft.code}/evidence",
        }
    ]


def test_what_was_paid_elsewhere_is_marked_and_holds_its_draft(world: World, north: Caller, october: October) -> None:
    client, draft = world.north.clients[1], october.north[1]
    with world.north.context():
        PayoutAgreement.objects.create(
            provider=world.north.provider, mining_account=client.account, customer=client.customer, source="accepted",
            destination="main_balance", agreed_by="robin@north.example", agreed_at=NOW,
        )  # fmt: skip
    held = {
        "reason": "3 rewards were paid to bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4, to which nobody had agreed, the"
        " first for 1 October 2026.",
        "what_to_do": "Ask the customer, and approve them, then issue.",
        "code": "hold.misdirected",
    }
    assert north.get(f"documents/{draft.code}").json()["held"] == held
    assert [document["held"] for document in north.data("documents")] == [held, None]
    marked = {reward["customer"]: reward["flags"] for reward in north.data("rewards")}
    assert marked == {client.customer.code: ["misdirected"], world.north.clients[0].customer.code: []}


def test_the_lines_of_a_document(world: World, north: Caller, october: October) -> None:
    lines = north.get(f"documents/{october.north[0].code}/lines").json()
    assert lines["next"] is None
    assert [line["position"] for line in lines["data"]] == [1, 2, 3]
    assert lines["data"][0] == {
        "position": 1,
        "kind": "regular",
        "component": "pay_customer",
        "reward": world.north.clients[0].rewards[0].code,
        "date": "2026-10-01",
        "amount_sat": 82_875,
        "provider_share_sat": 14_625,
        "customer_share_sat": 82_875,
        "reason": None,
        "corrects": None,
    }


def test_a_correction_names_the_line_that_it_corrects(world: World, north: Caller, october: October) -> None:
    tenant = world.north
    with tenancy.access_context(tenant.system):
        Reward.objects.filter(pk=tenant.clients[0].rewards[1].pk).update(status="canceled", status_raw="canceled")
        now = datetime(2026, 12, 3, tzinfo=UTC)
        drafts = settlement.close_period(tenant.system, month=date(2026, 11, 1), now=now)
        (draft,) = (draft for draft in drafts if draft.customer_id == tenant.clients[0].customer.pk)
    assert north.data(f"documents/{draft.code}/lines") == [
        {
            "position": 1,
            "kind": "correction",
            "component": "pay_customer",
            "reward": tenant.clients[0].rewards[1].code,
            "date": "2026-10-02",
            "amount_sat": -82_875,
            "provider_share_sat": -14_625,
            "customer_share_sat": -82_875,
            "reason": "status_changed",
            "corrects": {
                "document": october.north[0].code,
                "number": october.north[0].number,
                "position": 2,
            },
        }
    ]


def test_the_evidence_is_the_file_that_was_kept(world: World, north: Caller, october: October) -> None:
    tasks.make_files(october.north[0].provider_id, october.north[0].pk)
    answer = north.get(f"documents/{october.north[0].code}/evidence")
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/csv; charset=utf-8")
    assert answer["Content-Disposition"] == f'attachment; filename="{october.north[0].number}.csv"'
    rows = answer.content.decode().splitlines()
    assert len(rows) == 1 + 3
    assert [row.split(",")[6] for row in rows[1:]] == [reward.code for reward in world.north.clients[0].rewards]


def test_an_account_that_is_paid_elsewhere_than_agreed_says_so(world: World, north: Caller) -> None:
    client = world.north.clients[0]
    with world.north.context():
        MiningAccount.objects.filter(pk=client.account.pk).update(payout_drift_since=NOW, payout_first_seen_at=NOW)

    assert north.get(f"mining-accounts/{client.account.code}").json()["payout_drift_since"] == SEEN
    told = north.get(f"customers/{client.customer.code}").json()["mining_account"]
    assert (told["payout_drift_since"], told["payout_first_seen_at"]) == (SEEN, SEEN)


def test_a_sync_run(world: World, north: Caller) -> None:
    expected: dict[str, Any] = {
        "id": world.north.run.code,
        "credential": "main",
        "mining_account": None,
        "subject": "rewards",
        "state": "ok",
        "queued_at": SEEN,
        "started_at": SEEN,
        "finished_at": SEEN,
        "calls": 0,
        "rows_new": 0,
        "rows_changed": 0,
        "quarantined": 0,
        "unread_fields": {},
        "error": None,
    }
    assert north.get(f"sync-runs/{world.north.run.code}").json() == expected
    assert north.get("sync-runs").json() == {"data": [expected], "next": None}


def test_a_credential_shows_no_secret(world: World, north: Caller) -> None:
    credential, now = world.north.credential, NOW + timedelta(days=3, hours=1)
    with world.north.context():
        Credential.objects.filter(pk=credential.pk).update(
            endpoints={"rewards": True, "watcher-links/create": False, "accounts/create": "2026-11-03"}
        )
    expected = {
        "id": credential.code,
        "label": "main",
        "key_hint": "9f3a",
        "state": "active",
        "created_at": SEEN,
        "verified_at": SEEN,
        "last_success_at": SEEN,
        "accounts_seen": None,
        "rights": dict.fromkeys(ENDPOINTS) | {"rewards": True, "watcher-links/create": False},
        "used_on": dict.fromkeys(ACTING) | {"accounts/create": "2026-11-03"},
        "health": {"level": "warn", "days_left": 10, "sentence": key_health.health(credential, now).sentence},
        "problem": None,
    }
    with time_machine.travel(now, tick=False):
        answers = north.get(f"credentials/{credential.code}").json(), north.get("credentials").json()
    assert answers == (expected, {"data": [expected], "next": None})


def test_the_pdf_is_served_once_it_is_made(world: World, north: Caller, october: October) -> None:
    issued, draft = october.north
    making = north.get(f"documents/{issued.code}/pdf")
    assert making.status_code == 409
    assert code_of(making, 409) == "document.file_not_made"
    none_yet = north.get(f"documents/{draft.code}/pdf")
    assert none_yet.status_code == 409
    assert code_of(none_yet, 409) == "document.not_issued"
    tasks.make_files(issued.provider_id, issued.pk)
    made = north.get(f"documents/{issued.code}/pdf")
    assert (made.status_code, made["Content-Type"]) == (200, "application/pdf")
    assert made["Content-Disposition"] == f'attachment; filename="{issued.number}.pdf"'
    assert made.content.startswith(b"%PDF-")
    assert north.get(f"documents/{issued.code}/pdf").content == made.content


def test_a_file_that_failed_is_found_says_why_and_is_made_anew(world: World, north: Caller, october: October) -> None:
    issued, _ = october.north
    with tenancy.access_context(world.north.system):
        files.claim(world.north.provider.pk, issued.pk, FileKind.CSV, now=NOW)
        files.fail(issued, FileKind.CSV, "KeyError: 'terms'")

    (found,) = north.data("documents", file_failed="true")
    assert (found["id"], found["files"][1]["state"], found["files"][1]["problem"]) == (
        issued.code,
        "failed",
        "KeyError: 'terms'",
    )
    assert code_of(north.get(f"documents/{issued.code}/evidence"), 409) == "document.file_failed"

    asked = north.post(f"documents/{issued.code}/retry-files", {})
    assert (asked.status_code, asked.json()["id"]) == (202, issued.code)
    tasks.make_files(issued.provider_id, issued.pk)
    assert north.get(f"documents/{issued.code}/evidence").status_code == 200
    assert north.data("documents", file_failed="true") == []
    assert code_of(north.post(f"documents/{issued.code}/retry-files", {}), 409) == "document.no_file_failed"
