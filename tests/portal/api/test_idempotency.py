"""A POST with an Idempotency-Key is done once, however often and however fast it is sent."""

from __future__ import annotations

import json
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
import time_machine
from django.db import transaction
from django.utils import timezone

from billing.models import ContractVersion
from customers import idempotency, tenancy
from customers.models import KeptCall
from portal import tasks
from tests.portal.api.conftest import API, Caller, detail_of, with_scopes
from tests.portal.api.test_access import NEW_TERMS
from tests.waiting import ended, in_thread
from tests.world import Tenant, World

pytestmark = pytest.mark.django_db
OTHER_TERMS = NEW_TERMS | {"valid_from": "2027-01-01"}


def post(caller: Caller, path: str, body: Any, key: str | None) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return caller.client.post(f"{API}/{path}", json.dumps(body), content_type="application/json", headers=headers)


def versions(tenant: Tenant) -> str:
    return f"contracts/{tenant.clients[0].contract.code}/versions"


def count(tenant: Tenant) -> int:
    with tenancy.access_context(tenant.system):
        return ContractVersion.objects.filter(contract=tenant.clients[0].contract).count()


def kept(tenant: Tenant) -> int:
    with tenancy.access_context(tenant.system):
        return KeptCall.objects.count()


def test_a_call_that_is_sent_again_is_answered_again_and_done_once(world: World, north: Caller) -> None:
    first = post(north, versions(world.north), NEW_TERMS, "one")
    again = post(north, f"{versions(world.north)}/", dict(reversed(NEW_TERMS.items())), "one")

    assert (first.status_code, again.status_code, count(world.north)) == (201, 201, 2)
    assert (again.json(), again.headers.get("Location")) == (first.json(), first.headers.get("Location"))
    assert [answer.headers.get("Idempotency-Replayed") for answer in (first, again)] == [None, "true"]


def test_a_key_is_for_one_body_and_one_row(world: World, north: Caller) -> None:
    post(north, versions(world.north), NEW_TERMS, "one")
    elsewhere = f"contracts/{world.north.clients[1].contract.code}/versions"

    for path, body in ((versions(world.north), OTHER_TERMS), (elsewhere, NEW_TERMS)):
        said = detail_of(post(north, path, body, "one"), 422)
        assert said == "This Idempotency-Key was used for another call. Nothing was changed. Use a new one."
    assert post(north, versions(world.north), OTHER_TERMS, "two").status_code == 201


def test_a_key_means_another_call_for_another_token_and_another_route(world: World, north: Caller) -> None:
    post(north, versions(world.north), NEW_TERMS, "one")

    assert post(north, "sync-runs", {}, "one").status_code == 202
    assert post(with_scopes(world.north, "*"), versions(world.north), OTHER_TERMS, "one").status_code == 201
    assert post(with_scopes(world.south, "*"), versions(world.south), OTHER_TERMS, "one").status_code == 201


def test_what_was_refused_keeps_no_key(world: World, north: Caller) -> None:
    assert post(north, versions(world.north), {}, "one").status_code == 400
    assert post(north, versions(world.north), NEW_TERMS, "one").status_code == 201
    assert kept(world.north) == 1


@pytest.mark.parametrize("key", ["a b", "ü", "x" * 256])
def test_a_key_that_is_none_is_refused(world: World, north: Caller, key: str) -> None:
    assert detail_of(post(north, "sync-runs", {}, key), 400) == (
        "Idempotency-Key is 1 to 255 visible characters of ASCII."
    )


def test_what_issues_needs_one_and_issues_once(world: World, north: Caller) -> None:
    (draft, *_) = post(north, "documents/close", {"period": "2026-10"}, None).json()["data"]
    path, seen = f"documents/{draft['id']}/issue", {"total_sat": draft["total_sat"]}

    for asked, body in ((path, seen), ("documents/issue", {"period": "2026-10"})):
        said = detail_of(post(north, asked, body, None), 400)
        assert said == "Send the header Idempotency-Key: a text of your own that names this one call."
    first, again = (post(north, path, seen, "one") for _ in range(2))

    assert (first.status_code, again.json(), again.headers["Idempotency-Replayed"]) == (200, first.json(), "true")


def test_a_key_is_kept_for_seven_days(world: World, north: Caller) -> None:
    post(north, versions(world.north), NEW_TERMS, "one")
    post(north, "sync-runs", {}, "two")

    with time_machine.travel(timezone.now() + timedelta(days=6, hours=23)):
        tasks.forget_old_calls()
        assert (post(north, "sync-runs", {}, "two").headers.get("Idempotency-Replayed"), kept(world.north)) == (
            "true",
            2,
        )
    with time_machine.travel(timezone.now() + timedelta(days=7, hours=1)):
        assert "Idempotency-Replayed" not in post(north, "sync-runs", {}, "two").headers
        tasks.forget_old_calls()
        assert kept(world.north) == 1


@pytest.mark.django_db(transaction=True)
def test_the_same_call_eight_times_at_once_is_done_once(world: World) -> None:
    barrier, answers = Barrier(8), []

    def send() -> None:
        barrier.wait()
        answers.append(post(Caller(world.north.api()), versions(world.north), NEW_TERMS, "one"))

    ended(*[in_thread(send) for _ in range(8)])

    assert ([answer.status_code for answer in answers], count(world.north)) == ([201] * 8, 2)
    assert sorted(answer.headers.get("Idempotency-Replayed", "") for answer in answers) == ["", *["true"] * 7]


@pytest.mark.django_db(transaction=True)
def test_a_call_that_is_still_being_done_is_answered_within_seconds(
    world: World, north: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "LONGEST_WAIT_SECONDS", 1)
    answers: list[Any] = []
    with transaction.atomic():
        post(north, versions(world.north), NEW_TERMS, "one")  # not committed before the block's end
        ended(in_thread(lambda: answers.append(post(north, versions(world.north), NEW_TERMS, "one"))))

    assert detail_of(answers[0], 409).startswith("The same call is still being done.")
    assert answers[0].headers["Retry-After"] == "5"
