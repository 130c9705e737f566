"""What is owed both ways, and payments: looked at before they are recorded, used, taken back, read from a file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import F, Prefetch
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from billing.models import Allocation, DocumentOpen, DocumentStatus, Fund, PaidBy, Source
from billing.payments import files, recording
from billing.payments.allocation import SETTLES, Plan, open_of
from billing.payments.balances import AGES, Balance, balances
from billing.payments.recording import Payment
from billing.payments.statement import csv_rows, statement
from customers.models import Customer
from customers.tenancy import Access
from customers.words import counted
from portal import second_factor
from portal.access import AccessRequest, staff_page
from portal.forms.money import PaymentFileForm, PaymentForm, ReasonForm
from portal.views.lookup import the
from portal.views.paging import keyset
from portal.views.staff.responses import accepted, do
from portal.views.staff.search import customers_found

PAGE = 50
FOUND = 20
# The tabs of the board: what is asked for, its words, and whose balances it shows.
TABS: dict[str, tuple[str, Any]] = {
    "": ("All", lambda balance: True),
    "overdue": ("Overdue", lambda balance: balance.overdue),
    "owes-us": ("Owes us", lambda balance: balance.customer_owes),
    "we-owe": ("We owe", lambda balance: balance.provider_owes),
    "credit": ("Credit", lambda balance: balance.credit or balance.advance),
}


@staff_page("read")
@require_GET
def board(request: AccessRequest) -> HttpResponse:
    today = timezone.now().date()
    rows = balances(request.access, today=today)
    tab = request.GET.get("show", "")
    shown = [row for row in rows if TABS[tab][1](row)] if tab in TABS else rows
    page = Paginator(shown, PAGE).get_page(request.GET.get("page"))
    context = {
        "rows": [(row, (today - row.oldest_due).days if row.overdue and row.oldest_due else None) for row in page],
        "page": page,
        "tab": tab,
        "tabs": [(key, words, sum(bool(holds(row)) for row in rows)) for key, (words, holds) in TABS.items()],
        "sums": _sums(rows),
        "ages": _ages(rows),
    }
    return render(request, "staff/balances.html", context)


def _sums(rows: Sequence[Balance]) -> dict[str, int]:
    return {
        "customers": len(rows),
        "overdue": sum(row.overdue for row in rows),
        "overdue_customers": sum(bool(row.overdue) for row in rows),
        "customer_owes": sum(row.customer_owes for row in rows),
        "customer_owes_invoices": sum(row.invoices for row in rows),
        "not_due": sum(row.not_due for row in rows),
        "provider_owes": sum(row.provider_owes for row in rows),
        "provider_owes_settlements": sum(row.settlements for row in rows),
        "credit": sum(row.credit for row in rows),
        "advance": sum(row.advance for row in rows),
    }


def _ages(rows: Sequence[Balance]) -> list[tuple[str, int]]:
    first, second = AGES
    words = (f"1–{first} days over", f"{first + 1}–{second} days over", f"Over {second} days")
    return [(word, sum(row.over[step] for row in rows)) for step, word in enumerate(words)]


# --- Payments


@staff_page("read")
@require_GET
def payments(request: AccessRequest) -> HttpResponse:
    rows = Fund.objects.visible_to(request.access).select_related("customer")
    only = None
    if code := request.GET.get("customer"):
        only = the(Customer.objects.visible_to(request.access), code)
        rows = rows.filter(customer=only)
    page = keyset(rows, request.GET.get("after"), order=("-pk",))
    context = {"payments": page.rows, "after": page.after, "shown": page.shown, "only": only}
    return render(request, "staff/payments.html", context)


@staff_page("read")
@require_GET
def payment(request: AccessRequest, code: str) -> HttpResponse:
    fund = _fund(request, code)
    context = {"payment": fund, "usable": _usable(request.access, fund), "form": ReasonForm()}
    return render(request, "staff/payment.html", context)


def _fund(request: AccessRequest, code: str) -> Fund:
    allocations = Allocation.objects.visible_to(request.access).select_related("document").order_by("pk")
    funds = Fund.objects.visible_to(request.access).select_related("customer")
    return the(funds.prefetch_related(Prefetch("allocations", queryset=allocations)), code)


def _usable(access: Access, fund: Fund) -> list[DocumentOpen]:
    """What is open that the payment's rest could settle."""
    return list(open_of(access, fund.customer, PaidBy(fund.paid_by), fund.asset)) if fund.amount_left else []


@staff_page("payments")
@require_http_methods(["GET", "POST"])
def payment_new(request: AccessRequest) -> HttpResponse:
    """First what the payment would settle, then the act: on exactly what was shown there."""
    access, now = request.access, timezone.now()
    code = request.POST.get("customer") or request.GET.get("customer")
    if not code:
        return _choose_customer(request)
    customer = the(Customer.objects.visible_to(access), code)
    opens = _may_settle(access, customer)
    form = PaymentForm(request.POST or None, opens=opens, initial=_initial(request, opens, now))
    plan: Plan | None = None
    seen = ""

    def look() -> None:
        nonlocal plan, seen
        plan = recording.preview(access, _payment(form, customer), now=now)
        seen = _seen_as(form, plan)

    if request.method == "POST" and accepted(form, look):
        if plan is not None and request.POST.get("seen") == seen:
            if second_factor.is_missing(request, now=now):
                return second_factor.ask(request)
            made: list[Fund] = []

            def record() -> None:
                assert plan is not None
                made.append(recording.record(access, _payment(form, customer), seen=plan.seen_as, now=now))

            if accepted(form, record):
                messages.success(request, "The payment is recorded.")
                return redirect("staff:payment", made[0].code)
        elif request.POST.get("seen"):
            messages.warning(request, "Something changed since you looked. Nothing was recorded. Look at it again.")
    context = {"customer": customer, "form": form, "opens": opens, "plan": plan, "seen": seen}
    return render(request, "staff/payment_new.html", context)


