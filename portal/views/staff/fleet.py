"""The fleet: every customer's machines on one screen, a customer's machines and uptime, sites and retirement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from billing.evidence import text
from customers.models import Customer
from customers.tenancy import Access
from customers.words import agreeing, counted
from mining import queries as mining
from mining.fleet import expected, history, roster, states, uptime
from mining.fleet import table as tables
from mining.fleet.series import hourly
from mining.fleet.states import State
from mining.fleet.table import EVERYTHING, Site, Table
from mining.fleet.uptime import Uptime
from mining.models import MiningAccount, Worker
from portal.access import AccessRequest, staff_page
from portal.api.fleet import UptimeSerializer
from portal.forms.fleet import FleetFilter
from portal.forms.machines import SiteForm
from portal.templatetags.states import look
from portal.templatetags.units import hashrate_unit
from portal.views.files import csv_file, json_file
from portal.views.lookup import the
from portal.views.machines import Tab, history_from, iso, machine_part, machine_rows, machines_part, stretch_rows
from portal.views.staff.responses import accepted, answer, do
from portal.views.uptime import asked_month, month_of, stop_rows, uptime_part

PAGE, DAY_HOURS = 50, 24
NOT_UP = "not_up"


@dataclass(frozen=True, slots=True)
class Row:
    account: MiningAccount
    now: states.AccountNow
    hashrate: mining.CurrentHashrate
    uptime: Uptime
    line: str  # of the last 24 hours, as an SVG path; empty: no hour is known


@dataclass(frozen=True, slots=True)
class SiteRow:
    site: Site
    hashrate_ths: Decimal | None
    known: int


@staff_page("read")
@require_GET
def fleet(request: AccessRequest) -> HttpResponse:
    access, now = request.access, timezone.now()
    sites = tables.sites_of(access)
    form = FleetFilter(request.GET, sites=sites)
    given = form.cleaned_data if form.is_valid() else {}
    state = request.GET.get("state", "")
    after = request.GET.get("after", "")
    if "\x00" in state + after:
        raise Http404
    found = tables.table(
        access,
        words=given.get("q", ""),
        site=given.get("site", ""),
        state="" if state == NOT_UP else state,
        not_up=state == NOT_UP,
        order=given.get("order", ""),
        after=after,
        size=PAGE,
        now=now,
    )
    rows = _rows(access, found, now=now)
    context = {
        "now": now,
        "form": form,
        "words": given.get("q", ""),
        "rows": rows,
        "unit": hashrate_unit(_largest([row.hashrate.hashrate_ths for row in rows])),
        "after": found.after,
        "shown": len(rows),
        "tabs": _tabs(found),
        "state": state,
        "count": found.count,
        "headline": headline(found),
        "detail": _detail(found),
        "sites": _sites(access, found, now=now) if sites else [],
        "has_sites": bool(sites),
        "whole": _whole(found) if sites else None,
        "month": now.date(),
    }
    known = [row.hashrate_ths for row in context["sites"] if row.hashrate_ths is not None]
    context["site_unit"] = hashrate_unit(max(known, default=None))
    context["whole_ths"] = sum(known, Decimal(0)) if known else None
    return render(request, "staff/fleet.html", context)


def _rows(access: Access, found: Table, *, now: datetime) -> list[Row]:
    accounts = [row.account for row in found.rows]
    hashrates = mining.current_hashrates(access, accounts, now=now)
    months = uptime.months(access, accounts, now.date(), now=now)
    lines = hourly(access, accounts, hours=DAY_HOURS, now=now)
    return [
        Row(
            row.account,
            row.now,
            hashrates[row.account.pk],
            months[row.account.pk],
            spark_path(lines[row.account.pk]),
        )
        for row in found.rows
    ]


def _sites(access: Access, found: Table, *, now: datetime) -> list[SiteRow]:
    hashrates = tables.hashrates_at_sites(access, no_older=mining.CURRENT_FOR, now=now)
    return [SiteRow(site, *hashrates.get(site.site, (None, 0))) for site in found.sites]


def _whole(found: Table) -> Site:
    """All sites together."""
    counts = [name for name in Site.__slots__ if name != "site"]
    return Site("", **{name: sum(getattr(site, name) for site in found.sites) for name in counts})


def _largest(hashrates: Sequence[Decimal | None]) -> Decimal | None:
    """One unit for a column."""
    return max((ths for ths in hashrates if ths is not None), default=None)


def _tabs(found: Table) -> list[Tab]:
    tabs = [Tab("", "All", "", found.count)]
    if not_up := found.count - found.in_state.get(State.UP, 0):
        tabs.append(Tab(NOT_UP, "Not up", "", not_up))
    for state in (State.DOWN, State.LOW, State.UNKNOWN, State.EXCLUDED, State.UP):
        css, word = look("machine", state)
        if (count := found.in_state.get(state, 0)) or state is State.UP:
            tabs.append(Tab(state.value, word, css, count))
    return tabs


def headline(found: Table) -> str:
    down, low = (found.in_state.get(state, 0) for state in (State.DOWN, State.LOW))
    unknown = found.in_state.get(State.UNKNOWN, 0)
    if not found.count:
        return "No machines here"
    if down:
        return f"{counted(down, 'customer')} {agreeing(down, 'is', 'are')} down"
    if low:
        return f"{counted(low, 'customer')} {agreeing(low, 'has', 'have')} machines down or low"
    if unknown:
        return f"{counted(unknown, 'customer')} {agreeing(unknown, 'is', 'are')} not read"
    return "Nobody is down" if found.count > 1 else "Nothing is down"


def _detail(found: Table) -> str:
    down, low, unknown, excluded, up = (
        found.in_state.get(state, 0) for state in (State.DOWN, State.LOW, State.UNKNOWN, State.EXCLUDED, State.UP)
    )
    told = [
        f"{low:,} not all up" if low and down else "",
        f"{unknown:,} unknown" if unknown and (down or low) else "",
        f"{excluded:,} excluded" if excluded else "",
        f"{up:,} all up" if up else "",
    ]
    return ", ".join(words for words in told if words)


def spark_path(hours: Sequence[Decimal | None]) -> str:
    """On its own scale from 0; an hour that is not known is a gap."""
    known = [ths for ths in hours if ths is not None]
    if not known:
        return ""
    top = max(known) or Decimal(1)
    step, path, draws = Decimal(100) / max(len(hours) - 1, 1), [], False
    for index, ths in enumerate(hours):
        if ths is None:
            draws = False
            continue
        y = Decimal("23.4") - ths / top * Decimal("19.4")
        path.append(f"{'L' if draws else 'M'}{index * step:.1f} {y:.1f}")
        if not draws:
            path.append("h.01")  # one hour between two gaps is a dot
        draws = True
    return "".join(path)


CSV_COLUMNS = (
    "customer", "name", "mining_account", "site", "state", "since", "expected", "up", "low", "down", "excluded",
    "unknown", "read_at", "hashrate_ths",
)  # fmt: skip


@staff_page("read")
@require_GET
def fleet_csv(request: AccessRequest) -> HttpResponse:
    """All of them, the worst first."""
    access, now = request.access, timezone.now()
    found = tables.table(access, size=EVERYTHING, now=now)
    hashrates = mining.current_hashrates(access, [row.account for row in found.rows], now=now)
    lines: list[tuple[str, ...]] = [CSV_COLUMNS]
    for row in found.rows:
        account, state, customer = row.account, row.now, row.account.customer
        ths = hashrates[account.pk].hashrate_ths
        lines.append(
            (
                customer.code if customer else "",
                text(customer.name if customer else ""),
                text(account.name),
                text(account.site),
                state.state.value,
                iso(state.since),
                *(str(count) for count in (state.expected, state.up, state.low, state.down)),
                *(str(count) for count in (state.excluded, state.unknown)),
                iso(state.read_at),
                "" if ths is None else f"{ths:f}",
            )
        )
    return csv_file("fleet.csv", lines)


# --- One customer


@staff_page("read")
@require_GET
def machines(request: AccessRequest, code: str) -> HttpResponse:
    access, now = request.access, timezone.now()
    customer, account = _read(request, code)
    context: dict[str, Any] = {"now": now, "customer": customer, "account": account}
    if account is not None:
        context |= machines_part(access, account, request.GET, now=now)
    return render(request, "staff/machines.html", context)


@staff_page("read")
@require_GET
def machines_csv(request: AccessRequest, code: str) -> HttpResponse:
    account = _account(request, code)
    return csv_file("machines.csv", machine_rows(states.workers_of(request.access, account, now=timezone.now())))


@staff_page("read")
@require_GET
def machine(request: AccessRequest, code: str, worker: str) -> HttpResponse:
    access, now = request.access, timezone.now()
    found = _worker(request, code, worker)
    context = {
        "now": now,
        "customer": found.customer,
        "account": found.mining_account,
        "site_form": SiteForm(initial={"site": found.site}),
        **machine_part(access, found.mining_account, found, now=now),
    }
    return render(request, "staff/machine.html", context)


@staff_page("read")
@require_GET
def machine_csv(request: AccessRequest, code: str, worker: str) -> HttpResponse:
    now = timezone.now()
    found = _worker(request, code, worker)
    stretches = history.history(
        request.access, found.mining_account, found, from_at=history_from(now), until_at=now, now=now
    )
    return csv_file(f"machine-{found.code}.csv", stretch_rows(stretches))


@staff_page("machines")
@require_POST
def machine_retire(request: AccessRequest, code: str, worker: str) -> HttpResponse:
    found = _worker(request, code, worker)

    def retire() -> str:
        roster.retire(request.access, found, now=timezone.now())
        return f"{found.name} is in no count any more. It comes back by itself when the pool lists it again."

    return do(request, retire, "staff:machine", code, worker)


@staff_page("machines")
@require_POST
def machine_site(request: AccessRequest, code: str, worker: str) -> HttpResponse:
    found = _worker(request, code, worker)
    form = SiteForm(request.POST)

    def label() -> str:
        expected.set_worker_site(request.access, found, site=form.cleaned_data["site"], now=timezone.now())
        return f"{found.name} stands at {found.site}." if found.site else f"{found.name} stands where the others do."

    if not form.is_valid():
        return answer(
            request,
            messages.ERROR,
            " ".join(str(error) for error in form.errors["site"]),
            "staff:machine",
            code,
            worker,
        )
    return do(request, label, "staff:machine", code, worker)


@staff_page("machines")
@require_http_methods(["GET", "POST"])
def customer_site(request: AccessRequest, code: str) -> HttpResponse:
    """Where the machines of a customer's account stand."""
    account = _account(request, code)
    form = SiteForm(request.POST or None, initial={"site": account.site})

    def label() -> None:
        expected.set_site(request.access, account, site=form.cleaned_data["site"], now=timezone.now())

    if request.method == "POST" and accepted(form, label):
        said = f"These machines stand at {account.site}." if account.site else "These machines have no site."
        return do(request, lambda: said, "staff:machines", code)
    context = {
        "form": form,
        "customer": account.customer,
        "account": account,
        "sites": tables.sites_of(request.access),
    }
    return render(request, "staff/customer_site.html", context)


