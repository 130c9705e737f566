"""OpenAPI: open to all, whole, without warnings, and true to what the API does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from portal.api import urls
from tests.portal.api.conftest import API, Caller, October, alert_of, link_of, quarantined_of
from tests.portal.fleet import a_fleet
from tests.world import World


@pytest.fixture
def schema(db: None) -> dict[str, Any]:
    answer = Client().get(f"{API}/schema/?format=json")
    assert answer.status_code == 200
    described: dict[str, Any] = json.loads(answer.content)
    return described


def test_the_schema_is_valid_and_free_of_warnings(tmp_path: Any) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "schema.yml"))


def test_every_resource_is_described_once(schema: dict[str, Any]) -> None:
    assert schema["openapi"] == "3.1.1"
    routes = {str(pattern.pattern) for pattern in (*urls.router.urls, *urls.SINGLE)}
    assert schema["paths"].keys() == {f"{API}/{route.replace('<code:id>', '{id}')}" for route in routes}


def test_every_operation_says_what_it_does_asks_for_the_token_and_names_its_refusals(schema: dict[str, Any]) -> None:
    assert schema["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], (path, method)
            assert operation["security"] == [{"token": []}]
            assert operation["tags"] == [path.removeprefix(f"{API}/").partition("/")[0]]
            refusals = {status for status in operation["responses"] if status >= "4"}
            assert refusals >= {"400", "401", "403"} | ({"404"} if "{id}/" in path and method != "get" else set())
            for status in refusals:
                content = operation["responses"][status]["content"]
                assert list(content) == ["application/problem+json"]


def test_money_and_shares_say_their_unit(schema: dict[str, Any]) -> None:
    for name, component in schema["components"]["schemas"].items():
        for field, described in component.get("properties", {}).items():
            if field.endswith("_sat"):
                assert "satoshi" in described["description"], (name, field)
            if field.endswith("_ppm"):
                assert "parts per million" in described["description"], (name, field)


@pytest.mark.parametrize(
    ("component", "path"),
    [
        ("Customer", "customers"),
        ("MiningAccount", "mining-accounts"),
        ("Reward", "rewards"),
        ("Contract", "contracts"),
        ("Document", "documents"),
        ("SyncRun", "sync-runs"),
        ("Credential", "credentials"),
        ("WatcherLink", "watcher-links"),
        ("Alert", "alerts"),
        ("QuarantinedRecord", "quarantined-records"),
        ("Hashrate", "hashrate"),
        ("Worker", "workers"),
        ("Exclusion", "exclusions"),
    ],
)
def test_a_row_has_the_fields_that_are_described(
    schema: dict[str, Any], world: World, north: Caller, october: October, component: str, path: str
) -> None:
    link_of(world.north.clients[0])
    alert_of(world.north.clients[0])
    quarantined_of(world.north)
    a_fleet(world.north)
    described = schema["components"]["schemas"][component]
    of_account = {"mining_account": world.north.clients[0].account.code} if path == "hashrate" else {}
    row = north.data(path, **of_account)[0]
    assert list(row) == list(described["properties"])
    assert set(described["required"]) == set(row)


def test_the_pages_of_the_documentation_are_open_and_load_nothing_from_outside(db: None) -> None:
    answer = Client().get(f"{API}/docs/")
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "http://" not in page
    assert "https://" not in page
    assert "<style" not in page
    assert "style=" not in page
    assert page.count("<script") == page.count("<script src=")
    assert f'data-schema="{reverse("api:schema")}?format=json"' in page
    assert Client().get(f"{API}/schema/").status_code == 200


def test_a_bad_token_does_not_close_the_open_pages(db: None) -> None:
    client = Client(headers={"Authorization": "Bearer hpt_gone"})
    assert client.get(f"{API}/schema/").status_code == 200
    assert client.get(f"{API}/docs/").status_code == 200
    assert client.get(f"{API}/docs").content == client.get(f"{API}/docs/").content
