"""Numbers without gaps, one series per kind of document and year: SET-2026-000001."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.db import connection

from billing.models import Document, DocumentSeries, DocumentType
from customers.errors import Refused

PREFIXES = {DocumentType.SETTLEMENT: "SET", DocumentType.INVOICE: "INV"}


@dataclass(frozen=True, slots=True)
class Number:
    series: str
    sequence: int

    def __str__(self) -> str:
        return f"{self.series}-{self.sequence:06d}"


# Path not taken: a PostgreSQL sequence leaves gaps on rollback, and max() + 1 gives one number to two at once.
TAKE = """
UPDATE billing_documentseries SET last_sequence = last_sequence + 1, last_issued_on = %(issued_on)s
WHERE provider_id = %(provider)s AND series = %(series)s AND (last_issued_on IS NULL OR last_issued_on <= %(issued_on)s)
RETURNING last_sequence
"""


def take(document: Document, *, issued_on: date) -> Number:
    """The next number. The series stays locked until the transaction ends, so this is its last act but one: only the
    document's own row is written after it. A rollback gives the number back."""
    series = f"{PREFIXES[DocumentType(document.type)]}-{issued_on.year}"
    values: dict[str, int | str | date] = {"provider": document.provider_id, "series": series, "issued_on": issued_on}
    with connection.cursor() as cursor:
        cursor.execute(TAKE, values)
        row = cursor.fetchone()
        if row is None:
            _begin_series(document, series)
            cursor.execute(TAKE, values)
            row = cursor.fetchone()
    if row is None:
        raise _too_early(document, series, issued_on)
    return Number(series, row[0])


def _begin_series(document: Document, series: str) -> None:
    DocumentSeries.objects.bulk_create(
        [DocumentSeries(provider_id=document.provider_id, series=series)], ignore_conflicts=True
    )


def _too_early(document: Document, series: str, issued_on: date) -> Refused:
    last = DocumentSeries.objects.get(provider=document.provider_id, series=series).last_issued_on
    return Refused(
        "The last document of series %(series)s is dated %(last)s, later than %(today)s. Numbers follow dates:"
        " check the clock of this machine.",
        code="document.dated_before_last",
        params={"series": series, "last": last, "today": issued_on},
    )
