"""The provider's settings: what it shows of itself."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from customers.models import ProviderProfile
from customers.profile import DETAILS, change_profile
from portal.access import AccessRequest, staff_page
from portal.forms.settings import CompanyForm
from portal.views.staff.responses import accepted


@staff_page("read")
@require_GET
def first(_request: AccessRequest) -> HttpResponse:
    return redirect("staff:company")


@staff_page("read")
@require_GET
def company(request: AccessRequest) -> HttpResponse:
    profile = _profile(request)
    return _company_page(request, profile, CompanyForm(initial=_shown(profile)))


@staff_page("settings")
@require_POST
def company_change(request: AccessRequest) -> HttpResponse:
    profile = _profile(request)
    form = CompanyForm(request.POST, initial=_shown(profile))

    def change() -> None:
        change_profile(request.access, now=timezone.now(), **form.cleaned_data)

    if accepted(form, change):
        messages.success(request, "Saved. Documents say it from the next one on.")
        return redirect("staff:company")
    return _company_page(request, profile, form)


def _company_page(request: AccessRequest, profile: ProviderProfile, form: CompanyForm) -> HttpResponse:
    return render(request, "staff/settings/company.html", {"profile": profile, "form": form})


def _profile(request: AccessRequest) -> ProviderProfile:
    return ProviderProfile.objects.visible_to(request.access).get()


def _shown(profile: ProviderProfile) -> dict[str, str]:
    return {name: getattr(profile, name) for name in DETAILS}
