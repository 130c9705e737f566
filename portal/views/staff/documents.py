"""Documents: close a month, look at drafts, issue them after a page that repeats the effect, and hand them out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from datetime import date
from typing import Any, NamedTuple

from django.contrib import messages
from django.db.models import Count, Min, Q, QuerySet
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from billing import evidence, files, minimum, rereading, settlement
from billing import queries as billing
from billing.corrections import difference_of
from billing.holds import omissions
from billing.holds.drafts import Hold, held_drafts, why_held
from billing.holds.omissions import Omission
from billing.issue import Issued, changed_meanwhile, issue_all
from billing.models import (
    Allocation,
    Document,
    DocumentLine,
    DocumentMove,
    DocumentOpen,
    DocumentStatus,
    FileKind,
    LineKind,
)
from billing.pdf.content import why
from customers import tenancy
from customers.errors import Refused
from customers.models import Customer
from customers.tenancy import Access
from customers.words import agreeing, counted
from mining.models import Reward
from portal import second_factor
from portal.access import AccessRequest, staff_page
from portal.file_types import CONTENT_TYPES
from portal.forms.staff import FILE_FAILED, CloseForm, DocumentFilter, NoteForm, first_sentence
from portal.templatetags.units import period
from portal.views.document_lines import sums, with_absent_days
from portal.views.lookup import the
from portal.views.paging import asked_for, keyset
from portal.views.staff.responses import answer, do
from portal.views.staff.search import customers_found, wanted_of

MONTHS_BACK = 12
BALANCE = re.compile(r"-?[0-9]{1,18}")  # satoshi, as a page of ours writes them


# --- The list


@staff_page("read")
@require_GET
def documents(request: AccessRequest) -> HttpResponse:
    access, today = request.access, timezone.now().date()
    months = _months(access, today)
    form = DocumentFilter(request.GET or None, months=months)
    wanted, only = wanted_of(access, form)
    everything = Document.objects.visible_to(access).select_related("customer")
    page = keyset(asked_for(form, _chosen(access, everything, wanted, only)), request.GET.get("after"), order=("-pk",))
    held = held_drafts(access)
    draft_months = _draft_months(access, held.values())
    context = {
        "rows": [(document, held.get(document.pk)) for document in page.rows],
        "after": page.after,
        "shown": page.shown,
        "form": form,
        "only": only,
        "filtered": any(wanted.values()),
        "close_form": CloseForm(months=months),
        "drafts": billing.drafts_open(access),
        "held": len(held),
        "draft_months": draft_months,
        "main_month": next((drafts.month for drafts in draft_months if drafts.free), None),
        "drafts_here": any(_can_be_issued(document, held) for document in page.rows),
    }
    return render(request, "staff/documents.html", context)


def _chosen(
    access: Access, documents: QuerySet[Document], wanted: dict[str, Any], only: Customer | None
) -> QuerySet[Document]:
    if only is not None:
        documents = documents.filter(customer=only)
    if wanted.get("q"):
        words = wanted["q"]
        documents = documents.filter(Q(number__icontains=words) | Q(customer__in=customers_found(access, words)))
    if wanted.get("month"):
        documents = documents.filter(period=settlement.month_of(_month(wanted["month"])))
    if wanted.get("status") == FILE_FAILED:
        return files.with_failed(documents)
    if wanted.get("status"):
        return documents.filter(status=wanted["status"])
    return documents.exclude(status=DocumentStatus.DISCARDED)


def _months(access: Access, today: date) -> list[date]:
    """Ended months, newest first, back to the month of the first reward."""
    first = Reward.objects.visible_to(access).aggregate(day=Min("day"))["day"] or today
    months = [billing.month_before(today)]
    while len(months) < MONTHS_BACK:
        months.append(billing.month_before(months[-1]))
    return [month for month in months if month >= first.replace(day=1)]


class DraftMonth(NamedTuple):
    month: date
    free: int  # drafts that can be issued
    held: int


def _draft_months(access: Access, holds: Iterable[Hold] = ()) -> list[DraftMonth]:
    counted = (
        Document.objects.visible_to(access)
        .filter(status=DocumentStatus.DRAFT)
        .values_list("period")
        .annotate(count=Count("pk"))
        .order_by("-period")
    )
    held = Counter(hold.document.first_day for hold in holds)
    return [DraftMonth(days.lower, count - held[days.lower], held[days.lower]) for days, count in counted]


def _can_be_issued(document: Document, held: dict[int, Hold]) -> bool:
    return document.status == DocumentStatus.DRAFT and document.pk not in held


def _month(text: str) -> date:
    return date.fromisoformat(f"{text}-01")


# --- Closing


@staff_page("issue")
@require_POST
def document_close(request: AccessRequest) -> HttpResponse:
    now = timezone.now()
    form = CloseForm(request.POST, months=_months(request.access, now.date()))
    if not form.is_valid():
        messages.error(request, first_sentence(form))
        return redirect("staff:documents")
    month = _month(form.cleaned_data["month"])

    def close() -> str:
        drafts = settlement.close_period(request.access, month=month, now=now)
        unread = rereading.in_words(request.access, settlement.month_of(month))
        return f"{_closed(month, len(drafts))} {unread}".strip()

    do(request, close, "staff:documents")
    return redirect(f"{reverse('staff:documents')}?{urlencode({'month': f'{month:%Y-%m}'})}")


def _closed(month: date, drafts: int) -> str:
    if not drafts:
        return f"{period(month)}: nothing to bill that is not on a document already."
    return f"{period(month)}: {counted(drafts, 'draft')} to look at."


# --- Issuing


@staff_page("issue")
@require_http_methods(["GET", "POST"])
@second_factor.required
def document_issue(request: AccessRequest) -> HttpResponse:
    """First the page that says what will happen, then the act: on exactly the amounts that were shown there."""
    if request.method == "POST":
        return _issue(request)
    chosen = _to_issue(request)
    if not chosen:
        messages.error(request, "Choose at least one draft to issue.")
        return redirect("staff:documents")
    held = why_held(request.access, chosen)
    free = [document for document in chosen if document.pk not in held]
    below = minimum.below(request.access, free)
    effect = billing.owed(document for document in free if document.pk not in below)
    left_out = omissions.on_documents(request.access, free)
    context = {
        "documents": free,
        "carried": len(below),
        "rows": [(document, *_left_out(left_out.get(document.pk, [])), below.get(document.pk)) for document in free],
        "held": list(held.values()),
        "effect": effect,
        "nothing_to_issue": f"Nothing to issue: {_are_held(len(held))}",
        "back": _back(chosen),
    }
    return render(request, "staff/document_issue.html", context)


def _left_out(left_out: list[Omission]) -> tuple[int, int]:
    """How much a draft leaves out as let pass, and how many days have no reward."""
    days = sum(omission.kind == omissions.Kind.NO_REWARD for omission in left_out)
    return len(left_out) - days, days


def _are_held(count: int) -> str:
    return f"{counted(count, 'draft')} {agreeing(count, 'is', 'are')} held"


def _to_issue(request: AccessRequest) -> list[Document]:
    drafts = Document.objects.visible_to(request.access).filter(status=DocumentStatus.DRAFT).select_related("customer")
    months = [drafts.month for drafts in _draft_months(request.access)]
    form = DocumentFilter({"month": request.GET.get("month", "")}, months=months)
    if request.GET.get("month"):
        drafts = (
            drafts.filter(period=settlement.month_of(_month(form.cleaned_data["month"])))
            if form.is_valid()
            else drafts.none()
        )
    else:
        codes = [code for code in request.GET.getlist("document") if "\x00" not in code]
        drafts = drafts.filter(code__in=codes)
    return list(drafts.order_by("period", "customer__name", "pk"))


def _issue(request: AccessRequest) -> HttpResponse:
    shown = dict(_shown_amounts(request.POST.getlist("document")))

    def act() -> str:
        asked = Document.objects.visible_to(request.access).filter(code__in=shown).select_related("customer")
        drafts = list(asked.order_by("period", "customer__name", "pk"))
        if not shown or {document.code: document.balance_sat for document in drafts} != shown:
            raise changed_meanwhile()
        final = len(shown) == 1 and "final" in request.POST  # one by one: the customer leaves
        return _issued(request, issue_all(request.access, drafts, final=final, now=timezone.now()))

    if len(shown) == 1:
        (code,) = shown
        if Document.objects.visible_to(request.access).filter(code=code).exists():
            return do(request, act, "staff:document", code)
    return do(request, act, "staff:documents")


def _shown_amounts(values: Iterable[str]) -> Iterable[tuple[str, int]]:
    """What the confirm page carried for each document: its code and the balance that was shown."""
    for value in values:
        code, _, balance = value.partition(":")
        if "\x00" not in code and BALANCE.fullmatch(balance):
            yield code, int(balance)


def _issued(request: AccessRequest, issued: Issued) -> str:
    if not issued.documents and not issued.carried:
        raise Refused("%(holds)s", code="document.held", params={"holds": " ".join(map(str, issued.held))})
    for hold in issued.held:
        messages.warning(request, f"Not issued: {hold}")
    carried = f"{counted(len(issued.carried), 'document')} carried to the next month." if issued.carried else ""
    if not issued.documents:
        return carried
    numbers = [document.number or "" for document in issued.documents]
    named = numbers[0] if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
    return f"Issued {counted(len(numbers), 'document')}: {named}. The PDFs are being made. {carried}".strip()


def _back(chosen: list[Document]) -> str:
    if len(chosen) == 1:
        return reverse("staff:document", args=[chosen[0].code])
    return reverse("staff:documents")


# --- One document


@staff_page("read")
@require_GET
def document(request: AccessRequest, code: str) -> HttpResponse:
    shown = _document(request, code)
    lines = list(
        DocumentLine.objects.visible_to(request.access)
        .filter(document=shown)
        .select_related("corrects__document")
        .order_by("position")
    )
    regular = [line for line in lines if line.kind == LineKind.REGULAR]
    corrections = [line for line in lines if line.kind == LineKind.CORRECTION]
    draft = shown.status == DocumentStatus.DRAFT
    absent_days, left_out = omissions.split_absent(omissions.of_document(shown))
    context = {
        "document": shown,
        "regular": regular,
        "rows": with_absent_days(regular, absent_days),
        "corrections": [(line, why(line)) for line in corrections],
        "regular_sums": sums(regular),
        "correction_sums": sums(corrections),
        "stale": draft and settlement.is_stale(shown),
        "held": why_held(request.access, [shown]).get(shown.pk) if draft else None,
        **_money(request.access, shown),
        "files": files.statuses(request.access, [shown]).get(shown.pk, []),
        "left_out": left_out,
        "seen_as": _seen_as(request.access, shown) if draft and left_out else "",
        "below_sat": minimum.below(request.access, [shown]).get(shown.pk) if draft else None,
        "difference": difference_of(request.access, shown.customer, shown.first_day) if shown.number else None,
    }
    return render(request, "staff/document.html", context)


def _seen_as(access: Access, draft: Document) -> str:
    """Of what holds the draft; nothing where a person let all of it pass."""
    holding = omissions.holding(omissions.on_documents(access, [draft]).get(draft.pk, []))
    return omissions.digest_of(holding) if holding else ""


def _money(access: Access, document: Document) -> dict[str, Any]:
    """What is paid of an issued document, by what, and the steps of its life since."""
    if document.number is None:
        return {}
    allocations = Allocation.objects.visible_to(access).filter(document=document).select_related("fund")
    return {
        "opened": DocumentOpen.objects.visible_to(access).get(document=document),
        "overdue": document.due_on is not None and document.due_on < timezone.now().date(),
        "allocations": list(allocations.order_by("pk")),
        "moves": list(DocumentMove.objects.visible_to(access).filter(document=document).order_by("pk")),
    }


def _document(request: AccessRequest, code: str) -> Document:
    documents = Document.objects.visible_to(request.access).select_related("customer", "contract")
    return the(documents, code)


@staff_page("issue")
@require_POST
@second_factor.required
def document_let_pass(request: AccessRequest, code: str) -> HttpResponse:
    draft = _document(request, code)
    form = NoteForm(request.POST)

    def let_pass() -> str:
        note = form.cleaned_data["note"] if form.is_valid() else ""
        seen_as = request.POST.get("seen_as", "")
        omissions.let_pass(request.access, draft, seen_as=seen_as, note=note, now=timezone.now())
        return "Let pass: the document says what it leaves out. Your name and note stand beside it."

    return do(request, let_pass, "staff:document", draft.code)


@staff_page("issue")
@require_POST
def document_discard(request: AccessRequest, code: str) -> HttpResponse:
    draft = _document(request, code)

    def discard() -> str:
        settlement.discard(request.access, draft, now=timezone.now())
        return f"The draft for {draft.customer.name} is discarded. Closing the month again makes a new one."

    return do(request, discard, "staff:document", draft.code)


@staff_page("issue")
@require_POST
def document_files_retry(request: AccessRequest, code: str) -> HttpResponse:
    document = _document(request, code)

    def retry() -> str:
        files.retry(request.access, document, now=timezone.now())
        return "A worker makes what failed anew; this page shows what comes of it."

    return do(request, retry, "staff:document", document.code)


@staff_page("read")
@require_GET
def document_pdf(request: AccessRequest, code: str) -> HttpResponse:
    return _file(request, _document(request, code), FileKind.PDF)


@staff_page("read")
@require_GET
def document_csv(request: AccessRequest, code: str) -> HttpResponseBase:
    document = _document(request, code)
    if document.number is not None:
        return _file(request, document, FileKind.CSV)
    body = tenancy.stream(request.access, lambda: evidence.csv_rows(document))
    response = StreamingHttpResponse(body, content_type=CONTENT_TYPES[FileKind.CSV])
    response["Content-Disposition"] = f'attachment; filename="draft-{document.month}-{document.code}.csv"'
    return response


def _file(request: AccessRequest, document: Document, kind: FileKind) -> HttpResponse:
    try:
        content = files.content_of(request.access, document, kind)
    except Refused as refusal:
        return answer(request, messages.INFO, str(refusal), "staff:document", document.code)
    response = HttpResponse(content, content_type=CONTENT_TYPES[kind])
    disposition = "inline" if kind == FileKind.PDF else "attachment"
    response["Content-Disposition"] = f'{disposition}; filename="{document.number}.{kind}"'
    return response
