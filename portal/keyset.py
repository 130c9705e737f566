"""Long lists by key, for pages and API: the next page begins after a row, so it costs the same however deep it is.

No row is lost or repeated when others come in between.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model, Q, QuerySet

Row = TypeVar("Row", bound=Model)


class NoSuchPlace(LookupError):
    """No row of the list has this name."""


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    rows: list[Row]
    after: str | None  # the name of the last row here, when there are more

    @property
    def shown(self) -> int:
        return len(self.rows)


def read(
    rows: QuerySet[Row],
    *,
    order: tuple[str, ...],
    size: int,
    after: str | None = None,
    among: QuerySet[Row] | None = None,
    name: str = "code",
) -> Page[Row]:
    """One page of `rows`, after the row that is named `after`.

    `order`: fields that are never null and end with a unique one ("-day", "-pk"). `among`: where that row is looked
    for; the list without its filters, so that a row that has left them still marks its place. `name`: the field that
    names a row outside, never its key, which counts every tenant's rows.
    """
    ordered = rows.order_by(*order)
    if after:
        ordered = ordered.filter(_beyond(order, _place(rows if among is None else among, order, name, after)))
    read = list(ordered[: size + 1])
    page = read[:size]
    return Page(page, str(getattr(page[-1], name)) if len(read) > size else None)


def _place(rows: QuerySet[Row], order: tuple[str, ...], name: str, after: str) -> tuple[Any, ...]:
    # Among the rows of the list itself: another's name, or a made-up one, is no place in it.
    if "\x00" in after:  # no text to PostgreSQL
        raise NoSuchPlace(after)
    named = rows.prefetch_related(None).filter(**{name: after})
    place = named.values_list(*(field.removeprefix("-") for field in order)).first()
    if place is None:
        raise NoSuchPlace(after)
    return tuple(place)


def _beyond(order: tuple[str, ...], place: tuple[Any, ...]) -> Q:
    """(a, b) after (x, y): a beyond x, or a = x and b beyond y. The first field once more by itself, for its index."""
    beyond, equal = Q(), Q()
    for field, value in zip(order, place, strict=True):
        beyond |= equal & Q(**{_lookup(field): value})
        equal &= Q(**{field.removeprefix("-"): value})
    return Q(**{_lookup(order[0]) + "e": place[0]}) & beyond


def _lookup(field: str) -> str:
    return f"{field.removeprefix('-')}__{'lt' if field.startswith('-') else 'gt'}"
