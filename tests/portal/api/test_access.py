"""The API's own matrix: every route with its scope, for the owner, the neighbour, the wrong scope and no token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from billing.models import Fund, JournalTx
from billing.payments import recording
from customers import tenancy, tokens
from customers.models import ApiToken, Provider
from mining.alerts import rules
from mining.models import AlertRule, Exclusion, PoolIntent, Reward
from portal.api import urls
from portal.api.auth import unknown_scopes
from portal.api.base import Resource
from portal.api.customers import Customers
from tests.portal import access_table
from tests.portal.api.conftest import (
    API,
    Caller,
    October,
    alert_of,
    detail_of,
    link_of,
    quarantined_of,
    with_scopes,
    with_token,
)
from tests.portal.fleet import a_fleet
from tests.world import NOW, Tenant, World, make_reward

pytestmark = pytest.mark.django_db
NEW_TERMS = {
    "valid_from": "2026-12-01",
    "settle_in": "btc",
    "components": [{"kind": "revenue_share", "share_ppm": 100_000, "basis": "net"}],
}
OCTOBER = {"period": "2026-10"}
WINDOW = {"from": "2026-10-05T00:00:00Z", "until": "2026-10-05T06:00:00Z", "reason": "power"}


@dataclass(frozen=True)
class Row:
    """A route, what fills it for a tenant, and what each of its methods answers to the owner."""

    scope: str
    code: Callable[[Tenant, list[Any]], str] | None = None
    get: int | None = 200
    body: Any = None
    post: int | None = None
    patch: int | None = None
    money: bool = False  # its act asks for money:write
    reads: bool = False  # its POST changes nothing
    query: Callable[[Tenant], str] = lambda _: ""

    def scope_of(self, method: str) -> str:
        if self.money and method != "get":
            return "money:write"
        return f"{self.scope}:{'read' if self.reads or method == 'get' else 'write'}"


def _customer(tenant: Tenant, _: Any) -> str:
    return tenant.clients[0].customer.code


def _unbilled(tenant: Tenant, _: Any) -> str:
    """A customer with a reward of this month, which no document can have yet."""
    client = tenant.clients[0]
    with tenancy.access_context(tenant.system):
        if not Reward.objects.filter(mining_account=client.account, day=NOW.date()).exists():
            make_reward(client.account, NOW.date())
    return client.customer.code


def _member(tenant: Tenant, _: Any) -> str:
    return tenant.clients[0].viewer.membership.code


def _invitation(tenant: Tenant, _: Any) -> str:
    return access_table.customer_invitation(tenant)["invitation"]


def _intent(tenant: Tenant, _: Any) -> str:
    """One that a worker is at."""
    code = access_table.intent(tenant)["code"]
    with tenancy.access_context(tenant.system):
        PoolIntent.objects.filter(code=code).update(state=PoolIntent.State.CALLED)
    return code


def _credential(tenant: Tenant, _: Any) -> str:
    return tenant.credential.code


def _contract(tenant: Tenant, _: Any) -> str:
    return tenant.clients[0].contract.code


def _link(tenant: Tenant, _: Any) -> str:
    return link_of(tenant.clients[0]).code


def _alert(tenant: Tenant, _: Any) -> str:
    return alert_of(tenant.clients[0]).code


def _alert_rule(tenant: Tenant, _: Any) -> str:
    with tenant.context():
        rules.make_missing(tenant.provider.pk)
        return AlertRule.objects.get(kind="hashrate_low").code


def _account(tenant: Tenant, _: Any) -> str:
    return tenant.clients[0].account.code


def _of_account(tenant: Tenant) -> str:
    return f"?mining_account={tenant.clients[0].account.code}"


def _worker(tenant: Tenant, _: Any) -> str:
    """One that is down."""
    return a_fleet(tenant)["rig3"].code


def _exclusion(tenant: Tenant, _: Any) -> str:
    """One that is over."""
    a_fleet(tenant)
    with tenancy.access_context(tenant.system):
        return Exclusion.objects.filter(provider=tenant.provider).order_by("pk")[0].code


def _quarantined(tenant: Tenant, _: Any) -> str:
    return quarantined_of(tenant).code


def _token(tenant: Tenant, _: Any) -> str:
    with tenancy.access_context(tenant.system):
        return ApiToken.objects.get(provider=tenant.provider, name="erp").code


def _spare_token(tenant: Tenant, _: Any) -> str:
    """Not the one that asks."""
    with tenancy.access_context(tenant.system):
        spare = ApiToken.objects.filter(provider=tenant.provider, name="spare").first()
        made = spare or tokens.make_token(tenant.system, name="spare", scopes=["*"], ends_on=None, now=NOW).token
        return made.code


def _document(_: Tenant, documents: list[Any]) -> str:
    return str(documents[0].code)


def _payment(tenant: Tenant, _: Any) -> str:
    return access_table.payment(tenant)["code"]


def _draft(_: Tenant, documents: list[Any]) -> str:
    return str(documents[1].code)


def _taken_back(tenant: Tenant, _: Any) -> str:
    """A payment that is taken back already."""
    code = _payment(tenant, _)
    with tenancy.access_context(tenant.system):
        if not (fund := Fund.objects.get(code=code)).taken_back:
            recording.take_back(tenant.system, fund, reason="Wrong", now=NOW)
    return code


def _ledger_entry(tenant: Tenant, _: Any) -> str:
    _payment(tenant, _)
    with tenancy.access_context(tenant.system):
        return JournalTx.objects.latest("pk").code


def _october(tenant: Tenant) -> str:
    return f"?customer={tenant.clients[0].customer.code}&date_from=2026-10-01&date_to=2026-10-31"


REASON = {"reason": "Wrong"}

ROUTES: dict[str, Row] = {
    "provider": Row("provider", body={"tax_id": "NM 1"}, patch=200),
    "hashrate/total": Row("hashrate"),
    "rewards/absent": Row("rewards", query=lambda _: "?date_from=2026-10-01&date_to=2026-10-31"),
    "provider/logo": Row("provider", get=None, body={"picture": None}, post=200),
    "provider/payment-terms": Row("provider", body={"due_days": 30}, patch=200, money=True),
    "customers": Row("customers", body={}, post=400),
    "customers/<code:id>": Row("customers", _customer, body={"name": "Aspen"}, patch=200),
    "customers/<code:id>/close": Row("customers", _unbilled, get=None, body={}, post=409),
    "customers/<code:id>/reopen": Row("customers", _customer, get=None, body={}, post=409),
    "members": Row("members"),
    "members/<code:id>": Row("members", _member),
    "members/<code:id>/end": Row("members", _member, get=None, body={}, post=200),
    "invitations": Row("invitations", body={}, post=400),
    "invitations/<code:id>": Row("invitations", _invitation),
    "invitations/<code:id>/revoke": Row("invitations", _invitation, get=None, body={}, post=200),
    "intents": Row("intents"),
    "intents/<code:id>": Row("intents", _intent),
    "intents/<code:id>/decide": Row("intents", _intent, get=None, body={"at_the_pool": True}, post=409),
    "mining-accounts": Row("mining-accounts"),
    "customers/<code:id>/mining-account": Row(
        "customers", _customer, get=None, body={"name": "alder_2", "adopt": False}, post=409
    ),
    "customers/<code:id>/misdirected-rewards": Row(
        "customers", _customer, body={"seen_as": "a guess"}, post=409, money=True
    ),
    "mining-accounts/<code:id>": Row("mining-accounts", _account, body={"site": "hall 3"}, patch=200),
    "mining-accounts/<code:id>/accept-payout": Row(
        "mining-accounts", _account, get=None, body={"payout_destination": "main_balance"}, post=200, money=True
    ),
    "mining-accounts/<code:id>/end-payout-alarm": Row(
        "mining-accounts", _account, get=None, body={}, post=409, money=True
    ),
    "workers": Row("workers"),
    "workers/<code:id>": Row("workers", _worker, body={"site": "hall 3"}, patch=200),
    "workers/<code:id>/retire": Row("workers", _worker, get=None, body={}, post=200),
    "uptime": Row("uptime", query=lambda tenant: f"{_of_account(tenant)}&month=2026-10"),
    "exclusions": Row("exclusions", body=WINDOW, post=201),
    "exclusions/preview": Row("exclusions", get=None, body=WINDOW, post=200),
    "exclusions/<code:id>": Row("exclusions", _exclusion, body={"until": None}, patch=200),
    "exclusions/<code:id>/end": Row("exclusions", _exclusion, get=None, body={}, post=409),
    "hashrate": Row("hashrate", query=_of_account),
    "quarantined-records": Row("quarantined-records"),
    "quarantined-records/<code:id>": Row("quarantined-records", _quarantined),
    "quarantined-records/<code:id>/settle": Row(
        "quarantined-records",
        _quarantined,
        get=None,
        body={"decision": "same", "note": "Listed twice."},
        post=200,
        money=True,
    ),
    "rewards": Row("rewards"),
    "rewards/<code:id>": Row("rewards", lambda t, _: t.clients[0].rewards[0].code),
    "sync-runs": Row("sync-runs", body={}, post=202),
    "sync-runs/<code:id>": Row("sync-runs", lambda t, _: t.run.code),
    "credentials": Row("credentials", body={}, post=400),
    "watcher-links": Row("watcher-links", body={}, post=400),
    "watcher-links/<code:id>": Row("watcher-links", _link, body={"renews": False}, patch=200),
    "watcher-links/<code:id>/renew": Row("watcher-links", _link, get=None, body={"early_confirmed": True}, post=202),
    "alerts": Row("alerts"),
    "alerts/<code:id>": Row("alerts", _alert),
    "alerts/<code:id>/acknowledge": Row("alerts", _alert, get=None, body={}, post=200),
    "alerts/<code:id>/assign": Row("alerts", _alert, get=None, body={"member": None}, post=200),
    "alerts/<code:id>/note": Row("alerts", _alert, get=None, body={"note": "seen to"}, post=200),
    "alert-rules": Row("alert-rules"),
    "alert-rules/<code:id>": Row("alert-rules", _alert_rule, body={"repeat_minutes": 30}, patch=200),
    "credentials/<code:id>": Row("credentials", lambda t, _: t.credential.code, body={"label": "prime"}, patch=200),
    "credentials/<code:id>/verify": Row("credentials", lambda t, _: t.credential.code, get=None, body={}, post=202),
    "credentials/<code:id>/withdraw": Row("credentials", _credential, get=None, body={}, post=409),
    "contracts": Row("contracts", body={}, post=400),
    "contracts/<code:id>": Row("contracts", _contract),
    "contracts/<code:id>/versions": Row("contracts", _contract, get=None, body=NEW_TERMS, post=201),
    "tokens": Row("tokens", body={}, post=400),
    "tokens/<code:id>": Row("tokens", _token),
    "tokens/<code:id>/revoke": Row("tokens", _spare_token, get=None, body={}, post=200),
    "contracts/<code:id>/versions/preview": Row("contracts", _contract, get=None, body=NEW_TERMS, post=200, reads=True),
    "documents": Row("documents"),
    "documents/preview": Row("documents", get=None, body=OCTOBER, post=200),
    "documents/close": Row("documents", get=None, body=OCTOBER, post=200),
    "documents/issue": Row("documents", get=None, body=OCTOBER, post=200, money=True),
    "documents/<code:id>/issue": Row("documents", _document, get=None, body={"total_sat": 0}, post=409, money=True),
    "documents/<code:id>/let-pass": Row(
        "documents", _document, get=None, body={"seen_as": "0", "note": "Known."}, post=409, money=True
    ),
    "documents/<code:id>/discard": Row("documents", _document, get=None, body={}, post=409),
    "documents/<code:id>/retry-files": Row("documents", _document, get=None, body={}, post=409),
    "documents/<code:id>": Row("documents", _document),
    "documents/<code:id>/void": Row("documents", _draft, get=None, body=REASON, post=409, money=True),
    "documents/<code:id>/write-off": Row(
        "documents", _document, get=None, body={**REASON, "open_sat": 1}, post=409, money=True
    ),
    "documents/<code:id>/take-up-again": Row("documents", _document, get=None, body=REASON, post=409, money=True),
    "payments": Row("payments", body={}, post=400, money=True),
    "payments/preview": Row("payments", get=None, body={}, post=400),
    "payments/import": Row("payments", get=None, body={"csv": ""}, post=400, money=True),
    "payments/import/preview": Row("payments", get=None, body={"csv": ""}, post=400),
    "payments/<code:id>": Row("payments", _payment),
    "payments/<code:id>/use": Row("payments", _payment, get=None, body={}, post=409, money=True),
    "payments/<code:id>/take-back": Row("payments", _taken_back, get=None, body=REASON, post=409, money=True),
    "ledger-entries": Row("ledger-entries"),
    "ledger-entries/<code:id>": Row("ledger-entries", _ledger_entry),
    "ledger-entries/balances": Row("ledger-entries"),
    "ledger-entries/statement": Row("ledger-entries", query=_october),
    "ledger-entries/statement/csv": Row("ledger-entries", query=_october),
    "documents/<code:id>/lines": Row("documents", _document),
    "documents/<code:id>/changes": Row("documents", _document),
    "documents/<code:id>/pdf": Row("documents", _document, get=409),
    "documents/<code:id>/evidence": Row("documents", _document, get=409),
}


def filled(route: str, row: Row, tenant: Tenant, documents: list[Any]) -> str:
    return route.replace("<code:id>", row.code(tenant, documents)) if row.code else route


def tries(row: Row) -> list[tuple[str, int]]:
    return [(method, status) for method in ("get", "post", "patch") if (status := getattr(row, method)) is not None]


def answer_to(caller: Caller, method: str, path: str, row: Row) -> Any:
    return caller.get(path) if method == "get" else getattr(caller, method)(path, row.body)


def test_every_resource_has_a_row() -> None:
    resources = {str(entry.pattern) for entry in urls.urlpatterns if entry.name}
    assert resources - {"schema/", "docs/"} == ROUTES.keys()


@pytest.mark.parametrize("route", sorted(ROUTES))
def test_the_owner_gets_it_with_and_without_a_slash(world: World, october: October, north: Caller, route: str) -> None:
    row = ROUTES[route]
    path = filled(route, row, world.north, october.north)
    for method, status in tries(row):
        for address in (path, f"{path}/"):
            address += row.query(world.north)
            if method == "post" and status == 201 and address == f"{path}/":
                continue  # these terms stand by now
            assert answer_to(north, method, address, row).status_code == status, (method, address)


def test_the_neighbour_is_told_there_is_nothing(world: World, october: October, south: Caller) -> None:
    for route, row in ROUTES.items():
        if row.code is None:
            continue
        for method, _ in tries(row):
            answer = answer_to(south, method, filled(route, row, world.north, october.north), row)
            assert detail_of(answer, 404) == "There is nothing here that you may see.", route


def test_no_list_holds_a_foreign_code(world: World, october: October, north: Caller) -> None:
    foreign = [world.south.run.code, world.south.credential.code, *(document.code for document in october.south)]
    for client in world.south.clients:
        foreign += [client.customer.code, client.account.code, client.contract.code]
        foreign += [reward.code for reward in client.rewards]
        foreign += [link_of(client).code, alert_of(client).code, client.viewer.membership.code]
    foreign += [quarantined_of(world.south).code, _invitation(world.south, []), _intent(world.south, [])]
    foreign += [world.south.provider.code, _token(world.south, [])]
    foreign += [_worker(world.south, []), _exclusion(world.south, [])]
    _worker(world.north, [])
    link_of(world.north.clients[0])
    alert_of(world.north.clients[0])
    _alert_rule(world.north, [])
    foreign.append(_alert_rule(world.south, []))
    quarantined_of(world.north)
    _invitation(world.north, [])
    _intent(world.north, [])
    foreign += [_payment(world.south, []), _ledger_entry(world.south, [])]
    _payment(world.north, [])
    with tenancy.access_context(world.north.system):
        make_reward(world.north.clients[0].account, date(2026, 10, 5))  # and none of the 4th
    for route, row in ROUTES.items():
        if row.code is None and row.get is not None:
            answer = north.get(route + row.query(world.north))
            if "json" in answer["Content-Type"]:
                assert answer.json().get("data", [route]), route  # of what there is one it is no list
            assert [code for code in foreign if code in answer.content.decode()] == []


@pytest.mark.parametrize("route", sorted(ROUTES))
def test_only_the_right_scope_opens_it(world: World, october: October, route: str) -> None:
    row = ROUTES[route]
    path = filled(route, row, world.north, october.north) + row.query(world.north)
    scopes = {other.scope_of(method) for other in ROUTES.values() for method in ("get", "post")}
    for method, status in tries(row):
        needed = row.scope_of(method)
        wrong = with_scopes(world.north, *(scopes - {needed}))
        assert needed in detail_of(answer_to(wrong, method, path, row), 403)
        assert answer_to(with_scopes(world.north, needed), method, path, row).status_code == status


def test_reading_everything_writes_nothing(world: World) -> None:
    reader = with_scopes(world.north, "*:read")
    assert reader.get("customers").status_code == 200
    assert detail_of(reader.post("sync-runs", {}), 403) == "This token lacks the scope sync-runs:write."


def test_a_token_without_scopes_opens_nothing(world: World) -> None:
    assert with_scopes(world.north).get("customers").status_code == 403


def test_a_view_that_names_no_resource_is_shut(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Customers, "resource", Resource.resource)
    everything = Caller(world.north.api())
    assert detail_of(everything.get("customers"), 403) == "This token lacks a scope for this."


def test_without_a_token_one_is_asked_for(world: World, october: October) -> None:
    for route, row in ROUTES.items():
        path = f"{API}/{filled(route, row, world.north, october.north)}"
        for method in ("get", "post", "put", "patch", "delete", "options"):
            answer = getattr(Client(), method)(path)
            detail_of(answer, 401)
            assert answer["WWW-Authenticate"] == 'Bearer realm="portal"'


BAD_HEADERS = [
    ("Bearer hpt_guess", "unknown or revoked"),
    ("Bearer ", "Send the token in the header"),
    ("Basic dXNlcjpwYXNz", "Send the token in the header"),
    ("Bearer a b", "unknown or revoked"),
    ("Bearer \u00e9\u00ff", "unknown or revoked"),
]


def test_a_wrong_header_is_refused(world: World) -> None:
    for header, sentence in BAD_HEADERS:
        answer = Client(headers={"Authorization": header}).get(f"{API}/customers")
        assert sentence in detail_of(answer, 401), header
        assert answer["WWW-Authenticate"] == 'Bearer realm="portal", error="invalid_token"'


def test_a_revoked_token_and_one_of_a_suspended_provider_end_at_once(world: World, north: Caller) -> None:
    assert north.get("customers").status_code == 200
    with tenancy.access_context(world.north.system):
        ApiToken.objects.update(revoked_at=NOW)
    detail_of(north.get("customers"), 401)
    again = with_scopes(world.north, "*")
    assert again.get("customers").status_code == 200
    Provider.objects.filter(pk=world.north.provider.pk).update(status=Provider.Status.SUSPENDED)
    detail_of(again.get("customers"), 403)


def test_a_persons_session_does_not_open_the_api(world: World) -> None:
    for person in (world.north.owner, world.north.clients[0].owner):
        detail_of(person.browser().get(f"{API}/customers"), 401)


def test_a_session_beside_a_token_changes_nothing(world: World, north: Caller) -> None:
    browser = world.south.owner.browser()
    answer = browser.get(f"{API}/customers", headers={"Authorization": f"Bearer {world.north.token}"})
    assert answer.json() == north.get("customers").json()


def test_other_addresses_are_problems_too(world: World, north: Caller) -> None:
    for path in ("nothing", "customers/1", "customers/cus_short", "customers/CUS_" + "a" * 20, "", "customers//"):
        detail_of(north.get(path), 404)
    detail_of(Client().get(f"{API}/nothing"), 401)


def test_other_methods_are_problems_too(world: World, north: Caller) -> None:
    for method in ("put", "delete", "options"):
        answer = getattr(north.client, method)(f"{API}/customers")
        detail_of(answer, 405)
        assert answer["Allow"] == "GET, HEAD, POST"


def test_head_answers_as_get_does(world: World, north: Caller) -> None:
    assert north.client.head(f"{API}/customers").status_code == 200


def test_the_last_use_of_a_token_is_kept_to_within_a_minute(world: World) -> None:
    tenant = world.north
    with tenancy.access_context(tenant.system):
        secret = tokens.make_token(tenant.system, name="till", scopes=["rewards:read"], ends_on=None, now=NOW).secret
    caller = with_token(secret)

    def last_used() -> Any:
        with tenancy.access_context(tenant.system):
            return ApiToken.objects.get(digest=tenancy.digest(secret)).last_used_at

    assert last_used() is None
    with time_machine.travel(NOW, tick=False) as clock:
        caller.get("rewards")
        assert last_used() == NOW
        clock.shift(timedelta(seconds=59))
        caller.get("rewards")
        assert last_used() == NOW
        clock.shift(timedelta(seconds=2))
        caller.get("customers")  # refused, and used all the same
        assert last_used() == NOW + timedelta(seconds=61)
    with tenancy.access_context(tenant.system):
        assert ApiToken.objects.get(name="erp").last_used_at is None


def test_scopes_are_known_names() -> None:
    assert unknown_scopes(["*", "*:read", "money:write", "payout-batches:read", "customers:write"]) == []
    assert unknown_scopes(["customer:read", "*:write", "", "rewards"]) == ["customer:read", "*:write", "", "rewards"]
