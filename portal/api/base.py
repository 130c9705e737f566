"""What every resource is made of: the caller, the moment, checked input, pages, and one way to say no."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from django.db.models import Model, QuerySet
from django.http import Http404
from django.utils import timezone
from rest_framework.exceptions import ValidationError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.permissions import SAFE_METHODS, BasePermission, IsAuthenticated
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from customers.tenancy import Access
from portal.api.auth import HasScope, access_of, note_use
from portal.api.fields import BoundedJSONParser, InputSerializer, ParameterSerializer, parameters
from portal.api.paging import NEWEST_FIRST, Keyset, PageSerializer
from portal.api.schema import Schema

Row = TypeVar("Row", bound=Model)


class OneFormat(DefaultContentNegotiation):
    """Each address answers in its one format, whatever Accept says: nobody needs a 406."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)


class ResourceView(APIView):
    """A resource's door. It names its `resource` (the scope's noun), or it stays shut."""

    resource: ClassVar[str] = ""
    # The parameters that GET takes; other methods take none.
    query: ClassVar[type[ParameterSerializer]] = ParameterSerializer

    schema = Schema()
    permission_classes: Sequence[type[BasePermission]] = [IsAuthenticated, HasScope]
    parser_classes = [BoundedJSONParser]
    content_negotiation_class = OneFormat
    metadata_class = None
    http_method_names = ["get", "head", "post", "patch"]

    now: datetime
    access: Access
    asked: dict[str, Any]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.now = timezone.now()
        super().initial(request, *args, **kwargs)
        access = access_of(request)
        assert access is not None  # the permissions above refuse everybody else
        self.access = access
        taken = self.query if request.method in SAFE_METHODS else ParameterSerializer
        self.asked = _checked(taken(data=parameters(request.query_params)))

    def perform_authentication(self, request: Request) -> None:
        super().perform_authentication(request)
        note_use(request, now=self.now)

    @property
    def context(self) -> dict[str, Any]:
        """What serializers may ask for."""
        return {"request": self.request, "now": self.now}

    def body(self, serializer: type[InputSerializer], *, partial: bool = False) -> dict[str, Any]:
        data = self.request.data
        if not isinstance(data, dict):
            raise ValidationError("The body must be a JSON object.")
        return _checked(serializer(data=data, partial=partial))

    def one(self, serializer: type[Serializer[Any]], row: Any, *, status: int = 200, at: str | None = None) -> Response:
        headers = {"Location": self.request.build_absolute_uri(at)} if at else None
        return Response(serializer(row, context=self.context).data, status=status, headers=headers)

    def keyset(
        self,
        rows: QuerySet[Row],
        *,
        anchors: QuerySet[Row],
        order: tuple[str, ...] = NEWEST_FIRST,
        name: str = "code",
    ) -> tuple[list[Row], str | None]:
        keyset = Keyset(self.request, self.access, order=order, name=name)
        return keyset.page(rows, anchors=anchors, limit=self.asked["limit"], cursor=self.asked.get("cursor"))

    def listed(self, serializer: type[Serializer[Any]], page: Sequence[Any], following: str | None) -> Response:
        data = serializer(page, many=True, context=self.context).data
        return Response({"data": data, "next": following})

    def filters(self, **columns: str) -> dict[str, Any]:
        """The parameters that were given, under the names that the database filters by."""
        return {columns[name]: value for name, value in self.asked.items() if name in columns}


class ListView(ResourceView):
    query: ClassVar[type[ParameterSerializer]] = PageSerializer


class Nowhere(ResourceView):
    """Any other address below /api/v1/: problem details too, and only for those who have a token."""

    permission_classes = [IsAuthenticated]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.now = timezone.now()
        APIView.initial(self, request, *args, **kwargs)
        raise Http404


def _checked(serializer: Serializer[Any]) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    checked: dict[str, Any] = serializer.validated_data
    return checked


def wrong(field: str, sentence: str) -> ValidationError:
    """For a field that is right in form, and wrong in what it names."""
    return ValidationError({field: [sentence]})
