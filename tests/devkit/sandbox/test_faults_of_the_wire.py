"""Faults of the wire, and answers that are another's: seen from the caller's side."""

import contextlib
import http.client
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.devkit.sandbox.listings import LIST, names
from tests.devkit.sandbox.signed import Caller, Reply
from tests.sandbox import Sandbox
from tests.waiting import until


def test_a_reset_before_leaves_nothing_done(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.fault("reset", endpoint="accounts/create", phase="before")
    with pytest.raises(ConnectionResetError) as caught:
        alpha("accounts/create", name="lost")
    assert caught.type is ConnectionResetError  # a true reset; an orderly end would be its subclass RemoteDisconnected
    assert "lost" not in names(alpha)


def test_a_reset_after_leaves_the_effect_behind(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.fault("reset", endpoint="accounts/create", phase="after")
    with pytest.raises(ConnectionResetError):
        alpha("accounts/create", name="made")
    assert "made" in names(alpha)
    assert sandbox.log()["last"][0]["status"] is None


def test_a_reset_in_mid_body_shows_half_of_it(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.fault("reset_mid_body")
    with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
        alpha("rewards")


@pytest.mark.parametrize("phase", ["before", "after"])
def test_a_delay_holds_the_answer_back(sandbox: Sandbox, alpha: Caller, phase: str) -> None:
    sandbox.fault("delay", seconds=0.3, phase=phase)
    began = time.monotonic()
    assert alpha("accounts").status == 200
    assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize(("phase", "made"), [("before", False), ("after", True)])
def test_silence_ends_without_a_word(sandbox: Sandbox, alpha: Caller, phase: str, made: bool) -> None:
    sandbox.fault("silence", seconds=0.2, phase=phase)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        alpha("accounts/create", name="quiet")
    sandbox.clear_faults()
    assert ("quiet" in names(alpha)) is made


def test_a_slow_drip_never_ends_in_time(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.fault("slow_drip", bytes_per_second=20, seconds=0.3)
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        alpha("rewards")


def test_a_slow_drip_that_is_fast_enough_brings_the_whole_body(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.fault("slow_drip", bytes_per_second=10_000)
    assert len(alpha.data("accounts")) == 3


def test_a_caller_that_hangs_up_in_a_silence_frees_the_sandbox(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.fault("silence", seconds=600, times=1)
    at = urllib.parse.urlsplit(sandbox.base_url)
    with contextlib.closing(http.client.HTTPConnection(at.hostname or "", at.port)) as connection:
        connection.request("POST", LIST, b"{}")
        sandbox.until_struck()
    until(lambda: sandbox.log()["statuses"] == {"rewards": {"none": 1}})
    assert alpha("rewards").status == 200


@pytest.mark.parametrize("phase", ["before", "after"])
def test_a_delay_ends_when_the_faults_are_cleared(sandbox: Sandbox, alpha: Caller, phase: str) -> None:
    sandbox.fault("delay", endpoint="accounts/create", seconds=120, phase=phase)
    with ThreadPoolExecutor(2) as threads:
        held = [threads.submit(alpha, "accounts/create", name=name) for name in ("held_1", "held_2")]
        sandbox.until_struck(2)
        made = {"held_1", "held_2"} & set(names(alpha))
        assert made == (set() if phase == "before" else {"held_1", "held_2"})
        assert not any(call.done() for call in held)
        sandbox.clear_faults()
        assert [call.result().status for call in held] == [200, 200]
    assert {"held_1", "held_2"} <= set(names(alpha))


def test_a_silence_ends_without_a_word_when_the_faults_are_cleared(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.fault("silence", seconds=600)
    with ThreadPoolExecutor(1) as threads:
        held = threads.submit(alpha, "rewards")
        sandbox.until_struck()
        assert not held.done()
        sandbox.clear_faults()
        assert isinstance(held.exception(), http.client.RemoteDisconnected | ConnectionResetError)


def test_a_call_that_is_held_over_a_reset_reaches_nothing_in_the_new_world(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.hold("accounts/create")
    with ThreadPoolExecutor(1) as threads:
        held = threads.submit(alpha, "accounts/create", name="of_another_world")
        sandbox.until_struck()
        sandbox.reset()
        assert isinstance(held.exception(), http.client.RemoteDisconnected | ConnectionResetError)
    assert (sandbox.calls(), "of_another_world" in names(alpha)) == ({}, False)


# Another answer


@pytest.mark.parametrize(
    ("name", "status", "content_type"),
    [
        ("http_500", 500, "application/json"),
        ("http_502", 502, "text/html; charset=UTF-8"),
        ("http_503", 503, "text/html; charset=UTF-8"),
        ("http_504", 504, "text/html; charset=UTF-8"),
        ("rate_limited", 429, "text/html; charset=UTF-8"),
        ("nonce_refused", 429, "application/json"),
        ("captive_page", 200, "text/html; charset=UTF-8"),
        ("empty_body", 200, "application/json"),
        ("oversized_body", 200, "application/json"),
        ("redirect_301", 301, "text/html; charset=UTF-8"),
        ("redirect_308", 308, "text/html; charset=UTF-8"),
    ],
)
@pytest.mark.parametrize(("phase", "made"), [("before", False), ("after", True)])
def test_another_answer_before_or_after_the_act(
    sandbox: Sandbox, alpha: Caller, name: str, status: int, content_type: str, phase: str, made: bool
) -> None:
    sandbox.fault(name, endpoint="accounts/create", phase=phase)
    reply = alpha("accounts/create", name="other")
    assert (reply.status, reply.headers["content-type"]) == (status, content_type)
    assert ("other" in names(alpha)) is made


def answered_with(sandbox: Sandbox, alpha: Caller, name: str, **options: Any) -> Reply:
    sandbox.fault(name, **options)
    return alpha("rewards")


def test_the_bodies_of_other_answers(sandbox: Sandbox, alpha: Caller) -> None:
    internal = answered_with(sandbox, alpha, "http_500", times=1)
    assert internal.json == {"error": ["Internal server error."]}
    assert answered_with(sandbox, alpha, "http_503", times=1, retry_after=7).headers["retry-after"] == "7"
    assert answered_with(sandbox, alpha, "empty_body", times=1).body == b""
    assert len(answered_with(sandbox, alpha, "oversized_body", times=1).body) > 3 * 2**20
    assert answered_with(sandbox, alpha, "redirect_301", times=1).headers["location"].startswith("http://127.0.0.1:9/")
