"""The customer's statements: issued documents, as frozen at their issue. Drafts do not exist for customers."""

from __future__ import annotations

from typing import Any

import segno
from django.db.models import F, QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET

from billing import files
from billing.corrections import difference_of
from billing.holds import omissions
from billing.models import (
    Allocation,
    Document,
    DocumentLine,
    DocumentStatus,
    DocumentType,
    FileKind,
    LineComponent,
    LineKind,
    LineReason,
)
from billing.payments.requests import bitcoin_request
from billing.payments.terms import terms_of
from billing.pdf import content_of
from billing.pdf.content import by_month, carried_in, why
from customers.errors import Refused
from customers.tenancy import Access
from portal.access import AccessRequest, customer_page
from portal.file_types import CONTENT_TYPES
from portal.views.customer.frame import customer_of, frame_of
from portal.views.document_lines import sums, with_absent_days
from portal.views.lookup import the
from portal.views.paging import keyset

# What is issued counts as paid to the customer, or a person approved it.
PAID_TO = {"main_balance": "us", "external_address": "you"}


def statements_of(access: Access) -> QuerySet[Document]:
    """Newest first. One that was voided stays: the customer may hold its PDF."""
    issued = Document.objects.visible_to(access).filter(number__isnull=False)
    return issued.annotate(settled=F("opened__settled")).order_by("-pk")


def carried_forward(access: Access) -> list[Document]:
    """The newest month, where it was below the contract's minimum: what was carried in it holds all before."""
    newest = Document.objects.visible_to(access).exclude(status__in=[DocumentStatus.DRAFT, DocumentStatus.DISCARDED])
    document = newest.order_by("-period").first()
    return [document] if document is not None and document.status == DocumentStatus.CARRIED else []


@customer_page()
@require_GET
def statements(request: AccessRequest) -> HttpResponse:
    access, now = request.access, timezone.now()
    page = keyset(statements_of(access), request.GET.get("after"), order=("-pk",))
    context = {
        "now": now,
        "frame": frame_of(access, now=now),
        "documents": page.rows,
        "carried": carried_forward(access),
        "after": page.after,
        "shown": page.shown,
    }
    return render(request, "customer/statements.html", context)


@customer_page()
@require_GET
def statement(request: AccessRequest, code: str) -> HttpResponse:
    access, now = request.access, timezone.now()
    document = the(statements_of(access), code)
    context = {
        "now": now,
        "frame": frame_of(access, now=now),
        "document": document,
        "names": document.snapshot,
        # The words of the PDF, so that both always say the same.
        "words": content_of(document),
        "files": files.statuses(access, [document])[document.pk],
        "difference": difference_of(access, customer_of(access), document.first_day),
        **_paid(access, document),
        **_lines(access, document),
    }
    return render(request, "customer/statement.html", context)


def _paid(access: Access, document: Any) -> dict[str, Any]:
    """What was paid of it, and how the customer pays the rest, where the provider has said to which address."""
    allocations = Allocation.objects.visible_to(access).filter(document=document).select_related("fund")
    open_sat = document.total_sat - document.settled if document.status == DocumentStatus.ISSUED else 0
    paid: dict[str, Any] = {"allocations": list(allocations.order_by("pk")), "open_sat": open_sat}
    if document.type == DocumentType.INVOICE and open_sat and (address := terms_of(access).bitcoin_address):
        uri = bitcoin_request(address, open_sat, label=access.provider.name, message=document.number)
        paid |= {"pay_to": address, "pay_uri": uri, "pay_qr": _qr(uri)}
    return paid


def _qr(text: str) -> SafeString:
    """A drawing with no style of its own, as the browser policy asks."""
    code = segno.make(text, error="m", micro=False)
    drawn = code.svg_inline(scale=4, border=4, dark="#000", light="#fff", svgclass="qr", lineclass="qr__line")
    return SafeString(drawn)  # made of its own squares alone


def _lines(access: Access, document: Document) -> dict[str, Any]:
    lines = list(
        DocumentLine.objects.visible_to(access)
        .filter(document=document)
        .select_related("corrects__document")
        .order_by("position")
    )
    regular = [line for line in lines if line.kind == LineKind.REGULAR]
    corrections = [line for line in lines if line.kind == LineKind.CORRECTION]
    to_us = [line for line in regular if line.component == LineComponent.PAY_CUSTOMER]
    to_you = [line for line in regular if line.component == LineComponent.BILL_CUSTOMER]
    return {
        "regular": [
            (line, line and PAID_TO.get(line.facts["destination"]), day)
            for line, day in with_absent_days(regular, omissions.split_absent(omissions.of_document(document))[0])
        ],
        "corrections": [_correction(line) for line in corrections],
        "corrections_sat": sum(line.amount_sat for line in corrections),
        "corrected": sums(corrected) if (corrected := _with(corrections, carried=False)) else None,
        "carried": [(carried_in(month), sums(lines)) for month, lines in by_month(_with(corrections, carried=True))],
        "to_us": sums(to_us) if to_us else None,
        "to_you": sums(to_you) if to_you else None,
        "sums": sums(regular) if regular else None,
        "capped": any(line.facts.get("share_capped") for line in regular),
    }


def _with(corrections: list[DocumentLine], *, carried: bool) -> list[DocumentLine]:
    return [line for line in corrections if (line.reason == LineReason.CARRIED) is carried]


def _correction(line: DocumentLine) -> dict[str, Any]:
    was_sat = line.facts.get("was_sat")
    return {"line": line, "why": why(line), "was_sat": was_sat, "is_sat": (was_sat or 0) + line.amount_sat}


@customer_page()
@require_GET
def statement_pdf(request: AccessRequest, code: str) -> HttpResponse:
    return _file(request, code, FileKind.PDF)


@customer_page()
@require_GET
def statement_csv(request: AccessRequest, code: str) -> HttpResponse:
    return _file(request, code, FileKind.CSV)


def _file(request: AccessRequest, code: str, kind: FileKind) -> HttpResponse:
    access, now = request.access, timezone.now()
    document = the(statements_of(access), code)
    try:
        content = files.content_of(access, document, kind)
    except Refused as refusal:
        context = {
            "now": now,
            "frame": frame_of(access, now=now),
            "document": document,
            "kind": kind,
            "refusal": refusal,
        }
        return render(request, "customer/statement_waits.html", context, status=409)
    response = HttpResponse(content, content_type=CONTENT_TYPES[kind])
    response["Content-Disposition"] = f'attachment; filename="{document.number}.{kind}"'
    return response
