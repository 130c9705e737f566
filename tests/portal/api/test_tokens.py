"""API tokens over the API: with no more than the caller has, their secret told once, ended by day or by hand."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from customers import tenancy, tokens
from customers.models import ApiToken, AuditEntry, KeptCall
from tests.portal.api.conftest import API, Caller, code_of, detail_of, with_scopes, with_token
from tests.world import NOW, Tenant, World

pytestmark = pytest.mark.django_db
TODAY = NOW.date()
NEW = {"name": "Billing export", "scopes": ["rewards:read", "documents:read"]}


@pytest.fixture(autouse=True)
def at_the_worlds_moment() -> Any:
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


def made(tenant: Tenant, *, ends_on: date | None, name: str = "till") -> Caller:
    with tenancy.access_context(tenant.system):
        return with_token(
            tokens.make_token(tenant.system, name=name, scopes=["rewards:read"], ends_on=ends_on, now=NOW).secret
        )


def test_a_new_one_works_with_its_scopes_and_is_told_once(world: World, north: Caller) -> None:
    answer = north.post("tokens", NEW)

    told = answer.json()
    assert answer.status_code == 201
    assert (told["scopes"], told["state"], told["made_by"], told["ends_on"]) == (
        ["documents:read", "rewards:read"], "active", "token erp", (TODAY + timedelta(days=365)).isoformat(),
    )  # fmt: skip
    new = with_token(told["secret"])
    assert (new.get("rewards").status_code, new.get("customers").status_code) == (200, 403)
    again = north.get(f"tokens/{told['id']}")
    assert answer["Location"].endswith(f"/tokens/{told['id']}")
    assert again.json() == {name: value for name, value in told.items() if name != "secret"} | {
        "last_used_at": "2026-11-04T14:32:00Z"
    }
    with tenancy.access_context(world.north.system):
        entry = AuditEntry.objects.get(action="token.created", subject=told["id"])
    assert (entry.actor, entry.details["ends_on"]) == ("token erp", told["ends_on"])


def test_the_same_call_sent_again_makes_no_second_one_and_tells_no_secret(world: World, north: Caller) -> None:
    def send() -> Any:
        return north.client.post(
            f"{API}/tokens", json.dumps(NEW), content_type="application/json", headers={"Idempotency-Key": "one"}
        )

    first, second = send(), send()

    assert second["Idempotency-Replayed"] == "true"
    assert second.json() == first.json() | {"secret": None}
    with tenancy.access_context(world.north.system):
        assert ApiToken.objects.filter(name=NEW["name"]).count() == 1
        assert first.json()["secret"] not in KeptCall.objects.get(key="one").body


@pytest.mark.parametrize("scope", ["customers:read", "*:read", "*", "money:write", "watcher-links:always"])
def test_nobody_gives_what_they_have_not(world: World, scope: str) -> None:
    maker = with_scopes(world.north, "tokens:write", "rewards:read")

    refused = maker.post("tokens", {"name": "more", "scopes": ["rewards:read", scope]})

    assert detail_of(refused, 403) == f"This token lacks the scope {scope}, so it cannot give it."
    assert maker.post("tokens", {"name": "as much", "scopes": ["rewards:read", "tokens:write"]}).status_code == 201


@pytest.mark.parametrize("ends_on", [None, TODAY + timedelta(days=3)])
def test_nobody_gives_longer_than_they_have(world: World, ends_on: date | None) -> None:
    with tenancy.access_context(world.north.system):
        last_day = TODAY + timedelta(days=2)
        short = tokens.make_token(world.north.system, name="short", scopes=["*"], ends_on=last_day, now=NOW)
    maker = with_token(short.secret)

    refused = maker.post("tokens", NEW | {"ends_on": ends_on and ends_on.isoformat()})

    assert detail_of(refused, 403) == "This token ends on 2026-11-06, so it cannot make one that outlasts it."
    assert maker.post("tokens", NEW).json()["ends_on"] == "2026-11-06"  # left out


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ends_on": "2028-11-05"}, "token.end_invalid"),
        ({"ends_on": "2026-11-03"}, "token.end_invalid"),
        ({"scopes": []}, "request.invalid"),
        ({"scopes": ["root"]}, "request.invalid"),
        ({"name": "\u200b"}, "request.invalid"),
    ],
)
def test_what_no_token_can_be(north: Caller, changes: dict[str, Any], code: str) -> None:
    assert code_of(north.post("tokens", NEW | changes), 400) == code


@pytest.mark.parametrize("ends_on", [None, "2028-11-04", "2026-11-04"])
def test_it_ends_within_two_years_or_never_when_that_is_said(north: Caller, ends_on: str | None) -> None:
    assert north.post("tokens", NEW | {"ends_on": ends_on}).json()["ends_on"] == ends_on


def test_a_name_is_free_again_once_its_token_is_revoked(north: Caller) -> None:
    first = north.post("tokens", NEW).json()["id"]
    assert code_of(north.post("tokens", NEW), 409) == "token.name_taken"

    north.post(f"tokens/{first}/revoke", {})

    assert north.post("tokens", NEW).status_code == 201


def test_it_works_through_its_last_day_and_then_says_that_it_has_ended(world: World, at_the_worlds_moment: Any) -> None:
    caller = made(world.north, ends_on=TODAY)
    at_the_worlds_moment.move_to(datetime(2026, 11, 4, 23, 59, 59, tzinfo=UTC))
    assert caller.get("rewards").status_code == 200
    at_the_worlds_moment.move_to(datetime(2026, 11, 5, tzinfo=UTC))

    answer = caller.get("rewards")

    assert code_of(answer, 401) == "token.expired"
    assert answer["WWW-Authenticate"] == 'Bearer realm="portal", error="invalid_token"'
    assert code_of(Client(headers={"Authorization": "Bearer hpt_guess"}).get(f"{API}/rewards"), 401) == "token.unknown"


def test_a_revoked_one_is_refused_at_once_and_revoked_once(world: World, north: Caller) -> None:
    caller = made(world.north, ends_on=None)
    (token,) = [row for row in north.data("tokens") if row["name"] == "till"]

    answers = [north.post(f"tokens/{token['id']}/revoke", {}) for _ in range(2)]

    assert [answer.json()["state"] for answer in answers] == ["revoked"] * 2
    assert code_of(caller.get("rewards"), 401) == "token.unknown"
    with tenancy.access_context(world.north.system):
        assert AuditEntry.objects.filter(action="token.revoked", subject=token["id"]).count() == 1


def test_they_are_filtered_by_state(world: World, north: Caller, at_the_worlds_moment: Any) -> None:
    made(world.north, ends_on=TODAY, name="old")
    made(world.north, ends_on=None, name="gone")
    with tenancy.access_context(world.north.system):
        ApiToken.objects.filter(name="gone").update(revoked_at=NOW)
    at_the_worlds_moment.shift(timedelta(days=1))

    names = {
        state: [row["name"] for row in north.data("tokens", state=state)] for state in ("active", "ended", "revoked")
    }

    assert names == {"active": ["erp"], "ended": ["old"], "revoked": ["gone"]}
