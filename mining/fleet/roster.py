"""The roster follows what the pool lists: who is new, who is back, who is missing since when, who is retired.

Set-based: a chunk's listings are stored by the same few statements, however many workers they name. Inside the
provider's context.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from customers import audit
from customers.errors import Refused
from customers.tenancy import Access
from mining.fleet.listing import Listing
from mining.models import FleetSettings, Outage, Worker

DEFAULT_RETIRE_AFTER_DAYS = FleetSettings._meta.get_field("retire_after_days").default


@dataclass(frozen=True, slots=True)
class Listed:
    """What was listed of an account, and when it was listed the time before (None: never)."""

    account_id: int
    customer_id: int | None
    listing: Listing
    before: datetime | None


@dataclass(slots=True)
class Moved:
    new: int = 0
    back: int = 0
    fallen: int = 0


# What all four statements begin with.
TOLD = """
WITH told AS (
    SELECT * FROM unnest(%(accounts)s::bigint[], %(at)s::timestamptz[], %(before)s::timestamptz[], %(missing)s::text[])
        AS told (account_id, at, before, missing)
), listed AS (
    SELECT account_id, name COLLATE "C" AS name
    FROM unnest(%(named)s::bigint[], %(names)s::text[]) AS listed (account_id, name)
)
"""

UNHEARD_OF = """
SELECT listed.account_id, listed.name, told.at
FROM listed JOIN told USING (account_id)
WHERE NOT EXISTS (
    SELECT FROM mining_worker AS worker
    WHERE worker.provider_id = %(provider)s AND worker.mining_account_id = listed.account_id
      AND worker.name = listed.name)
"""

BACK = """
, heard AS (
    SELECT worker.id, worker.mining_account_id, worker.retired_at, told.at, told.before
    FROM listed JOIN told USING (account_id)
    JOIN mining_worker AS worker ON worker.provider_id = %(provider)s
        AND worker.mining_account_id = listed.account_id AND worker.name = listed.name
), back AS (
    UPDATE mining_outage AS outage
    SET until_at = greatest(heard.at, outage.from_at),
        until_not_before = greatest(heard.before, outage.from_at)
    FROM heard
    WHERE outage.provider_id = %(provider)s AND outage.mining_account_id = heard.mining_account_id
      AND outage.worker_id = heard.id AND outage.until_at IS NULL
    RETURNING outage.worker_id
)
UPDATE mining_worker AS worker SET retired_at = NULL, last_seen_at = heard.at
FROM heard
WHERE worker.provider_id = %(provider)s AND worker.id = heard.id
  AND (heard.retired_at IS NOT NULL OR worker.id IN (SELECT worker_id FROM back))
"""

# Nobody knew of these whether they were down, and now it is known of their account.
SETTLED = """
UPDATE mining_outage AS outage
SET until_at = greatest(told.at, outage.from_at), until_not_before = greatest(told.before, outage.from_at)
FROM told
WHERE outage.provider_id = %(provider)s AND outage.mining_account_id = told.account_id AND outage.until_at IS NULL
  AND outage.state = 'unknown' AND told.missing <> 'unknown' AND outage.retired_at IS NULL
