"""What an answer's status and body mean. An answer that is not an error comes back as parsed JSON."""

from __future__ import annotations

from mining.pool.answers.strict_json import Unreadable, read_json
from mining.pool.errors import (
    BadAnswer,
    KeyDisabled,
    KeyRefused,
    NonceRefused,
    OurBug,
    OutOfOrder,
    PermissionMissing,
    PoolError,
    RateLimited,
    RequestRefused,
    WrongSignature,
)
from mining.pool.transport.http import Answer
from mining.pool.transport.redaction import Redactor

_MOST_FIELDS = 20


def open_answer(endpoint: str, answer: Answer, redact: Redactor) -> object:
    """The JSON of a 200 or 201, else the error that says what to do."""
    if answer.too_large:
        raise bad_answer(endpoint, "too_large", "answered with more than 2 MiB", answer, redact)
    if answer.status in (200, 201):
        return _json_of(endpoint, answer, redact)
    raise _refusal(endpoint, answer, redact)


def _json_of(endpoint: str, answer: Answer, redact: Redactor) -> object:
    try:
        return read_json(answer.body)
    except Unreadable as unreadable:
        problem = str(unreadable)
    raise bad_answer(endpoint, problem, "answered with something that is not the JSON we expect", answer, redact)


def _refusal(endpoint: str, answer: Answer, redact: Redactor) -> PoolError:
    status = answer.status
    if 300 <= status < 400:
        sentence = "answered with a redirect, which is never followed: check WHITEPOOL_BASE_URL"
        return bad_answer(endpoint, "redirect", sentence, answer, redact)
    if status >= 500:
        return OutOfOrder(
            f"The pool is out of order or in maintenance (status {status}); it is tried again later.",
            endpoint=endpoint,
            status=status,
        )
    error_body = _error_body(answer)
    if error_body is None:
        return _gateway_refusal(endpoint, answer, redact)
    return _pool_refusal(endpoint, status, error_body, redact)


def _error_body(answer: Answer) -> dict[str, object] | None:
    try:
        body = read_json(answer.body)
    except Unreadable:
        return None
    return body if isinstance(body, dict) and isinstance(body.get("message"), str) else None


def _gateway_refusal(endpoint: str, answer: Answer, redact: Redactor) -> PoolError:
    """Not the pool's error shape: the pool did not see the request, or what answers is not the pool."""
    if answer.status == 429:
        return _rate_limited(endpoint)
    if answer.status == 404:
        return bad_answer(endpoint, "not_found", "does not know this path: check WHITEPOOL_BASE_URL", answer, redact)
    return bad_answer(endpoint, f"status_{answer.status}", f"answered with status {answer.status}", answer, redact)


def _rate_limited(endpoint: str) -> RateLimited:
    return RateLimited("The pool's rate limit was hit; the call is tried again more slowly.", endpoint=endpoint)


def _pool_refusal(endpoint: str, status: int, body: dict[str, object], redact: Redactor) -> PoolError:
    fields = _fields(body.get("errors"), redact)
    refusal = _by_message(endpoint, status, str(body["message"]).strip().lower().rstrip("."))
    if refusal is not None:
        return refusal
    # Other words, or another language: what remains is the status.
    if status == 429:
        # The gateway speaks no JSON. Whoever else sends some without the pool's code and errors means its own limit.
        return _limit_or_nonce(endpoint) if {"code", "errors"} <= body.keys() else _rate_limited(endpoint)
    if status == 403:
        return _permission_missing(endpoint)
    if status == 401:
        return KeyRefused(f"The pool refused this key (status {status}): check the key.", endpoint=endpoint)
    where = ", ".join(sorted(fields)) or "the request"
    sentence = f"The pool did not accept {where} (status {status})."
    return RequestRefused(redact(sentence, 400), endpoint=endpoint, status=status, fields=fields)


def _by_message(endpoint: str, status: int, message: str) -> PoolError | None:
    if message == "too many requests":
        # The pool's words for a repeated nonce; a limit of its own has been seen in the very same JSON.
        return _limit_or_nonce(endpoint) if status == 429 else nonce_repeated(endpoint)
    if "nonce is more than" in message:
        return NonceRefused("The pool found our clock more than 5 s off.", endpoint=endpoint, clock=True)
    if message == "unauthorized request":
        return WrongSignature(
            "The pool does not accept the signature: key and secret do not belong together.",
            endpoint=endpoint,
        )
    if message.startswith("this action is unauthorized"):
        return KeyDisabled(
            "The pool has this key switched off, or does not allow it from this address: enable it in WhiteBIT's "
            "API settings.",
            endpoint=endpoint,
        )
    if message.startswith("you don't have permission"):
        return _permission_missing(endpoint)
    if message in _OUR_BUGS:
        return OurBug(f"The pool could not read our request ({_OUR_BUGS[message]}).", endpoint=endpoint)
    return None


def _limit_or_nonce(endpoint: str) -> NonceRefused:
    return NonceRefused(
        "The pool has had too many calls, or has seen this nonce before: it is asked more slowly, with a new one.",
        endpoint=endpoint,
        unclear=True,
    )


def nonce_repeated(endpoint: str) -> NonceRefused:
    return NonceRefused(
        "The pool has seen this nonce before: is the key used elsewhere too? A new one is tried.", endpoint=endpoint
    )


def _permission_missing(endpoint: str) -> PermissionMissing:
    return PermissionMissing(
        f"This key may not use {endpoint}: allow it and MINING_POOL in WhiteBIT's API settings.", endpoint=endpoint
    )


_OUR_BUGS = {
    "payload not provided": "no payload",
    "invalid payload": "payload and body differ",
    "nonce not provided": "no nonce",
    "request not provided": "no request path",
    "invalid noncewindow": "nonceWindow",
}


def _fields(errors: object, redact: Redactor) -> dict[str, list[str]]:
    """`{field: [words]}`, tidied. PHP writes an empty object as a list, so anything else counts as no fields."""
    if not isinstance(errors, dict):
        return {}
    tidy: dict[str, list[str]] = {}
    for name, words in list(errors.items())[:_MOST_FIELDS]:
        listed = words if isinstance(words, list) else [words]
        tidy[redact(name, 64)] = [redact(str(word)) for word in listed[:_MOST_FIELDS]]
    return tidy


def bad_answer(endpoint: str, problem: str, words: str, answer: Answer, redact: Redactor) -> BadAnswer:
    text = answer.body.decode("utf-8", "replace")
    return BadAnswer(f"The pool {words}.", endpoint=endpoint, problem=problem, excerpt=redact(text))
