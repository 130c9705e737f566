"""Alerts of the fleet: what each rule says of each account and machine. One statement for all kinds of accounts, one
for machines."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import connection

from mining.alerts.rules import OF_ACCOUNTS
from mining.fleet import states
from mining.fleet.coverage import IDLE_PACE, MISSED_READINGS
from mining.models import Alert

ACCOUNTS, WORKERS, MOVES = (
    (Path(__file__).parent / name).read_text(encoding="utf-8") for name in ("accounts.sql", "workers.sql", "moves.sql")
)
COLUMNS = (
    "kind", "for_customer_id", "customer_id", "mining_account_id", "worker_id", "stood_at", "value", "base",
    "machines", "day", "opened_at",
)  # fmt: skip


def refresh(provider_id: int, *, now: datetime) -> None:
    for statement in (states.STATES + ACCOUNTS + MOVES, WORKERS + MOVES):
        with connection.cursor() as cursor:
            # In the minute in which thousands fall nobody has counted the open alerts yet: taken for a few, they would
            # be looked through once for each account.
            cursor.execute("SET LOCAL enable_nestloop = off")
            cursor.execute(statement, parameters(provider_id, now=now))
            rows = cursor.fetchall()
            cursor.execute("SET LOCAL enable_nestloop = on")
            found = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
        Alert.objects.bulk_create([Alert(provider_id=provider_id, **row) for row in found], batch_size=1_000)


def parameters(provider_id: int, *, now: datetime) -> dict[str, Any]:
    idle_minutes = IDLE_PACE.total_seconds() / 60 * MISSED_READINGS
    return {
        **states.account_parameters(provider_id, None, now=now),
        "kinds": [kind.value for kind in OF_ACCOUNTS],
        "idle_minutes": idle_minutes,
    }
