"""What the logs tell of sign-ins, second factors, resets, tokens and refusals, and what they never hold."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client

from portal.logs import mask_bearers
from tests.portal.test_second_factor import code_now, secret_of
from tests.world import PASSWORD, World

pytestmark = pytest.mark.django_db
SIGN_IN, CODE = "/account/login/", "/account/2fa/authenticate/"
AREAS = ("sign_in", "sign_out", "second_factor", "password", "api", "page")


@pytest.fixture(autouse=True)
def nothing_counted() -> None:
    cache.clear()


def events(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    heard: list[dict[str, Any]] = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    return [event for event in heard if event["event"].partition(".")[0] in AREAS]


def names(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [event["event"] for event in events(caplog)]


def test_a_sign_in_with_its_failures_is_told_step_by_step(world: World, caplog: pytest.LogCaptureFixture) -> None:
    staff, browser = world.north.owner, Client()
    browser.post(SIGN_IN, {"login": staff.user.email, "password": "wrong wrong wrong"})
    browser.post(SIGN_IN, {"login": staff.user.email, "password": PASSWORD})
    browser.post(CODE, {"code": "000000"})
    code = code_now(secret_of(staff))
    browser.post(CODE, {"code": code})
    browser.post("/account/logout/")

    assert names(caplog) == [
        *("sign_in.failed", "second_factor.failed", "second_factor.accepted", "sign_in.done", "sign_out.done")
    ]
    assert {event["account_id"] for event in events(caplog)} == {staff.user.pk}
    for secret in (PASSWORD, "wrong wrong", code, secret_of(staff), staff.user.email):
        assert secret not in caplog.text


def test_what_is_typed_as_an_address_is_not_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    Client().post(SIGN_IN, {"login": "my-password@x.example", "password": "x"})

    assert [(event["event"], event["account_id"]) for event in events(caplog)] == [("sign_in.failed", None)]
    assert "my-password" not in caplog.text


def test_who_is_held_back_is_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(6):
        Client().post(SIGN_IN, {"login": world.north.owner.user.email, "password": "x"})

    assert names(caplog) == [*["sign_in.failed"] * 5, "sign_in.limited"]


def test_a_new_password_is_told_when_asked_for_and_when_set(world: World, caplog: pytest.LogCaptureFixture) -> None:
    person, browser = world.north.clients[0].owner, Client()
    browser.post("/account/password/reset/", {"email": person.user.email})
    found = re.search(r"/account/password/reset/key/(\S+)/", str(mail.outbox[0].body))
    assert found is not None
    page = browser.get(found[0], follow=True).request["PATH_INFO"]
    browser.post(page, {"password1": "another long password", "password2": "another long password"})

    assert names(caplog) == ["password.reset_asked", "password.reset"]
    assert {event["account_id"] for event in events(caplog)} == {person.user.pk}
    assert (found[1] in caplog.text, "another long" in caplog.text) == (False, False)


def test_tokens_and_refusals_are_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    north = world.north
    auditor, guest = north.auditor.browser(), north.clients[0].owner.browser()
    caplog.clear()
    north.api().get("/api/v1/customers")
    Client(headers={"Authorization": "Bearer hpt_guess"}).get("/api/v1/customers")
    auditor.get("/staff/customers/new/")
    guest.get("/staff/")

    assert [(event["event"], event.get("token"), event.get("why")) for event in events(caplog)] == [
        ("api.token_used", "token erp", None),
        ("api.token_refused", None, None),
        ("page.refused", None, "role"),
        ("page.refused", None, "of another audience"),
    ]
    assert (north.token in caplog.text, "hpt_guess" in caplog.text) == (False, False)


def test_every_event_has_the_address_that_our_proxy_heard(
    world: World, caplog: pytest.LogCaptureFixture, settings: Any
) -> None:
    settings.TRUSTED_PROXY_COUNT = 1
    Client(headers={"x-forwarded-for": "1.2.3.4, 203.0.113.9"}).post(SIGN_IN, {"login": "x@x.example", "password": "x"})

    requests = [record.msg for record in caplog.records if isinstance(record.msg, dict) and "ip" in record.msg]
    assert {event["ip"] for event in requests} == {"203.0.113.9"}
    assert {"request_started", "sign_in.failed", "request_finished"} <= {event["event"] for event in requests}


def test_the_row_that_the_database_refuses_is_not_told() -> None:
    first = "Unique: twice\nDETAIL:  Failing row contains (argon2$x, a\nname).\n\nThe above exception was the cause"
    second = "Integrity: twice\nDETAIL:  (argon2$x)\nCONTEXT:  here"

    told = mask_bearers(None, "", {"exception": f"{first}\n{second}"})["exception"]

    assert told == (
        "Unique: twice\nDETAIL: …\n\nThe above exception was the cause\nIntegrity: twice\nDETAIL: …\nCONTEXT:  here"
    )
