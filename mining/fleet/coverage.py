"""Spans in which an account was really read: a reading without news writes the end of its span, and nothing else.

A span goes on over readings that are at most 2.5 × the pace then in force apart, and ends at its last one: nothing is
assumed to have stayed as it was afterwards. Inside the provider's context.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection

from mining.models import Covered, OpenCoverage

# How often each is read. Coverage is judged by it, so it must be what the planner does.
PACE = {
    Covered.COUNTS: timedelta(minutes=5),
    Covered.NAMES: timedelta(hours=1),
    Covered.POINTS_5M: timedelta(minutes=5),
    Covered.POINTS_1H: timedelta(hours=1),
    Covered.POINTS_24H: timedelta(days=1),
}
# An account with no worker online for a day is read at this pace.
IDLE_AFTER, IDLE_PACE = timedelta(days=1), timedelta(minutes=30)
MISSED_READINGS = 2.5


class Span(NamedTuple):
    from_at: datetime
    until_at: datetime


class Read(NamedTuple):
    """`at`: before the call went out. `most_apart`: from the reading before it, for the span to go on."""

    account_id: int
    customer_id: int | None
    at: datetime
    most_apart: timedelta


def most_apart(subject: Covered, *, idle_since: datetime | None, before: datetime | None) -> timedelta:
    """`idle_since`: as the reading `before` left it. At an idle account's pace when it was idle by then."""
    pace = PACE[subject]
    if idle_since is not None and before is not None and before - idle_since >= IDLE_AFTER:
        pace = max(pace, IDLE_PACE)
    return pace * MISSED_READINGS


def open_spans(provider_id: int, account_ids: Sequence[int]) -> dict[tuple[int, str], Span]:
    rows = OpenCoverage.objects.filter(provider=provider_id, mining_account__in=account_ids)
    return {
        (account_id, subject): Span(from_at, until_at)
        for account_id, subject, from_at, until_at in rows.values_list(
            "mining_account_id", "subject", "from_at", "until_at"
        )
    }


GO_ON = """
WITH told AS (
    SELECT * FROM unnest(%(accounts)s::bigint[], %(at)s::timestamptz[], %(apart)s::interval[])
        AS told (account_id, at, most_apart)
), ended AS (
    INSERT INTO mining_coverage (provider_id, subject, mining_account_id, customer_id, from_at, until_at)
    SELECT span.provider_id, span.subject, span.mining_account_id, span.customer_id, span.from_at, span.until_at
    FROM mining_opencoverage AS span JOIN told ON told.account_id = span.mining_account_id
    WHERE span.provider_id = %(provider)s AND span.subject = %(subject)s
      AND told.at - span.until_at > told.most_apart AND span.until_at > span.from_at
)
UPDATE mining_opencoverage AS span
SET from_at = CASE WHEN told.at - span.until_at > told.most_apart THEN told.at ELSE span.from_at END,
    until_at = told.at
FROM told
WHERE span.provider_id = %(provider)s AND span.subject = %(subject)s AND span.mining_account_id = told.account_id
  AND told.at > span.until_at
"""


def note(provider_id: int, subject: Covered, readings: Iterable[Read], *, new: Iterable[Read]) -> None:
    """`readings` of accounts that have a span already, `new` of those that have none."""
    readings = list(readings)
    if readings:
        with connection.cursor() as cursor:
            cursor.execute(
                GO_ON,
                {
                    "provider": provider_id,
                    "subject": subject.value,
                    "accounts": [reading.account_id for reading in readings],
                    "at": [reading.at for reading in readings],
                    "apart": [reading.most_apart for reading in readings],
                },
            )
    first = [
        OpenCoverage(
            provider_id=provider_id,
            subject=subject,
            mining_account_id=reading.account_id,
            customer_id=reading.customer_id,
            from_at=reading.at,
            until_at=reading.at,
        )
        for reading in new
    ]
    if first:
        OpenCoverage.objects.bulk_create(first, ignore_conflicts=True)
