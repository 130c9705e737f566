"""What a person reads on a page (its words without the markup), and the rows that are there afterwards."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from customers import tenancy
from tests.world import Tenant


def text(response: Any) -> str:
    """The words of the page's main part, messages included."""
    html = response.content.decode()
    return _words(html[html.find("<main") :] if "<main" in html else html)


def heading(response: Any) -> str:
    found = re.search(r"<h1[^>]*>(.*?)</h1>", response.content.decode(), flags=re.DOTALL)
    assert found is not None
    return _words(found[1])


def _words(html: str) -> str:
    html = re.sub(r"<script.*?</script>", " ", html, flags=re.DOTALL)
    # The groups of an amount touch each other, as in a copy of the page.
    html = re.sub(r"</?[bi]>", "", html)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def rows(tenant: Tenant, model: Any, **wanted: Any) -> list[Any]:
    with tenancy.access_context(tenant.system):
        return list(model.objects.filter(provider=tenant.provider, **wanted).order_by("pk"))
