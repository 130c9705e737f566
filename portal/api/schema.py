"""OpenAPI: how the resources are described, and the pages that show it. Both are open: they hold no tenant's data."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPMethod
from typing import TYPE_CHECKING, Any, cast

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from drf_spectacular.views import SpectacularAPIView

from portal.access import open_page
from portal.api.fields import InputSerializer, ParameterSerializer
from portal.api.problems import CONTENT_TYPE, ProblemSerializer

if TYPE_CHECKING:
    from portal.api.base import Resource  # it imports this module

PROBLEMS = {
    400: "What was sent is wrong; `errors` names the fields or parameters.",
    401: "No token was sent, or it is unknown or revoked.",
    403: "The token lacks the scope.",
    404: "There is nothing here that this token may see.",
    409: "Right by itself, but not as things stand; `detail` says why. Nothing was changed.",
    422: "This Idempotency-Key was used for another call. Nothing was changed.",
    429: "The token has made its calls of this minute; Retry-After says when the next one begins.",
}
KEY_HELP = (
    "A text of your own, at most 255 characters, that names this one call. Sent again within 7 days it is answered as"
    " before, with Idempotency-Replayed: true, and not done again."
)
# DRF's names of acts, as operation ids have them.
ACT_NAMES = {"retrieve": "read", "partial_update": "change"}


@dataclass(frozen=True, slots=True)
class Operation:
    """What one method of one address takes and answers: the resource goes by it, and the schema tells it."""

    summary: str
    description: str = ""
    body: type[InputSerializer] | None = None
    status: int = 200
    answer: Any = None  # None: the resource's own serializer
    media_type: str = "application/json"
    paged: bool = False
    query: type[ParameterSerializer] | None = None  # what a read that is no list takes
    key_required: bool = False  # what creates or moves money is not sent twice by accident
    scope: str = ""  # instead of resource:read and resource:write
    answered_once: str = ""  # the field of the answer that is not kept for the same call sent again
    may_conflict: bool = False  # a read that answers 409; what changes something always may

    def refusals(self, method: str, *, one_row: bool) -> list[int]:
        conflict = self.may_conflict or method != HTTPMethod.GET
        other_body = [422] if method == HTTPMethod.POST else []
        return [400, 401, 403, *([404] if one_row else []), *([409] if conflict else []), *other_body, 429]


class Schema(AutoSchema):
    """Everything is said by the resource and its operation."""

    @property
    def resource(self) -> Resource[Any]:
        return cast("Resource[Any]", self.view)

    def get_operation_id(self) -> str:
        act = self.resource.action
        return f"{self.resource.resource}_{ACT_NAMES.get(act, act)}".replace("-", "_")

    def get_tags(self) -> list[str]:
        return [self.resource.resource]

    def get_summary(self) -> str:
        return self.resource.operation.summary

    def get_description(self) -> str:  # type: ignore[override]  # drf-spectacular has changed DRF's
        return self.resource.operation.description

    def get_override_parameters(self) -> list[Any]:
        operation = self.resource.operation
        if self.method == HTTPMethod.POST:
            return [OpenApiParameter("Idempotency-Key", str, "header", operation.key_required, description=KEY_HELP)]
        return [self.resource.parameters()] if operation.paged or operation.query else []

    def get_request_serializer(self) -> Any:
        return self.resource.operation.body

    def get_response_serializers(self) -> Any:
        operation = self.resource.operation
        answer = operation.answer or self.resource.serializer_class
        told = OpenApiResponse(answer, description="A page." if operation.paged else "Done.")
        refusals = operation.refusals(self.method, one_row=bool(self.resource.detail))
        problems = {
            (status, CONTENT_TYPE): OpenApiResponse(ProblemSerializer, description=PROBLEMS[status])
            for status in refusals
        }
        return {(operation.status, operation.media_type): told, **problems}

    def get_paginated_name(self, serializer_name: str) -> str:
        return f"{serializer_name}Page"


class BearerToken(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # registers itself, untyped
    target_class = "portal.api.auth.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "An API token of the provider: `Authorization: Bearer hpt_…`. It is shown once, when made.",
        }


class SchemaView(SpectacularAPIView):
    portal_api = True  # the mark that the middleware reads
    authentication_classes = []
    permission_classes = []


@require_safe
@open_page
@login_not_required
def docs(request: HttpRequest) -> HttpResponse:
    return render(request, "api/docs.html")
