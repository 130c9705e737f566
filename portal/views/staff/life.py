"""The steps of a document after its issue: each page says what happens, asks why, and for a fresh second factor."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from billing import life
from billing.models import Document
from customers.errors import Refused
from customers.tenancy import Access
from portal import second_factor
from portal.access import AccessRequest, staff_page
from portal.forms.money import ReasonForm
from portal.views.lookup import the
from portal.views.staff.responses import accepted


def _document(request: AccessRequest, code: str) -> Document:
    documents = Document.objects.visible_to(request.access).filter(number__isnull=False)
    return the(documents.select_related("customer", "contract"), code)


class Step(NamedTuple):
    template: str
    act: Callable[..., Document]
    why_not: Callable[[Access, Document], Refused | None]
    done: str


VOID = Step(
    "staff/document_void.html",
    life.void,
    life.why_not_void,
    "%s is voided. Close its month again to bill it anew.",
)
WRITE_OFF = Step("staff/document_write_off.html", life.write_off, life.why_not_write_off, "%s is written off.")
TAKE_UP_AGAIN = Step(
    "staff/document_take_up_again.html",
    life.take_up_again,
    life.why_not_take_up_again,
    "%s is asked for again.",
)


@staff_page("issue")
@require_http_methods(["GET", "POST"])
@second_factor.required
def document_void(request: AccessRequest, code: str) -> HttpResponse:
    return _step(request, code, VOID)


@staff_page("issue")
@require_http_methods(["GET", "POST"])
@second_factor.required
def document_write_off(request: AccessRequest, code: str) -> HttpResponse:
    return _step(request, code, WRITE_OFF)


@staff_page("issue")
@require_http_methods(["GET", "POST"])
@second_factor.required
def document_take_up_again(request: AccessRequest, code: str) -> HttpResponse:
    return _step(request, code, TAKE_UP_AGAIN)


def _seen(request: AccessRequest) -> int:
    """What was shown as open, in satoshi; −1 where the form was tampered with."""
    shown = request.POST.get("open", "")
    return int(shown) if shown.isascii() and shown.isdigit() and len(shown) < 20 else -1


def _step(request: AccessRequest, code: str, step: Step) -> HttpResponse:
    document = _document(request, code)
    opened = document.opened.get()
    form = ReasonForm(request.POST or None)

    def act() -> None:
        seen = {"seen_open": _seen(request)} if step is WRITE_OFF else {}
        step.act(request.access, document, reason=form.cleaned_data["reason"], now=timezone.now(), **seen)

    if request.method == "POST" and accepted(form, act):
        messages.success(request, step.done % document.number)
        return redirect("staff:document", document.code)
    context = {
        "document": document,
        "opened": opened,
        "form": form,
        "why_not": step.why_not(request.access, document),
    }
    return render(request, step.template, context)
