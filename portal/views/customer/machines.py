"""The customer's machines: which is down since when, one machine's history, and the uptime of a month."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from mining.fleet import history, states
from mining.models import MiningAccount, Worker
from portal.access import AccessRequest, customer_page
from portal.api.fleet import UptimeSerializer
from portal.views.customer.frame import Frame, frame_of
from portal.views.customer.headline import answer
from portal.views.files import csv_file, json_file
from portal.views.lookup import the
from portal.views.machines import history_from, machine_part, machine_rows, machines_part, stretch_rows
from portal.views.uptime import asked_month, month_of, stop_rows, uptime_part


@customer_page()
@require_GET
def machines(request: AccessRequest) -> HttpResponse:
    access, now = request.access, timezone.now()
    frame = frame_of(access, now=now)
    context: dict[str, Any] = {"now": now, "frame": frame}
    if (account := _read_account(frame)) is None:
        context["answer"] = answer(frame.account, provider_name=access.provider.name, now=now)
    else:
        context |= machines_part(access, account, request.GET, now=now)
    return render(request, "customer/machines.html", context)


@customer_page()
@require_GET
def machines_csv(request: AccessRequest) -> HttpResponse:
    access, now = request.access, timezone.now()
    account = _account(request, now)
    return csv_file("machines.csv", machine_rows(states.workers_of(access, account, now=now)))


@customer_page()
@require_GET
def machine(request: AccessRequest, code: str) -> HttpResponse:
    access, now = request.access, timezone.now()
    frame = frame_of(access, now=now)
    worker = _worker(request, code)
    context = {"now": now, "frame": frame, "account": worker.mining_account}
    context |= machine_part(access, worker.mining_account, worker, now=now)
    return render(request, "customer/machine.html", context)


@customer_page()
@require_GET
def machine_csv(request: AccessRequest, code: str) -> HttpResponse:
    access, now = request.access, timezone.now()
    worker = _worker(request, code)
    stretches = history.history(access, worker.mining_account, worker, from_at=history_from(now), until_at=now, now=now)
    return csv_file(f"machine-{worker.code}.csv", stretch_rows(stretches))


@customer_page()
@require_GET
def uptime_month(request: AccessRequest) -> HttpResponse:
    access, now = request.access, timezone.now()
    frame = frame_of(access, now=now)
    context: dict[str, Any] = {"now": now, "frame": frame}
    if (account := _read_account(frame)) is not None:
        context |= uptime_part(access, account, request.GET, now=now)
    return render(request, "customer/uptime.html", context)


@customer_page()
@require_GET
def uptime_csv(request: AccessRequest) -> HttpResponse:
    access, now = request.access, timezone.now()
    account = _account(request, now)
    month = month_of(access, account, asked_month(account, request.GET, now=now), now=now)
    return csv_file(f"uptime-{month.first:%Y-%m}.csv", stop_rows(month.evidence.stops))


@customer_page()
@require_GET
def uptime_json(request: AccessRequest) -> HttpResponse:
    access, now = request.access, timezone.now()
    account = _account(request, now)
    month = month_of(access, account, asked_month(account, request.GET, now=now), now=now)
    return json_file(f"uptime-{month.first:%Y-%m}.json", UptimeSerializer(month).data)


def _read_account(frame: Frame) -> MiningAccount | None:
    """None while the pool has not been asked for any machine."""
    account = frame.account
    return None if account is None or account.counts_since is None else account


def _account(request: AccessRequest, now: datetime) -> MiningAccount:
    if (account := _read_account(frame_of(request.access, now=now))) is None:
        raise Http404
    return account


def _worker(request: AccessRequest, code: str) -> Worker:
    return the(Worker.objects.visible_to(request.access).select_related("mining_account"), code)
