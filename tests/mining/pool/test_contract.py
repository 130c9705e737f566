"""The contract, the sandbox and the client say the same: each is held against the first."""

from __future__ import annotations

import importlib.resources
import inspect
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from devkit.sandbox.call import PREFIX
from devkit.sandbox.endpoints import ENDPOINTS
from devkit.sandbox.faults import FAULTS, Stage
from devkit.sandbox.sandbox import ENDPOINT_OF_PATH
from devkit.sandbox.worlds import WORLDS
from mining.pool import client as client_module
from mining.pool import public as public_module
from mining.pool.client import PoolClient
from mining.pool.errors import PoolError
from mining.pool.public import PublicPool
from mining.pool.rights import ACTING
from mining.pool.transport.caller import Endpoint
from tests.devkit.sandbox.signed import Caller, Reply, request
from tests.mining.pool.conftest import NOON, MakeClient
from tests.mining.pool.contract import (
    CONTRACT,
    OPERATIONS,
    Broken,
    check_answer,
    check_query,
    check_request,
    judge,
    request_judge,
)
from tests.sandbox import Sandbox

ADDRESS = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
LINK: dict[str, Any] = {"accounts": ["north"], "name": "n", "permissions": ["rewards"], "liveUntil": "7d"}

# --- The document


def test_the_contract_is_an_openapi_document_of_version_3_1() -> None:
    official = importlib.resources.files("drf_spectacular.validation") / "openapi_3_1_schema.json"
    Draft202012Validator(json.loads(official.read_text())).validate(CONTRACT)
    for name, schema in CONTRACT["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        judge("components", "schemas", name).is_valid(None)  # raises where a reference leads nowhere


def test_every_object_says_what_else_it_may_hold() -> None:
    def open_ones(value: Any, place: str) -> Iterator[str]:
        if isinstance(value, dict):
            if value.get("type") == "object" and not {"additionalProperties", "maxProperties"} & value.keys():
                yield place
            for key, inner in value.items():
                yield from open_ones(inner, f"{place}/{key}")
        elif isinstance(value, list):
            for number, inner in enumerate(value):
                yield from open_ones(inner, f"{place}/{number}")

    assert list(open_ones(CONTRACT, "")) == []


def test_the_contract_knows_every_endpoint_of_the_sandbox_and_the_client() -> None:
    of_client = {value.path for value in vars(client_module).values() if isinstance(value, Endpoint)}
    assert {path for path, _ in OPERATIONS} == set(ENDPOINT_OF_PATH)
    assert of_client == {PREFIX + name for name in ENDPOINTS}


def test_the_judge_can_refuse() -> None:
    good = {"request": "/api/v4/mining/miners/info", "nonce": 1, "account": "north"}
    check_request("/api/v4/mining/miners/info", good)
    for bad in ({**good, "extra": 1}, {**good, "nonce": "x"}, {**good, "request": "/"}, {"request": good["request"]}):
        with pytest.raises(Broken):
            check_request("/api/v4/mining/miners/info", bad)
    with pytest.raises(Broken):
        check_answer("/api/v4/public/ping", "get", status=200, content_type="application/json", body=b'["pang"]')
    with pytest.raises(Broken):
        check_answer("/api/v4/public/ping", "get", status=201, content_type="application/json", body=b'["pong"]')


# --- The sandbox's answers


def check_reply(path: str, method: str, reply: Reply) -> Reply:
    check_answer(path, method, status=reply.status, content_type=reply.headers["content-type"], body=reply.body)
    return reply


def ask(caller: Caller, endpoint: str, fields: dict[str, Any]) -> int:
    return check_reply(PREFIX + endpoint, "post", caller(endpoint, fields)).status


def questions(account: str, worker: str, now: int) -> dict[str, list[dict[str, Any]]]:
    """Good and bad ones for each endpoint, the first being good."""
    moments: list[dict[str, Any]] = [{"from": now - 90_000}, {"to": now - 5}, {"from": now * 1_000}, {"to": "now"}]
    pages: list[dict[str, Any]] = [{"limit": 1, "offset": 1}, {"limit": 0}, {"offset": 10_001}]
    of_account: list[dict[str, Any]] = [{"account": account}, {"account": "nobody"}, {"account": 5}, {}]
    points = [
        {**of_account[0], **more} for more in ({"interval": "5m"}, {"interval": "24h"}, {"interval": "2h"}, *moments)
    ]
    link = LINK | {"accounts": [account]}
    payout = {"accountName": account, "destination": "external_address", "address": ADDRESS}
    return {
        "accounts/create": [{"name": "brand_new"}, {"name": "brand_new"}, {"name": "no-dash"}, {}],
        "accounts": [{}, {"name": account}, {"name": "nobody"}, *pages],
        "rewards": [{}, *of_account[:2], {"limit": 100}, *moments, *pages],
        "hashrate": [*of_account, *points],
        "payout-destination": [{"accountName": account}, {"accountName": "nobody"}, {}],
        "payout-destination/edit": [payout, payout | {"address": "bc1q"}, payout | {"destination": "x"}, {}],
        "miners/info": of_account,
        "workers/names": [*of_account, *({**of_account[0], **page} for page in pages)],
        "workers/hashrate": [{**question, "worker": worker} for question in (*of_account, *points)]
        + [{**of_account[0]}],
        "watcher-links/create": [link, link, link, link, link | {"name": "a b"}, link | {"permissions": []}, {}],
        "watcher-links/list": of_account,
    }


@pytest.mark.parametrize("world", WORLDS)
def test_every_answer_of_the_sandbox_is_in_the_contract(sandbox: Sandbox, world: str) -> None:
    sandbox.reset(world=world, seed=7, now=NOON)
    user = sandbox.truth()["users"][0]
    caller, now = Caller(sandbox.base_url, sandbox.key(user["login"])), int(sandbox.clock().timestamp())
    asked = questions(user["accounts"][0]["name"], "rig_001", now)
    statuses = {endpoint: [ask(caller, endpoint, fields) for fields in every] for endpoint, every in asked.items()}
    assert set(asked) == set(ENDPOINTS)
    assert {endpoint: found[0] for endpoint, found in statuses.items()} == {
        endpoint: 201 if endpoint == "watcher-links/create" else 200 for endpoint in ENDPOINTS
    }
    assert {status for found in statuses.values() for status in found} == {200, 201, 400, 422}


@pytest.mark.parametrize("world", WORLDS)
def test_every_public_answer_is_in_the_contract(sandbox: Sandbox, world: str) -> None:
    sandbox.reset(world=world, seed=7, now=NOON)
    for path, method in OPERATIONS:
        if method == "get":
            queries = ("", "?market=BTC_USDT&interval=1d", "?market=BTC_USDT&interval=1d&limit=0")
            for query in queries if path.endswith("kline") else queries[:1]:
                check_reply(path, "get", request(sandbox.base_url, "GET", path + query))
            check_reply(path, "get", request(sandbox.base_url, "POST", path))
    sandbox.fault("overview_as_list")
    overview = "/api/v4/public/mining-pool"
    assert isinstance(check_reply(overview, "get", request(sandbox.base_url, "GET", overview)).json["data"], list)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_every_refusal_before_the_endpoint_is_in_the_contract(
    sandbox: Sandbox, client: MakeClient, endpoint: str
) -> None:
    caller, path = Caller(sandbox.base_url, sandbox.key("alpha")), PREFIX + endpoint
    for fields in ({"nonce": 5}, {"request": ...}, {"request": "/"}, {"nonceWindow": 1}):
        assert ask(caller, endpoint, fields) == 400
    assert ask(caller, endpoint, {"nonce": ...}) == 422
    body = json.dumps(caller.body(endpoint, {})).encode()
    for sent in (body, b"[]", b"{" * 2**21):
        check_reply(path, "post", caller.send(endpoint, sent))
    for headers in ({"X-TXC-PAYLOAD": ""}, {"X-TXC-SIGNATURE": "0"}, {"X-TXC-APIKEY": "x"}):
        check_reply(path, "post", caller.send(endpoint, b"{}", headers))
    check_reply(path, "post", caller.send(endpoint, b"{}", method="PUT"))
    sandbox.edit("set_key", api_key=caller.key.api_key, permissions=[])
    assert ask(caller, endpoint, {}) == 403
    sandbox.edit("set_key", api_key=caller.key.api_key, enabled=False)
    assert ask(caller, endpoint, {}) == 401
    sandbox.limit(calls=1)
    assert [ask(caller, endpoint, {}) for _ in range(2)] == [401, 429]


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, kind in FAULTS.items()
        if kind.stage in (Stage.ANSWER, Stage.RULE)
        and not name.startswith(("redirect", "captive", "empty", "oversized"))
    ],
)
def test_what_a_pool_in_trouble_answers_is_in_the_contract(sandbox: Sandbox, name: str) -> None:
    caller = Caller(sandbox.base_url, sandbox.key("alpha"))
    sandbox.fault(name)
    for endpoint in ENDPOINTS:
        assert ask(caller, endpoint, {}) >= 400


