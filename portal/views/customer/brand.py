"""The provider's one colour as a stylesheet: the content policy allows no style in the page."""

from __future__ import annotations

import re

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from portal.access import open_page

COLOUR = re.compile(r"[0-9a-f]{6}")


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
        headers={"Cache-Control": "public, max-age=31536000, immutable"},
    )
