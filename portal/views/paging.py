"""Long lists on pages: by key, and nothing while the filter is refused."""

from __future__ import annotations

from typing import TypeVar

from django.db.models import Model, QuerySet
from django.forms import Form
from django.http import Http404

from portal import keyset as keysets
from portal.keyset import Page

Row = TypeVar("Row", bound=Model)
PAGE = 50


def asked_for(form: Form, rows: QuerySet[Row]) -> QuerySet[Row]:
    """None while the filter is refused: whatever stood there would read like an answer to it."""
    return rows.none() if form.errors else rows


def keyset(rows: QuerySet[Row], after: str | None, *, order: tuple[str, ...], size: int = PAGE) -> Page[Row]:
    try:
        return keysets.read(rows, order=order, size=size, after=after)
    except keysets.NoSuchPlace as gone:
        raise Http404 from gone
