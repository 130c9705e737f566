"""The provider's one colour as a stylesheet, for the content policy allows no style in the page; and its logo."""

from __future__ import annotations

import re

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from customers.models import Provider, ProviderLogo
from customers.tenancy import Access, Kind, access_context, nobody_context
from portal.access import open_page

COLOUR = re.compile(r"[0-9a-f]{6}")
KEPT_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}


@require_GET
@login_not_required
@open_page
def brand(_request: HttpRequest, colour: str) -> HttpResponse:
    # The address says the colour, so that it needs no row, never changes, and tells nothing of a provider.
    if not COLOUR.fullmatch(colour):
        raise Http404
    return HttpResponse(
        f":root {{ --brand: #{colour}; }}\n",
        content_type="text/css; charset=utf-8",
        headers=KEPT_FOR_EVER,
    )


@require_GET
@login_not_required
@open_page
def logo(_request: HttpRequest, provider: str, sha256: str) -> HttpResponse:
    """To whoever has the address, which names the bytes."""
    access = Access(Kind.SYSTEM, get_object_or_404(Provider, code=provider), label="logo")
    with nobody_context(), access_context(access):  # whoever asks may be acting for another provider
        kept = get_object_or_404(ProviderLogo.objects.visible_to(access), sha256=sha256)
    return HttpResponse(bytes(kept.content), content_type="image/png", headers=KEPT_FOR_EVER)