@staff_page("read")
@require_GET
def uptime_month(request: AccessRequest, code: str) -> HttpResponse:
    customer, account = _read(request, code)
    now = timezone.now()
    context: dict[str, Any] = {"now": now, "customer": customer, "account": account}
    if account is not None:
        context |= uptime_part(request.access, account, request.GET, now=now)
    return render(request, "staff/uptime.html", context)


@staff_page("read")
@require_GET
def uptime_csv(request: AccessRequest, code: str) -> HttpResponse:
    account, now = _account(request, code), timezone.now()
    month = month_of(request.access, account, asked_month(account, request.GET, now=now), now=now)
    return csv_file(f"uptime-{month.first:%Y-%m}.csv", stop_rows(month.evidence.stops))


@staff_page("read")
@require_GET
def uptime_json(request: AccessRequest, code: str) -> HttpResponse:
    account, now = _account(request, code), timezone.now()
    month = month_of(request.access, account, asked_month(account, request.GET, now=now), now=now)
    return json_file(f"uptime-{month.first:%Y-%m}.json", UptimeSerializer(month).data)


def _read(request: AccessRequest, code: str) -> tuple[Customer, MiningAccount | None]:
    """The customer, and its account once its machines were read."""
    customer = the(Customer.objects.visible_to(request.access), code)
    accounts = MiningAccount.objects.visible_to(request.access).filter(customer=customer)
    return customer, accounts.exclude(counts_since=None).select_related("customer").first()


def _account(request: AccessRequest, code: str) -> MiningAccount:
    _, account = _read(request, code)
    if account is None:
        raise Http404
    return account


def _worker(request: AccessRequest, code: str, worker: str) -> Worker:
    workers = Worker.objects.visible_to(request.access).select_related("mining_account", "customer")
    if "\x00" in code:
        raise Http404
    return the(workers, worker, customer__code=code)
