"""Which answer is which error: the table of the pool's documentation, row by row."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from mining.pool.errors import (
    BadAnswer,
    KeyDisabled,
    KeyRefused,
    NonceRefused,
    OurBug,
    OutOfOrder,
    PermissionMissing,
    PoolError,
    PoolUnavailable,
    RateLimited,
    RequestRefused,
    WrongSignature,
)
from mining.pool.transport.error_mapping import open_answer
from mining.pool.transport.http import Answer
from mining.pool.transport.redaction import Redactor
from mining.pool.transport.signing import Secret
from tests.devkit.sandbox.signed import Caller, Reply, fresh_nonce
from tests.sandbox import PoolKey, Sandbox

redact = Redactor(api_key="canary-key", secret=Secret("canary-secret"))


def error_for(status: int, body: bytes) -> PoolError:
    with pytest.raises(PoolError) as raised:
        open_answer("rewards", Answer(status, body), redact)
    return raised.value


def pool_body(message: str, errors: object = None, code: int = 0) -> bytes:
    return json.dumps({"code": code, "message": message, "errors": {} if errors is None else errors}).encode()


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (401, "Payload not provided.", OurBug),
        (400, "Invalid payload", OurBug),
        (400, "Invalid payload.", OurBug),
        (401, "Unauthorized request.", WrongSignature),
        (400, "Unauthorized request.", WrongSignature),
        (401, "This action is unauthorized. Enable your key in API settings", KeyDisabled),
        (403, "You don't have permission to use this endpoint.", PermissionMissing),
        (429, "Too many requests.", NonceRefused),
        (401, "Too many requests.", NonceRefused),
        (400, "Too many requests.", NonceRefused),
        (422, "Too many requests.", NonceRefused),
        (400, "Your nonce is more than 5 seconds lesser than the current nonce", NonceRefused),
        (401, "Your nonce is more than 5 seconds greater than the current nonce", NonceRefused),
        (422, "Nonce not provided.", OurBug),
        (400, "Request not provided.", OurBug),
        (400, "Invalid nonceWindow.", OurBug),
        (401, "Zugriff verweigert", KeyRefused),
        (403, "Доступ запрещён", PermissionMissing),
        (429, "Slow down", NonceRefused),
        (429, "Забагато запитів", NonceRefused),
        (400, "Validation failed", RequestRefused),
        (422, "Validation failed", RequestRefused),
        (404, "Not found", RequestRefused),
        (500, "Internal server error.", OutOfOrder),
    ],
)
def test_an_error_of_the_pool_says_what_to_do(status: int, message: str, kind: type[PoolError]) -> None:
    error = error_for(status, pool_body(message))

    assert type(error) is kind
    assert error.endpoint == "rewards"
    assert error.sentence.endswith(".")


@pytest.mark.parametrize("message", ["Too many requests.", "Too Many Requests", "Slow down"])
def test_a_429_in_the_pools_json_may_be_the_nonce_or_a_limit(message: str) -> None:
    unclear = error_for(429, pool_body(message))
    nonce = error_for(401, pool_body("Too many requests."))
    limit = error_for(429, b"<html><h1>429 Too Many Requests</h1></html>")

    assert (type(unclear), type(nonce), type(limit)) == (NonceRefused, NonceRefused, RateLimited)
    assert isinstance(unclear, NonceRefused)
    assert isinstance(nonce, NonceRefused)
    assert (unclear.unclear, unclear.clock, nonce.unclear, nonce.clock) == (True, False, False, False)


def test_only_the_five_second_sentence_asks_for_the_clock() -> None:
    error = error_for(400, pool_body("Your nonce is more than 5 seconds lesser than the current nonce"))

    assert isinstance(error, NonceRefused)
    assert error.clock


def repeated_nonce(caller: Caller) -> Reply:
    nonce = fresh_nonce()
    caller("rewards", nonce=nonce)
    return caller("rewards", nonce=nonce)


def wrong_secret(caller: Caller) -> Reply:
    return Caller(caller.base_url, PoolKey("alpha", caller.key.api_key, "not the secret"))("rewards")


# Of a 400 without fields nothing tells what it means: there the nonce's window and our bugs are refusals like others.
IN_OTHER_WORDS: dict[str, tuple[dict[str, object], Callable[[Caller], Reply], type[PoolError]]] = {
    "payload missing": ({}, lambda caller: caller.send("rewards", b"{}", {"X-TXC-PAYLOAD": ""}), KeyRefused),
    "payload wrong": ({}, lambda caller: caller.send("rewards", b"{}", {"X-TXC-PAYLOAD": "e30"}), RequestRefused),
    "signature": ({}, wrong_secret, KeyRefused),
    "key disabled": ({"enabled": False}, lambda caller: caller("rewards"), KeyRefused),
    "address": ({"addresses": ["192.0.2.1"]}, lambda caller: caller("rewards"), KeyRefused),
    "no MINING_POOL": ({"permissions": []}, lambda caller: caller("rewards"), PermissionMissing),
    "endpoint": ({"endpoints": ["accounts"]}, lambda caller: caller("rewards"), PermissionMissing),
    "nonce repeated": ({}, repeated_nonce, NonceRefused),
    "nonce too old": ({}, lambda caller: caller("rewards", nonce=fresh_nonce() - 60_000), RequestRefused),
    "nonce missing": ({}, lambda caller: caller("rewards", nonce=...), RequestRefused),
    "request missing": ({}, lambda caller: caller("rewards", request=...), RequestRefused),
    "nonceWindow": ({}, lambda caller: caller("rewards", nonceWindow="yes"), RequestRefused),
    "a field": ({}, lambda caller: caller("rewards", limit=0), RequestRefused),
}


@pytest.mark.parametrize("row", IN_OTHER_WORDS)
def test_in_other_words_status_and_shape_tell_what_to_do(sandbox: Sandbox, row: str) -> None:
    caller = Caller(sandbox.base_url, sandbox.key("alpha"))
    changes, ask, kind = IN_OTHER_WORDS[row]
    if changes:
        sandbox.edit("set_key", api_key=caller.key.api_key, **changes)
    sandbox.fault("localized_errors")

    reply = ask(caller)

    assert type(error_for(reply.status, reply.body)) is kind


NOT_THE_POOLS = [b"", b"Too many requests.", b'"Too many requests."', b"[]", b'{"message":7}', b"{"]


@pytest.mark.parametrize("body", [*NOT_THE_POOLS, b'{"message":"API rate limit exceeded"}'])
def test_a_429_that_is_not_the_pools_json_is_the_rate_limit(body: bytes) -> None:
    assert type(error_for(429, body)) is RateLimited


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b'{"error": ["Internal server error."]}'),
        (502, b"<html>"),
        (503, b""),
        (504, b"<html>"),
        (599, pool_body("Unauthorized request.")),
    ],
)
def test_what_the_pool_answers_when_out_of_order_may_have_acted(status: int, body: bytes) -> None:
    error = error_for(status, body)

    assert isinstance(error, OutOfOrder)
    assert (error.status, error.may_have_acted) == (status, True)


@pytest.mark.parametrize("kind_of_429", [b"<html>", b'{"code":0,"errors":{},"message":"Too many requests."}'])
def test_a_429_has_surely_not_acted(kind_of_429: bytes) -> None:
    error = error_for(429, kind_of_429)

    assert isinstance(error, PoolUnavailable)
    assert not error.may_have_acted


@pytest.mark.parametrize(
    ("status", "problem"),
    [(204, "status_204"), (301, "redirect"), (400, "status_400"), (403, "status_403"), (404, "not_found")],
)
def test_anything_else_is_a_bad_answer_for_a_person_to_look_at(status: int, problem: str) -> None:
    error = error_for(status, b"<html>Forbidden by the gateway</html>")

    assert isinstance(error, BadAnswer)
    assert (error.problem, error.excerpt) == (problem, "<html>Forbidden by the gateway</html>")


def test_a_refusal_names_its_fields_whatever_shape_they_come_in() -> None:
    error = error_for(
        400, pool_body("Validation failed", {"name": ["taken", "short"], "error": "miningPool.x", "user": {"a": 1}})
    )

    assert isinstance(error, RequestRefused)
    assert error.fields == {"name": ["taken", "short"], "error": ["miningPool.x"], "user": ["{'a': 1}"]}
    assert error.sentence == "The pool did not accept error, name, user (status 400)."


@pytest.mark.parametrize("errors", [[], None, "words", 7, ["list"]])
def test_a_refusal_without_fields_has_none(errors: object) -> None:
    error = error_for(422, json.dumps({"code": 0, "message": "No", "errors": errors}).encode())

    assert isinstance(error, RequestRefused)
    assert (error.status, error.fields) == (422, {})


def test_hostile_fields_are_shortened_and_made_printable() -> None:
    hostile = {f"field\n{number}" + "é" * 500: ["\x1b[31m" + "ü" * 500] * 100 for number in range(100)}

    error = error_for(400, pool_body("Validation failed", hostile))

    assert isinstance(error, RequestRefused)
    assert len(error.fields) == 20
    assert all(len(name) <= 65 and name.isprintable() for name in error.fields)
    assert all(len(words) == 20 and words[0].isprintable() and len(words[0]) <= 201 for words in error.fields.values())
    assert len(error.sentence) <= 401
