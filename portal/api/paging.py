"""Lists page by page, by the key of the last row: no row is lost or repeated when others come in between."""

from __future__ import annotations

from typing import Any, TypeVar
from urllib.parse import urlencode

from django.core.signing import BadSignature, Signer
from django.db.models import Model, Q, QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from customers.tenancy import Access
from portal.api.fields import ParameterSerializer, QueryNumber, Text

PAGE, LARGEST_PAGE = 100, 500
Row = TypeVar("Row", bound=Model)
NEWEST_FIRST = ("-pk",)


class PageSerializer(ParameterSerializer):
    """What every list takes. Lists with filters extend it."""

    limit = QueryNumber(
        default=PAGE, min_value=1, max_value=LARGEST_PAGE, help_text="How many rows at most, on one page."
    )
    cursor = Text(
        required=False, max_length=500, help_text="Where the page begins: follow `next`, do not build it yourself."
    )


class Keyset:
    """One list's order. `name` is what a row is called in cursors: not its key, which counts every tenant's rows."""

    def __init__(self, request: Request, access: Access, *, order: tuple[str, ...], name: str) -> None:
        self.request, self.order, self.name = request, order, name
        path = request.path.rstrip("/")
        # Bound to the provider and to this list: the cursor of another one is refused.
        self.signer = Signer(salt=f"portal.api.cursor:{access.provider.code}:{path}")

    def page(
        self, rows: QuerySet[Row], *, anchors: QuerySet[Row], limit: int, cursor: str | None
    ) -> tuple[list[Row], str | None]:
        """A page, and the address of the next one.

        `anchors` is the list without its filters: a row that has left the filter meanwhile still marks the place.
        """
        if cursor is not None:
            rows = rows.filter(self._after(self._anchor(anchors, cursor)))
        found = list(rows.order_by(*self.order)[: limit + 1])
        page = found[:limit]
        return page, self._next(page[-1]) if len(found) > limit else None

    def _next(self, last: Row) -> str:
        asked = {name: value for name, value in self.request.query_params.items() if name != "cursor"}
        cursor = self.signer.sign_object(getattr(last, self.name))
        return self.request.build_absolute_uri(f"{self.request.path}?{urlencode({**asked, 'cursor': cursor})}")

    def _anchor(self, anchors: QuerySet[Row], cursor: str) -> dict[str, Any]:
        try:
            name = self.signer.unsign_object(cursor)
        except BadSignature as error:
            raise ValidationError({"cursor": ["This cursor is not of this list. Begin again without it."]}) from error
        anchor = anchors.filter(**{self.name: name}).values(*(field.lstrip("-") for field in self.order)).first()
        if anchor is None:
            raise ValidationError({"cursor": ["The row of this cursor is gone. Begin again without it."]})
        return anchor

    def _after(self, anchor: dict[str, Any]) -> Q:
        """(a, b) after the anchor's, as SQL compares rows: a beyond, or a equal and b beyond."""
        after = Q(pk__in=[])
        equal = Q()
        for field in self.order:
            name = field.lstrip("-")
            after |= equal & Q(**{f"{name}__{'lt' if field.startswith('-') else 'gt'}": anchor[name]})
            equal &= Q(**{name: anchor[name]})
        first = self.order[0]
        # Says again what follows from the rest, in a form that an index can begin at.
        bound = Q(**{f"{first.lstrip('-')}__{'lte' if first.startswith('-') else 'gte'}": anchor[first.lstrip("-")]})
        return bound & after
