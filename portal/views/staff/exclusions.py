"""Times that count for and against nobody: what runs, what is planned and past; a new one, with what it changes."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.db.models import F, Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from customers.errors import Refused
from customers.tenancy import Access
from customers.words import counted
from mining.fleet import exclusions as domain
from mining.fleet import table as tables
from mining.fleet.exclusions import Effect
from mining.models import Exclusion
from portal.access import AccessRequest, staff_page
from portal.forms.fleet import OF_CUSTOMER, OF_SITE, OF_WORKER, WHOLE, ExclusionEndForm, ExclusionForm
from portal.templatetags.fleet import clock, lasted, until_when
from portal.views.lookup import the
from portal.views.paging import keyset
from portal.views.staff.responses import accepted, answer, do, told

PAGE, MOST_SHOWN = 50, 10


@staff_page("read")
@require_GET
def exclusions(request: AccessRequest) -> HttpResponse:
    now = timezone.now()
    return _page(request, ExclusionForm(access=request.access, initial=_offered(request, now)), now=now)


@staff_page("exclusions")
@require_POST
def exclusion_new(request: AccessRequest) -> HttpResponse:
    """What it changes first; then, when just that is sent again, it is entered."""
    access, now = request.access, timezone.now()
    form = ExclusionForm(request.POST, access=access)
    if not form.is_valid():
        return _page(request, form, now=now)
    seen = _digest(form)
    if request.POST.get("seen") == seen:

        def enter() -> None:
            domain.enter(access, **form.window, now=now)

        if accepted(form, enter):
            messages.success(request, "The window stands. Uptime of its days is worked out anew.")
            return redirect("staff:exclusions")
        return _page(request, form, now=now)
    try:
        effect = domain.effect(access, **form.window, now=now)
    except Refused as refusal:
        form.add_error(None, told(refusal))
        return _page(request, form, now=now)
    return _page(request, form, now=now, effect=effect, seen=seen)


@staff_page("exclusions")
@require_POST
def exclusion_end(request: AccessRequest, code: str) -> HttpResponse:
    exclusion, now = _exclusion(request, code), timezone.now()

    def end() -> str:
        domain.end(request.access, exclusion, now=now)
        return "Ended: from now on its machines count." if exclusion.from_at <= now else "Taken back: it never was."

    return do(request, end, "staff:exclusions")


@staff_page("exclusions")
@require_http_methods(["GET", "POST"])
def exclusion_change(request: AccessRequest, code: str) -> HttpResponse:
    """Another end: earlier, later, or open; or taken back as if it had never been."""
    access, now = request.access, timezone.now()
    exclusion = _exclusion(request, code)
    form = ExclusionEndForm(request.POST or None, initial={"until_at": exclusion.until_at})
    if request.method == "POST" and request.POST.get("act") == "withdraw":

        def withdraw() -> str:
            domain.change_end(access, exclusion, until_at=exclusion.from_at, now=now)
            return "Taken back: it never was. Uptime of its days is worked out anew."

        return do(request, withdraw, "staff:exclusions")

    def change() -> None:
        domain.change_end(access, exclusion, until_at=form.cleaned_data["until_at"], now=now)

    if request.method == "POST" and accepted(form, change):
        return answer(request, messages.SUCCESS, "Its end is changed.", "staff:exclusions")
    context = {"now": now, "form": form, "exclusion": exclusion}
    return render(request, "staff/exclusion.html", context)


def _page(
    request: AccessRequest, form: ExclusionForm, *, now: datetime, effect: Effect | None = None, seen: str = ""
) -> HttpResponse:
    access = request.access
    everything = _rows(access)
    present = list(everything.filter(Q(until_at=None) | Q(until_at__gt=now)).order_by("from_at", "pk")[:PAGE])
    running = [row for row in present if row.from_at <= now]
    planned = [row for row in present if row.from_at > now]
    page = keyset(everything.filter(until_at__lte=now), request.GET.get("after"), order=("-from_at", "-pk"), size=PAGE)
    context: dict[str, Any] = {
        "now": now,
        "form": form,
        "sites": tables.sites_of(access),
        "running": running,
        "planned": planned,
        "past": page.rows,
        "after": page.after,
        "shown": page.shown,
        "headline": _headline(running, planned, now),
        "detail": f"{counted(len(running), 'window')} running, {len(planned)} planned",
        "sums": _month_sums(everything, now),
        "month": now.date(),
        "seen": seen,
    }
    if effect is not None:
        context |= _effect(form, effect, now)
    return render(request, "staff/exclusions.html", context)


def _rows(access: Access) -> QuerySet[Exclusion]:
    """Not those that were taken back: they never were."""
    rows = Exclusion.objects.visible_to(access).select_related("customer", "worker")
    return rows.exclude(until_at=F("from_at"))


def _headline(running: list[Exclusion], planned: list[Exclusion], now: datetime) -> str:
    if len(running) == 1:
        return f"{of_whom(running[0])} is excluded {until_when(running[0].until_at, now)}"
    if running:
        return f"{len(running)} windows are running"
    if planned:
        return f"Nothing is excluded before {clock(planned[0].from_at, now)}"
    return "Nothing is excluded now"


def of_whom(exclusion: Exclusion) -> str:
    if exclusion.worker is not None:
        return exclusion.worker.name
    if exclusion.customer is not None:
        return exclusion.customer.name
    return exclusion.site or "Everything"


def _month_sums(everything: QuerySet[Exclusion], now: datetime) -> list[tuple[str, int]]:
    """How long windows of each reason stood this month so far: hours on the clock, whatever they covered."""
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    touching = everything.filter(Q(until_at=None) | Q(until_at__gt=first), from_at__lt=now)
    sums: dict[str, int] = {}
    for reason, from_at, until_at in touching.values_list("reason", "from_at", "until_at"):
        length = min(until_at or now, now) - max(from_at, first)
        sums[reason] = sums.get(reason, 0) + int(max(length, timedelta()).total_seconds())
    words = dict(Exclusion.Reason.choices)
    return [(words[reason], seconds) for reason, seconds in sorted(sums.items(), key=lambda pair: -pair[1])]


def _effect(form: ExclusionForm, effect: Effect, now: datetime) -> dict[str, Any]:
    changes = effect.changes or []
    length = "until you end it" if effect.length is None else lasted(int(effect.length.total_seconds()))
    return {
        "effect": effect,
        "changes": [
            {
                "change": change,
                "excluded_s": change.after.excluded_s - change.before.excluded_s,
                "before": change.before.share(),
                "then": change.after.share(),
            }
            for change in changes[:MOST_SHOWN]
        ],
        "more_changes": max(len(changes) - MOST_SHOWN, 0),
        "excluded_s": sum(change.after.excluded_s - change.before.excluded_s for change in changes),
        "length": length,
        "begins_later": form.cleaned_data["from_at"] > now,
        "button": f"Exclude {length} for {counted(effect.accounts, 'customer')}"
        if effect.length is not None
        else f"Exclude {counted(effect.accounts, 'customer')} {length}",
    }


def _digest(form: ExclusionForm) -> str:
    """Stands for exactly this window: what is sent with another one is looked at again."""
    window = form.window
    parts = [
        window["customer"].code if window["customer"] else "",
        window["worker"].code if window["worker"] else "",
        window["site"],
        window["from_at"].isoformat(),
        window["until_at"].isoformat() if window["until_at"] else "",
        window["reason"],
        window["note"],
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _offered(request: AccessRequest, now: datetime) -> dict[str, Any]:
    """What a link from another page may ask for."""
    given = request.GET
    offered: dict[str, Any] = {"from_at": now.replace(second=0, microsecond=0, tzinfo=None)}
    for scope in (OF_SITE, OF_CUSTOMER, OF_WORKER):
        if which := given.get(scope):
            return offered | {"scope": scope, "which": which[:255]}
    return offered | {"scope": OF_SITE if tables.sites_of(request.access) else WHOLE}


def _exclusion(request: AccessRequest, code: str) -> Exclusion:
    return the(_rows(request.access), code)
