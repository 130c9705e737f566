"""The customer's own alerts: what stands, what was, the rules that its owners set, and what each user is mailed."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.forms import Form
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from mining.alerts import rules, wishes
from mining.models import Alert, AlertKind
from portal.access import CUSTOMER_ACTS, AccessRequest, customer_page
from portal.alerts.words import sentence
from portal.forms.alerts import RuleForm, WishesForm
from portal.views.customer.frame import customer_of, drift_of, frame_of
from portal.views.paging import keyset
from portal.views.staff.responses import accepted


@dataclass(frozen=True, slots=True)
class AlertRow:
    alert: Alert
    sentence: str


@customer_page()
@require_GET
def alerts(request: AccessRequest) -> HttpResponse:
    return _page(request)


@customer_page("alert_rules")
@require_POST
def rule_change(request: AccessRequest, kind: str) -> HttpResponse:
    if kind not in rules.OF_CUSTOMERS:
        raise Http404
    kept = rules.of_customer(request.access, customer_of(request.access))
    rule = next(rule for rule in kept if rule.kind == kind)
    form = RuleForm(request.POST, rule=rule, prefix=kind)

    def change() -> None:
        rules.change(request.access, rule, now=timezone.now(), **form.cleaned_data)

    if accepted(form, change):
        messages.success(request, f"{form.words.for_customers}: saved. It holds from the next minute on.")
        return redirect("customer:alerts")
    return _page(request, rule_form=form)


@customer_page()
@require_POST
def mails_change(request: AccessRequest) -> HttpResponse:
    form = WishesForm(request.POST, wishes=wishes.wishes_of(request.access))

    def change() -> None:
        wishes.change(request.access, now=timezone.now(), **form.cleaned_data)

    if accepted(form, change):
        messages.success(request, "Saved: what you are mailed, and when.")
        return redirect("customer:alerts")
    return _page(request, wishes_form=form)


def _page(
    request: AccessRequest, *, rule_form: RuleForm | None = None, wishes_form: Form | None = None
) -> HttpResponse:
    access, now = request.access, timezone.now()
    frame = frame_of(access, now=now)
    everything = Alert.objects.visible_to(access).opened().select_related("customer", "worker", "mining_account")
    past = keyset(everything.filter(ended_at__isnull=False), request.GET.get("after"), order=("-pk",))
    forms = [
        rule_form
        if rule_form is not None and rule_form.rule.kind == rule.kind
        else RuleForm(rule=rule, prefix=AlertKind(rule.kind).value)
        for rule in rules.of_customer(access, customer_of(access))
    ]
    context = {
        "now": now,
        "frame": frame,
        "drift": drift_of(access, frame),
        "open": [AlertRow(row, sentence(row)) for row in everything.filter(ended_at=None).order_by("-pk")],
        "past": [AlertRow(row, sentence(row)) for row in past.rows],
        "after": past.after,
        "shown": past.shown,
        "rules": forms,
        "may_change": access.role in CUSTOMER_ACTS["alert_rules"],
        "form": wishes_form or WishesForm(wishes=wishes.wishes_of(access)),
        "address": request.user.email,
    }
    return render(request, "customer/alerts.html", context)
