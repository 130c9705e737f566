"""What a request must look like before the pool looks at what it asks."""

import json
import time
from typing import Any

import pytest

from tests.devkit.sandbox.signed import Caller, fresh_nonce, request, signed_headers
from tests.sandbox import PoolKey, Sandbox


def refusal(status: int, message: str, code: int = 0) -> tuple[int, dict[str, Any]]:
    return status, {"code": code, "message": message, "errors": {}}


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def test_a_signed_compact_request_is_answered(alpha: Caller) -> None:
    reply = alpha("accounts")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")


def test_a_get_is_stopped_by_the_gateway(sandbox: Sandbox) -> None:
    reply = request(sandbox.base_url, "GET", "/api/v4/mining/accounts")
    assert (reply.status, reply.headers["allow"]) == (405, "POST")
    assert reply.body.startswith(b"<html>")


def test_an_unknown_path_is_stopped_by_the_gateway(sandbox: Sandbox) -> None:
    reply = request(sandbox.base_url, "POST", "/api/v4/mining/nothing", b"{}")
    assert (reply.status, reply.headers["content-type"]) == (404, "text/html; charset=UTF-8")


def test_spaced_json_is_an_invalid_payload(alpha: Caller) -> None:
    body = json.dumps(alpha.body("accounts", {})).encode()
    reply = alpha.send("accounts", body)
    assert (reply.status, reply.json) == refusal(400, "Invalid payload.", 9)


def test_white_space_inside_a_string_is_no_spaced_json(alpha: Caller) -> None:
    assert alpha("rewards", account='with "quotes" and spaces').json["data"] == []


def test_no_payload_header(alpha: Caller) -> None:
    reply = alpha.send("accounts", compact(alpha.body("accounts", {})), {"X-TXC-PAYLOAD": ""})
    assert (reply.status, reply.json) == refusal(401, "Payload not provided.")


def test_a_payload_that_is_not_the_base64_of_the_body(alpha: Caller) -> None:
    other = signed_headers(alpha.key, compact(alpha.body("accounts", {"name": "x"})))
    reply = alpha.send("accounts", compact(alpha.body("accounts", {})), other)
    assert (reply.status, reply.json) == refusal(400, "Invalid payload.", 9)


@pytest.mark.parametrize("body", [b"[1]", b'"text"', b"{", b'{"request":NaN}', b"[" * 5_000])
def test_a_body_that_is_no_json_object(alpha: Caller, body: bytes) -> None:
    reply = alpha.send("accounts", body)
    assert reply.status == 400
    assert reply.json["message"] in ("Invalid payload.", "Payload not provided.")


def test_a_wrong_secret_is_unauthorized(sandbox: Sandbox, alpha: Caller) -> None:
    stranger = Caller(sandbox.base_url, PoolKey("alpha", alpha.key.api_key, "0" * 64))
    reply = stranger("accounts")
    assert (reply.status, reply.json) == refusal(401, "Unauthorized request.")


def test_an_unknown_key_is_unauthorized(sandbox: Sandbox, alpha: Caller) -> None:
    stranger = Caller(sandbox.base_url, PoolKey("alpha", "f" * 32, alpha.key.secret))
    reply = stranger("accounts")
    assert (reply.status, reply.json) == refusal(401, "Unauthorized request.")


def test_an_upper_case_signature_is_unauthorized(alpha: Caller) -> None:
    body = compact(alpha.body("accounts", {}))
    signature = signed_headers(alpha.key, body)["X-TXC-SIGNATURE"].upper()
    reply = alpha.send("accounts", body, {"X-TXC-SIGNATURE": signature})
    assert (reply.status, reply.json) == refusal(401, "Unauthorized request.")


def test_a_request_that_was_refused_for_its_signature_uses_up_no_nonce(sandbox: Sandbox, alpha: Caller) -> None:
    nonce = fresh_nonce()
    stranger = Caller(sandbox.base_url, PoolKey("alpha", alpha.key.api_key, "0" * 64))
    assert stranger("accounts", nonce=nonce).status == 401
    assert alpha("accounts", nonce=nonce).status == 200


@pytest.mark.parametrize(
    ("fields", "status", "message", "code"),
    [
        ({"request": ...}, 400, "Request not provided.", 0),
        ({"request": "/api/v4/mining/rewards"}, 400, "Invalid payload.", 9),
        ({"nonce": ...}, 422, "Nonce not provided.", 0),
        ({"nonce": "soon"}, 422, "Nonce not provided.", 0),
        ({"nonce": 1.5}, 422, "Nonce not provided.", 0),
        ({"nonce": True}, 422, "Nonce not provided.", 0),
        ({"nonceWindow": "true"}, 400, "Invalid nonceWindow.", 0),
        ({"nonceWindow": 1}, 400, "Invalid nonceWindow.", 0),
    ],
)
def test_a_malformed_envelope(alpha: Caller, fields: dict[str, Any], status: int, message: str, code: int) -> None:
    reply = alpha("accounts", fields)
    assert (reply.status, reply.json) == refusal(status, message, code)


