"""What is owed: drafts, issued documents, their lines and files, and the acts on them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, cast

from django.db.models import F, Q, QuerySet
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from billing import evidence, files, life, minimum, rereading, settlement
from billing.corrections import difference_of
from billing.files import FileStatus
from billing.holds import omissions
from billing.holds.drafts import Hold, why_held
from billing.holds.omissions import Omission
from billing.issue import changed_meanwhile, issue, issue_all
from billing.models import (
    Document,
    DocumentLine,
    DocumentStatus,
    DocumentType,
    FileKind,
)
from billing.models.documents import LineComponent, LineKind, LineReason
from billing.settlement import month_of
from customers import tenancy
from portal.api.auth import MONEY
from portal.api.base import Filter, Resource, operation
from portal.api.document_shapes import (
    FILE_STATES,
    OMISSIONS,
    ChangesSerializer,
    DocumentLineSerializer,
    DocumentSerializer,
    DraftsSerializer,
    IssuedSerializer,
    LetPassSerializer,
    PeriodSerializer,
    PreviewSerializer,
    PreviewsSerializer,
    ReasonSerializer,
    SeenDocumentSerializer,
    WriteOffSerializer,
)
from portal.api.fields import (
    Code,
    Month,
    NothingSerializer,
    QueryFlag,
)
from portal.file_types import CONTENT_TYPES


def _attachment(name: str) -> dict[str, str]:
    return {"Content-Disposition": str(content_disposition_header(True, name))}


def open_or_not(documents: QuerySet[Document], is_open: bool, _: datetime) -> QuerySet[Document]:
    still_open = Q(status=DocumentStatus.ISSUED, opened__settled__lt=F("opened__total"))
    return documents.filter(still_open) if is_open else documents.exclude(still_open)


def of_month(documents: QuerySet[Document], month: date, _: datetime) -> QuerySet[Document]:
    return documents.filter(period=month_of(month))


def of_failed_files(documents: QuerySet[Document], failed: bool, _: datetime) -> QuerySet[Document]:
    return files.with_failed(documents) if failed else documents


class Documents(ListModelMixin, RetrieveModelMixin, Resource[Document]):
    resource = "documents"
    one = "document"
    model = Document
    related = ("customer",)
    serializer_class = DocumentSerializer
    filters = (
        Filter("customer", "customer__code", Code, "cus"),
        Filter("status", "status", serializers.ChoiceField, DocumentStatus.choices),
        Filter("open", open_or_not, QueryFlag, help_text="true: issued, and not paid in full."),
        Filter("period", of_month, Month, help_text="The month, such as 2026-10."),
        Filter("file_failed", of_failed_files, QueryFlag, help_text="true: only those with a file that failed."),
    )
    enums = {
        "DocumentType": DocumentType,
        "DocumentStatus": DocumentStatus,
        "LineKind": LineKind,
        "LineComponent": LineComponent,
        "LineReason": LineReason,
        "FileKind": FileKind,
        "FileState": FILE_STATES,
        "OmissionKind": OMISSIONS,
    }
    holds: dict[int, Hold]
    omissions: dict[int, list[Omission]]
    files: dict[int, list[FileStatus]]
    below: dict[int, int]

    def get_queryset(self) -> QuerySet[Document]:
        return super().get_queryset().annotate(settled=F("opened__settled"))

    def shown(self, rows: list[Document]) -> list[Document]:
        drafts = [document for document in rows if document.status == DocumentStatus.DRAFT]
        self.holds, self.omissions = why_held(self.access, drafts), omissions.on_documents(self.access, drafts)
        self.files = files.statuses(self.access, rows)
        self.below = minimum.below(self.access, drafts)
        return rows

    @operation(
        "What closing a month would make",
        body=PeriodSerializer,
        answer=PreviewsSerializer,
        description="Every draft that the month would have after a close now. Nothing is changed.",
    )
    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        previews: Any = settlement.preview(self.access, month=self.body()["period"], now=self.now)
        return Response({"data": PreviewSerializer(previews, many=True).data})

    @operation(
        "Close a month",
        body=PeriodSerializer,
        answer=DraftsSerializer,
        description="Makes the month's drafts anew where something has changed, and answers them all. Repeating is"
        " safe. What issued documents have billed is corrected on the next ones.",
    )
    @action(detail=False, methods=["post"])
    def close(self, request: Request) -> Response:
        month = self.body()["period"]
        drafts = settlement.close_period(self.access, month=month, now=self.now)
        unread = rereading.not_read_again(self.access, month_of(month)).count()
        return Response({"data": self.get_serializer(drafts, many=True).data, "accounts_not_read_again": unread})

    @operation(
        "Issue the drafts of a month",
        body=PeriodSerializer,
        answer=IssuedSerializer,
        scope=MONEY,
        key_required=True,
        description="All that nothing holds, or none: one that has changed since the month was closed is refused (409)"
        " with the others. Those that are held are left out, and named.",
    )
    @action(detail=False, methods=["post"], url_path="issue")
    def issue_month(self, request: Request) -> Response:
        drafts = settlement.drafts_of(self.access, self.body()["period"])
        return Response(IssuedSerializer(issue_all(self.access, drafts, now=self.now)).data)

    @operation(
        "Issue a draft",
        body=SeenDocumentSerializer,
        scope=MONEY,
        key_required=True,
        description="It is numbered and never changes again. Say the total that you read: a draft that says another by"
        " now is refused (409).",
    )
    @action(detail=True, methods=["post"], url_path="issue")
    def issue_one(self, request: Request, id: str) -> Response:
        seen, draft = self.body(), self.get_object()
        if draft.status == DocumentStatus.DRAFT and draft.total_sat != seen["total_sat"]:
            raise changed_meanwhile()
        return self.answer_anew(issue(self.access, draft, final=seen.get("final", False), now=self.now))

    @operation(
        "Let pass what a draft leaves out",
        body=LetPassSerializer,
        scope=MONEY,
        description="Say what you saw: what has changed since is refused (409). It then no longer holds the draft,"
        " which says on its face what it leaves out. A new cause holds it again.",
    )
    @action(detail=True, methods=["post"], url_path="let-pass")
    def let_pass(self, request: Request, id: str) -> Response:
        seen, draft = self.body(), self.row()
        omissions.let_pass(self.access, draft, seen_as=seen["seen_as"], note=seen["note"], now=self.now)
        return self.answer_anew(draft)

    @operation(
        "Discard a draft",
        body=NothingSerializer,
        description="For ever. The next close of its month makes a new one, if there is something to bill.",
    )
    @action(detail=True, methods=["post"])
    def discard(self, request: Request, id: str) -> Response:
        self.body()
        draft = self.get_object()
        settlement.discard(self.access, draft, now=self.now)
        return self.answer(draft)

    @operation(
        "Void a document",
        body=ReasonSerializer,
        scope=MONEY,
        key_required=True,
        description="As if it had not been issued: its number stays used, and the next close of its month bills anew"
        " what it billed. Only while nothing of it is paid and no later document corrects it (409).",
    )
    @action(detail=True, methods=["post"])
    def void(self, request: Request, id: str) -> Response:
        asked, document = self.body(), self.get_object()
        life.void(self.access, document, reason=asked["reason"], now=self.now)
        return self.answer_anew(document)

    @operation(
        "Write an invoice off",
        body=WriteOffSerializer,
        scope=MONEY,
        key_required=True,
        description="What is open of it is given up; what it billed stays billed. A late payment that names it, or"
        " taking it up again, undoes that. Say what is open, as you read it: refused (409) where it is another amount.",
    )
    @action(detail=True, methods=["post"], url_path="write-off")
    def write_off(self, request: Request, id: str) -> Response:
        asked, document = self.body(), self.get_object()
        life.write_off(self.access, document, reason=asked["reason"], seen_open=asked["open_sat"], now=self.now)
        return self.answer_anew(document)

    @operation(
        "Take a written-off invoice up again",
        body=ReasonSerializer,
        scope=MONEY,
        key_required=True,
        description="What was open of it when it was written off is open again.",
    )
    @action(detail=True, methods=["post"], url_path="take-up-again")
    def take_up_again(self, request: Request, id: str) -> Response:
        asked, document = self.body(), self.get_object()
        life.take_up_again(self.access, document, reason=asked["reason"], now=self.now)
        return self.answer_anew(document)

    def get_serializer_context(self) -> dict[str, Any]:
        asked = {"holds": self.holds, "omissions": self.omissions, "files": self.files, "below": self.below}
        return {**super().get_serializer_context(), **asked}

    @operation(
        "What changed after a document was issued",
        answer=ChangesSerializer,
        description="The document stays as it was issued; each of these is put right on a later one.",
    )
    @action(detail=True)
    def changes(self, request: Request, id: str) -> Response:
        document = self.row()
        difference = difference_of(self.access, document.customer, document.first_day)
        of_this = difference if difference is not None and difference.document == document else None
        answer = {
            "data": of_this.rewards if of_this else [],
            "next": None,
            "difference_sat": of_this.customer_sat if of_this else 0,
        }
        return Response(ChangesSerializer(answer).data)

    @operation("List a document's lines, in their order", answer=DocumentLineSerializer(many=True), paged=True)
    @action(detail=True, filters=(), order=("position",), row_name="position")
    def lines(self, request: Request, id: str) -> Response:
        lines = DocumentLine.objects.visible_to(self.access).filter(document=self.row())
        page: Any = self.paginate_queryset(cast("Any", lines.select_related("reward", "corrects__document")))
        return self.get_paginated_response(DocumentLineSerializer(page, many=True).data)

    @operation(
        "Make a document's failed files anew",
        body=NothingSerializer,
        status=202,
        description="A worker makes them now instead of after a wait that grows with each try.",
    )
    @action(detail=True, methods=["post"], url_path="retry-files")
    def retry_files(self, request: Request, id: str) -> Response:
        self.body()
        document = self.row()
        files.retry(self.access, document, now=self.now)
        return self.answer(document, located=True)

    @operation(
        "A document as PDF",
        answer=OpenApiTypes.BINARY,
        media_type="application/pdf",
        may_conflict=True,
        description="Made once after issue, then always the same bytes. 409 while it is being made, when it failed, and"
        " for drafts.",
    )
    @action(detail=True)
    def pdf(self, request: Request, id: str) -> HttpResponse:
        return self._file(self.row(), FileKind.PDF)

    @operation(
        "A document's lines as CSV, with all figures they are computed from",
        answer=OpenApiTypes.STR,
        media_type="text/csv",
        may_conflict=True,
        description="Of an issued document made once, then always the same bytes. 409 while it is being made, and when"
        " it failed.",
    )
    @action(detail=True)
    def evidence(self, request: Request, id: str) -> HttpResponseBase:
        document = self.row()
        if document.number is not None:
            return self._file(document, FileKind.CSV)
        return StreamingHttpResponse(
            tenancy.stream(self.access, lambda: evidence.csv_rows(document)),
            content_type=CONTENT_TYPES[FileKind.CSV],
            headers=_attachment(f"{document.code}.csv"),
        )

    def _file(self, document: Document, kind: FileKind) -> HttpResponse:
        content = files.content_of(self.access, document, kind)
        return HttpResponse(content, content_type=CONTENT_TYPES[kind], headers=_attachment(f"{document.number}.{kind}"))
