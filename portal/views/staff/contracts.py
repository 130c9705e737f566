"""Contracts: what was agreed with whom, and new terms from a day on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.contrib import messages
from django.db.models.functions import Lower
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from billing import contracts
from billing import queries as billing
from billing.models import Basis, Contract, ContractComponent, FeeBearer, TermsNotice
from billing.settlement import month_of
from billing.words import base_in_words, btc_text, terms_in_words
from customers.tenancy import Access
from customers.words import day_in_words
from portal import second_factor
from portal.access import AccessRequest, staff_page
from portal.forms.staff import CustomerFilter, NewContractForm, TermsForm
from portal.templatetags.units import share
from portal.views.lookup import the
from portal.views.paging import asked_for, keyset
from portal.views.staff.responses import accepted
from portal.views.staff.search import customers_found


@dataclass(frozen=True, slots=True)
class Terms:
    """A version with its one component, ready to be read."""

    code: str
    first_day: date
    last_day: date | None
    component: ContractComponent
    present: bool
    minimum_sat: int = 0
    withdrawn_at: datetime | None = None
    withdrawn_by: str = ""
    notice: TermsNotice | None = None

    @property
    def words(self) -> str:
        component = self.component
        return terms_in_words(component.share_ppm, component.basis, component.pool_fee_borne_by)


def terms_by_contract(
    access: Access, contracts: Sequence[Contract], *, now: datetime, withdrawn: bool = False
) -> dict[int, list[Terms]]:
    """Each contract's versions that stand, or those that were withdrawn; newest first. One query."""
    components = (
        ContractComponent.objects.visible_to(access)
        .filter(version__contract__in=contracts, version__withdrawn_at__isnull=not withdrawn)
        .select_related("version")
        .order_by("-version__valid", "position")
    )
    terms: dict[int, list[Terms]] = {contract.pk: [] for contract in contracts}
    for component in components:
        version = component.version
        upper = version.valid.upper
        terms[version.contract_id].append(
            Terms(
                version.code,
                version.valid.lower,
                None if upper is None else upper - timedelta(days=1),
                component,
                present=not withdrawn and now.date() in version.valid,
                minimum_sat=version.minimum_sat,
                withdrawn_at=version.withdrawn_at,
                withdrawn_by=version.withdrawn_by,
            )
        )
    return terms


def terms_of(access: Access, contract: Contract, *, now: datetime) -> Terms | None:
    """The terms of today; the first ones where they have not begun."""
    versions = terms_by_contract(access, [contract], now=now)[contract.pk]
    return next((terms for terms in versions if terms.present), versions[-1] if versions else None)


@staff_page("read")
@require_GET
def contract_list(request: AccessRequest) -> HttpResponse:
    access, now = request.access, timezone.now()
    form = CustomerFilter(request.GET or None)
    words = form.cleaned_data["q"] if form.is_valid() else ""
    everything = (
        Contract.objects.visible_to(access).select_related("customer").annotate(by_name=Lower("customer__name"))
    )
    chosen = everything.filter(customer__in=customers_found(access, words)) if words else everything
    page = keyset(asked_for(form, chosen), request.GET.get("after"), order=("by_name", "pk"))
    terms = terms_by_contract(access, page.rows, now=now)
    context = {
        "rows": [(contract, _shown(terms[contract.pk]), len(terms[contract.pk])) for contract in page.rows],
        "after": page.after,
        "shown": page.shown,
        "form": form,
        "words": words,
        "count": everything.count(),
        "found": chosen.count() if words else None,
        "bare": billing.without_contract(access),
    }
    return render(request, "staff/contracts.html", context)


def _shown(versions: list[Terms]) -> Terms | None:
    return next((terms for terms in versions if terms.present), versions[-1] if versions else None)


@staff_page("contracts")
@require_http_methods(["GET", "POST"])
def contract_new(request: AccessRequest) -> HttpResponse:
    access, now = request.access, timezone.now()
    bare = billing.without_contract(access)
    initial = {"customer": request.GET.get("customer", ""), "valid_from": now.date().replace(day=1)}
    form = NewContractForm(request.POST or None, customers=bare, initial=initial)
    made: list[Contract] = []

    def agree() -> None:
        made.append(
            contracts.agree(
                access,
                customer=form.customers[form.cleaned_data["customer"]],
                valid_from=form.cleaned_data["valid_from"],
                settle_in="btc",
                components=[form.component],
                minimum_sat=form.minimum_sat,
                now=now,
            )
        )

    if request.method == "POST" and _asks_first(request, form, now=now):
        return second_factor.ask(request)
    if request.method == "POST" and accepted(form, agree):
        messages.success(request, f"The contract with {made[0].customer.name} holds.")
        return redirect("staff:contract", made[0].code)
    return render(request, "staff/contract_new.html", {"form": form, "bare": bare})


@staff_page("read")
@require_GET
def contract(request: AccessRequest, code: str) -> HttpResponse:
    return _contract_page(request, _contract(request, code), None)


