"""How long the fleet's pages take: `python -m devkit.benchmarks.fleet_speed 10000` (1,000 customers without a number).

The accounts of uptime_speed, each with a customer, kept days and a day of hourly points; the pages are asked of their
views, with their templates, inside the access's context. Each page five times.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import perf_counter
from typing import Any

from django.db import connection
from django.http import HttpResponse
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from devkit.benchmarks import close_speed
from devkit.benchmarks.close_speed import timed
from devkit.benchmarks.uptime_speed import MAKE, NOW, OCTOBER

CUSTOMERS = """INSERT INTO customers_customer (provider_id, code, name, email, external_ref, status, created_at)
    SELECT %(provider)s, 'cus_' || n, 'Customer ' || n, 'office@' || n || '.example', NULL, 'active', '2026-09-01Z'
    FROM generate_series(1, %(accounts)s) n"""
GIVEN = """INSERT INTO mining_miningaccount (provider_id, code, login_id, name, state, first_seen_at, links_unseen,
        site, workers_online, workers_low, workers_offline, counts_since, customer_id)
    SELECT login.provider_id, 'acc_' || customer.id, login.id, 'account_' || customer.id, 'active', '2026-09-01Z',
        0, 'hall ' || customer.id %% 20, CASE customer.id %% 50 WHEN 0 THEN 0 WHEN 1 THEN 18 ELSE 20 END, 0, 0,
        '2026-10-31Z', customer.id
    FROM mining_poollogin AS login JOIN customers_customer AS customer ON customer.provider_id = login.provider_id"""
POINTS = """INSERT INTO mining_hashratepoint (provider_id, mining_account_id, at, ths_micro)
    SELECT provider_id, id, at, 4000000000 + id %% 1000 FROM mining_miningaccount,
        generate_series('2026-10-31 10:00Z'::timestamptz, '2026-11-01 09:00Z', '1 hour') AS at"""
KEPT = """INSERT INTO mining_uptimeday (provider_id, mining_account_id, basis, day, expected_s, up_s, low_s, down_s,
        excluded_s, unknown_s, up_least_s, up_most_s, hashing_least_s, hashing_most_s)
    SELECT provider_id, id, basis, day, 1728000, 1700000, 0, 10000, 0, 18000, 1690000, 1705000, 1690000, 1705000
    FROM mining_miningaccount, generate_series('2026-10-01'::date, '2026-10-31', '1 day') AS day,
        unnest(ARRAY['counts', 'names']) AS basis"""
PATHS = {
    "the fleet": "",
    "its next page": "after",
    "found by a machine's name": "q=rig7",
    "one hall, by missing machines": "site=hall+3&order=missing",
    "those that are down": "state=down",
}


def main(customers: int = 1000) -> None:
    """On servers of its own (or those that DATABASE_URL and REDIS_URL name: an empty database)."""
    close_speed.on_servers(lambda: measure(customers))


def measure(customers: int) -> None:
    from customers import onboarding, tenancy
    from customers.models import Customer, Role
    from customers.tenancy import Access, Kind
    from portal.database import as_owner
    from portal.views.staff import fleet

    made = onboarding.create_provider(slug="bench", name="Bench", now=OCTOBER)
    access = Access(Kind.STAFF, made.provider, None, None, Role.OWNER, None)

    def make() -> None:
        with tenancy.access_context(made), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            for statement in (MAKE[0], CUSTOMERS, GIVEN, *MAKE[2:], POINTS, KEPT):
                cursor.execute(statement, {"provider": made.provider.pk, "accounts": customers})

    timed(f"make {customers} customers × 20 machines × 31 days", make)
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    with tenancy.access_context(access):
        code = Customer.objects.visible_to(access).order_by("pk")[0].code

    def told(words: str, ask: Callable[[Any], HttpResponse], query: str) -> None:
        times, queries = [], 0
        for _ in range(5):
            request: Any = RequestFactory().get(f"/?{query}")
            request.access = access
            with tenancy.access_context(access), CaptureQueriesContext(connection) as asked:
                begun = perf_counter()
                answer = ask(request)
                times.append(perf_counter() - begun)
            queries = len(asked)
            assert answer.status_code == 200
        print(f"{words}: {min(times) * 1000:.0f} to {max(times) * 1000:.0f} ms, {queries} queries", flush=True)

    import time_machine

    with time_machine.travel(NOW, tick=True):
        for words, query in PATHS.items():
            told(words, fleet.fleet, f"after={code}" if query == "after" else query)
        told("one customer's machines", lambda request: fleet.machines(request, code), "")
        told("its uptime of the month before", lambda request: fleet.uptime_month(request, code), "month=2026-10")
        told("its hashrate of 30 days", lambda request: fleet.machines(request, code), "span=30d")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