def _choose_customer(request: AccessRequest) -> HttpResponse:
    words = request.GET.get("q", "").replace("\x00", "").strip()
    found = list(customers_found(request.access, words).order_by("name", "pk")[:FOUND]) if words else []
    return render(request, "staff/payment_customer.html", {"words": words, "found": found})


def _may_settle(access: Access, customer: Customer) -> list[DocumentOpen]:
    """Both sides', and what is written off: that can be chosen, too."""
    return list(
        DocumentOpen.objects.visible_to(access)
        .filter(
            customer=customer,
            document__status__in=[DocumentStatus.ISSUED, DocumentStatus.WRITTEN_OFF],
            settled__lt=F("total"),
        )
        .select_related("document")
        .order_by("document__due_on", "document_id")
    )


def _initial(request: AccessRequest, opens: Sequence[DocumentOpen], now: datetime) -> dict[str, Any]:
    """For a payment of the document that the address names: its whole rest, by who owes it."""
    initial: dict[str, Any] = {"received_on": now.date()}
    for row in opens:
        if row.document.code == request.GET.get("document"):
            side = next(side for side, type_ in SETTLES.items() if type_ == row.document.type)
            initial |= {"paid_by": side.value, "documents": [row.document.code]}
    return initial


def _payment(form: PaymentForm, customer: Customer) -> Payment:
    given = form.cleaned_data
    chosen = [row.document for row in form.opens if row.document.code in given["documents"]]
    return Payment(
        customer=customer,
        paid_by=PaidBy(given["paid_by"]),
        amount=form.amount_sat,
        source=Source(given["source"]),
        ref=given["ref"],
        received_on=given["received_on"],
        note=given["note"],
        documents=chosen or None,
    )


def _seen_as(form: PaymentForm, plan: Plan) -> str:
    """Stands for exactly this payment and what it settles."""
    given = form.cleaned_data
    said = [given["paid_by"], form.amount_sat, given["source"], given["ref"], given["received_on"], given["note"]]
    return "|".join([*map(str, said), *(f"{code}:{amount}" for code, amount in plan.seen_as)])


@staff_page("payments")
@require_http_methods(["POST"])
@second_factor.required
def payment_use(request: AccessRequest, code: str) -> HttpResponse:
    fund = _fund(request, code)

    def use() -> str:
        recording.use(request.access, fund, now=timezone.now())
        return "What was left settles what is open, the oldest first."

    return do(request, use, "staff:payment", fund.code)


@staff_page("payments")
@require_http_methods(["GET", "POST"])
@second_factor.required
def payment_take_back(request: AccessRequest, code: str) -> HttpResponse:
    fund = _fund(request, code)
    form = ReasonForm(request.POST or None)

    def take_back() -> None:
        recording.take_back(request.access, fund, reason=form.cleaned_data["reason"], now=timezone.now())

    if request.method == "POST" and accepted(form, take_back):
        messages.success(request, "The payment is taken back. What it settled is open again.")
        return redirect("staff:payment", fund.code)
    return render(request, "staff/payment_take_back.html", {"payment": fund, "form": form})


@staff_page("payments")
@require_http_methods(["GET", "POST"])
def payment_file(request: AccessRequest) -> HttpResponse:
    """First every row of the file with what it would settle, then the act: all of it or nothing."""
    access, now = request.access, timezone.now()
    form = PaymentFileForm(request.POST or None, request.FILES or None)
    rows: list[files.Row] = []

    def look() -> None:
        rows.extend(files.look_at(access, form.cleaned_data["csv"], now=now))

    def record() -> None:
        files.record_file(access, form.cleaned_data["csv"], now=now)

    if request.method == "POST" and "record" in request.POST:
        if second_factor.is_missing(request, now=now):
            return second_factor.ask(request)
        if accepted(form, record):
            messages.success(request, "The payments of the file are recorded.")
            return redirect("staff:payments")
    elif request.method == "POST":
        accepted(form, look)
    problems = [row for row in rows if row.problem]
    context = {
        "form": form,
        "rows": rows,
        "problems": problems,
        "csv": form.cleaned_data.get("csv") if rows and not problems else None,
        "columns": files.COLUMNS,
        "to_record": counted(len(rows), "payment"),
    }
    return render(request, "staff/payment_file.html", context)


@staff_page("read")
@require_GET
def customer_statement(request: AccessRequest, code: str) -> HttpResponse:
    """The customer's account from its first day on, as CSV."""
    customer = the(Customer.objects.visible_to(request.access), code)
    today = timezone.now().date()
    told = statement(request.access, customer, first_day=date(2009, 1, 1), last_day=today)
    response = HttpResponse(b"".join(csv_rows(told)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="statement-{customer.code}.csv"'
    return response
