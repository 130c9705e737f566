"""What every resource is made of. A resource is one class: its list, its rows, its filters, its acts.

To add one, say `payments`:

1. The class, in the file of its business (`billing.py`): `resource = "payments"` (the noun of its address and scopes,
   among RESOURCES of `auth.py`), `one = "payment"`, `model`, `serializer_class`; DRF's `ListModelMixin` and
   `RetrieveModelMixin` for the list and the row; `filters`, a `Filter` for each parameter; `enums`, a name for each set
   of choices. An act is a method with `@operation(…)`: `create`, `partial_update`, or DRF's `@action` for an address of
   its own. It finds the row (`self.row()`), reads the body (`self.body()`), calls one function of the rooms below with
   `self.access` and `self.now`, and answers (`self.answer(…)`).
2. A line in RESOURCES of `urls.py`.
3. A row for each of its addresses in the table of `tests/portal/api/test_access.py`: the net fails until it is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cache
from http import HTTPMethod
from typing import Any, ClassVar, Generic, TypeVar, cast

from django.db.models import Model, QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.hooks import postprocess_schema_enums
from drf_spectacular.settings import patched_settings
from rest_framework.exceptions import ValidationError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer, Field, Serializer
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from customers.idempotency import Call
from customers.tenancy import Access
from portal.api import idempotency, rate
from portal.api.auth import HasScope, access_of, caller_of, note_use
from portal.api.fields import BoundedJSONParser, ParameterSerializer, parameters
from portal.api.idempotency import Replay
from portal.api.paging import KeysetPagination, PageSerializer
from portal.api.rate import TooMany, Turn
from portal.api.schema import Operation, Schema

Row = TypeVar("Row", bound=Model)
Act = TypeVar("Act", bound=Callable[..., Any])


class Filter:
    """A parameter of a list: how it is written, what it filters by, and of which other one it may not be after."""

    def __init__(
        self,
        name: str,
        by: str | Callable[[Any, Any, datetime], Any],  # a column, or how rows are filtered by it at a moment
        kind: type[Field[Any, Any, Any, Any]],
        *form: Any,
        not_after: str = "",
        **options: Any,
    ) -> None:
        self.name, self.by, self.not_after = name, by, not_after
        self.field = kind(*form, **{"required": False, **options})

    def apply(self, rows: QuerySet[Any], value: Any, now: datetime) -> QuerySet[Any]:
        return rows.filter(**{self.by: value}) if isinstance(self.by, str) else self.by(rows, value, now)

    def check(self, asked: dict[str, Any]) -> None:
        if {self.name, self.not_after} <= asked.keys() and asked[self.name] > asked[self.not_after]:
            raise ValidationError({self.name: [f"This day is after {self.not_after}."]})


@cache
def _page_with(filters: tuple[Filter, ...]) -> type[PageSerializer]:
    class Query(PageSerializer):
        def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
            for filter_ in filters:
                filter_.check(attrs)
            return attrs

    return type("Query", (Query,), {filter_.name: filter_.field for filter_ in filters})


def operation(summary: str, **details: Any) -> Callable[[Act], Act]:
    """What an act takes and answers: the fields of Operation."""

    def mark(act: Act) -> Act:
        act.operation = Operation(summary, **details)  # type: ignore[attr-defined]  # read by Resource.operation
        return act

    return mark


class OneFormat(DefaultContentNegotiation):
    """Each address answers in its one format, whatever Accept says: nobody needs a 406."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)


class Door(APIView):
    portal_api: ClassVar[bool] = True  # the mark that the middleware reads

    permission_classes: Sequence[type[BasePermission]] = [IsAuthenticated, HasScope]
    parser_classes = [BoundedJSONParser]
    content_negotiation_class = OneFormat
    metadata_class = None
    http_method_names = ["get", "head", "post", "patch"]

    now: datetime
    turn: Turn | None = None  # of the token, in its minute

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.now = timezone.now()
        super().initial(request, *args, **kwargs)

    def perform_authentication(self, request: Request) -> None:
        super().perform_authentication(request)
        if access_of(request) is not None:
            self.turn = rate.take(caller_of(request), now=self.now)
            if self.turn.made > self.turn.limit:
                raise TooMany(self.turn)
        note_use(request, now=self.now)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        final = super().finalize_response(request, response, *args, **kwargs)
        for name, value in (self.turn.headers if self.turn else {}).items():
            final[name] = value
        return final


