"""The provider's settings: what it shows of itself, and how it is paid."""

from __future__ import annotations

from django.contrib import messages
from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from billing.models import PaymentTerms
from billing.payments.terms import change_terms, terms_of
from customers.brand import brand_of
from customers.logos import change_logo
from customers.models import ProviderProfile
from customers.profile import DETAILS, change_profile, profile_of
from portal import second_factor
from portal.access import AccessRequest, staff_page
from portal.forms.money import PaymentTermsForm
from portal.forms.settings import BrandForm, CompanyForm
from portal.views.staff.responses import accepted


@staff_page("read")
@require_GET
def first(_request: AccessRequest) -> HttpResponse:
    return redirect("staff:company")


@staff_page("read")
@require_GET
def company(request: AccessRequest) -> HttpResponse:
    return _company_page(request, _profile(request))


@staff_page("settings")
@require_POST
def company_change(request: AccessRequest) -> HttpResponse:
    profile = _profile(request)
    form = CompanyForm(request.POST)

    def change() -> None:
        change_profile(request.access, now=timezone.now(), **form.cleaned_data)

    if accepted(form, change):
        messages.success(request, "Saved. Documents say it from the next one on.")
        return redirect("staff:company")
    return _company_page(request, profile, company=form)


@staff_page("settings")
@require_POST
def brand_change(request: AccessRequest) -> HttpResponse:
    profile, now = _profile(request), timezone.now()
    form = BrandForm(request.POST, request.FILES, has_logo=profile.logo is not None)

    def change() -> None:
        given, file = form.cleaned_data, form.file
        change_profile(request.access, now=now, brand_colour=given["brand_colour"])
        if file is not None or given.get("no_logo"):
            change_logo(request.access, file, now=now)

    if accepted(form, change):
        messages.success(request, "Saved. Pages show it at once, documents from the next one on.")
        return redirect("staff:company")
    return _company_page(request, profile, brand=form)


def _company_page(
    request: AccessRequest, profile: ProviderProfile, *, company: Form | None = None, brand: Form | None = None
) -> HttpResponse:
    context = {
        "profile": profile,
        "company": company or CompanyForm(initial=_shown(profile, CompanyForm)),
        "brand": brand or BrandForm(initial=_shown(profile, BrandForm), has_logo=profile.logo is not None),
        "themes": brand_of(profile.brand_colour).themes if profile.brand_colour else (),
    }
    return render(request, "staff/settings/company.html", context)


def _profile(request: AccessRequest) -> ProviderProfile:
    profile = profile_of(request.access)
    assert profile is not None  # made with the provider
    return profile


def _shown(profile: ProviderProfile, form: type[Form]) -> dict[str, str]:
    return {name: getattr(profile, name) for name in form.base_fields if name in DETAILS}


# --- How it is paid


@staff_page("read")
@require_GET
def payment_terms(request: AccessRequest) -> HttpResponse:
    terms = terms_of(request.access)
    return _terms_page(request, terms, PaymentTermsForm(initial=_set(terms)))


@staff_page("settings")
@require_POST
@second_factor.required
def payment_terms_change(request: AccessRequest) -> HttpResponse:
    form = PaymentTermsForm(request.POST)

    def change() -> None:
        change_terms(request.access, now=timezone.now(), **form.cleaned_data)

    if accepted(form, change):
        messages.success(request, "Saved. Issued documents keep the day they are due.")
        return redirect("staff:payment_terms")
    return _terms_page(request, terms_of(request.access), form)


def _terms_page(request: AccessRequest, terms: PaymentTerms, form: Form) -> HttpResponse:
    return render(request, "staff/settings/payments.html", {"terms": terms, "form": form})


def _set(terms: PaymentTerms) -> dict[str, object]:
    return {"due_days": terms.due_days, "bitcoin_address": terms.bitcoin_address}