def test_localized_refusals_are_in_the_contract(sandbox: Sandbox) -> None:
    caller = Caller(sandbox.base_url, sandbox.key("alpha"))
    sandbox.fault("localized_errors")
    assert {ask(caller, endpoint, {"limit": 0, "account": 5}) for endpoint in ENDPOINTS} <= {200, 400}


# --- The client's requests

Drive = Callable[[PoolClient], object]
SINCE, UNTIL = datetime(2026, 10, 12, tzinfo=UTC), datetime(2026, 10, 20, 12, tzinfo=UTC)
DRIVES: dict[str, tuple[Drive, ...]] = {
    "create_account": (lambda p: p.create_account("a_1"), lambda p: p.create_account("b", "friend")),
    "accounts_page": (
        lambda p: p.accounts_page(),
        lambda p: p.accounts_page(name="north", limit=1, offset=10_000),
    ),
    "rewards_page": (
        lambda p: p.rewards_page(),
        lambda p: p.rewards_page(account="north", since=SINCE, until=UNTIL, limit=100, offset=5),
    ),
    "hashrate": (
        lambda p: p.hashrate("north"),
        lambda p: p.hashrate("north", since=SINCE, until=UNTIL, interval="24h"),
        lambda p: p.hashrate("north", since=UNTIL - timedelta(hours=1), interval="5m"),
    ),
    "miners_info": (lambda p: p.miners_info("north"),),
    "payout_destination": (lambda p: p.payout_destination("south"),),
    "edit_payout_destination": (
        lambda p: p.edit_payout_destination("north", destination="external_address", address=ADDRESS),
        lambda p: p.edit_payout_destination("north", destination="main_balance"),
    ),
    "find_account": (lambda p: p.find_account("north"),),
    "worker_names_page": (
        lambda p: p.worker_names_page("north"),
        lambda p: p.worker_names_page("north", limit=1, offset=10_000),
    ),
    "worker_hashrate": (
        lambda p: p.worker_hashrate("north", "rig_001"),
        lambda p: p.worker_hashrate("north", "=1+1/\U0001f98a", since=SINCE, until=UNTIL, interval="5m"),
    ),
    "create_watcher_link": (
        lambda p: p.create_watcher_link(["north"], name="n_1", permissions=["workers"], lifetime="1h"),
        lambda p: p.create_watcher_link(
            ("north", "south"), name="n", permissions=("dashboard", "rewards", "workers"), lifetime="always"
        ),
    ),
    "watcher_links": (lambda p: p.watcher_links("north"),),
}


