"""The customer's first page: the answer, three numbers, and their proof."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from billing.corrections import difference_of
from billing.payments.balances import balances
from billing.queries import month_before
from billing.shares import month_to_date
from billing.split import WHOLE_PPM
from customers.tenancy import Access
from mining import queries as mining
from mining.models import MiningAccount, Reward
from mining.queries import UNKNOWN_HASHRATE, Hour
from mining.rewards.absent import Absent
from portal.access import AccessRequest, customer_page
from portal.views.absent_rows import absent_of_page, among
from portal.views.charts import hashrate_chart
from portal.views.customer.frame import Frame, customer_of, drift_of, frame_of, freshness
from portal.views.customer.headline import answer
from portal.views.customer.reward_rows import RewardRow, reward_rows
from portal.views.customer.rewards import month_terms
from portal.views.customer.statements import statements_of

FEW = 6  # the lists have the rest


@customer_page()
@require_GET
def overview(request: AccessRequest) -> HttpResponse:
    access, now = request.access, timezone.now()
    frame = frame_of(access, now=now)
    rewards = list(Reward.objects.visible_to(access).order_by("-day", "-pk")[:FEW])
    context = {
        "now": now,
        "frame": frame,
        "drift": drift_of(access, frame),
        "answer": answer(frame.account, provider_name=access.provider.name, now=now),
        "rewards": _latest(access, rewards, now),
        "documents": list(statements_of(access)[:FEW]),
        "balance": next(iter(balances(access, today=now.date())), None),
        **_months(access, now),
        **_terms(access, now),
        **_machines(access, frame, now),
    }
    context["is_new"] = frame.read_at is None and not context["rewards"] and not context["documents"]
    return render(request, "customer/overview.html", context)


def _latest(access: Access, rewards: list[Reward], now: datetime) -> list[tuple[RewardRow | None, Absent | None]]:
    customers = [customer_of(access).pk]
    absent = absent_of_page(access, customers, rows=rewards, after=None, is_last=False, now=now) if rewards else []
    return among(reward_rows(access, rewards), absent, day_of=lambda row: row.reward.day)


def _months(access: Access, now: datetime) -> dict[str, Any]:
    today, customer = now.date(), customer_of(access)
    return {
        "month": month_to_date(access, customer, today, now),
        "month_before": month_to_date(access, customer, month_before(today), now),
        "difference": difference_of(access, customer, month_before(today)),
    }


def _terms(access: Access, now: datetime) -> dict[str, Any]:
    context = month_terms(access, now.date(), now)
    return {**context, "your_ppm": WHOLE_PPM - context["terms"].share_ppm if context["terms"] else None}


def _machines(access: Access, frame: Frame, now: datetime) -> dict[str, Any]:
    account = frame.account
    if account is None or account.state == MiningAccount.State.CREATING:
        return {"hashrate": UNKNOWN_HASHRATE, "workers": None, "hashrate_chart": hashrate_chart([])}
    series = mining.hashrate_series(access, account, now=now)
    workers = mining.workers(account, now=now)
    return {
        "hashrate": mining.current_hashrate(access, account, now=now),
        "hashrate_chart": hashrate_chart(series),
        "day_mean": mean(series[-24:]),
        "week_mean": mean(series),
        "workers": workers,
        "workers_freshness": freshness(workers.read_at, now=now),
    }


@dataclass(frozen=True, slots=True)
class Mean:
    """Over the hours that are known: a gap is no zero. `missing` says how many are not in it."""

    hashrate_ths: Decimal | None
    missing: int


def mean(hours: Sequence[Hour]) -> Mean:
    # The running hour is refined four times and may not be there yet: it is no gap.
    hashrates = [hour.hashrate_ths for hour in hours if hour.hashrate_ths is not None]
    missing = sum(hour.hashrate_ths is None for hour in hours[:-1])
    return Mean(sum(hashrates, Decimal(0)) / len(hashrates) if hashrates else None, missing)
