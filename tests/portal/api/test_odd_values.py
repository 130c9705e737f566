"""Odd values in addresses and bodies, by the hundred: all are answered, none with a failure of ours."""

from __future__ import annotations

import string
from typing import Any
from urllib.parse import quote

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.portal.api.conftest import API, Caller
from tests.world import World

pytestmark = pytest.mark.django_db
LISTS = (
    "customers",
    "mining-accounts",
    "rewards",
    "contracts",
    "documents",
    "sync-runs",
    "credentials",
    "watcher-links",
    "quarantined-records",
)
NAMES = (
    "customer",
    "mining_account",
    "date_from",
    "date_to",
    "status",
    "period",
    "limit",
    "cursor",
    "external_ref",
    "state",
    "unassigned",
    "credential",
    "subject",
    "label",
)
ODD = [
    "\x00",
    "\ud800",
    "' OR 1=1 --",
    "%",
    "2026-10-01",
    "0001-01-01",
    "9999-12-31",
    "\u0661\u0662",
    "-0",
    "1e9",
    "\u202e",
]
texts = st.one_of(st.sampled_from(ODD), st.text(max_size=40), st.text(alphabet=string.digits + "-:TZ._", max_size=20))
leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), texts)
anything = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=6,
)
quick = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


@quick
@given(path=st.sampled_from(LISTS), query=st.dictionaries(st.sampled_from(NAMES), texts, max_size=3))
def test_no_parameter_makes_a_list_fail(world: World, north: Caller, path: str, query: dict[str, str]) -> None:
    answer = north.get(path, **{name: encodable(value) for name, value in query.items()})
    assert answer.status_code in (200, 400), (query, answer.content)


@quick
@given(code=texts, path=st.sampled_from((*LISTS, "nothing")))
def test_no_code_in_an_address_makes_it_fail(world: World, north: Caller, code: str, path: str) -> None:
    answer = north.client.get(f"{API}/{path}/{quote(encodable(code), safe='')}")
    assert answer.status_code in (200, 404), (code, answer.content)  # 200: "", the list itself


def filled_in(base: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A right body with one or two of its fields replaced by anything."""
    return st.dictionaries(st.sampled_from([*base, "provider", "x"]), anything, max_size=2).map(
        lambda changes: {**base, **changes}
    )


ACCOUNT = {"name": "odd_1", "adopt": False}
CUSTOMER = {"name": "Odd", "email": "odd@odd.example", "external_ref": "O-1", "mining_account": ACCOUNT}
SHARE = {"kind": "revenue_share", "share_ppm": 1, "basis": "gross", "pool_fee_borne_by": "customer"}
KEY = {"label": "odd", "api_key": "k" * 32, "secret": "s" * 64}
LINK = {"customer": "cus_" + "a" * 20, "permissions": ["rewards"], "lifetime": "7d", "renews": True}
TERMS = {"valid_from": "2026-11-01", "settle_in": "btc", "components": [SHARE]}
bodies = st.one_of(
    st.tuples(st.just("customers"), filled_in(CUSTOMER)),
    st.tuples(st.just("customers"), filled_in(ACCOUNT).map(lambda account: {**CUSTOMER, "mining_account": account})),
    st.tuples(st.just("versions"), filled_in(TERMS)),
    st.tuples(st.just("versions"), filled_in(SHARE).map(lambda share: {**TERMS, "components": [share]})),
    st.tuples(st.just("contracts"), filled_in({**TERMS, "customer": "cus_" + "a" * 20})),
    st.tuples(st.just("sync-runs"), filled_in({})),
    st.tuples(st.just("watcher-links"), filled_in(LINK)),
    st.tuples(st.just("credentials"), filled_in(KEY)),
    st.tuples(
        st.sampled_from(["customers", "contracts", "versions", "sync-runs", "watcher-links", "credentials"]), anything
    ),
)


@quick
@given(asked=bodies)
def test_no_body_makes_a_write_fail(world: World, north: Caller, asked: tuple[str, Any]) -> None:
    path, body = asked
    if isinstance(body, dict) and body.get("customer") == LINK["customer"]:
        body = {**body, "customer": world.north.clients[0].customer.code}
    if path == "versions":
        path = f"contracts/{world.north.clients[0].contract.code}/versions"
    with transaction.atomic():
        answer = north.post(path, body)
        transaction.set_rollback(True)
    assert answer.status_code in (201, 202, 400, 409), (asked, answer.content)


@quick
@given(body=filled_in({"name": "Odd", "email": "odd@odd.example", "external_ref": "O-1"}))
def test_no_body_makes_a_change_fail(world: World, north: Caller, body: dict[str, Any]) -> None:
    with transaction.atomic():
        answer = north.patch(f"customers/{world.north.clients[0].customer.code}", body)
        transaction.set_rollback(True)
    assert answer.status_code in (200, 400, 409), (body, answer.content)
