"""Days of which the pool should list a reward and lists none: unknown, and not zero.

What is due is one function of the database (mining_reward_due, reward_due.sql), for pages and documents alike. The
caller is in the access's context.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from django.db import connection

from customers.tenancy import Access

MOST = 200


@dataclass(frozen=True, slots=True)
class Absent:
    """Days in a row without a reward of this account."""

    first_day: date
    last_day: date
    account: str  # its code
    account_name: str
    customer: str | None  # its code; None: the account is of nobody yet
    customer_name: str | None

    @property
    def days(self) -> int:
        return (self.last_day - self.first_day).days + 1


ABSENT = """
WITH asked AS (
    SELECT coalesce(%(since)s::date, (
        SELECT min(r.day) FROM mining_reward r
        WHERE r.provider_id = %(provider)s AND (%(customers)s::bigint[] IS NULL OR r.customer_id = ANY(%(customers)s))
    )) AS since
), without AS MATERIALIZED (
    SELECT a.id, d.at::date AS day
    FROM asked
    CROSS JOIN generate_series(asked.since::timestamp, %(before)s::timestamp - interval '1 day', '1 day') d (at)
    JOIN mining_miningaccount a ON a.provider_id = %(provider)s
        AND (%(customers)s::bigint[] IS NULL OR a.customer_id = ANY(%(customers)s))
    WHERE NOT EXISTS (
        SELECT 1 FROM mining_reward r
        WHERE r.provider_id = %(provider)s AND r.mining_account_id = a.id AND r.day = d.at::date
    )
), due AS (
    SELECT id, day, day - row_number() OVER (PARTITION BY id ORDER BY day)::int AS island FROM without
    WHERE mining_reward_due(%(provider)s, id, day)
)
SELECT d.first_day, d.last_day, a.code, a.name, c.code, c.name
FROM (
    SELECT id, min(day) AS first_day, max(day) AS last_day FROM due GROUP BY id, island
    ORDER BY max(day) DESC, id DESC LIMIT %(most)s
) d
JOIN mining_miningaccount a ON a.provider_id = %(provider)s AND a.id = d.id
LEFT JOIN customers_customer c ON c.provider_id = a.provider_id AND c.id = a.customer_id
ORDER BY d.last_day DESC, d.id DESC
"""


def absent(
    access: Access, *, customers: Collection[int] | None, since: date | None, before: date, most: int = MOST
) -> list[Absent]:
    """Of these customers, by primary key, or of all: on `since` or later (None: from the first reward on), the newest
    first. One query."""
    values = {
        "provider": access.provider.pk,
        "customers": None if customers is None else list(customers),
        "since": since,
        "before": before,
        "most": most,
    }
    with connection.cursor() as cursor:
        cursor.execute(ABSENT, values)
        return [Absent(*row) for row in cursor.fetchall()]
