"""Keys, secrets and signatures stay where they are, also when whoever answers throws them back at us."""

from __future__ import annotations

import json
import logging
import pickle
import re
import socket
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import redis
import structlog

from mining.pool.errors import NonceRefused, PoolError, PoolUnavailable
from mining.pool.transport.redaction import Redactor
from mining.pool.transport.signing import Secret
from tests.mining.pool.conftest import MakeClient
from tests.mining.pool.transport.raw_server import RawServer, answering, raw_server
from tests.sandbox import Sandbox

API_KEY, SECRET = "canary0key0abcdef", "canary0secret0abcdef"
SIGNATURE_OR_PAYLOAD = re.compile(r"[0-9a-f]{128}|eyJ[A-Za-z0-9+/=]{40}")

# How an answer can hold what we sent, and a secret that its author must have from elsewhere.
ECHOES: dict[str, Callable[[str], object]] = {
    "a page": lambda request: f"<html>{request}{SECRET}</html>",
    "a refusal": lambda request: {"code": 0, "message": "No", "errors": {"name": [SECRET, request], SECRET: [API_KEY]}},
    "a record": lambda request: {"limit": 1, "offset": 0, "data": [{"status": request, "totalReward": SECRET}]},
    "a field name": lambda request: {"limit": 1, "offset": 0, "data": [], request: SECRET, SECRET: 1},
}


@contextmanager
def echoing(echo: Callable[[str], object], status: str) -> Iterator[RawServer]:
    """Tells the time like the pool, and answers everything else with what it was sent."""

    def answer(connection: socket.socket) -> None:
        request = server.requests[-1]
        if request.startswith(b"GET"):
            answering(json.dumps({"time": int(time.time())}).encode())(connection)
        else:
            body = echo(request.decode())
            answering((body if isinstance(body, str) else json.dumps(body)).encode(), status=status)(connection)

    with raw_server(answer) as server:
        yield server


def everything_said_by(error: BaseException) -> str:
    pickled = pickle.dumps(error).decode("latin-1")
    chain = [error, error.__cause__, error.__context__]
    return "".join(traceback.format_exception(error)) + pickled + "".join(f"{e!r} {vars(e)}" for e in chain if e)


def assert_clean(text: str) -> None:
    assert "canary" not in text
    assert not SIGNATURE_OR_PAYLOAD.search(text)


@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request", "403 Forbidden", "301 Moved", "503 Down"])
def test_whoever_echoes_our_request_gets_nothing_of_it_into_errors_records_or_logs(
    client: MakeClient, caplog: pytest.LogCaptureFixture, status: str, echo: str
) -> None:
    caplog.set_level(logging.DEBUG)
    with echoing(ECHOES[echo], status) as server, structlog.testing.capture_logs() as logs:
        pool = client(base_url=server.base_url, api_key=API_KEY, secret=SECRET, deadline_seconds=0.2)
        try:
            said = repr(pool.rewards_page()) + repr(pool.extra_fields)
        except PoolError as error:
            said = everything_said_by(error)

    assert any(b"X-TXC-SIGNATURE" in request for request in server.requests)
    assert_clean(said)
    assert_clean(repr(logs) + caplog.text)


@pytest.mark.parametrize(
    "fault", ["reset", "http_500", "captive_page", "redirect_308", "wrong_signature", "key_disabled"]
)
def test_no_trouble_carries_the_key_into_an_error_or_a_log(
    sandbox: Sandbox, client: MakeClient, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    caplog.set_level(logging.DEBUG)
    sandbox.edit("add_key", login="alpha", api_key=API_KEY, secret=SECRET)
    sandbox.fault(fault)
    pool = client(api_key=API_KEY, secret=SECRET, deadline_seconds=0.1)

    with structlog.testing.capture_logs() as logs, pytest.raises(PoolError) as raised:
        pool.create_account("newcomer")

    assert_clean(everything_said_by(raised.value))
    assert_clean(repr(logs) + caplog.text)


def test_redis_sees_neither_key_nor_secret(sandbox: Sandbox, client: MakeClient, store: redis.Redis) -> None:
    sandbox.edit("add_key", login="alpha", api_key=API_KEY, secret=SECRET)

    sandbox.fault("nonce_refused")
    pool = client(api_key=API_KEY, secret=SECRET)
    with pytest.raises(NonceRefused):
        pool.rewards_page()
    sandbox.fault("http_503")
    with pytest.raises(PoolUnavailable):
        pool.hashrate("north")

    keys = list(store.scan_iter("pool:*"))
    kept = {key: store.get(key) if store.type(key) == b"string" else store.hgetall(key) for key in keys}
    assert {b"circuit_breaker", b"nonce", b"skew"} <= {key.split(b":")[1] for key in kept}  # a rate limit's ends soon
    assert_clean(repr(kept))


def test_each_call_is_logged_with_endpoint_status_duration_and_attempt(sandbox: Sandbox, client: MakeClient) -> None:
    sandbox.fault("http_503", endpoint="rewards", times=1)
    sandbox.fault("reset", endpoint="hashrate")
    pool = client(deadline_seconds=0.4)

    with structlog.testing.capture_logs() as logs:
        pool.rewards_page()
        with pytest.raises(PoolUnavailable):
            pool.hashrate("north")

    calls = [entry for entry in logs if entry["event"] == "pool.call"]
    assert [(entry["endpoint"], entry["status"], entry["attempt"]) for entry in calls[:4]] == [
        ("public/time", 200, 1),
        ("rewards", 503, 1),
        ("rewards", 200, 2),
        ("hashrate", None, 1),
    ]
    assert calls[3]["failure"] == "the connection broke off"
    assert all(isinstance(entry["duration_ms"], int) for entry in calls)


def test_text_is_redacted_before_it_is_shortened() -> None:
    redact = Redactor(api_key="canary-key", secret=Secret("canary-secret"))

    assert redact("x" * 7 + "canary-secret", 10) == "x" * 7 + "[se…"
    assert redact("a canary-key and " + "f" * 128) == "a [key] and [long token]"
    assert redact("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4") == "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
    assert redact("line\nbreak\x00\x1b[31m\u202e") == "line break  [31m "
