"""The monthly tables of the series: made ahead and dropped by age, by functions of the owner that a worker may call."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from django.db import connection, transaction

log = structlog.get_logger(__name__)

# More than the 60 days that readiness wants: a worker may be away for a month before anybody is told.
MADE_AHEAD = timedelta(days=120)

MISSING = """
SELECT count(*) FROM mining_partitioned()
WHERE to_regclass(parent || to_char(now() AT TIME ZONE 'UTC' + %s::interval, '"_p"YYYYMM')) IS NULL
"""


def keep(*, now: datetime) -> None:
    made = make_ahead(now=now)
    # Apart: dropping waits for nobody who reads, and is tried again tomorrow.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT mining_drop_old_partitions()")
        (dropped,) = cursor.fetchone()
    log.info("partitions.kept", made=made, dropped=dropped)


def make_ahead(*, now: datetime) -> int:
    """How many were made; none where the schema has no series (yet, or any more)."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT to_regproc('mining_make_partitions') IS NOT NULL")
        (there,) = cursor.fetchone()
        if not there:
            return 0
        cursor.execute("SELECT mining_make_partitions(%s, %s)", [now.date(), (now + MADE_AHEAD).date()])
        return int(cursor.fetchone()[0])


def missing(ahead: timedelta) -> bool:
    """Whether a series has no table for the day that lies so far ahead."""
    with connection.cursor() as cursor:
        cursor.execute(MISSING, [f"{ahead.days} days"])
        (tables,) = cursor.fetchone()
    return bool(tables)
