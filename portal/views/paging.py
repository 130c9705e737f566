"""Pages of long lists by key: the next page begins after a row, so a page costs the same however deep it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model, Q, QuerySet
from django.forms import Form
from django.http import Http404

Row = TypeVar("Row", bound=Model)
PAGE = 50


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    rows: list[Row]
    after: str | None  # the code of the last row here, when there are more

    @property
    def shown(self) -> int:
        return len(self.rows)


def asked_for(form: Form, rows: QuerySet[Row]) -> QuerySet[Row]:
    """None while the filter is refused: whatever stood there would read like an answer to it."""
    return rows.none() if form.errors else rows


def keyset(rows: QuerySet[Row], after: str | None, *, order: tuple[str, ...], size: int = PAGE) -> Page[Row]:
    """One page of `rows`, ordered by fields that are never null and end with the primary key ("-day", "-pk")."""
    ordered = rows.order_by(*order)
    if after:
        ordered = ordered.filter(_beyond(order, _place(rows, after, order)))
    found = list(ordered[: size + 1])
    more = len(found) > size
    return Page(found[:size], str(found[size - 1].code) if more else None)  # type: ignore[attr-defined]  # every list's rows have a code


def _place(rows: QuerySet[Row], code: str, order: tuple[str, ...]) -> tuple[Any, ...]:
    # Among the rows of the list itself: another's code, or a made-up one, is no place in it.
    if "\x00" in code:
        raise Http404
    place = rows.filter(code=code).values_list(*(name.removeprefix("-") for name in order)).first()
    if place is None:
        raise Http404
    return tuple(place)


def _beyond(order: tuple[str, ...], place: Iterable[Any]) -> Q:
    """(a, b) after (x, y): a beyond x, or a = x and b beyond y. The first field once more by itself, for its index."""
    steps = [
        (name.removeprefix("-"), "lt" if name.startswith("-") else "gt", value)
        for name, value in zip(order, place, strict=True)
    ]
    beyond = Q()
    for number, (name, side, value) in enumerate(steps):
        same = Q(**{earlier: known for earlier, _, known in steps[:number]})
        beyond |= same & Q(**{f"{name}__{side}": value})
    name, side, value = steps[0]
    return Q(**{f"{name}__{side}e": value}) & beyond
