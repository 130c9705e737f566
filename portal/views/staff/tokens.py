"""API tokens of the provider's systems: which there are, a new one, and an end to one."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from customers import tokens as api_tokens
from customers.attention import TOKEN_NEWS
from customers.models import ApiToken
from portal import scopes, second_factor
from portal.access import AccessRequest, staff_page
from portal.forms.tokens import TokenForm
from portal.views.lookup import the
from portal.views.staff.responses import accepted, do

FORMER_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Row:
    token: ApiToken
    may: list[str]
    ended: bool
    ends_soon: bool

    @property
    def look(self) -> str:
        return "is-bad" if self.ended else "is-warn" if self.ends_soon else ""


@staff_page("read")
@require_GET
def tokens(request: AccessRequest) -> HttpResponse:
    now = timezone.now()
    everything = ApiToken.objects.visible_to(request.access)
    rows = [
        Row(
            token,
            [scopes.in_words(scope) for scope in token.scopes],
            ended=token.has_ended(now),
            ends_soon=token.ends_on is not None and token.ends_on <= now.date() + TOKEN_NEWS,
        )
        for token in everything.filter(revoked_at=None).order_by("name", "pk")
    ]
    context = {
        "rows": rows,
        "works": sum(not row.ended for row in rows),
        "former": list(everything.exclude(revoked_at=None).order_by("-revoked_at", "-pk")[:FORMER_SHOWN]),
        "now": now,
    }
    return render(request, "staff/settings/tokens.html", context)


@staff_page("tokens")
@require_http_methods(["GET", "POST"])
@second_factor.required
def token_new(request: AccessRequest) -> HttpResponse:
    """The answer to the form shows the secret, once: it is in no address, session or message. A form that is sent
    again meets the name, which is taken by then."""
    now = timezone.now()
    form = TokenForm(request.POST or None, initial={"ends_on": api_tokens.default_end(now)})
    made: list[api_tokens.Made] = []

    def make() -> None:
        given = form.cleaned_data
        made.append(
            api_tokens.make_token(
                request.access, name=given["name"], scopes=form.scopes, ends_on=given["ends_on"], now=now
            )
        )

    if request.method == "POST" and accepted(form, make):
        return render(request, "staff/settings/token_made.html", {"token": made[0].token, "secret": made[0].secret})
    context = {"form": form, "choices": scopes.choices(), "chosen": form.chosen, "by_itself": form.by_itself}
    return render(request, "staff/settings/token_new.html", context)


@staff_page("tokens")
@require_POST
@second_factor.required
def token_revoke(request: AccessRequest, code: str) -> HttpResponse:
    token = the(ApiToken.objects.visible_to(request.access), code)

    def revoke() -> str:
        api_tokens.revoke_token(request.access, token, now=timezone.now())
        return f"The token {token.name} is revoked: calls with it are refused from now on."

    return do(request, revoke, "staff:tokens")
