"""allauth's pages of the second factor: it asks the person only once more, and takes a password for it.

So whoever learned a password, or sits at an open session, would take the second factor off with it. Before it goes, or
its recovery codes are seen or made anew, we ask for a code of it.
"""

from __future__ import annotations

from typing import Any

from allauth.mfa.base.internal.flows import post_authentication
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.views import DownloadRecoveryCodesView, GenerateRecoveryCodesView, ViewRecoveryCodesView
from allauth.mfa.totp.views import ActivateTOTPView, DeactivateTOTPView
from django.http import HttpResponse
from django.urls import reverse

from customers.tenancy import Kind
from portal import second_factor
from portal.access import open_page


class SetUp(ActivateTOTPView):  # type: ignore[misc]  # allauth is untyped
    def form_valid(self, form: Any) -> HttpResponse:
        """Who sets it up has just typed a code of it: the recovery codes that are shown next ask for no other."""
        response: HttpResponse = super().form_valid(form)
        app = Authenticator.objects.get(user=self.request.user, type=Authenticator.Type.TOTP)
        second_factor.use_code(app, form.cleaned_data["code"])
        post_authentication(self.request, app, reauthenticated=True)
        return response


class SwitchOff(DeactivateTOTPView):  # type: ignore[misc]  # allauth is untyped
    def get_success_url(self) -> str:
        """Staff cannot be without: they set up the next one at once."""
        access = self.request.access
        return reverse("mfa_activate_totp" if access is not None and access.kind == Kind.STAFF else "mfa_index")


# One's own second factor needs no membership: staff without one are sent here.
set_up = open_page(SetUp.as_view())
switch_off = open_page(second_factor.required(SwitchOff.as_view()))
show_codes = open_page(second_factor.required(ViewRecoveryCodesView.as_view()))
download_codes = open_page(second_factor.required(DownloadRecoveryCodesView.as_view()))
make_codes = open_page(second_factor.required(GenerateRecoveryCodesView.as_view()))
