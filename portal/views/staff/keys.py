"""Pool keys: pasted here, sealed at once, tried by a worker. What was pasted is never shown again."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST

from mining import keys as pool_keys
from mining.models import Credential
from portal.access import AccessRequest, staff_page
from portal.forms.staff import PasteKeyForm
from portal.views.rows import the
from portal.views.staff.answers import accepted, do, fragment

RETIRED_SHOWN = 10


@staff_page("read")
@require_GET
def keys(request: AccessRequest) -> HttpResponse:
    return _keys_page(request, PasteKeyForm(initial={"label": request.GET.get("label", "")}))


def _keys_page(request: AccessRequest, form: PasteKeyForm) -> HttpResponse:
    stored = Credential.objects.visible_to(request.access).order_by("label", "-pk")
    used = list(stored.exclude(state=Credential.State.RETIRED))
    context = {
        "form": form,
        "keys": used,
        "works": sum(key.state == Credential.State.ACTIVE for key in used),
        "refused": sum(key.state == Credential.State.REFUSED for key in used),
        "under_way": any(key.state == Credential.State.CHECKING for key in used),
        "retired": list(stored.filter(state=Credential.State.RETIRED).order_by("-pk")[:RETIRED_SHOWN]),
    }
    return fragment(request, "staff/keys.html", "staff/_keys_live.html", context)


# The secret must stay out of error reports too.
@sensitive_post_parameters("api_key", "secret")
@staff_page("keys")
@require_POST
def key_paste(request: AccessRequest) -> HttpResponse:
    form = PasteKeyForm(request.POST)

    def paste() -> None:
        given = form.cleaned_data
        pool_keys.paste_key(
            request.access,
            label=given["label"],
            api_key=given["api_key"],
            secret=given["secret"],
            now=timezone.now(),
        )

    if accepted(form, paste):
        messages.success(
            request, "The key is sealed and is being tried at the pool. It takes over once the pool accepts it."
        )
        return redirect("staff:keys")
    return _keys_page(request, form)


@staff_page("keys")
@require_POST
def key_verify(request: AccessRequest, code: str) -> HttpResponse:
    credential = the(Credential.objects.visible_to(request.access), code)

    def ask() -> str:
        pool_keys.ask_verification(request.access, credential, now=timezone.now())
        return f"The key of {credential.label} is being tried again."

    return do(request, ask, "staff:keys")


@staff_page("keys")
@require_POST
def key_withdraw(request: AccessRequest, code: str) -> HttpResponse:
    credential = the(Credential.objects.visible_to(request.access), code)

    def withdraw() -> str:
        pool_keys.withdraw(request.access, credential, now=timezone.now())
        return f"The key of {credential.label} ending in {credential.key_hint} is thrown away."

    return do(request, withdraw, "staff:keys")
