"""The row that an address names, among those the person may see."""

from __future__ import annotations

from typing import TypeVar

from django.db.models import Model, QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404

Row = TypeVar("Row", bound=Model)


def the(rows: QuerySet[Row], code: str, **more: object) -> Row:
    # A NUL byte is no text to PostgreSQL: without this a made-up address is our error instead of no page.
    if "\x00" in code:
        raise Http404
    return get_object_or_404(rows, code=code, **more)
