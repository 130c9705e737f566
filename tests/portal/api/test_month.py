"""The monthly job over the API: look, close, settle what holds, issue. The same functions as behind the pages."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
import time_machine

from billing.models import Document
from customers import tenancy
from customers.models import AuditEntry, Customer
from mining.models import HashratePoint, MiningAccount, PayoutAgreement
from tests.billing.books import change_amount
from tests.portal.api.conftest import Caller, October, code_of, count_queries, detail_of, quarantined_of, with_scopes
from tests.world import NOW, Tenant, World, make_reward

pytestmark = pytest.mark.django_db
OCTOBER = {"period": "2026-10"}
THEIRS = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"


def agreed_to_main_balance(tenant: Tenant) -> None:
    """The second client was agreed to be paid by us: what the pool paid to an address is misdirected."""
    client = tenant.clients[1]
    with tenant.context():
        PayoutAgreement.objects.create(
            provider=tenant.provider, mining_account=client.account, customer=client.customer, source="accepted",
            destination="main_balance", agreed_by="robin@north.example", agreed_at=NOW - timedelta(days=60),
        )  # fmt: skip


def test_a_preview_says_what_a_close_would_make_and_makes_nothing(world: World, north: Caller) -> None:
    first, second = world.north.clients
    answer = north.post("documents/preview", OCTOBER)
    assert answer.json() == {
        "data": [
            {
                "customer": first.customer.code,
                "type": "settlement",
                "direction": "provider_owes",
                "total_sat": 3 * 82_875,
                "lines": 3,
                "below_minimum_sat": None,
                "held": None,
            },
            {
                "customer": second.customer.code,
                "type": "invoice",
                "direction": "customer_owes",
                "total_sat": 3 * 14_625,
                "lines": 3,
                "below_minimum_sat": None,
                "held": None,
            },
        ]
    }
    assert north.data("documents") == []


def test_closing_makes_the_drafts_and_closing_again_changes_nothing(north: Caller) -> None:
    closed = north.post("documents/close", OCTOBER).json()["data"]
    assert [(draft["period"], draft["status"]) for draft in closed] == [("2026-10", "draft")] * 2
    assert closed == north.data("documents")[::-1]
    assert north.post("documents/close", OCTOBER).json()["data"] == closed


def test_a_close_says_how_many_accounts_were_not_read_again(world: World, north: Caller) -> None:
    for read_at, count in [(NOW - timedelta(days=20), 2), (NOW, 0)]:
        with world.north.context():
            MiningAccount.objects.update(rewards_read_in_full_at=read_at)

        assert north.post("documents/close", OCTOBER).json()["accounts_not_read_again"] == count


def test_a_month_that_has_not_ended_is_refused(north: Caller) -> None:
    for act in ("preview", "close"):
        assert code_of(north.post(f"documents/{act}", {"period": "2099-10"}), 409) == "period.not_ended"
        detail_of(north.post(f"documents/{act}", {"period": "2026-13"}), 400)


def test_a_draft_is_issued_on_the_total_that_was_read(north: Caller, october: October) -> None:
    draft = october.north[1]
    wrong = north.post(f"documents/{draft.code}/issue", {"total_sat": draft.total_sat + 1})
    assert code_of(wrong, 409) == "document.changed_meanwhile"
    issued = north.post(f"documents/{draft.code}/issue", {"total_sat": draft.total_sat})
    assert (issued.status_code, issued.json()["status"]) == (200, "issued")
    assert issued.json() == north.get(f"documents/{draft.code}").json()
    again = north.post(f"documents/{draft.code}/issue", {"total_sat": draft.total_sat})
    assert code_of(again, 409) == "document.issued"


def test_issuing_a_month_leaves_out_what_is_held_and_names_it(world: World, north: Caller) -> None:
    agreed_to_main_balance(world.north)
    free, held = north.post("documents/close", OCTOBER).json()["data"]
    answer = north.post("documents/issue", OCTOBER).json()
    assert answer["issued"] == [free["id"]]
    assert [hold["document"] for hold in answer["held"]] == [held["id"]]
    assert north.get(f"documents/{held['id']}").json()["status"] == "draft"


def test_a_discarded_draft_is_made_anew_by_the_next_close(north: Caller, october: October) -> None:
    draft = october.north[1]
    answer = north.post(f"documents/{draft.code}/discard", {})
    assert answer.json()["status"] == "discarded"
    assert code_of(north.post(f"documents/{draft.code}/discard", {}), 409) == "document.not_draft"
    (again,) = north.post("documents/close", OCTOBER).json()["data"]
    assert again["id"] != draft.code
    assert again["total_sat"] == draft.total_sat


def test_who_may_write_documents_may_not_issue_them(world: World, october: October) -> None:
    writer, draft = with_scopes(world.north, "documents:read", "documents:write"), october.north[1]
    for path, body in (("documents/issue", OCTOBER), (f"documents/{draft.code}/issue", {"total_sat": 0})):
        assert detail_of(writer.post(path, body), 403) == "This token lacks the scope money:write."
    with tenancy.access_context(world.north.system):
        assert Document.objects.get(pk=draft.pk).status == "draft"


def test_the_neighbours_month_is_left_alone(world: World, north: Caller, south: Caller) -> None:
    south.post("documents/close", OCTOBER)
    north.post("documents/close", OCTOBER)
    north.post("documents/issue", OCTOBER)
    assert {document["status"] for document in north.data("documents")} == {"issued"}
    assert {document["status"] for document in south.data("documents")} == {"draft"}


# --- What holds a document


def test_misdirected_rewards_are_approved_as_they_were_read(world: World, north: Caller) -> None:
    client = world.north.clients[1]
    agreed_to_main_balance(world.north)
    path = f"customers/{client.customer.code}/misdirected-rewards"
    north.post("documents/close", OCTOBER)
    waiting = north.get(path).json()
    assert waiting["rewards"] == [reward.code for reward in client.rewards]
    assert code_of(north.post(path, {"seen_as": "a guess"}), 409) == "reward.changed_meanwhile"
    assert north.post(path, {"seen_as": waiting["seen_as"]}).json() == {"approved": 3}
    assert north.get(path).json()["rewards"] == []
    assert [document["held"] for document in north.data("documents")] == [None, None]


def test_a_destination_is_accepted_as_it_was_read(world: World, north: Caller) -> None:
    account = world.north.clients[1].account
    with world.north.context():
        MiningAccount.objects.filter(pk=account.pk).update(
            payout_destination="external_address", payout_address=THEIRS, payout_drift_since=NOW
        )
    path, seen = f"mining-accounts/{account.code}", {"payout_destination": "external_address"}
    other = north.post(f"{path}/accept-payout", {**seen, "payout_address": THEIRS[:-1] + "x"})
    assert code_of(other, 409) == "payout.changed_meanwhile"
    answer = north.post(f"{path}/accept-payout", {**seen, "payout_address": THEIRS})
    assert (answer.status_code, answer.json()["payout_drift_since"]) == (200, None)
    with tenancy.access_context(world.north.system):
        assert AuditEntry.objects.get(action="payout.accepted").subject == account.code


# --- Accounts


def test_an_unassigned_account_is_given_to_a_customer_without_one(world: World, north: Caller) -> None:
    with world.north.context():
        customer = Customer.objects.create(
            provider=world.north.provider, name="Cedar", email="c@c.example", created_at=NOW
        )
        account = MiningAccount.objects.create(
            provider=world.north.provider, login=world.north.login, name="cedar_1", state="active", first_seen_at=NOW
        )
    path = f"customers/{customer.code}/mining-account"
    answer = north.post(path, {"name": "cedar_1", "adopt": True})
    assert (answer.status_code, answer.json()["mining_account"]["id"]) == (201, account.code)
    assert code_of(north.post(path, {"name": "cedar_2", "adopt": False}), 409) == "customer.has_account"


# --- What the pool said


def test_hashrate_is_listed_hour_by_hour_of_the_account_that_is_named(world: World, north: Caller) -> None:
    client = world.north.clients[0]
    with world.north.context():
        for hours, reject_rate in ((2, "0.01"), (30, None)):
            HashratePoint.objects.create(
                provider=world.north.provider, mining_account=client.account, customer=client.customer,
                at=NOW - timedelta(hours=hours), hashrate_ths="98.760000", reject_rate=reject_rate,
            )  # fmt: skip
    account = {"mining_account": client.account.code}
    points = north.data("hashrate", **account, interval="1h")
    assert [point["at"] for point in points] == [
        "2026-11-04T13:32:00Z",
        "2026-11-04T12:32:00Z",
        "2026-11-03T08:32:00Z",
    ]
    assert points[1] == {
        "mining_account": client.account.code,
        "at": "2026-11-04T12:32:00Z",
        "interval": "1h",
        "hashrate_ths": "98.76",
        "reject_rate": "0.01",
    }
    assert north.data("hashrate", **account, **{"from": "2026-11-04"}) == points[:2]
    assert north.data("hashrate", **account, to="2026-11-03") == points[2:]
    three = count_queries(lambda: north.data("hashrate", **account, limit=3))
    assert count_queries(lambda: north.data("hashrate", **account, limit=1)) == three
    first = north.get("hashrate", **account, limit=1).json()
    assert north.client.get(first["next"]).json()["data"] == points[1:2]


def test_the_hashrate_of_all_accounts_says_how_many_are_in_it_and_how_many_missing(world: World, north: Caller) -> None:
    alder, birch = world.north.clients
    hour = NOW.replace(minute=0)
    with tenancy.access_context(world.north.system):
        HashratePoint.objects.all().delete()
        MiningAccount.objects.update(first_seen_at=NOW - timedelta(hours=3))
        for account in (alder.account, birch.account, alder.account):
            at = hour - timedelta(hours=2 if HashratePoint.objects.count() == 2 else 3)
            HashratePoint.objects.create(
                provider=world.north.provider, mining_account=account, at=at, hashrate_ths=18_500
            )
    with time_machine.travel(NOW, tick=False):
        hours = north.data("hashrate/total")
    assert len(hours) == 168
    assert hours[-4:] == [
        {"at": "2026-11-04T11:00:00Z", "hashrate_ths": "37000", "accounts": 2, "missing": 0},
        {"at": "2026-11-04T12:00:00Z", "hashrate_ths": "18500", "accounts": 1, "missing": 1},
        {"at": "2026-11-04T13:00:00Z", "hashrate_ths": None, "accounts": 0, "missing": 2},
        {"at": "2026-11-04T14:00:00Z", "hashrate_ths": None, "accounts": 0, "missing": 2},
    ]


def test_hashrate_of_no_account_or_of_a_neighbours_is_none(world: World, north: Caller) -> None:
    assert detail_of(north.get("hashrate"), 400) == "mining_account: This field is required."
    assert north.data("hashrate", mining_account=world.south.clients[0].account.code) == []


def test_a_quarantined_record(world: World, north: Caller) -> None:
    record = quarantined_of(world.north)
    expected = {
        "id": record.code,
        "credential": "main",
        "account_name": "nobody",
        "sync_run": world.north.run.code,
        "reason": "twin",
        "raw": '{"reward":"0.001"}',
        "date": None,
        "seen_at": "2026-11-04T14:32:00Z",
        "settled_as": None,
        "settled_at": None,
        "settled_by": None,
        "note": None,
        "reward": None,
        "choices": ["another", "same"],
        "may_be": [],
    }
    assert north.get(f"quarantined-records/{record.code}").json() == expected
    assert north.data("quarantined-records", reason="twin", account_name="nobody") == [expected]
    assert north.data("quarantined-records", reason="unmatched") == []


def test_what_an_issued_document_says_otherwise_is_told_with_where_it_is_put_right(
    world: World, north: Caller, october: October
) -> None:
    client, document = world.north.clients[0], october.north[0]
    reward = client.rewards[1]
    assert north.get(f"rewards/{reward.code}").json()["correction"] is None
    assert north.get(f"documents/{document.code}/changes").json() == {"data": [], "next": None, "difference_sat": 0}
    with tenancy.access_context(world.north.system):
        change_amount(reward, "0.00200000", "0.00005000")
    correction = {
        "document": document.code,
        "document_provider_share_sat": 14_625,
        "document_customer_share_sat": 82_875,
        "provider_share_sat": 29_250,
        "customer_share_sat": 165_750,
        "since": "2026-11-04T14:32:00Z",
        "put_right_on": None,
    }
    assert north.get(f"rewards/{reward.code}").json()["correction"] == correction
    assert north.get(f"documents/{document.code}/changes").json() == {
        "data": [{"reward": reward.code, "date": "2026-10-02", "correction": correction}],
        "next": None,
        "difference_sat": 82_875,
    }


def test_a_day_without_a_reward_is_told_by_itself_and_on_the_document_and_holds_nothing(
    world: World, north: Caller
) -> None:
    client, other = world.north.clients[0], world.south.clients[0]
    with tenancy.access_context(world.north.system):
        make_reward(client.account, date(2026, 10, 5))
    october = {"date_from": "2026-10-01", "date_to": "2026-10-31"}
    absence = {
        "customer": client.customer.code,
        "mining_account": client.account.code,
        "date_from": "2026-10-04",
        "date_to": "2026-10-04",
    }
    assert north.data("rewards/absent", **october) == [absence]
    assert north.data("rewards/absent", customer=client.customer.code, **october) == [absence]
    assert north.data("rewards/absent", customer=other.customer.code, **october) == []
    assert detail_of(north.get("rewards/absent", date_to="2026-10-31"), 400) == "date_from: This field is required."
    assert code_of(north.get("rewards/absent", date_from="2026-10-02", date_to="2026-10-01"), 400)
    north.post("documents/close", OCTOBER)
    (draft,) = [row for row in north.data("documents") if row["customer"] == client.customer.code]
    assert (draft["held"], draft["leaves_out_seen_as"]) == (None, None)
    words = f"4 October 2026: a day without a reward, which is unknown ({client.account.code})"
    left_out = [{"kind": "no_reward", "subject": client.account.code, "date": "2026-10-04", "words": words}]
    assert draft["leaves_out"] == left_out
    issued = north.post(f"documents/{draft['id']}/issue", {"total_sat": draft["total_sat"]}).json()
    assert (issued["status"], issued["leaves_out"]) == ("issued", left_out)
