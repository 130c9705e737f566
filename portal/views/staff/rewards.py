"""All customers' rewards, as the pool tells them and as the terms split them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from billing.corrections import corrections_of
from billing.shares import month_to_date, shares_of
from customers.models import Customer
from customers.tenancy import Access
from mining.models import Reward
from mining.rewards.absent import Absent
from portal.access import AccessRequest, staff_page
from portal.forms.staff import RewardFilter
from portal.keyset import Page
from portal.views.absent_rows import absent_of_page, among
from portal.views.paging import asked_for, keyset
from portal.views.staff.search import customers_found, wanted_of

# Why a reward has no split, or an odd one; what stands here is told in the row.
FLAG_WORDS = {
    "no_contract": "no terms for this day",
    "share_capped": "the fee is larger than the customer's part",
    "unknown_status": "status not known to us",
    "unknown_destination": "destination not known to us",
    "unknown_currency": "not in BTC",
    "missing": "no longer listed by the pool",
    "misdirected": "paid where nobody had agreed to",
    "terms_changed": "the terms changed after this day",
}


@staff_page("read")
@require_GET
def rewards(request: AccessRequest) -> HttpResponse:
    access, now = request.access, timezone.now()
    form = RewardFilter(request.GET or None)
    wanted, only = wanted_of(access, form)
    everything = Reward.objects.visible_to(access).select_related("customer", "mining_account")
    page = keyset(
        asked_for(form, _chosen(access, everything, wanted, only)), request.GET.get("after"), order=("-day", "-pk")
    )
    shares = shares_of(page.rows)
    corrections = corrections_of(access, page.rows, shares)
    absents = _absent(request, wanted, only, page, now) if not form.errors else []
    context = {
        "rows": [
            (reward, shares[reward.pk], notes(shares[reward.pk].flags), corrections.get(reward.pk), None)
            if reward is not None
            else (None, None, [], None, absent)
            for reward, absent in among(page.rows, absents, day_of=lambda reward: reward.day)
        ],
        "after": page.after,
        "shown": page.shown,
        "form": form,
        "only": only,
        "filtered": any(wanted.values()),
        "month": month_to_date(access, only, now.date(), now),
    }
    return render(request, "staff/rewards.html", context)


def _absent(
    request: AccessRequest, wanted: dict[str, Any], only: Customer | None, page: Page[Reward], now: datetime
) -> list[Absent]:
    """Days without a reward, where the list is about all of some days."""
    if wanted.get("status") or not page.rows:
        return []
    customers = [only.pk] if only is not None else None
    if wanted.get("q"):
        found = customers_found(request.access, wanted["q"]).values_list("pk", flat=True)
        customers = [pk for pk in found if customers is None or pk in customers]
    return absent_of_page(
        request.access,
        customers,
        rows=page.rows,
        after=request.GET.get("after"),
        is_last=page.after is None,
        between=(wanted.get("date_from"), wanted.get("date_to")),
        now=now,
    )


def _chosen(
    access: Access, rewards: QuerySet[Reward], wanted: dict[str, Any], only: Customer | None
) -> QuerySet[Reward]:
    if only is not None:
        rewards = rewards.filter(customer=only)
    if wanted.get("q"):
        rewards = rewards.filter(customer__in=customers_found(access, wanted["q"]))
    if wanted.get("date_from"):
        rewards = rewards.filter(day__gte=wanted["date_from"])
    if wanted.get("date_to"):
        rewards = rewards.filter(day__lte=wanted["date_to"])
    if wanted.get("status"):
        rewards = rewards.filter(status=wanted["status"])
    return rewards


def notes(flags: tuple[str, ...]) -> list[str]:
    return [FLAG_WORDS[flag] for flag in flags if flag in FLAG_WORDS]
