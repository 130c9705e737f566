"""Idempotency-Key: a POST that is sent again is answered again, and done once (customers/idempotency.py keeps it)."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from django.utils.crypto import salted_hmac
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from customers import idempotency
from customers.idempotency import Call
from customers.models import KeptCall
from customers.tenancy import Access

HEADER, REPLAYED = "Idempotency-Key", "Idempotency-Replayed"
KEY = re.compile(r"[!-~]{1,255}")


class OtherBody(APIException):
    status_code = 422
    default_code = "idempotency.other_body"


class StillRunning(APIException):
    status_code = 409
    default_code = "idempotency.running"
    wait = 5  # becomes Retry-After


class Replay(Exception):
    """No error: this call was done before, and is answered as it was then."""

    def __init__(self, kept: KeptCall) -> None:
        super().__init__()
        self.kept = kept

    def response(self) -> Response:
        headers = {REPLAYED: "true"} | ({"Location": self.kept.location} if self.kept.location else {})
        return Response(json.loads(self.kept.body), status=self.kept.status, headers=headers)


def begin(request: Request, access: Access, *, caller: bytes, required: bool, now: datetime) -> Call | None:
    """The call, when it has a key and is to be done now; keep() must get its answer. Raises Replay when it was done."""
    key = request.headers.get(HEADER, "").strip()
    if not key:
        if required:
            raise ValidationError(f"Send the header {HEADER}: a text of your own that names this one call.")
        return None
    if not KEY.fullmatch(key):
        raise ValidationError(f"{HEADER} is 1 to 255 visible characters of ASCII.")
    match = request._request.resolver_match
    assert match is not None
    call = Call(caller, str(request.method), match.route.rstrip("/"), key, _digest(request, match.kwargs))
    try:
        kept = idempotency.claim(access, call, now=now)
    except idempotency.StillRunning as error:
        raise StillRunning("The same call is still being done. Send it again in a few seconds.") from error
    if kept is None:
        return call
    if bytes(kept.body_digest) != call.digest:
        raise OtherBody(f"This {HEADER} was used for another call. Nothing was changed. Use a new one.")
    raise Replay(kept)


def keep(access: Access, call: Call, response: Response, *, without: str) -> None:
    """`without`: a field that is answered once, and null ever after."""
    kept = response.data | {without: None} if without else response.data
    body = JSONRenderer().render(kept).decode()
    idempotency.keep(
        access, call, status=response.status_code, body=body, location=response.headers.get("Location", "")
    )


def _digest(request: Request, place: dict[str, Any]) -> bytes:
    """Of what was sent and of the row it was sent to. Keyed: a body may hold a secret."""
    sent = json.dumps([place, request.data], sort_keys=True, separators=(",", ":"))
    return salted_hmac("portal.idempotency", sent, algorithm="sha256").digest()
