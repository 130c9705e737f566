"""Alerts: what is open, and what was. They open and end by themselves; each leads to the page where it is seen to."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from mining.models import Alert
from portal.access import AccessRequest, staff_page
from portal.alerts.words import page_of, sentence
from portal.views.paging import keyset


@dataclass(frozen=True, slots=True)
class AlertRow:
    alert: Alert
    sentence: str
    href: str


@staff_page("read")
@require_GET
def alerts(request: AccessRequest) -> HttpResponse:
    subjects = ("customer", "mining_account", "credential__login", "intent")
    everything = Alert.objects.visible_to(request.access).select_related(*subjects)
    past = keyset(everything.filter(ended_at__isnull=False), request.GET.get("after"), order=("-pk",))
    context = {
        "open": [_row(alert) for alert in everything.filter(ended_at=None).order_by("-pk")],
        "past": [_row(alert) for alert in past.rows],
        "after": past.after,
        "shown": past.shown,
    }
    return render(request, "staff/alerts.html", context)


def _row(alert: Alert) -> AlertRow:
    return AlertRow(alert, sentence(alert), page_of(alert))