class Resource(Door, GenericViewSet[Row], Generic[Row]):
    """A resource's door. It names its `resource` (the scope's noun), or it stays shut."""

    resource: ClassVar[str] = ""
    one: ClassVar[str] = ""  # a row of it in words
    model: ClassVar[type[Any]]
    related: ClassVar[tuple[str, ...]] = ()  # what its serializer reads of other rows
    about: ClassVar[str] = ""  # the description of its list
    ordered: ClassVar[str] = "newest first"
    enums: ClassVar[dict[str, Any]] = {}  # the names of its choices in the schema
    # An @action may have others of its own.
    serializer_class: type[BaseSerializer[Any]]
    filters: tuple[Filter, ...] = ()
    order: tuple[str, ...] = ("-pk",)
    row_name = "code"  # the field that names a row in cursors

    schema = Schema()
    pagination_class = KeysetPagination
    lookup_field, lookup_url_kwarg, lookup_value_converter = "code", "id", "code"

    access: Access
    asked: dict[str, Any]
    call: Call | None = None  # with an Idempotency-Key

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        access = access_of(request)
        assert access is not None  # the permissions refuse everybody else
        self.access = access
        self.asked = _checked(self.parameters()(data=parameters(request.query_params)))
        if request.method == HTTPMethod.POST and self.action in self.action_map.values():
            required = self.operation.key_required
            self.call = idempotency.begin(request, access, caller=caller_of(request), required=required, now=self.now)

    def handle_exception(self, exc: Exception) -> Response:
        return exc.response() if isinstance(exc, Replay) else super().handle_exception(exc)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        # What was refused took its key back with the rest.
        if self.call is not None and 200 <= response.status_code < 300:
            idempotency.keep(self.access, self.call, response, without=self.operation.answered_once)
        return super().finalize_response(request, response, *args, **kwargs)

    @property
    def operation(self) -> Operation:
        if self.action == "list":
            return Operation(f"List {self.one}s, {self.ordered}", self.about, paged=True)
        if self.action == "retrieve":
            return Operation(f"One {self.one}")
        return cast("Operation", getattr(self, self.action).operation)

    @property
    def scope(self) -> str | None:
        """What the act asks for by itself."""
        return self.operation.scope if self.is_act else None

    @property
    def is_act(self) -> bool:
        return self.action in self.action_map.values()  # not None, for a method that this address does not have

    def parameters(self) -> type[ParameterSerializer]:
        if not self.is_act:
            return ParameterSerializer
        return _page_with(self.filters) if self.operation.paged else self.operation.query or ParameterSerializer

    # --- Rows

    def visible(self) -> QuerySet[Row]:
        return cast("QuerySet[Row]", self.model.objects.visible_to(self.access))

    def get_queryset(self) -> QuerySet[Row]:
        """With all that the serializer shows."""
        return self.visible().select_related(*self.related) if self.related else self.visible()

    def filter_queryset(self, queryset: Any) -> Any:
        for filter_ in self.filters:
            if filter_.name in self.asked:
                queryset = filter_.apply(queryset, self.asked[filter_.name], self.now)
        return queryset

    def row(self) -> Row:
        """The one that the address names, for an act."""
        return get_object_or_404(self.visible(), code=self.kwargs["id"])

    # --- Input and answer

    def body(self) -> dict[str, Any]:
        data, serializer = self.request.data, self.operation.body
        assert serializer is not None
        if not isinstance(data, dict):
            raise ValidationError("The body must be a JSON object.")
        return _checked(serializer(data=data, partial=self.request.method == "PATCH"))

    def get_serializer_context(self) -> dict[str, Any]:
        return {"request": self.request, "now": self.now}

    def shown(self, rows: list[Row]) -> Sequence[Any]:
        """What the serializer gets for these rows: what they need besides is asked for once, for all of them."""
        return rows

    def get_serializer(self, rows: Any, *, many: bool = False) -> BaseSerializer[Any]:
        shown = self.shown(rows if many else [rows])
        return self.serializer_class(shown if many else shown[0], many=many, context=self.get_serializer_context())

    def answer(self, row: Row, *, located: bool = False) -> Response:
        code: str = row.code  # type: ignore[attr-defined]  # the rows of all resources have one
        headers = {"Location": self.reverse_action("detail", args=[code])} if located else None
        return Response(self.get_serializer(row).data, status=self.operation.status, headers=headers)

    def answer_anew(self, row: Row, *, located: bool = False) -> Response:
        """The row as it is after the act, with all that is shown."""
        return self.answer(self.get_queryset().get(pk=row.pk), located=located)


class Nowhere(Door):
    """Any other address below /api/v1/: problem details too, and only for those who have a token."""

    permission_classes = [IsAuthenticated]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise Http404


def name_enums(result: Any, generator: Any, **settings: Any) -> Any:
    """drf-spectacular's hook that names sets of choices, by the names that the resources give."""
    names = {name: choices for resource in Resource.__subclasses__() for name, choices in resource.enums.items()}
    with patched_settings({"ENUM_NAME_OVERRIDES": names}):
        return postprocess_schema_enums(result, generator, **settings)  # type: ignore[no-untyped-call]  # it is


def _checked(serializer: Serializer[Any]) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    checked: dict[str, Any] = serializer.validated_data
    return checked


def wrong(field: str, sentence: str) -> ValidationError:
    """For a field that is right in form, and wrong in what it names."""
    return ValidationError({field: [sentence]})
