"""Every refusal and failure as problem details (RFC 9457): one clear sentence in `detail`, fields under `errors`.

400: what was sent is wrong by itself. 409: it is right by itself, but not as things stand.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.signals import got_request_exception
from django.db import DatabaseError, IntegrityError, OperationalError
from django.http import Http404, UnreadablePostError
from rest_framework import serializers
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.permissions import SAFE_METHODS
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import set_rollback

from customers.errors import Refused, TooSoon
from portal.api.codes import CALLS, DOOR, status_of

log = structlog.get_logger(__name__)
CONTENT_TYPE = "application/problem+json"
LONGEST_SENTENCE = 400


class TooLarge(APIException):
    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class ProblemSerializer(serializers.Serializer[Any]):
    """What is wrong (RFC 9457)."""

    type = serializers.CharField(help_text="/problems/ and the code of what is wrong, as the description lists them.")
    title = serializers.CharField(help_text="The status in words.")
    status = serializers.IntegerField(help_text="The HTTP status.")
    detail = serializers.CharField(help_text="One sentence that says what is wrong.")
    errors = serializers.DictField(  # type: ignore[assignment]  # DRF takes declared fields out of the class
        child=serializers.ListField(child=serializers.CharField()),
        required=False,
        help_text="For input: the path of each wrong field or parameter, with what is wrong with it.",
    )


@dataclass(slots=True)
class _Problem:
    status: int
    detail: str
    errors: dict[str, list[str]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    code: str = ""  # empty: as the door says for the status


def problem(error: Exception, context: dict[str, Any]) -> Response:
    """DRF's exception handler."""
    request = context["request"]
    # Reads have nothing to take back, unless a statement failed and broke the transaction.
    if request.method not in SAFE_METHODS or isinstance(error, DatabaseError):
        set_rollback()
    described = _of(error)
    if described is None:
        # What Django does for an exception of ours: it is logged with its traceback, and tests see it.
        got_request_exception.send(sender=None, request=request._request)
        described = _Problem(500, "Something failed on our side. Nothing was changed. Try again in a minute.")
    body: dict[str, Any] = {
        "type": f"/problems/{described.code or DOOR[HTTPStatus(described.status)][0]}",
        "title": HTTPStatus(described.status).phrase,
        "status": described.status,
        "detail": _clean(described.detail),
    }
    if described.errors:
        body["errors"] = {_clean(path): [_clean(text) for text in texts] for path, texts in described.errors.items()}
    return Response(body, status=described.status, headers=described.headers, content_type=CONTENT_TYPE)


def _of(error: Exception) -> _Problem | None:
    if isinstance(error, ValidationError):
        errors = _flat(error.detail)
        return _Problem(400, _sentence(errors), errors)
    if isinstance(error, APIException):
        code = error.default_code if error.default_code in CALLS else ""
        return _Problem(error.status_code, str(error.detail), headers=_headers(error), code=code)
    if isinstance(error, Refused):
        headers = {"Retry-After": str(error.seconds)} if isinstance(error, TooSoon) else {}
        return _Problem(status_of(error.code), str(error), headers=headers, code=error.code)
    if isinstance(error, Http404):
        return _Problem(404, "There is nothing here that you may see.")
    if isinstance(error, PermissionDenied):
        return _Problem(403, "This token may not do this.")
    if isinstance(error, RequestDataTooBig):
        return _Problem(413, "The body is too large.")
    if isinstance(error, (SuspiciousOperation, UnreadablePostError)):
        return _Problem(400, "The request could not be read.")
    return _of_database(error)


def _of_database(error: Exception) -> _Problem | None:
    if isinstance(error, IntegrityError):
        log.warning("api.conflict", exc_info=error)
        return _Problem(409, "Somebody changed the same thing at the same moment. Read it again, then repeat.")
    if isinstance(error, OperationalError):
        log.warning("api.database_unavailable", exc_info=error)
        return _Problem(503, "The database is busy. Nothing was changed. Try again.", headers={"Retry-After": "5"})
    return None


def _headers(error: APIException) -> dict[str, str]:
    headers = {}
    if auth_header := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = str(auth_header)
    if (wait := getattr(error, "wait", None)) is not None:
        headers["Retry-After"] = str(int(wait))
    return headers


def _flat(detail: Any, path: str = "") -> dict[str, list[str]]:
    """{"mining_account": {"name": [..]}} → {"mining_account.name": [..]}; items of lists by their index."""
    if isinstance(detail, dict):
        nested = {
            path if name == api_settings.NON_FIELD_ERRORS_KEY else f"{path}.{name}".lstrip("."): inner
            for name, inner in detail.items()
        }
        return {key: texts for name, inner in nested.items() for key, texts in _flat(inner, name).items()}
    if isinstance(detail, list) and any(isinstance(item, (dict, list)) for item in detail):
        return _flat({str(index): item for index, item in enumerate(detail) if item}, path)
    return {path: [str(text) for text in (detail if isinstance(detail, list) else [detail])]}


def _sentence(errors: dict[str, list[str]]) -> str:
    path, texts = next(iter(errors.items()))
    others = len(errors) - 1
    more = f" ({others} more in errors.)" if others else ""
    return f"{path}: {texts[0]}{more}" if path else f"{texts[0]}{more}"


def _clean(text: str) -> str:
    # Sentences repeat what was sent: half characters can not be encoded, and a page of it helps nobody.
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= LONGEST_SENTENCE else text[:LONGEST_SENTENCE] + "…"
