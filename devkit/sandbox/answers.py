"""What the pool answers: its JSON, its error bodies, and the pages of the gateway that stands before it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

JSON = b"application/json"
HTML = b"text/html; charset=UTF-8"

Fields = Mapping[str, list[str]]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    content_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Refused(Exception):
    """Raised by a rule or an endpoint: the request ends here, with this error body."""

    def __init__(self, status: int, message: str, fields: Fields | None = None, *, code: int = 0) -> None:
        super().__init__(message)
        self.answer = refusal(status, message, fields, code=code)


def encode(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def ok(value: Any) -> Answer:
    return Answer(200, encode(value))


def created(value: Any) -> Answer:
    return Answer(201, encode(value))


def refusal(status: int, message: str, fields: Fields | None = None, *, code: int = 0) -> Answer:
    return Answer(status, encode({"code": code, "message": message, "errors": fields or {}}))


def invalid(status: int, field: str, words: str) -> Refused:
    """A parameter that does not pass. Callers look at the field: its words are mostly translation keys, of which few
    are documented (docs/sandbox.md)."""
    return Refused(status, "Validation failed", {field: [words]}, code=status)


def nonce_refused(status: int = 429) -> Answer:
    # Field order as it was seen. Not the rate limit, although status and sentence say so.
    return Answer(status, b'{"code":0,"errors":{},"message":"Too many requests."}')


def gateway(status: int, title: str, *, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Answer:
    """The gateway knows no JSON: limits, maintenance and wrong methods come as a small HTML page."""
    page = (
        f"<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{status} {title}</h1></center>\r\n<hr><center>gateway</center>\r\n</body>\r\n</html>\r\n"
    )
    return Answer(status, page.encode(), HTML, headers)


def internal_error() -> Answer:
    return Answer(500, b'{"error":["Internal server error."]}')
