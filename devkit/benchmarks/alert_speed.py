"""What a look at all alerts costs: `python -m devkit.benchmarks.alert_speed 10000` (1,000 accounts without a number).

One provider with so many customers of twenty machines, their hashrate of a day, and the rules as they come: a minute in
which all is well, the minute in which every third account falls, and the next one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.db import connection

from devkit.benchmarks import close_speed
from devkit.benchmarks.close_speed import timed

NOW = datetime(2026, 11, 4, 14, 32, tzinfo=UTC)
MAKE = (
    """INSERT INTO mining_poollogin (provider_id, code, name, created_at)
    VALUES (%(provider)s, 'lgn_bench', 'main', %(now)s)""",
    """INSERT INTO customers_customer (provider_id, code, name, email, status, created_at)
    SELECT %(provider)s, 'cus_' || n, 'Customer ' || n, '', 'active', %(now)s
    FROM generate_series(1, %(accounts)s) n""",
    """INSERT INTO mining_miningaccount (provider_id, code, login_id, name, customer_id, state, first_seen_at, site,
        links_unseen, workers_online, workers_low, workers_offline, counts_since)
    SELECT customer.provider_id, 'acc_' || customer.id, login.id, customer.code, customer.id, 'active', '2026-09-01Z',
        'hall ' || customer.id %% 40, 0, 20, 0, 0, '2026-11-01Z'
    FROM customers_customer AS customer, mining_poollogin AS login""",
    """INSERT INTO mining_worker (provider_id, code, mining_account_id, name, first_seen_at, last_seen_at, site)
    SELECT provider_id, 'wrk_' || id || '_' || n, id, 'rig' || n, '2026-09-01Z', '2026-09-01Z', ''
    FROM mining_miningaccount, generate_series(1, 20) n""",
    """INSERT INTO mining_opencoverage (provider_id, subject, mining_account_id, from_at, until_at)
    SELECT provider_id, subject, id, '2026-11-01Z', date_trunc('minute', %(now)s::timestamptz)
    FROM mining_miningaccount, unnest(ARRAY['counts', 'names']) AS subject""",
    """INSERT INTO mining_hashratepoint (provider_id, mining_account_id, at, ths_micro)
    SELECT provider_id, id, at, 4000000000
    FROM mining_miningaccount, generate_series('2026-11-03 13:00Z'::timestamptz, '2026-11-04 13:00Z', '1 h') AS at""",
    """INSERT INTO mining_hashratepoint5m (provider_id, mining_account_id, at, ths_micro, reject_ppm)
    SELECT provider_id, id, at, 4000000000, 1000
    FROM mining_miningaccount, generate_series('2026-11-03 14:30Z'::timestamptz, '2026-11-04 14:30Z', '5 min') AS at""",
)
FALL = """
UPDATE mining_miningaccount SET workers_online = 0, workers_offline = 20, counts_since = '2026-11-04 14:30Z'
WHERE id %% 3 = 0
"""


def main(accounts: int = 1000) -> None:
    """On servers of its own (or those that DATABASE_URL and REDIS_URL name: an empty database)."""
    close_speed.on_servers(lambda: measure(accounts))


def measure(accounts: int) -> None:
    from customers import onboarding, tenancy
    from mining import alerts
    from portal.database import as_owner

    access = onboarding.create_provider(slug="bench", name="Bench", now=NOW)

    def inside(*statements: str) -> Callable[[], None]:
        def run() -> None:
            with tenancy.access_context(access), connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = 0")
                for statement in statements:
                    cursor.execute(statement, {"provider": access.provider.pk, "accounts": accounts, "now": NOW})

        return run

    def look(minutes: int) -> Callable[[], None]:
        return lambda: alerts.refresh(access.provider.pk, now=NOW + timedelta(minutes=minutes))

    timed(f"make {accounts} accounts × 20 machines and a day of hashrate", inside(*MAKE))
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    timed("the first look, which makes the rules", look(0))
    timed("a look while all is well", look(1))
    inside(FALL)()
    timed("the look that finds a third of them dark", look(2))
    timed("the one after it", look(3))
    timed("the one that opens one alert for all", look(12))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