PUBLIC_DRIVES: dict[str, Callable[[PublicPool], object]] = {
    "time": lambda p: p.time(),
    "overview": lambda p: p.overview(),
    "last_price": lambda p: p.last_price("BTC_EUR"),
    "daily_prices": lambda p: p.daily_prices(SINCE.date(), UNTIL.date()),
}


def methods_of(kind: type) -> set[str]:
    methods = {name for name, _ in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}
    return methods - {"close"}


def test_every_class_and_method_of_the_client_is_driven() -> None:
    here = {client_module.__name__, public_module.__name__}
    every = (*vars(client_module).values(), *vars(public_module).values())
    assert {kind for kind in every if inspect.isclass(kind) and kind.__module__ in here} == {PoolClient, PublicPool}
    assert (methods_of(PoolClient), methods_of(PublicPool)) == ({*DRIVES, "may_use"}, set(PUBLIC_DRIVES))


@pytest.mark.parametrize("method", DRIVES)
def test_every_request_of_the_client_is_in_the_contract(sandbox: Sandbox, client: MakeClient, method: str) -> None:
    pool = client()
    for drive in DRIVES[method]:
        sandbox.clear_log()
        drive(pool)
        sent = [entry for entry in sandbox.log()["last"] if entry["method"] == "POST"]
        assert len(sent) == 1
        check_request(sent[0]["path"], json.loads(sent[0]["body"]))


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_asking_for_a_right_reads_or_asks_for_what_the_contract_forbids(
    sandbox: Sandbox, client: MakeClient, endpoint: str
) -> None:
    client().may_use(endpoint, account="north")
    body = json.loads(sandbox.log()["last"][-1]["body"])
    assert request_judge(PREFIX + endpoint).is_valid(body) == (endpoint not in ACTING)


