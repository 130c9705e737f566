"""Pages of lists: what they take, and the signed cursor that names where one begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.core.signing import BadSignature, Signer
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from portal import keyset
from portal.api.fields import ParameterSerializer, QueryNumber, Text

if TYPE_CHECKING:
    from portal.api.base import Resource  # it imports this module

PAGE, LARGEST_PAGE = 100, 500
NEXT_HELP = "The address of the next page; null on the last one."


class PageSerializer(ParameterSerializer):
    """What every list takes, beside its filters."""

    limit = QueryNumber(
        default=PAGE, min_value=1, max_value=LARGEST_PAGE, help_text="How many rows at most, on one page."
    )
    cursor = Text(
        required=False, max_length=500, help_text="Where the page begins: follow `next`, do not build it yourself."
    )


class KeysetPagination(BasePagination):
    next: str | None

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        resource: Resource[Any] = view
        path = request.path.rstrip("/")
        # Bound to the provider and to this list: the cursor of another one is refused.
        signer = Signer(salt=f"portal.api.cursor:{resource.access.provider.code}:{path}")
        try:
            cursor = resource.asked.get("cursor")
            page = keyset.read(
                queryset,
                order=resource.order,
                size=resource.asked["limit"],
                after=None if cursor is None else str(signer.unsign_object(cursor)),
                among=resource.get_queryset() if resource.filters else None,
                name=resource.row_name,
            )
        except BadSignature as error:
            raise ValidationError({"cursor": ["This cursor is not of this list. Begin again without it."]}) from error
        except keyset.NoSuchPlace as error:
            raise ValidationError({"cursor": ["The row of this cursor is gone. Begin again without it."]}) from error
        self.next = None
        if page.after is not None:
            query = {**request.query_params.dict(), "cursor": signer.sign_object(page.after)}
            self.next = request.build_absolute_uri(f"{request.path}?{urlencode(query)}")
        return page.rows

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"data": data, "next": self.next})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        following = {"type": ["string", "null"], "format": "uri", "description": NEXT_HELP}
        return {"type": "object", "properties": {"data": schema, "next": following}, "required": ["data", "next"]}
