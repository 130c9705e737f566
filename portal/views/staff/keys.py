"""Pool keys: pasted here, sealed at once, tried by a worker. What was pasted is never shown again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from mining.keys import health as key_health
from mining.keys import logins
from mining.keys import store as pool_keys
from mining.keys.health import Health, Level
from mining.models import Credential, PoolLogin, SyncRun
from mining.models.runs import Subject
from portal import second_factor
from portal.access import AccessRequest, staff_page
from portal.forms.staff import PasteKeyForm, RenameLoginForm
from portal.views.lookup import the
from portal.views.staff.responses import accepted, do, fragment

RETIRED_SHOWN = 10


@dataclass(frozen=True, slots=True)
class KeyRow:
    key: Credential
    health: Health
    checking: bool  # a worker looks at it, or will
    stops: bool  # the pool refuses it, and something came to a stop with that

    @property
    def look(self) -> str:
        """The class of the row: how bad it is."""
        if self.stops or self.health.level == Level.ALARM:
            return "is-bad"
        return "is-warn" if self.key.problem or self.health.level == Level.WARN else ""


@staff_page("read")
@require_GET
def keys(request: AccessRequest) -> HttpResponse:
    return _keys_page(request, PasteKeyForm())


def _keys_page(request: AccessRequest, form: PasteKeyForm) -> HttpResponse:
    stored = Credential.objects.visible_to(request.access).select_related("login").order_by("login__name", "-pk")
    rows = _rows(request, list(stored.exclude(state=Credential.State.RETIRED)), now=timezone.now())
    context = {
        "form": form,
        # Before a secret is pasted, which is not kept while the code is asked for.
        "asks_first": second_factor.is_missing(request, now=timezone.now()),
        "ask_address": second_factor.address(reverse("staff:keys")),
        "rows": rows,
        "works": sum(row.key.state == Credential.State.ACTIVE for row in rows),
        "refused": sum(row.stops for row in rows),
        "not_accepted": sum(row.key.state == Credential.State.REFUSED and not row.stops for row in rows),
        "silent": sum(row.health.level in (Level.WARN, Level.ALARM) for row in rows),
        "trying": any(row.key.state == Credential.State.CHECKING for row in rows),
        "under_way": any(row.checking for row in rows),
        "retired": list(stored.filter(state=Credential.State.RETIRED).order_by("-pk")[:RETIRED_SHOWN]),
    }
    return fragment(request, "staff/keys.html", "staff/_keys_live.html", context)


def _rows(request: AccessRequest, stored: list[Credential], *, now: datetime) -> list[KeyRow]:
    checks = SyncRun.objects.visible_to(request.access).filter(subject=Subject.KEY, state__in=SyncRun.OPEN)
    checked = set(checks.values_list("login", flat=True))
    stopping = logins.refusals_that_stop(request.access)
    return [
        KeyRow(
            key,
            key_health.health(key, now),
            checking=key.state == Credential.State.CHECKING or key.login_id in checked,
            stops=key.pk in stopping,
        )
        for key in stored
    ]


# The secret must stay out of error reports too.
@sensitive_post_parameters("api_key", "secret")
@staff_page("keys")
@require_POST
@second_factor.required
def key_paste(request: AccessRequest) -> HttpResponse:
    form = PasteKeyForm(request.POST)

    def paste() -> None:
        given = form.cleaned_data
        pool_keys.paste_key(
            request.access,
            login_name=given["login"],
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
        return f"A worker tries the key of {credential.login.name} at the pool; this page shows what comes of it."

    return do(request, ask, "staff:keys")


@staff_page("keys")
@require_http_methods(["GET", "POST"])
@second_factor.required
def key_withdraw(request: AccessRequest, code: str) -> HttpResponse:
    """Says what is not read any more, then throws away just the key that was shown, as it was shown."""
    credential = the(Credential.objects.visible_to(request.access), code)
    if credential.state == Credential.State.RETIRED:
        messages.info(request, "This key has been thrown away or replaced already.")
        return redirect("staff:keys")
    if request.method == "GET":
        context = {"key": credential, "ends": logins.withdrawal(request.access, credential)}
        return render(request, "staff/key_withdraw.html", context)

    def withdraw() -> str:
        in_use_confirmed = request.POST.get("seen_as") == Credential.State.ACTIVE
        pool_keys.withdraw(request.access, credential, in_use_confirmed=in_use_confirmed, now=timezone.now())
        return f"The key of {credential.login.name} ending in {credential.key_hint} is thrown away."

    return do(request, withdraw, "staff:keys")


@staff_page("keys")
@require_http_methods(["GET", "POST"])
def login_rename(request: AccessRequest, code: str) -> HttpResponse:
    login = the(PoolLogin.objects.visible_to(request.access), code)
    before = login.name
    form = RenameLoginForm(request.POST or None, initial={"name": before})

    def rename() -> None:
        logins.rename_login(request.access, login, form.cleaned_data["name"], now=timezone.now())

    if request.method == "POST" and accepted(form, rename):
        messages.success(request, f"{before} is called {login.name} from now on.")
        return redirect("staff:keys")
    return render(request, "staff/login_rename.html", {"form": form, "login": login})
