"""What systems change: customers, contracts, and asking for a sync. Refused whole, or done whole."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, OperationalError
from django.test import Client

from billing import contracts
from billing.models import Contract
from customers import tenancy
from customers.errors import Refused
from customers.models import AuditEntry, Customer
from mining import accounts, runs
from mining.models import Credential, MiningAccount, PoolIntent, SyncRun
from tests.logins import login_of
from tests.portal.api.conftest import API, Caller, October, code_of, detail_of
from tests.world import NOW, Tenant, World

pytestmark = pytest.mark.django_db
CEDAR = {
    "name": "Cedar Computing",
    "email": "Office@Cedar.example",
    "external_ref": "C-77",
    "mining_account": {"name": "cedar_1", "adopt": False},
}
SHARE = {"kind": "revenue_share", "share_ppm": 150_000, "basis": "net"}
TERMS = {"valid_from": "2026-10-01", "settle_in": "btc", "components": [SHARE]}


def cedar(**changes: Any) -> dict[str, Any]:
    return {**CEDAR, **changes}


def account(**changes: Any) -> dict[str, Any]:
    return cedar(mining_account={"name": "cedar_1", "adopt": False, **changes})


def counted(tenant: Tenant) -> tuple[int, ...]:
    with tenancy.access_context(tenant.system):
        models = (Customer, MiningAccount, PoolIntent, Contract, SyncRun, AuditEntry)
        return tuple(model.objects.visible_to(tenant.system).count() for model in models)


# --- Customers


def test_onboarding_a_customer_whose_account_is_to_be_created(world: World, north: Caller) -> None:
    answer = north.post("customers", CEDAR)
    assert answer.status_code == 201
    made = answer.json()
    assert answer["Location"] == f"http://testserver{API}/customers/{made['id']}"
    assert made == {
        "id": made["id"],
        "name": "Cedar Computing",
        "email": "office@cedar.example",
        "external_ref": "C-77",
        "status": "active",
        "closed_at": None,
        "mining_account": {
            "id": made["mining_account"]["id"],
            "name": "cedar_1",
            "credential": "main",
            "state": "creating",
            "payout_destination": None,
            "payout_address": None,
            "payout_first_seen_at": None,
            "payout_drift_since": None,
        },
    }
    assert north.client.get(answer["Location"]).json() == made
    with tenancy.access_context(world.north.system):
        (intent,) = PoolIntent.objects.filter(customer__code=made["id"])
        assert (intent.kind, intent.account_name) == ("create_account", "cedar_1")
        entry = AuditEntry.objects.get(action="customer.created")
        assert (entry.subject, entry.actor_kind, entry.actor) == (made["id"], "system", "token erp")


def test_adopting_an_account_that_is_known_and_belongs_to_nobody(world: World, north: Caller) -> None:
    with tenancy.access_context(world.north.system):
        MiningAccount.objects.create(
            provider=world.north.provider,
            login=world.north.login,
            name="cedar_1",
            state="active",
            first_seen_at=NOW,
        )
    made = north.post("customers", account(adopt=True)).json()
    assert made["mining_account"]["state"] == "active"


def test_onboarding_again_with_the_same_reference_is_refused_whole(world: World, north: Caller) -> None:
    assert north.post("customers", CEDAR).status_code == 201
    before = counted(world.north)
    again = north.post("customers", account(name="cedar_2"))
    assert code_of(again, 409) == "customer.reference_taken"
    taken = north.post("customers", cedar(external_ref="C-78"))
    assert code_of(taken, 409) == "account.has_customer"
    assert counted(world.north) == before


def test_a_refusal_half_way_leaves_no_customer_behind(
    world: World, north: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = counted(world.north)

    def gone(*_: Any, **__: Any) -> None:
        raise Refused("The account has just been given to another customer.", code="account.just_given")

    monkeypatch.setattr(accounts, "assign_account", gone)
    assert code_of(north.post("customers", CEDAR), 409) == "account.just_given"
    assert counted(world.north) == before


def test_the_neighbours_reference_and_account_name_are_free(north: Caller, south: Caller) -> None:
    assert north.post("customers", CEDAR).status_code == 201
    assert south.post("customers", CEDAR).status_code == 201


def test_several_keys_must_be_told_apart(world: World, north: Caller) -> None:
    with tenancy.access_context(world.north.system):
        Credential.objects.create(
            provider=world.north.provider,
            login=login_of(world.north.provider, "second"),
            state="active",
            key_digest="2",
            key_hint="abcd",
            created_at=NOW,
        )
    assert "main, second" in detail_of(north.post("customers", CEDAR), 400)
    unknown = north.post("customers", account(credential="third"))
    assert detail_of(unknown, 400).endswith("There is no active pool key under the label 'third'.")
    assert list(unknown.json()["errors"]) == ["mining_account.credential"]
    assert north.post("customers", account(credential="second")).json()["mining_account"]["credential"] == "second"


def test_without_a_key_nobody_can_be_onboarded_yet(world: World, north: Caller) -> None:
    with tenancy.access_context(world.north.system):
        Credential.objects.update(state="checking")
    assert code_of(north.post("customers", CEDAR), 409) == "key.not_checked"


def test_changing_a_customers_details(world: World, north: Caller) -> None:
    customer = world.north.clients[0].customer
    path = f"customers/{customer.code}"
    before = north.get(path).json()
    answer = north.patch(path, {"name": "  Aspen  ", "email": "New@Aspen.example", "external_ref": None})
    assert answer.json() == {**before, "name": "Aspen", "email": "new@aspen.example", "external_ref": None}
    assert north.get(path).json() == answer.json()
    with tenancy.access_context(world.north.system):
        entry = AuditEntry.objects.get(action="customer.changed")
        assert (entry.subject, entry.details) == (customer.code, {"changed": "email external_ref name"})


def test_changing_nothing_writes_nothing(world: World, north: Caller) -> None:
    customer = world.north.clients[0].customer
    before = counted(world.north)
    for body in ({}, {"name": customer.name}, {"external_ref": "C-0", "email": customer.email}):
        assert north.patch(f"customers/{customer.code}", body).status_code == 200
    assert counted(world.north) == before


def test_another_customers_reference_is_refused(world: World, north: Caller) -> None:
    customer = world.north.clients[0].customer
    answer = north.patch(f"customers/{customer.code}", {"name": "Aspen", "external_ref": "C-1"})
    assert code_of(answer, 409) == "customer.reference_taken"
    assert north.get(f"customers/{customer.code}").json()["name"] == "Alder & Finch"


# --- Contracts


@pytest.fixture
def newcomer(world: World) -> Customer:
    with tenancy.access_context(world.north.system):
        return Customer.objects.create(provider=world.north.provider, name="Cedar", email="c@c.example", created_at=NOW)


def test_agreeing_a_contract_and_then_new_terms(newcomer: Customer, north: Caller) -> None:
    answer = north.post("contracts", {"customer": newcomer.code, **TERMS})
    assert answer.status_code == 201
    made = answer.json()
    assert answer["Location"] == f"http://testserver{API}/contracts/{made['id']}"
    first = {**TERMS, "valid_to": None, "minimum_sat": 0, "components": [{**SHARE, "pool_fee_borne_by": "shared"}]}
    assert made == {"id": made["id"], "customer": newcomer.code, "versions": [first], "withdrawn_versions": []}
    gross = {"kind": "revenue_share", "share_ppm": 0, "basis": "gross", "pool_fee_borne_by": "customer"}
    later = {"valid_from": "2026-11-15", "settle_in": "btc", "components": [gross]}
    changed = north.post(f"contracts/{made['id']}/versions", later)
    assert changed.status_code == 201
    assert changed.json()["versions"] == [
        {**first, "valid_to": "2026-11-14"},
        {**later, "valid_to": None, "minimum_sat": 0},
    ]
    assert north.get(f"contracts/{made['id']}").json() == changed.json()


def test_terms_with_a_slip_are_put_right_from_their_first_day(world: World, north: Caller) -> None:
    contract = world.north.clients[0].contract
    path = f"contracts/{contract.code}/versions"
    right = {**TERMS, "valid_from": "2026-10-01", "components": [{**SHARE, "share_ppm": 510_000}]}
    effect = north.post(f"{path}/preview", right).json()
    assert [version["valid_from"] for version in effect["withdraws"]] == ["2026-10-01"]
    assert (effect["rewards"], effect["date_from"], effect["date_to"], effect["difference_sat"]) == (
        *(3, "2026-10-01", "2026-10-03"),
        3 * (47_775 - 82_875),  # of 97,500 each: 49 % instead of 85 %
    )
    assert effect["ends"] is None
    assert effect["days"][0] == {
        "date": "2026-10-01",
        "rewards": 1,
        "net_sat": 97_500,
        "customer_share_before_sat": 82_875,
        "customer_share_sat": 47_775,
        "difference_sat": 47_775 - 82_875,
    }
    stale = north.post(path, {**right, "seen_as": "of another effect"})
    assert code_of(stale, 409) == "terms.changed_meanwhile"
    answer = north.post(path, {**right, "seen_as": effect["seen_as"]}).json()
    assert [version["components"][0]["share_ppm"] for version in answer["versions"]] == [510_000]
    (withdrawn,) = answer["withdrawn_versions"]
    assert (withdrawn["components"][0]["share_ppm"], withdrawn["withdrawn_by"]) == (150_000, "token erp")
    reward = north.data("rewards", customer=world.north.clients[0].customer.code, date_to="2026-10-01")[0]
    assert (reward["flags"], reward["customer_share_sat"]) == (["terms_changed"], 47_775)
    assert reward["before"] == {
        "changed_at": withdrawn["withdrawn_at"],
        "provider_share_sat": 14_625,
        "customer_share_sat": 82_875,
    }


def test_a_customer_has_one_contract(world: World, north: Caller) -> None:
    customer = world.north.clients[0].customer
    answer = north.post("contracts", {"customer": customer.code, **TERMS})
    assert code_of(answer, 409) == "contract.exists"


def test_terms_that_stand_in_the_way_are_a_conflict(world: World, north: Caller, october: October) -> None:
    contract = world.north.clients[0].contract
    for day in ("2026-10-01", "2026-10-03"):  # where the present ones began; a day that is billed
        answer = north.post(f"contracts/{contract.code}/versions", {**TERMS, "valid_from": day})
        assert code_of(answer, 409) == "terms.days_billed"
    assert len(north.get(f"contracts/{contract.code}").json()["versions"]) == 1


def test_the_neighbours_customer_is_no_customer(world: World, north: Caller) -> None:
    foreign = world.south.clients[0].customer.code
    before = counted(world.south)
    answer = north.post("contracts", {"customer": foreign, **TERMS})
    assert detail_of(answer, 400) == f"customer: There is no customer {foreign}."
    made_up = north.post("contracts", {"customer": "cus_" + "a" * 20, **TERMS})
    assert detail_of(made_up, 400) == f"customer: There is no customer cus_{'a' * 20}."
    assert counted(world.south) == before


# --- Sync runs


def test_asking_for_a_sync_queues_a_run_for_each_subject(world: World, north: Caller) -> None:
    answer = north.post("sync-runs", {})
    assert answer.status_code == 202
    queued = answer.json()["data"]
    assert [(run["subject"], run["state"], run["credential"]) for run in queued] == [
        (subject, "queued", "main") for subject in runs.SUBJECTS
    ]
    assert answer.json()["next"] is None
    # An open run is answered again, not doubled.
    assert [run["id"] for run in north.post("sync-runs", {}).json()["data"]] == [run["id"] for run in queued]


def test_asking_for_one_subject_and_without_a_body(world: World, north: Caller) -> None:
    assert [run["subject"] for run in north.post("sync-runs", {"only": "payouts"}).json()["data"]] == ["payouts"]
    bare = north.client.generic("POST", f"{API}/sync-runs")
    assert (bare.status_code, len(bare.json()["data"])) == (202, len(runs.SUBJECTS))


def test_without_a_key_there_is_nothing_to_read(world: World, north: Caller) -> None:
    with tenancy.access_context(world.north.system):
        Credential.objects.all().delete()
    assert code_of(north.post("sync-runs", {}), 409) == "key.none"


# --- Bad bodies

BAD_CUSTOMERS: list[tuple[Any, str]] = [
    ({}, "name: This field is required. (2 more in errors.)"),
    (cedar(name=""), "name: This field may not be blank."),
    (cedar(name="   "), "name: This field may not be blank."),
    (cedar(name="x" * 201), "name: Ensure this field has no more than 200 characters."),
    (cedar(name="a\x00b"), "name: "),
    (cedar(name="a\nb"), "name: Line breaks, tabs and other control characters are not allowed."),
    (cedar(name="\ud800"), "name: Surrogate characters are not allowed: U+D800."),
    (cedar(name=7), "name: A text is needed, in quotes."),
    (cedar(name=["Cedar"]), "name: A text is needed, in quotes."),
    (cedar(name=None), "name: This field may not be null."),
    (cedar(email="cedar"), "email: Enter a valid email address."),
    (cedar(email=True), "email: Enter a valid email address."),
    (cedar(email="a@" + "b" * 260 + ".example"), "email: "),
    (cedar(email="a\n@b.example"), "email: "),
    (cedar(external_ref="x" * 101), "external_ref: Ensure this field has no more than 100 characters."),
    (cedar(external_ref=5), "external_ref: A text is needed, in quotes."),
    (cedar(external_ref=""), "external_ref: This field may not be blank."),
    (cedar(mining_account=None), "mining_account: This field may not be null."),
    (cedar(mining_account="cedar_1"), "mining_account: A JSON object is needed."),
    (cedar(mining_account={}), "mining_account.name: This field is required. (1 more in errors.)"),
    (account(name="cedar 1"), "mining_account.name: An account name has letters, digits and _ only."),
    (account(name="c\u0435dar"), "mining_account.name: An account name has letters, digits and _ only."),
    (account(name="x" * 256), "mining_account.name: Ensure this field has no more than 255 characters."),
    (account(adopt="true"), "mining_account.adopt: true or false is needed, without quotes."),
    (account(adopt=1), "mining_account.adopt: true or false is needed, without quotes."),
    (account(adopt=None), "mining_account.adopt: This field may not be null."),
    (account(credential=[]), "mining_account.credential: A text is needed, in quotes."),
    (account(state="active"), "mining_account.state: There is no such field here."),
    (cedar(status="active"), "status: There is no such field here."),
    (cedar(provider="prv_" + "a" * 20), "provider: There is no such field here."),
    (cedar(id="cus_" + "a" * 20, code="x"), "code: There is no such field here. (1 more in errors.)"),
    (cedar(**{"\ud800": 1}), "?: There is no such field here."),
    ([], "The body must be a JSON object."),
    ([CEDAR], "The body must be a JSON object."),
    ("Cedar", "The body must be a JSON object."),
    (5, "The body must be a JSON object."),
]


def test_a_bad_customer_is_refused_with_one_sentence(world: World, north: Caller) -> None:
    before = counted(world.north)
    for body, sentence in BAD_CUSTOMERS:
        assert detail_of(north.post("customers", body), 400).startswith(sentence), body
    assert counted(world.north) == before


def component(**changes: Any) -> dict[str, Any]:
    return {"components": [{**SHARE, **changes}]}


NO_SHARE = "components.0.share_ppm: A whole number from 0 to 1000000 is needed, without quotes or a point."
BAD_TERMS: list[tuple[dict[str, Any], str]] = [
    ({"valid_from": "2026-10-32"}, "valid_from: There is no such day."),
    ({"valid_from": "1.10.2026"}, "valid_from: Write the day as 2026-10-31."),
    ({"valid_from": 20261001}, "valid_from: A text is needed, in quotes."),
    ({"valid_from": None}, "valid_from: This field may not be null."),
    ({"settle_in": "usd"}, 'settle_in: Settling in "usd" is not built yet. Use "btc".'),
    ({"settle_in": ["btc"]}, "settle_in: A text is needed, in quotes."),
    ({"components": []}, "components: A contract has exactly one component"),
    ({"components": [SHARE, SHARE]}, "components: A contract has exactly one component"),
    ({"components": {}}, "components: A JSON list is needed."),
    ({"components": [None]}, "components.0: This field may not be null."),
    ({"components": ["share"]}, "components.0: A JSON object is needed."),
    (component(kind="power"), 'components.0.kind: Components of kind "power" are not built yet. Use "revenue_share".'),
    (component(share_ppm=1_000_001), NO_SHARE),
    (component(share_ppm=-1), NO_SHARE),
    (component(share_ppm=0.15), NO_SHARE),
    (component(share_ppm=150_000.0), NO_SHARE),
    (component(share_ppm="150000"), NO_SHARE),
    (component(share_ppm=True), NO_SHARE),
    (component(share_ppm=10**40), NO_SHARE),
    (component(kind={"name": "power"}), "components.0.kind: A text is needed, in quotes."),
    (component(basis="nett"), 'components.0.basis: "nett" is not a valid choice.'),
    (component(basis="gross"), "components: On a gross basis say who bears the pool's fee:"),
    (component(pool_fee_borne_by="customer"), "components: On a net basis the pool's fee is off the top for both:"),
    (component(pool_fee_borne_by=None), "components.0.pool_fee_borne_by: This field may not be null."),
    (component(cap_sat=1), "components.0.cap_sat: There is no such field here."),
    ({"valid_to": "2026-12-31"}, "valid_to: There is no such field here."),
    ({"provider": 1}, "provider: There is no such field here."),
]


def test_bad_terms_are_refused_with_one_sentence(newcomer: Customer, world: World, north: Caller) -> None:
    contract = world.north.clients[0].contract
    before = counted(world.north)
    for changes, sentence in BAD_TERMS:
        body = {**TERMS, "valid_from": "2026-12-01", **changes}
        assert detail_of(north.post("contracts", {"customer": newcomer.code, **body}), 400).startswith(sentence), body
        assert detail_of(north.post(f"contracts/{contract.code}/versions", body), 400).startswith(sentence), body
    assert counted(world.north) == before


def test_other_bad_bodies(world: World, north: Caller) -> None:
    customer, contract = world.north.clients[0].customer, world.north.clients[0].contract
    for path, body, field in (
        ("sync-runs", {"only": "uptime"}, "only"),
        ("sync-runs", {"only": "key"}, "only"),
        ("sync-runs", {"only": None}, "only"),
        ("sync-runs", {"force": True}, "force"),
        ("contracts", {**TERMS, "customer": "C-0"}, "customer"),
        ("contracts", {**TERMS, "customer": None}, "customer"),
        ("contracts", TERMS, "customer"),
        (f"contracts/{contract.code}/versions", {**TERMS, "customer": customer.code}, "customer"),
    ):
        answer = north.post(path, body)
        assert detail_of(answer, 400).startswith(f"{field}: "), body
    for changes in ({"status": "closed"}, {"provider": 1}, {"mining_account": None}, {"id": "x"}, {"name": None}):
        answer = north.patch(f"customers/{customer.code}", changes)
        assert list(answer.json()["errors"]) == list(changes)
        detail_of(answer, 400)


BAD_BYTES = [
    (b"{", 400, "The body is not JSON: see line 1, column 2."),
    (b"", 400, "name: This field is required."),
    (b"null", 400, "The body must be a JSON object."),
    (b'{"name": NaN}', 400, "The body is not JSON as we read it: NaN is no JSON number."),
    (b'{"name": "a", "name": "b"}', 400, "The body is not JSON as we read it: a name stands twice in one object."),
    (b'{"name": "\xff"}', 400, "The body is not UTF-8."),
    (b"[" * 60_000, 400, "The body is nested too deeply."),
    (b'{"name": ' + b"1" * 5_000 + b"}", 400, "The body is not JSON as we read it: a number has more than 100 digits."),
    (b'{"name": "' + b"x" * 70_000 + b'"}', 413, "The body is larger than 64 KiB."),
]


def test_a_body_that_is_no_small_json_is_refused(north: Caller) -> None:
    for body, status, sentence in BAD_BYTES:
        answer = north.client.generic("POST", f"{API}/customers", body, content_type="application/json")
        assert detail_of(answer, status).startswith(sentence), body[:40]


def test_another_media_type_is_refused(world: World, north: Caller) -> None:
    for content_type in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", ""):
        answer = north.client.generic("POST", f"{API}/customers", b"name=Cedar", content_type=content_type)
        detail_of(answer, 415)


# --- Races and failures


def test_a_race_is_a_conflict_and_a_busy_database_asks_for_patience(
    world: World, north: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_with(error: Exception) -> None:
        def fails(*_: Any, **__: Any) -> None:
            raise error

        monkeypatch.setattr(contracts, "new_version", fails)

    path = f"contracts/{world.north.clients[0].contract.code}/versions"
    fail_with(IntegrityError("billing_version_no_overlap"))
    assert code_of(north.post(path, TERMS), 409) == "resource.changed_meanwhile"
    fail_with(OperationalError("canceling statement due to statement timeout"))
    answer = north.post(path, TERMS)
    assert code_of(answer, 503) == "server.busy"
    assert answer["Retry-After"] == "5"


def test_an_error_of_ours_is_a_problem_that_tells_nothing_and_is_rolled_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def creates_and_fails(*_: Any, **__: Any) -> None:
        Customer.objects.create(provider=world.north.provider, name="half", email="h@h.example", created_at=NOW)
        raise RuntimeError("secret words")

    monkeypatch.setattr(accounts, "onboard_customer", creates_and_fails)
    client = Client(headers={"Authorization": f"Bearer {world.north.token}"}, raise_request_exception=False)
    before = counted(world.north)
    answer = client.post(f"{API}/customers", CEDAR, content_type="application/json")
    assert detail_of(answer, 500) == "Something failed on our side. Nothing was changed. Try again in a minute."
    assert counted(world.north) == before
