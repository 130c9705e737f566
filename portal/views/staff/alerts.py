"""Alerts: what is open, what somebody has, and what was; the rules that open them, and what one is mailed oneself."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from customers.models import MemberKind, Membership
from mining.alerts import handling, rules, wishes
from mining.alerts.rules import OF_FLEET
from mining.models import Alert, AlertKind, AlertRule
from portal.access import AccessRequest, staff_page
from portal.alerts.rule_words import RULES, RuleWords, in_words
from portal.alerts.words import page_of, sentence
from portal.forms.alerts import AssignForm, NoteForm, RuleForm, WishesForm
from portal.views.lookup import the
from portal.views.paging import keyset
from portal.views.staff.responses import accepted, do

RELATED = ("customer", "mining_account", "credential__login", "intent", "worker", "assigned_to__user")


@dataclass(frozen=True, slots=True)
class AlertRow:
    alert: Alert
    sentence: str
    href: str


@dataclass(frozen=True, slots=True)
class RuleRow:
    rule: AlertRule
    words: RuleWords
    sentence: str


@staff_page("read")
@require_GET
def alerts(request: AccessRequest) -> HttpResponse:
    everything = _visible(request).filter(group=None)
    past = keyset(everything.filter(ended_at__isnull=False), request.GET.get("after"), order=("-pk",))
    rows = [_row(alert) for alert in everything.filter(ended_at=None).order_by("-pk")]
    rows.sort(key=lambda row: (row.alert.level == Alert.Level.WARNING, not row.alert.is_group))
    waiting = [row for row in rows if row.alert.acknowledged_at is None and not row.alert.is_silenced]
    context = {
        "count": len(rows),
        "open": waiting,
        "taken": [row for row in rows if row not in waiting],
        "past": [_row(alert) for alert in past.rows],
        "after": past.after,
        "shown": past.shown,
    }
    return render(request, "staff/alerts.html", context)


@staff_page("read")
@require_GET
def alert(request: AccessRequest, code: str) -> HttpResponse:
    return _alert_page(request, code)


def _alert_page(request: AccessRequest, code: str, *, note: NoteForm | None = None) -> HttpResponse:
    found = the(_visible(request), code)
    staff = _staff(request)
    has_it = found.assigned_to.code if found.assigned_to is not None else ""
    members = found.members.select_related(*RELATED).order_by("-machines", "customer__name")
    context = {
        "alert": found,
        "sentence": sentence(found),
        "seen_to": page_of(found) if found.kind not in OF_FLEET else "",
        "rule": AlertRule.objects.visible_to(request.access).filter(kind=found.kind, customer=None).first(),
        "rule_name": RULES[AlertKind(found.kind)].name,
        "members": [_row(member) for member in members] if found.is_group else [],
        "assign": AssignForm(staff=list(staff), initial={"member": has_it}),
        "note": note or NoteForm(initial={"note": found.note}),
    }
    return render(request, "staff/alert.html", context)


@staff_page("alerts")
@require_POST
def alert_acknowledge(request: AccessRequest, code: str) -> HttpResponse:
    found = the(_visible(request), code)

    def acknowledge() -> str:
        handling.acknowledge(request.access, found, now=timezone.now())
        return f"You have it: {sentence(found)}. Nobody is told of it again."

    return do(request, acknowledge, "staff:alerts")


@staff_page("alerts")
@require_POST
def alert_assign(request: AccessRequest, code: str) -> HttpResponse:
    found = the(_visible(request), code)
    staff = list(_staff(request))
    form = AssignForm(request.POST, staff=staff)

    def assign() -> str:
        chosen = form.cleaned_data["member"] if form.is_valid() else None
        to = next((member for member in staff if member.code == chosen), None)
        handling.assign(request.access, found, to=to, now=timezone.now())
        return f"{to.user.name or to.user.email} has it." if to is not None else "Nobody has it now."

    return do(request, assign, "staff:alert", found.code)


@staff_page("alerts")
@require_POST
def alert_note(request: AccessRequest, code: str) -> HttpResponse:
    found = the(_visible(request), code)
    form = NoteForm(request.POST)

    def note() -> None:
        handling.note(request.access, found, text=form.cleaned_data["note"], now=timezone.now())

    if accepted(form, note):
        messages.success(request, "The note is kept.")
        return redirect("staff:alert", found.code)
    return _alert_page(request, code, note=form)


# --- Rules, and what one is mailed


@staff_page("read")
@require_GET
def alert_rules(request: AccessRequest) -> HttpResponse:
    rows = {rule.kind: rule for rule in AlertRule.objects.visible_to(request.access).filter(customer=None)}
    known = [(rows[kind], words) for kind, words in RULES.items() if kind in rows]
    context = {"rules": [RuleRow(rule, words, in_words(rule)) for rule, words in known]}
    return render(request, "staff/alert_rules.html", context)


@staff_page("alert_rules")
@require_http_methods(["GET", "POST"])
def alert_rule(request: AccessRequest, code: str) -> HttpResponse:
    rule = the(AlertRule.objects.visible_to(request.access), code, customer=None)
    form = RuleForm(request.POST or None, rule=rule)

    def change() -> None:
        rules.change(request.access, rule, now=timezone.now(), **form.cleaned_data)

    if request.method == "POST" and accepted(form, change):
        messages.success(request, f"{form.words.name}: saved. It holds from the next minute on.")
        return redirect("staff:alert_rules")
    return render(request, "staff/alert_rule.html", {"rule": rule, "form": form, "words": form.words})


@staff_page("read")
@require_http_methods(["GET", "POST"])
def alert_mails(request: AccessRequest) -> HttpResponse:
    form = WishesForm(request.POST or None, wishes=wishes.wishes_of(request.access))

    def change() -> None:
        wishes.change(request.access, now=timezone.now(), **form.cleaned_data)

    if request.method == "POST" and accepted(form, change):
        messages.success(request, "Saved: what you are mailed, and when.")
        return redirect("staff:alert_mails")
    return render(request, "staff/alert_mails.html", {"form": form, "address": request.user.email})


def _visible(request: AccessRequest) -> QuerySet[Alert]:
    rows = Alert.objects.visible_to(request.access).opened().filter(for_customer=None)
    return rows.select_related(*RELATED).prefetch_related("members__customer")


def _staff(request: AccessRequest) -> QuerySet[Membership]:
    staff = Membership.objects.visible_to(request.access).filter(kind=MemberKind.STAFF, is_active=True)
    return staff.select_related("user").order_by("user__name", "pk")


def _row(alert: Alert) -> AlertRow:
    return AlertRow(alert, sentence(alert), page_of(alert))
