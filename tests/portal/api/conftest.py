"""What tests of the API need: a caller with chosen scopes, and October's documents at both providers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing import settlement
from billing.issue import issue
from billing.models import Document
from customers import tenancy, tokens
from customers.models import ApiToken
from mining.models import Alert, QuarantinedRecord, WatcherLink
from tests.world import FIRST_DAY, NOW, ClientOfProvider, Tenant, World

API = "/api/v1"
PROBLEM = "application/problem+json"


@dataclass(frozen=True)
class Caller:
    """A system with its token."""

    client: Client

    def get(self, path: str, **parameters: Any) -> Any:
        return self.client.get(f"{API}/{path}", parameters)

    def post(self, path: str, body: Any) -> Any:
        # Each with a key of its own, as programs should.
        key = {"Idempotency-Key": uuid4().hex}
        return self.client.post(f"{API}/{path}", json.dumps(body), content_type="application/json", headers=key)

    def patch(self, path: str, body: Any) -> Any:
        return self.client.patch(f"{API}/{path}", json.dumps(body), content_type="application/json")

    def data(self, path: str, **parameters: Any) -> list[dict[str, Any]]:
        answer = self.get(path, **parameters)
        assert answer.status_code == 200, answer.content
        data: list[dict[str, Any]] = answer.json()["data"]
        return data

    def ids(self, path: str, **parameters: Any) -> list[str]:
        return [row["id"] for row in self.data(path, **parameters)]


def with_scopes(tenant: Tenant, *scopes: str) -> Caller:
    with tenancy.access_context(tenant.system):
        # None at all is what no door makes: a row of that kind opens nothing all the same.
        made = tokens.make_token(tenant.system, name=uuid4().hex, scopes=scopes or ["x"], ends_on=None, now=NOW)
        ApiToken.objects.filter(pk=made.token.pk).update(scopes=list(scopes))
    return with_token(made.secret)


def with_token(token: str) -> Caller:
    return Caller(Client(headers={"Authorization": f"Bearer {token}"}))


@pytest.fixture
def north(world: World) -> Caller:
    return Caller(world.north.api())


@pytest.fixture
def south(world: World) -> Caller:
    return Caller(world.south.api())


@dataclass(frozen=True)
class October:
    """Each tenant's documents of October, one for each client; the first is issued, the second a draft."""

    north: list[Document]
    south: list[Document]


@pytest.fixture
def october(world: World) -> October:
    return October(_close(world.north), _close(world.south))


@pytest.fixture
def close() -> Callable[[Tenant], list[Document]]:
    return _close


def _close(tenant: Tenant) -> list[Document]:
    with tenancy.access_context(tenant.system):
        drafts = settlement.close_period(tenant.system, month=FIRST_DAY, now=NOW)
        by_customer = {draft.customer_id: draft for draft in drafts}
        documents = [by_customer[client.customer.pk] for client in tenant.clients]
        documents[0] = issue(tenant.system, documents[0], now=NOW)
    return documents


def link_of(client: ClientOfProvider, **wanted: Any) -> WatcherLink:
    """A live link of this client, the same again when asked twice."""
    provider = client.customer.provider
    values: dict[str, Any] = {
        "state": "active",
        "origin": "portal",
        "pool_id": "7f3a",
        "url": "https://whitebit.com/mining-pool/watcher-link/7f3a",
        "permissions": ["dashboard", "rewards"],
        "lifetime": "7d",
        "live_until": timezone.now() + timedelta(days=7),
        "created_at": NOW,
        "seen_at": NOW,
    }
    with tenancy.provider_context(provider.pk):
        link, _ = WatcherLink.objects.get_or_create(
            provider=provider,
            mining_account=client.account,
            name=wanted.pop("name", "portal_link"),
            defaults=values | wanted,
        )
    return link


def quarantined_of(tenant: Tenant) -> QuarantinedRecord:
    """A record of this tenant's pool that was not taken in; the same again when asked twice."""
    with tenant.context():
        record, _ = QuarantinedRecord.objects.get_or_create(
            provider=tenant.provider,
            login=tenant.login,
            account_name="nobody",
            reason="twin",
            fingerprint="f" * 64,
            defaults={"sync_run": tenant.run, "raw": '{"reward":"0.001"}', "seen_at": NOW},
        )
    return record


def alert_of(client: ClientOfProvider, **wanted: Any) -> Alert:
    """This client's payout drifts; the same again when asked twice."""
    provider = client.customer.provider
    with tenancy.provider_context(provider.pk):
        alert, _ = Alert.objects.get_or_create(
            provider=provider,
            kind=Alert.Kind.PAYOUT_DRIFT,
            customer=client.customer,
            mining_account=client.account,
            **{"ended_at": None, "stood_at": NOW, "opened_at": NOW} | wanted,
        )
    return alert


def count_queries(act: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as captured:
        act()
    return len(captured)


def detail_of(answer: Any, status: int) -> str:
    """A refusal's sentence, after looking at all that every refusal has."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == PROBLEM
    body = answer.json()
    assert body.keys() - {"errors"} == {"type", "title", "status", "detail"}
    assert re.fullmatch(r"/problems/[a-z]+\.[a-z_]+", body["type"])
    assert body["status"] == status
    assert "\n" not in body["detail"]
    assert len(body["detail"]) > 10
    return str(body["detail"])


def code_of(answer: Any, status: int) -> str:
    """A refusal's code, after the same look."""
    detail_of(answer, status)
    return str(answer.json()["type"]).removeprefix("/problems/")


def codes(rows: Iterable[Any]) -> list[str]:
    return [row.code for row in rows]