"""

FALLEN = """
, fallen AS (
    INSERT INTO mining_outage AS outage (provider_id, mining_account_id, customer_id, worker_id, state, from_at,
                                         from_not_before, until_at, until_not_before, retired_at)
    SELECT worker.provider_id, worker.mining_account_id, worker.customer_id, worker.id, told.missing, told.at,
           least(coalesce(doubted.from_not_before, told.before, told.at), told.at), NULL, NULL, NULL
    FROM told
    JOIN mining_worker AS worker ON worker.provider_id = %(provider)s AND worker.mining_account_id = told.account_id
    LEFT JOIN LATERAL (
        SELECT outage.from_not_before FROM mining_outage AS outage
        WHERE outage.provider_id = worker.provider_id AND outage.mining_account_id = worker.mining_account_id
          AND outage.worker_id = worker.id AND outage.state = 'unknown' AND outage.until_at = told.at
    ) AS doubted ON true
    WHERE told.missing IN ('down', 'unknown') AND worker.retired_at IS NULL
      AND NOT EXISTS (SELECT FROM listed WHERE listed.account_id = told.account_id AND listed.name = worker.name)
      AND NOT EXISTS (
          SELECT FROM mining_outage AS outage
          WHERE outage.provider_id = worker.provider_id AND outage.mining_account_id = worker.mining_account_id
            AND outage.worker_id = worker.id AND outage.until_at IS NULL)
    ON CONFLICT (provider_id, mining_account_id, worker_id, from_at)
        DO UPDATE SET state = excluded.state, until_at = NULL, until_not_before = NULL
    RETURNING outage.worker_id, outage.from_not_before
)
UPDATE mining_worker AS worker SET last_seen_at = fallen.from_not_before
FROM fallen
WHERE worker.provider_id = %(provider)s AND worker.id = fallen.worker_id
"""


def store(provider_id: int, listings: Sequence[Listed]) -> Moved:
    if not listings:
        return Moved()
    parameters: dict[str, Any] = {
        "provider": provider_id,
        "accounts": [listed.account_id for listed in listings],
        "at": [listed.listing.at for listed in listings],
        "before": [listed.before for listed in listings],
        "missing": [listed.listing.missing.value for listed in listings],
        "named": [listed.account_id for listed in listings for _ in listed.listing.names],
        "names": [name for listed in listings for name in listed.listing.names],
    }
    moved = Moved()
    with connection.cursor() as cursor:
        cursor.execute(TOLD + UNHEARD_OF, parameters)
        customer_of = {listed.account_id: listed.customer_id for listed in listings}
        unheard_of = [
            Worker(
                provider_id=provider_id,
                mining_account_id=account_id,
                customer_id=customer_of[account_id],
                name=name,
                first_seen_at=at,
                last_seen_at=at,
            )
            for account_id, name, at in cursor.fetchall()
        ]
        Worker.objects.bulk_create(unheard_of, batch_size=5_000, ignore_conflicts=True)
        moved.new = len(unheard_of)
        cursor.execute(TOLD + BACK, parameters)
        moved.back = cursor.rowcount
        cursor.execute(TOLD + SETTLED, parameters)
        cursor.execute(TOLD + FALLEN, parameters)
        moved.fallen = cursor.rowcount
    return moved


# --- Retirement: out of every count, until it is heard again

DUE = """
WITH due AS (
    UPDATE mining_outage AS outage SET retired_at = %(now)s
    FROM mining_opencoverage AS span JOIN mining_miningaccount AS account ON account.id = span.mining_account_id
    WHERE account.provider_id = %(provider)s AND account.login_id = %(login)s
      AND outage.provider_id = %(provider)s AND outage.until_at IS NULL AND outage.retired_at IS NULL
      AND outage.from_at <= %(now)s::timestamptz - %(after)s::interval AND span.provider_id = outage.provider_id
      AND span.mining_account_id = outage.mining_account_id AND span.subject = 'names'
      AND span.until_at >= outage.from_at + %(after)s::interval
    RETURNING outage.worker_id
)
UPDATE mining_worker AS worker SET retired_at = %(now)s
FROM due WHERE worker.provider_id = %(provider)s AND worker.id = due.worker_id
"""


def retire_due(provider_id: int, *, login_id: int, now: datetime) -> int:
    """Those that have been missing for as long as the provider has set, by readings that go as far."""
    days = FleetSettings.objects.filter(provider=provider_id).values_list("retire_after_days", flat=True).first()
    with connection.cursor() as cursor:
        cursor.execute(
            DUE,
            {
                "provider": provider_id,
                "login": login_id,
                "now": now.replace(microsecond=0),
                "after": f"{days or DEFAULT_RETIRE_AFTER_DAYS} days",
            },
        )
        return int(cursor.rowcount)


def retire(access: Access, worker: Worker, *, now: datetime) -> None:
    """By hand. In the caller's transaction."""
    moment = now.replace(microsecond=0)
    rows = Outage.objects.visible_to(access).filter(mining_account=worker.mining_account_id, worker=worker)
    if worker.retired_at is not None:
        return
    if not rows.filter(until_at=None, state=Outage.State.DOWN).update(retired_at=moment):
        raise Refused(
            "%(worker)s is not known to be offline: only a machine that is can be retired.",
            code="worker.not_offline",
            params={"worker": worker.name},
        )
    Worker.objects.visible_to(access).filter(pk=worker.pk).update(retired_at=moment)
    worker.retired_at = moment
    audit.record(access, "worker.retired", worker.code, now=now, worker=worker.name)


def set_retirement(access: Access, *, days: int, now: datetime) -> FleetSettings:
    """After how many days a machine that is missing leaves every count."""
    if not 1 <= days <= 365:
        raise Refused("Machines are retired after 1 to 365 days.", code="fleet.retirement_days")
    settings, _ = FleetSettings.objects.visible_to(access).get_or_create(provider=access.provider)
    before = settings.retire_after_days
    if before != days:
        settings.retire_after_days = days
        settings.retire_longest_days = max(settings.retire_longest_days, days)
        settings.save(update_fields=["retire_after_days", "retire_longest_days"])
        audit.record(access, "fleet.retirement_set", access.provider.code, now=now, days=days, before=before)
    return settings