@staff_page("contracts")
@require_http_methods(["GET", "POST"])
def contract_version_new(request: AccessRequest, code: str) -> HttpResponse:
    """What the new terms would change, and then the act: it is done only as it was shown."""
    contract, now = _contract(request, code), timezone.now()
    given = request.POST if request.method == "POST" else request.GET
    if not given:
        return redirect("staff:contract", contract.code)
    form = TermsForm(given)
    effects: list[contracts.Effect] = []

    def look() -> None:
        effects.append(contracts.effect_of(request.access, contract, **_terms_given(form), now=now))

    def add() -> None:
        contracts.new_version(request.access, contract, **_terms_given(form), seen_as=effects[0].seen_as, now=now)

    if not accepted(form, look):
        return _contract_page(request, contract, form)
    if given.get("seen_as") != effects[0].seen_as or request.method == "GET":
        if "seen_as" in given:
            messages.warning(request, "What these terms change is not what you looked at any more. Look at it again.")
        return _terms_page(request, contract, form, effects[0], now=now)
    if _asks_first(request, form, now=now):
        return second_factor.ask(request)
    if not accepted(form, add):
        return _contract_page(request, contract, form)
    day = form.cleaned_data["valid_from"]
    told = " The customer is told by mail." if contracts.reaches_back(day, now) else ""
    messages.success(request, f"New terms from {day_in_words(day)} on.{told}")
    return redirect("staff:contract", contract.code)


def _terms_given(form: TermsForm) -> dict[str, Any]:
    return {
        "valid_from": form.cleaned_data["valid_from"],
        "settle_in": "btc",
        "components": [form.component],
        "minimum_sat": form.minimum_sat,
    }


MOST_DAYS = 62


def _terms_page(
    request: AccessRequest, contract: Contract, form: TermsForm, effect: contracts.Effect, *, now: datetime
) -> HttpResponse:
    new, before = contracts.read_terms("btc", [form.component]), effect.before
    old = contracts.terms_of(before) if before is not None else None
    rows = [
        ("Our share", old and share(old.share_ppm), share(new.share_ppm)),
        ("Of what", old and base_in_words(*old.base), base_in_words(*new.base)),
        ("Smallest amount to issue", before and _minimum(before.minimum_sat), _minimum(form.minimum_sat)),
    ]
    context = {
        "contract": contract,
        "customer": contract.customer,
        "form": form,
        "effect": effect,
        "terms": rows,
        "changed": sum(was != becomes for _, was, becomes in rows),
        "valid_from": form.cleaned_data["valid_from"],
        "withdrawn": [(version, contracts.terms_of(version)) for version in reversed(effect.withdrawn)],
        "days": effect.days[-MOST_DAYS:],
        "more_days": max(len(effect.days) - MOST_DAYS, 0),
        "was_sat": sum(day.was_sat or 0 for day in effect.days),
        "becomes_sat": sum(day.becomes_sat for day in effect.days),
        "reaches_back": contracts.reaches_back(form.cleaned_data["valid_from"], now),
        "second_factor": _asks_first(request, form, now=now),
    }
    return render(request, "staff/contract_terms.html", context)


def _minimum(minimum_sat: int) -> str:
    return f"{btc_text(minimum_sat)} BTC" if minimum_sat else "none"


def _asks_first(request: AccessRequest, form: TermsForm, *, now: datetime) -> bool:
    """Terms that reach back change what days already mined are worth."""
    reaches_back = form.is_valid() and contracts.reaches_back(form.cleaned_data["valid_from"], now)
    return reaches_back and second_factor.is_missing(request, now=now)


def _contract(request: AccessRequest, code: str) -> Contract:
    return the(Contract.objects.visible_to(request.access).select_related("customer"), code)


def _contract_page(request: AccessRequest, contract: Contract, form: TermsForm | None) -> HttpResponse:
    access, now = request.access, timezone.now()
    told = _told(access, contract)
    versions = [
        replace(terms, notice=told.get(terms.code))
        for terms in terms_by_contract(access, [contract], now=now)[contract.pk]
    ]
    withdrawn = terms_by_contract(access, [contract], now=now, withdrawn=True)[contract.pk]
    present = _shown(versions)
    context = {
        "contract": contract,
        "versions": versions,
        "withdrawn": withdrawn,
        "present": present,
        "form": form or TermsForm(initial=_filled_in(present, now)),
    }
    return render(request, "staff/contract.html", context)


def _filled_in(present: Terms | None, now: datetime) -> dict[str, Any]:
    """From the terms in force, as of the next month: what is not changed stays as it is."""
    if present is None:
        return {}
    component = present.component
    terms = contracts.RevenueShare(component.share_ppm, Basis(component.basis), FeeBearer(component.pool_fee_borne_by))
    next_month = month_of(now.astimezone(UTC).date()).upper
    return TermsForm.filled_in(terms, minimum_sat=present.minimum_sat, valid_from=next_month)


def _told(access: Access, contract: Contract) -> dict[str, TermsNotice]:
    """By the version's code: how its customer is told that it reached back."""
    notices = TermsNotice.objects.visible_to(access).filter(version__contract=contract).select_related("version")
    return {notice.version.code: notice for notice in notices}