def sent_queries(sandbox: Sandbox) -> list[str]:
    entries = [entry for entry in sandbox.log()["last"] if entry["method"] == "GET"]
    return [f"{entry['path']}?{entry.get('query', '')}" for entry in entries]


def test_the_clients_reading_of_the_clock_is_in_the_contract(sandbox: Sandbox, client: MakeClient) -> None:
    client().accounts_page()
    read = sent_queries(sandbox)
    assert read == ["/api/v4/public/time?"] * len(read) != []
    check_query(read[0])


def test_every_public_request_of_the_client_is_in_the_contract(sandbox: Sandbox, store: redis.Redis) -> None:
    with PublicPool(base_url=sandbox.base_url, redis=store, deadline_seconds=3.0) as pool:
        for drive in PUBLIC_DRIVES.values():
            drive(pool)
    sent = sent_queries(sandbox)
    for path_and_query in sent:
        check_query(path_and_query)
    asked = {path.partition("?")[0] for path in sent}
    assert asked == {path for path, method in OPERATIONS if method == "get"} - {"/api/v4/public/ping"}


def test_a_refused_request_of_the_client_is_in_the_contract_too(sandbox: Sandbox, client: MakeClient) -> None:
    with pytest.raises(PoolError):
        client().miners_info("nobody")
    check_request("/api/v4/mining/miners/info", json.loads(sandbox.log()["last"][-1]["body"]))


# --- Requests out of the contract

