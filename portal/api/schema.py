"""OpenAPI: how the resources are described, and the pages that show it. Both are open: they hold no tenant's data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse, extend_schema, inline_serializer
from drf_spectacular.views import SpectacularAPIView
from rest_framework import serializers

from portal.access import open_page
from portal.api.problems import CONTENT_TYPE, ProblemSerializer

Door = TypeVar("Door", bound=Callable[..., Any])
NEXT_HELP = "The address of the next page; null on the last one."
PROBLEMS = {
    400: "What was sent is wrong; `errors` names the fields or parameters.",
    401: "No token was sent, or it is unknown or revoked.",
    403: "The token lacks the scope.",
    404: "There is nothing here that this token may see.",
    409: "Right by itself, but not as things stand; `detail` says why. Nothing was changed.",
}


class Schema(AutoSchema):
    """Tags are the resources' nouns."""

    def get_tags(self) -> list[str]:
        return [getattr(self.view, "resource", "") or "portal"]


class BearerToken(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # registers itself, untyped
    target_class = "portal.api.auth.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "An API token of the provider: `Authorization: Bearer hpt_…`. It is shown once, when made.",
        }


def list_operation(
    operation_id: str, summary: str, row: type[serializers.Serializer[Any]], query: Any, *, description: str = ""
) -> Callable[[Door], Door]:
    """The documentation of a GET that answers pages of `row`."""
    name = row.__name__.removesuffix("Serializer") + "Page"
    page = inline_serializer(
        name,
        {"data": row(many=True), "next": serializers.URLField(allow_null=True, help_text=NEXT_HELP)},
    )
    described: Callable[[Door], Door] = extend_schema(
        operation_id=operation_id,
        summary=summary,
        description=description or None,
        parameters=[query],
        responses={200: OpenApiResponse(page, description="A page."), **_problems(400, 401, 403)},
    )
    return described


def operation(
    operation_id: str,
    summary: str,
    answer: Any,
    *,
    body: Any = None,
    status: int | tuple[int, str] = 200,
    refusals: tuple[int, ...] = (400, 401, 403, 404),
    description: str = "",
) -> Callable[[Door], Door]:
    described: Callable[[Door], Door] = extend_schema(
        operation_id=operation_id,
        summary=summary,
        description=description or None,
        request=body,
        responses={status: OpenApiResponse(answer, description="Done."), **_problems(*refusals)},
    )
    return described


def _problems(*statuses: int) -> dict[tuple[int, str], OpenApiResponse]:
    return {
        (status, CONTENT_TYPE): OpenApiResponse(ProblemSerializer, description=PROBLEMS[status]) for status in statuses
    }


class SchemaView(SpectacularAPIView):
    authentication_classes = []
    permission_classes = []


@require_safe
@open_page
@login_not_required
def docs(request: HttpRequest) -> HttpResponse:
    return render(request, "api/docs.html")