def test_a_body_that_is_not_declared_as_json_is_not_read(alpha: Caller) -> None:
    reply = alpha.send("accounts", compact(alpha.body("accounts", {})), {"Content-Type": "text/plain"})
    assert (reply.status, reply.json) == refusal(400, "Request not provided.")


def test_a_nonce_in_quotes_is_taken(alpha: Caller) -> None:
    assert alpha("accounts", nonce=str(fresh_nonce())).status == 200


def test_without_a_window_each_nonce_must_be_larger_than_the_last(alpha: Caller) -> None:
    statuses = [alpha("accounts", nonce=nonce, nonceWindow=...).status for nonce in (5, 6, 6, 4, 7)]
    assert statuses == [200, 200, 429, 429, 200]


def test_a_repeated_nonce_is_answered_as_too_many_requests_in_json(alpha: Caller) -> None:
    nonce = fresh_nonce()
    alpha("accounts", nonce=nonce)
    reply = alpha("accounts", nonce=nonce)
    assert (reply.status, reply.body) == (429, b'{"code":0,"errors":{},"message":"Too many requests."}')


def test_inside_the_window_the_order_does_not_matter(alpha: Caller) -> None:
    first, second = fresh_nonce(), fresh_nonce()
    assert [alpha("accounts", nonce=nonce).status for nonce in (second, first)] == [200, 200]


def test_two_keys_may_use_the_same_nonce(alpha: Caller, beta: Caller) -> None:
    nonce = fresh_nonce()
    assert [caller("accounts", nonce=nonce).status for caller in (alpha, beta)] == [200, 200]


# Where it ends to the millisecond is told in test_limits.py, of a clock that stands still.
@pytest.mark.parametrize("off_ms", [-60_000, 60_000])
def test_outside_five_seconds_the_window_refuses(alpha: Caller, off_ms: int) -> None:
    reply = alpha("accounts", nonce=time.time_ns() // 1_000_000 + off_ms)
    assert (reply.status, reply.json) == refusal(400, "Your nonce is more than 5 seconds lesser than the current nonce")


@pytest.mark.parametrize("off_ms", [0, 4_500])
def test_within_five_seconds_the_window_takes_it(alpha: Caller, off_ms: int) -> None:
    assert alpha("accounts", nonce=time.time_ns() // 1_000_000 + off_ms).status == 200


def test_the_data_clock_does_not_move_the_nonce_window(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.clock(now="2020-01-01T00:00:00Z")
    assert alpha("accounts").status == 200


def test_a_disabled_key(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.edit("set_key", api_key=alpha.key.api_key, enabled=False)
    reply = alpha("accounts")
    assert (reply.status, reply.json) == refusal(401, "This action is unauthorized. Enable your key in API settings")


def test_a_key_that_another_address_may_use(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.edit("set_key", api_key=alpha.key.api_key, addresses=["127.0.0.5"])
    elsewhere = Caller(sandbox.base_url, alpha.key, address="127.0.0.5")
    assert [alpha("accounts").status, elsewhere("accounts").status] == [401, 200]


def test_a_key_without_the_mining_permission(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.edit("set_key", api_key=alpha.key.api_key, permissions=[])
    reply = alpha("accounts")
    assert (reply.status, reply.json) == refusal(403, "You don't have permission to use this endpoint.")


def test_a_key_for_some_endpoints_only(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.edit("set_key", api_key=alpha.key.api_key, endpoints=["rewards"])
    assert [alpha("accounts").status, alpha("rewards").status] == [403, 200]


def test_a_replaced_key_opens_the_same_user(sandbox: Sandbox, alpha: Caller) -> None:
    made = sandbox.edit("add_key", login="alpha")
    second = Caller(sandbox.base_url, PoolKey("alpha", made["api_key"], made["secret"]))
    assert second.data("accounts") == alpha.data("accounts")


def test_a_body_of_more_than_a_mebibyte_is_stopped_by_the_gateway(alpha: Caller) -> None:
    assert alpha.send("accounts", b'{"name":"' + b"x" * 2**20 + b'"}', {"X-TXC-PAYLOAD": "x"}).status == 413


def test_time_and_ping_need_no_key(sandbox: Sandbox) -> None:
    before = int(time.time())
    told = request(sandbox.base_url, "GET", "/api/v4/public/time").json["time"]
    assert before <= told <= time.time()
    assert request(sandbox.base_url, "GET", "/api/v4/public/ping").json == ["pong"]