NOW_S = 1_792_508_400
ACCOUNTS = st.sampled_from(["north", "south", "nobody", ""])
# What the schema says of each field, drawn from more tightly where most of it would only be unknown names.
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "account": ACCOUNTS,
    "accountName": ACCOUNTS,
    "accounts": st.lists(ACCOUNTS, min_size=1, max_size=3),
    "worker": st.text(min_size=1, max_size=255),
    "from": st.none() | st.integers(0, NOW_S),
    "to": st.none() | st.integers(0, NOW_S),
    "limit": st.integers(1, 100),
    "offset": st.integers(0, 10_000),
    "interval": st.sampled_from(["5m", "1h", "24h", None]),
    "referralCode": st.none() | st.text(max_size=50),
    "permissions": st.lists(st.sampled_from(["dashboard", "rewards", "workers"]), min_size=1, max_size=3, unique=True),
    "liveUntil": st.sampled_from(["1h", "24h", "7d", "always"]),
    "destination": st.sampled_from(["main_balance", "external_address"]),
    "address": st.none() | st.sampled_from([ADDRESS, "1" * 100]) | st.text(max_size=100),
}
NAMES = {
    "accounts": st.none() | st.text(max_size=300),
    "accounts/create": st.from_regex(r"\A[A-Za-z0-9_]{1,255}\Z"),
    "watcher-links/create": st.from_regex(r"\A[a-zA-Z0-9_]{1,255}\Z"),
}
ANYTHING = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)
# What a well-formed request can still be refused for: the world, not the words.
OF_THE_WORLD = {"user", "account", "address", "error"}


def words(endpoint: str) -> st.SearchStrategy[dict[str, Any]]:
    """The fields of a request, without its envelope."""
    schema = request_judge(PREFIX + endpoint)
    body = CONTRACT["paths"][PREFIX + endpoint]["post"]["requestBody"]["content"]["application/json"]["schema"]
    drawn = VALUES | ({"name": NAMES[endpoint]} if endpoint in NAMES else {})
    fields = {name: drawn[name] for name in body["properties"] if name not in ("request", "nonce", "nonceWindow")}
    needed = {name: strategy for name, strategy in fields.items() if name in body["required"]}
    rest = {name: strategy for name, strategy in fields.items() if name not in needed}
    return st.fixed_dictionaries(needed, optional=rest).filter(lambda f: schema.is_valid(_whole(endpoint, f)))


def spoiled(endpoint: str) -> st.SearchStrategy[dict[str, Any]]:
    """One field is anything or gone, so that the contract forbids the request."""
    schema = request_judge(PREFIX + endpoint)
    names = st.sampled_from(sorted(schema_fields(endpoint)))
    changes = st.builds(lambda name, value: {name: value}, names, ANYTHING | st.just(...))
    return st.builds(lambda good, bad: good | bad, words(endpoint), changes).filter(
        lambda f: not schema.is_valid(_whole(endpoint, {name: value for name, value in f.items() if value is not ...}))
    )


def schema_fields(endpoint: str) -> set[str]:
    body = CONTRACT["paths"][PREFIX + endpoint]["post"]["requestBody"]["content"]["application/json"]["schema"]
    return set(body["properties"]) - {"request", "nonce", "nonceWindow"}


def _whole(endpoint: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {"request": PREFIX + endpoint, "nonce": 1} | fields


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_what_the_contract_allows_is_understood_and_what_it_forbids_is_not(sandbox: Sandbox, endpoint: str) -> None:
    caller = Caller(sandbox.base_url, sandbox.key("alpha"))
    quick = settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))

    @seed(20_261_020)
    @quick
    @given(words(endpoint))
    def allowed(fields: dict[str, Any]) -> None:
        reply = check_reply(PREFIX + endpoint, "post", caller(endpoint, fields))
        understood = reply.status in (200, 201) or set(reply.json["errors"]) <= OF_THE_WORLD
        assert understood or is_taken(reply) or ends_before_it_begins(fields), fields

    @seed(20_261_020)
    @quick
    @given(spoiled(endpoint))
    def forbidden(fields: dict[str, Any]) -> None:
        assert check_reply(PREFIX + endpoint, "post", caller(endpoint, fields)).status in (400, 422), fields

    allowed()
    forbidden()


def is_taken(reply: Reply) -> bool:
    return bool(reply.json["errors"] == {"name": ["The name has already been taken."]})


def ends_before_it_begins(fields: dict[str, Any]) -> bool:
    """What no schema can say of two fields."""
    since, until = fields.get("from"), fields.get("to")
    return since is not None and until is not None and since > until
