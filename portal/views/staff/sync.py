"""How reading the pool goes: now, lately, and what could not be taken in. The web asks; workers read."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from customers.tenancy import Access
from mining import planner
from mining import queries as mining
from mining.keys import logins
from mining.models import PoolLogin, SyncRun
from mining.models.runs import Subject
from mining.rewards import rereading
from portal.access import AccessRequest, staff_page
from portal.views.paging import keyset
from portal.views.staff.quarantine import why
from portal.views.staff.responses import do, fragment

RUNS = 20


@dataclass(frozen=True, slots=True)
class Reading:
    """One subject at one login: what runs or ran last, and the last time that it brought something."""

    name: str
    login: PoolLogin
    newest: SyncRun
    read_at: datetime | None
    error: str  # empty also for what failed because its login is not read, which the page says above


@staff_page("read")
@require_GET
def sync(request: AccessRequest) -> HttpResponse:
    access = request.access
    context = _live(access, request.GET.get("after")) | {
        "quarantine": [(record, why(record)) for record in mining.quarantine(access)],
        "unassigned": mining.unassigned_accounts(access),
    }
    return fragment(request, "staff/sync.html", "staff/_sync_live.html", context)


def _live(access: Access, after: str | None) -> dict[str, Any]:
    """What changes while something is read."""
    unread = logins.unread(access)
    readings = _readings(access, unread)
    runs = keyset(SyncRun.objects.visible_to(access).select_related("login"), after, order=("-pk",), size=RUNS)
    return {
        "readings": readings,
        "under_way": [reading for reading in readings if reading.newest.state in SyncRun.OPEN],
        "failed": [reading for reading in readings if reading.newest.state == SyncRun.State.FAILED],
        "partial": [reading for reading in readings if reading.newest.state == SyncRun.State.PARTIAL],
        "runs": [(run, Subject(run.subject).label) for run in runs.rows],
        "after": runs.after,
        "shown": runs.shown,
        "unread": list(unread.items()),
        "again": rereading.progress(access),
    }


def _readings(access: Access, unread: Container[PoolLogin]) -> list[Reading]:
    order = list(Subject)
    readings = [
        Reading(
            Subject(entry.subject).label,
            entry.login,
            entry.newest,
            entry.newest_done.finished_at if entry.newest_done else None,
            "" if entry.login in unread and entry.newest.state == SyncRun.State.FAILED else entry.newest.error,
        )
        for entry in mining.subjects(access)
    ]
    return sorted(readings, key=lambda reading: (reading.login.name, order.index(Subject(reading.newest.subject))))


@staff_page("sync")
@require_POST
def sync_now(request: AccessRequest) -> HttpResponse:
    def ask() -> str:
        planner.request_sync(request.access, only=None, now=timezone.now())
        asked = "Asked for. A worker reads the pool now; this page shows how far it is."
        return " ".join([asked, *map(str, logins.unread(request.access).values())])

    return do(request, ask, "staff:sync")
