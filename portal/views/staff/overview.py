"""The first page of staff: what needs them, three numbers, and the proof."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Sum
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from billing import queries as billing
from billing.models import Document
from billing.shares import month_to_date
from customers.models import Customer
from customers.tenancy import Access
from mining import queries as mining
from mining.models import MiningAccount
from portal.access import AccessRequest, staff_page
from portal.views.charts import hashrate_chart
from portal.views.staff.needs import allowed, needs_of


@staff_page("read")
@require_GET
def overview(request: AccessRequest) -> HttpResponse:
    access, now = request.access, timezone.now()
    needs = needs_of(access, now=now)
    series = mining.total_series(access, now=now)
    context = {
        "now": now,
        "needs": [(need, allowed(access, need)) for need in needs],
        "customers": Customer.objects.visible_to(access).filter(status=Customer.Status.ACTIVE).count(),
        "machines": _machines(access),
        "total": mining.total_now(access, now=now),
        "month": month_to_date(access, None, now.date(), now),
        "drafts": billing.drafts_open(access),
        "issued": _last_issued(access),
        "read_at": read_at(access, now=now),
        "last_known": next((hour for hour in reversed(series) if hour.hashrate_ths is not None), None),
        **hashrate_chart(series, title="Hashrate of all accounts", is_sum=True),
    }
    return render(request, "staff/overview.html", context)


def read_at(access: Access, *, now: datetime) -> datetime | None:
    """When the reading that lies back longest was made; None while something was never read."""
    age = mining.provider_age(access, now=now)
    return None if age is None else now - age


def _machines(access: Access) -> dict[str, int]:
    """Those of customers that do not run as they should. It is for the customer to see to them: no need of staff's."""
    read = MiningAccount.objects.visible_to(access).filter(state=MiningAccount.State.ACTIVE).exclude(customer=None)
    return read.aggregate(down=Sum("workers_offline", default=0), low=Sum("workers_low", default=0))


def _last_issued(access: Access) -> list[Document]:
    issued = Document.objects.visible_to(access).filter(counts=True)
    return list(issued.select_related("customer").order_by("-pk")[:5])
