"""Contracts: what was agreed with whom, and new terms from a day on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.contrib import messages
from django.db.models.functions import Lower
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from billing import contracts
from billing import queries as billing
from billing.models import Contract, ContractComponent, ContractVersion
from billing.words import terms_in_words
from customers.tenancy import Access
from customers.words import day_in_words
from portal import second_factor
from portal.access import AccessRequest, staff_page
from portal.forms.staff import CustomerFilter, NewContractForm, TermsForm
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

    if _asks_first(request, form, now=now):
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
@require_POST
def contract_version_new(request: AccessRequest, code: str) -> HttpResponse:
    contract, now = _contract(request, code), timezone.now()
    form = TermsForm(request.POST)

    def add() -> None:
        contracts.new_version(
            request.access,
            contract,
            valid_from=form.cleaned_data["valid_from"],
            settle_in="btc",
            components=[form.component],
            minimum_sat=form.minimum_sat,
            now=now,
        )

    if _asks_first(request, form, now=now):
        return second_factor.ask(request)
    if accepted(form, add):
        withdrawn = ContractVersion.objects.visible_to(request.access).filter(contract=contract, withdrawn_at=now)
        days = ", ".join(day_in_words(version.valid.lower) for version in withdrawn.order_by("valid"))
        instead = f" Withdrawn, since they billed nothing: those from {days}." if days else ""
        messages.success(request, f"New terms from {day_in_words(form.cleaned_data['valid_from'])} on.{instead}")
        return redirect("staff:contract", contract.code)
    return _contract_page(request, contract, form)


def _asks_first(request: AccessRequest, form: TermsForm, *, now: datetime) -> bool:
    """Terms that reach back change what days already mined are worth."""
    reaches_back = request.method == "POST" and form.is_valid() and form.cleaned_data["valid_from"] < now.date()
    return reaches_back and second_factor.is_missing(request, now=now)


def _contract(request: AccessRequest, code: str) -> Contract:
    return the(Contract.objects.visible_to(request.access).select_related("customer"), code)


def _contract_page(request: AccessRequest, contract: Contract, form: TermsForm | None) -> HttpResponse:
    access, now = request.access, timezone.now()
    versions = terms_by_contract(access, [contract], now=now)[contract.pk]
    withdrawn = terms_by_contract(access, [contract], now=now, withdrawn=True)[contract.pk]
    present = _shown(versions)
    context = {
        "contract": contract,
        "versions": versions,
        "withdrawn": withdrawn,
        "present": present,
        # New terms keep the minimum unless somebody says otherwise.
        "form": form or TermsForm(initial={"minimum": present.minimum_sat if present else 0}),
    }
    return render(request, "staff/contract.html", context)
