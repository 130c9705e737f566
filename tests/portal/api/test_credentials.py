"""Pool keys over the API: stored by a system, tried by a worker, and never told again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from customers.models import AuditEntry
from mining import dispatch
from mining.keys import store as key_store
from mining.models import Credential, SyncRun
from tests.portal.api.conftest import Caller, code_of, detail_of
from tests.world import NOW, World

pytestmark = pytest.mark.django_db
KEY = {"label": "spare", "api_key": "0123456789abcdef0123456789abcdef", "secret": "f" * 63 + "e"}


def test_a_key_is_sealed_and_waits_to_be_tried(world: World, north: Caller) -> None:
    answer = north.post("credentials", KEY)

    assert answer.status_code == 202
    made = answer.json()
    assert answer["Location"].endswith(f"/api/v1/credentials/{made['id']}")
    assert (made["label"], made["key_hint"], made["state"]) == ("spare", "cdef", "checking")
    assert made["health"]["level"] == "unknown"
    assert set(made["rights"].values()) == {None}
    with world.north.context():
        stored = Credential.objects.get(code=made["id"])
    for secret in (KEY["secret"], KEY["api_key"]):
        assert secret not in answer.content.decode()
        assert secret not in stored.sealed_secret + stored.sealed_api_key


def test_the_same_key_is_refused_for_a_neighbour_in_words_that_tell_nothing(
    world: World, north: Caller, south: Caller
) -> None:
    north.post("credentials", KEY)
    with world.north.context():  # a worker has found that it works
        Credential.objects.filter(login__name="spare").update(state="active", verified_at=NOW)

    refused = detail_of(south.post("credentials", KEY | {"label": "elsewhere"}), 409)

    for word in ("north", "spare", "provider", "already"):
        assert word not in refused.lower()
    with world.south.context():
        assert not Credential.objects.filter(login__name="elsewhere").exists()


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"secret": ""}, 400, "request.invalid"),
        ({"secret": None}, 400, "request.invalid"),
        ({"secret": 7}, 400, "request.invalid"),
        ({"secret": "f" * 300}, 400, "request.invalid"),
        ({"secret": "two words of a secret"}, 409, "key.spaced"),
        ({"api_key": KEY["secret"], "secret": KEY["api_key"]}, 409, "key.swapped"),
        ({"label": "<b>"}, 409, "login.name_invalid"),
    ],
)
def test_what_cannot_be_a_key_is_refused_without_repeating_it(
    north: Caller, changes: dict[str, Any], status: int, code: str
) -> None:
    answer = north.post("credentials", KEY | changes)

    assert code_of(answer, status) == code
    assert str(changes.get("secret") or KEY["secret"]) not in answer.content.decode()


def test_a_refused_key_is_tried_again(world: World, north: Caller) -> None:
    code = world.north.credential.code
    assert north.post(f"credentials/{code}/verify", {}).json()["state"] == "active"
    with world.north.context():
        Credential.objects.update(state="refused", problem="The pool has this key switched off.")

    answer = north.post(f"credentials/{code}/verify", {})

    assert (answer.status_code, answer.json()["state"]) == (202, "checking")
    assert answer["Location"].endswith(f"/api/v1/credentials/{code}")
    with world.north.context():
        Credential.objects.update(state="retired")
    assert code_of(north.post(f"credentials/{code}/verify", {}), 409) == "key.replaced"


def test_a_key_is_tried_when_it_may_be_and_else_the_answer_says_when(
    world: World, north: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant, told = world.north, []
    monkeypatch.setattr(dispatch, "after_commit", lambda *hint: told.append(hint))
    verify = f"credentials/{tenant.credential.code}/verify"
    hour = timedelta(hours=1)
    just_now = -hour  # of a test however slow

    def stands(key: str, check: str, queued_ago: timedelta) -> tuple[str, int]:
        """The state, or the problem, and how much came of it, when the key and a check of its login stand so."""
        with tenant.context():
            Credential.objects.update(state=key)
            SyncRun.objects.filter(subject="key").delete()
            SyncRun.objects.create(
                provider=tenant.provider, login=tenant.login, subject="key", state=check,
                queued_at=timezone.now() - queued_ago,
            )  # fmt: skip
            before = len(told), AuditEntry.objects.filter(action="credential.verification_asked").count()
        answer = north.post(verify, {})
        with tenant.context():
            after = len(told), AuditEntry.objects.filter(action="credential.verification_asked").count()
        assert after[0] - before[0] == after[1] - before[1]
        if answer.status_code == 202:
            return answer.json()["state"], after[0] - before[0]
        assert after == before
        return code_of(answer, 409), int(answer["Retry-After"])

    too_soon, worth_waiting = "key.tried_lately", 3660
    assert stands("checking", "failed", hour) == ("checking", 0)
    assert stands("active", "running", hour) == (too_soon, key_store.SOON_SECONDS)
    for key in ("refused", "active"):
        code, seconds = stands(key, "queued", just_now)
        assert (code, worth_waiting - 60 < seconds <= worth_waiting) == (too_soon, True)
    assert stands("refused", "failed", hour) == ("checking", 1)
    assert stands("active", "queued", hour) == ("active", 1)  # its worker was lost before it began


def test_a_label_is_changed_for_all_that_carry_it(world: World, north: Caller, south: Caller) -> None:
    north.post("credentials", KEY | {"label": "MAIN"})
    code = world.north.credential.code

    assert north.patch(f"credentials/{code}", {"label": "Prime"}).json() == north.get(f"credentials/{code}").json()

    assert {key["label"] for key in north.data("credentials")} == {"Prime"}
    assert {run["credential"] for run in north.data("sync-runs")} == {"Prime"}
    assert {account["credential"] for account in north.data("mining-accounts")} == {"Prime"}
    assert [key["label"] for key in south.data("credentials")] == ["main"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"label": "SPARE"}, 409, "login.name_taken"),
        ({"label": "<b>"}, 409, "login.name_invalid"),
        ({}, 400, "request.invalid"),
        ({"label": "x", "state": "retired"}, 400, "request.invalid"),
    ],
)
def test_a_label_that_cannot_be_is_refused(
    world: World, north: Caller, body: dict[str, Any], status: int, code: str
) -> None:
    north.post("credentials", KEY)

    assert code_of(north.patch(f"credentials/{world.north.credential.code}", body), status) == code

    assert north.ids("credentials", label="main") == [world.north.credential.code]
