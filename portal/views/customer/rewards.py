"""The customer's rewards, day by day, with both parts; and the same as a file."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from billing.corrections import difference_of
from billing.queries import terms_of_month
from billing.settlement import month_of
from billing.shares import MonthToDate, Parts, month_to_date
from billing.split import of_gross
from customers import tenancy
from customers.tenancy import Access
from mining.models import Reward
from mining.models.rewards import RewardStatus
from mining.rewards.absent import Absent
from portal.access import AccessRequest, customer_page
from portal.forms.customer import RewardFilter
from portal.keyset import Page
from portal.templatetags.units import hashrate_unit
from portal.views.absent_rows import absent_of_page, among
from portal.views.customer.frame import customer_of, frame_of
from portal.views.customer.reward_file import csv_rows
from portal.views.customer.reward_rows import RewardRow, reward_rows
from portal.views.paging import asked_for, keyset

PAGE = 100  # a month on one page
HS_PER_THS = 12  # powers of ten


@customer_page()
@require_GET
def rewards(request: AccessRequest) -> HttpResponse:
    access, now = request.access, timezone.now()
    months = months_of(access)
    form = RewardFilter(request.GET, months=months)
    page = keyset(_chosen(access, form), request.GET.get("after"), order=("-day", "-pk"), size=PAGE)
    rows = reward_rows(access, page.rows)
    month = None if form.errors else form.chosen_month
    totals = month_to_date(access, customer_of(access), month, now) if month else None
    context = {
        "now": now,
        "frame": frame_of(access, now=now),
        "form": form,
        "rows": [
            (row, row and _hashrate_ths(row), absent)
            for row, absent in among(rows, _absent(request, form, page, now), day_of=lambda row: row.reward.day)
        ],
        "unit": hashrate_unit(max((ths for row in rows if (ths := _hashrate_ths(row)) is not None), default=None)),
        "after": page.after,
        "shown": page.shown,
        "month": month,
        "status": form.chosen_status,
        "totals": totals,
        "difference": difference_of(access, customer_of(access), month) if month else None,
        **(month_terms(access, month, now) if month else {}),
        "sums": _sums(totals, form.chosen_status) if totals and not page.after else [],
        "has_any": bool(months),
        "csv": f"{reverse('customer:rewards_csv')}?{urlencode(_query(form))}",
    }
    return render(request, "customer/rewards.html", context)


@customer_page()
@require_GET
def rewards_csv(request: AccessRequest) -> HttpResponseBase:
    access = request.access
    form = RewardFilter(request.GET, months=months_of(access))
    if not form.is_valid():
        # The page says what is wrong with the choice; a file with other rows than asked for would not.
        return redirect(f"{reverse('customer:rewards')}?{request.GET.urlencode()}")
    chosen = _chosen(access, form).select_related("mining_account")
    body = tenancy.stream(access, lambda: csv_rows(access, chosen))
    response = StreamingHttpResponse(body, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{_file_name(form)}"'
    return response


def months_of(access: Access) -> list[date]:
    """The months that have rewards, newest first."""
    return list(Reward.objects.visible_to(access).dates("day", "month", order="DESC"))


def _absent(request: AccessRequest, form: RewardFilter, page: Page[Reward], now: datetime) -> list[Absent]:
    """Days without a reward, where the list is about all of some days."""
    if form.errors or form.chosen_status or not page.rows:
        return []
    days = month_of(form.chosen_month) if form.chosen_month else None
    return absent_of_page(
        request.access,
        [customer_of(request.access).pk],
        rows=page.rows,
        after=request.GET.get("after"),
        is_last=page.after is None,
        between=(days.lower, days.upper - timedelta(days=1)) if days else (None, None),
        now=now,
    )


def _chosen(access: Access, form: RewardFilter) -> QuerySet[Reward]:
    rewards = asked_for(form, Reward.objects.visible_to(access))
    if form.chosen_month:
        days = month_of(form.chosen_month)
        rewards = rewards.filter(day__gte=days.lower, day__lt=days.upper)
    return rewards.filter(status=form.chosen_status) if form.chosen_status else rewards


def month_terms(access: Access, month: date, now: datetime) -> dict[str, Any]:
    """The terms by which the customer can check the parts of a month's sum."""
    terms = terms_of_month(access, customer_of(access), month, now)
    return {"terms": terms, "of_gross": terms is not None and of_gross(terms.basis, terms.pool_fee_borne_by)}


def _sums(totals: MonthToDate, status: str) -> list[tuple[str, Parts, bool]]:
    """The lines below the list, of what stands in it: final, and apart from it what is not."""
    lines = [
        (RewardStatus.SUCCESSFUL, "Final", totals.successful, True),
        (RewardStatus.PENDING, "Not final", totals.pending, False),
    ]
    return [(words, parts, final) for of, words, parts, final in lines if parts.count and status in ("", of)]


def _query(form: RewardFilter) -> dict[str, str]:
    return {name: value for name, value in form.data.items() if value}


def _hashrate_ths(row: RewardRow) -> Decimal | None:
    hashrate_hs = row.reward.hashrate_hs
    return None if hashrate_hs is None else hashrate_hs.scaleb(-HS_PER_THS)


def _file_name(form: RewardFilter) -> str:
    query: dict[str, Any] = _query(form)
    return "-".join(["rewards", query["month"], *([query["status"]] if "status" in query else [])]) + ".csv"
