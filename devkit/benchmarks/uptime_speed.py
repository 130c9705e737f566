"""How long uptime takes: `python -m devkit.benchmarks.uptime_speed 10000` (1,000 accounts without a number).

Makes one provider with so many accounts of twenty machines and a month of theirs (five outages a machine, seven changes
of counts a day, a gap in the readings each day, 200 exclusions), and works out its days, its month and what is now.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.db import connection

from devkit.benchmarks import close_speed
from devkit.benchmarks.close_speed import timed

OCTOBER, NOVEMBER = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
NOW = NOVEMBER + timedelta(hours=10, minutes=5)

MAKE = (
    """INSERT INTO mining_poollogin (provider_id, code, name, created_at)
    VALUES (%(provider)s, 'lgn_bench', 'main', '2026-09-01Z')""",
    """INSERT INTO mining_miningaccount (provider_id, code, login_id, name, state, first_seen_at, links_unseen, site,
        workers_online, workers_low, workers_offline, counts_since)
    SELECT provider_id, 'acc_' || n, id, 'account_' || n, 'active', '2026-09-01Z', 0, 'hall ' || n %% 400, 20, 0, 0,
        '2026-10-31Z'
    FROM mining_poollogin, generate_series(1, %(accounts)s) n""",
    """INSERT INTO mining_worker (provider_id, code, mining_account_id, name, first_seen_at, last_seen_at, site)
    SELECT provider_id, 'wrk_' || id || '_' || n, id, 'rig' || n, '2026-09-01Z', '2026-09-01Z', ''
    FROM mining_miningaccount, generate_series(1, 20) n""",
    """INSERT INTO mining_outage (provider_id, mining_account_id, worker_id, state, from_at, from_not_before, until_at,
        until_not_before)
    SELECT provider_id, mining_account_id, id, 'down', at, at - interval '5 min', at + interval '1 h',
        at + interval '55 min'
    FROM mining_worker, LATERAL (
        SELECT '2026-10-01Z'::timestamptz + n * interval '6 days' + (id * 7919 + n * 104729) %% 450000 * interval '1 s'
        FROM generate_series(0, 4) n) AS begun (at)""",
    """INSERT INTO mining_counts (provider_id, mining_account_id, at, not_before, online, low, offline)
    SELECT provider_id, id, at, at - interval '5 min', 18 + (id + extract(epoch FROM at)::bigint / 60) %% 3, 0, 0
    FROM mining_miningaccount, generate_series('2026-10-01Z'::timestamptz, '2026-10-31Z', '200 min') AS at""",
    """INSERT INTO mining_coverage (provider_id, subject, mining_account_id, from_at, until_at)
    SELECT provider_id, subject, id, day, day + interval '23 h 45 min'
    FROM mining_miningaccount, generate_series('2026-10-01Z'::timestamptz, '2026-10-31Z', '1 day') AS day,
        unnest(ARRAY['counts', 'names']) AS subject""",
    """INSERT INTO mining_opencoverage (provider_id, subject, mining_account_id, from_at, until_at)
    SELECT provider_id, subject, id, '2026-11-01Z', '2026-11-01 10:00Z'
    FROM mining_miningaccount, unnest(ARRAY['counts', 'names']) AS subject""",
    """INSERT INTO mining_exclusion (provider_id, code, site, from_at, until_at, reason, note, entered_by, entered_at)
    SELECT %(provider)s, 'exc_' || n, 'hall ' || n, '2026-10-01Z'::timestamptz + n * interval '3 h',
        '2026-10-01Z'::timestamptz + (n + 2) * interval '3 h', 'power', '', 'bench', '2026-10-01Z'
    FROM generate_series(1, 200) n""",
)


def main(accounts: int = 1000) -> None:
    """On servers of its own (or those that DATABASE_URL and REDIS_URL name: an empty database)."""
    close_speed.on_servers(lambda: measure(accounts))


def measure(accounts: int) -> None:
    from customers import onboarding, tenancy
    from mining.fleet import states, uptime
    from mining.models import Basis, MiningAccount
    from portal.database import as_owner

    access = onboarding.create_provider(slug="bench", name="Bench", now=OCTOBER)

    def inside(act: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            with tenancy.access_context(access), connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = 0")
                act()

        return run

    def make() -> None:
        with connection.cursor() as cursor:
            for statement in MAKE:
                cursor.execute(statement, {"provider": access.provider.pk, "accounts": accounts})

    def compute(basis: Basis, first: datetime, last: datetime) -> Callable[[], None]:
        provider_id = access.provider.pk
        return inside(lambda: uptime.compute(provider_id, None, basis=basis, from_at=first, until_at=last))

    timed(f"make {accounts} accounts × 20 machines × 31 days", inside(make))
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    for basis in Basis:
        timed(f"a day of all by {basis}", compute(basis, OCTOBER, OCTOBER + timedelta(days=1)))
        timed(f"the month of all by {basis}", compute(basis, OCTOBER, NOVEMBER))
    found: list[MiningAccount] = []
    timed("fifty accounts", inside(lambda: found.extend(MiningAccount.objects.order_by("pk")[:50])))
    timed("the fleet now", inside(lambda: states.fleet_state(access, now=NOW)))
    timed("fifty accounts now", inside(lambda: states.account_states(access, found, now=NOW)))
    timed("the machines of one now", inside(lambda: states.workers_of(access, found[0], now=NOW)))
    month = OCTOBER.date()
    timed("a month of one, worked out", inside(lambda: uptime.month(access, found[0], month, now=NOW)))
    timed("keep 31 days of all, both bases", lambda: uptime.fill(access.provider.pk, now=NOW))
    timed("a month of fifty, kept", inside(lambda: uptime.months(access, found, month, now=NOW)))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
