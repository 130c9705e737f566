"""How long a close takes: `python -m devkit.benchmarks.close_speed 10000` (1,000 contracts without a number).

Makes one provider with so many contracts and 31 rewards each, then closes, closes again, changes one reward in a
hundred and closes once more, asks which drafts are held and what needs a person, and issues twenty of the documents.
"""

from __future__ import annotations

import base64
import logging
import os
import secrets
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime

import django
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from django.core.management import call_command
from django.db import connection

from devkit import servers

OCTOBER, NOW = date(2026, 10, 1), datetime(2026, 11, 4, 9, 0, tzinfo=UTC)

MAKE = (
    """INSERT INTO customers_customer (provider_id, code, name, email, status, created_at)
    SELECT %(provider)s, 'cus_' || n, 'Customer ' || n, n || '@client.example', 'active', now()
    FROM generate_series(1, %(contracts)s) n""",
    """INSERT INTO mining_poollogin (provider_id, code, name, created_at)
    SELECT DISTINCT provider_id, 'lgn_' || provider_id, 'main', now() FROM customers_customer""",
    """INSERT INTO mining_miningaccount (provider_id, code, login_id, name, customer_id, state, first_seen_at,
        rewards_read_at, rewards_read_in_full_at, links_unseen, site)
    SELECT c.provider_id, 'acc_' || c.id, l.id, 'account_' || c.id, c.id, 'active', now(), '2026-11-04Z',
        '2026-11-04Z', 0, ''
    FROM customers_customer c JOIN mining_poollogin l ON l.provider_id = c.provider_id""",
    """INSERT INTO billing_contract (provider_id, code, customer_id, created_at)
    SELECT provider_id, 'con_' || id, id, now() FROM customers_customer""",
    """INSERT INTO billing_contractversion (provider_id, code, contract_id, customer_id, valid, settle_in, minimum_sat,
        created_at, withdrawn_by)
    SELECT provider_id, 'ver_' || id, id, customer_id, '[2026-01-01,)', 'btc', 0, now(), '' FROM billing_contract""",
    """INSERT INTO billing_contractcomponent (provider_id, version_id, customer_id, position, kind, share_ppm, basis,
        pool_fee_borne_by)
    SELECT provider_id, id, customer_id, 1, 'revenue_share', 150000, 'net', 'shared' FROM billing_contractversion""",
    """INSERT INTO mining_reward (provider_id, code, mining_account_id, reward_at, day, currency, occurrence, total_raw,
        net_raw, fee_raw, total_amount, net_amount, fee_amount, total_sat, net_sat, fee_sat, fpps_rate, hashrate_hs,
        status, status_raw, payout_destination, payout_address, fingerprint, first_seen_at, changed_at)
    SELECT a.provider_id, 'rwd_' || a.id || '_' || d, a.id, '2026-10-01Z'::timestamptz + d * interval '1 day',
        '2026-10-01'::date + d, 'BTC', 1, '0.00400000', '0.00390000', '0.00010000', 0.004, 0.0039, 0.0001,
        400000 + d, 390000 + d, 10000, 0.00000045, 10050000000000000, 'successful', 'successful',
        CASE WHEN a.id %% 5 = 0 THEN 'external_address' ELSE 'main_balance' END,
        CASE WHEN a.id %% 5 = 0 THEN '1client' || a.id END, a.id || '-' || d, now(), now()
    FROM mining_miningaccount a, generate_series(0, 30) d""",
    # As each is paid, but for one in a hundred.
    """INSERT INTO mining_payoutagreement (provider_id, code, mining_account_id, customer_id, destination, address,
        source, agreed_by, agreed_at)
    SELECT provider_id, 'pag_' || id, id, customer_id,
        CASE WHEN id %% 5 = 0 THEN 'external_address' ELSE 'main_balance' END,
        CASE WHEN id %% 100 = 0 THEN '1other' || id WHEN id %% 5 = 0 THEN '1client' || id END,
        'found', 'worker', '2026-09-01Z' FROM mining_miningaccount""",
)
CHANGE = "UPDATE mining_reward SET status = 'canceled' WHERE provider_id = %s AND id %% 100 = 0"


def timed(name: str, act: Callable[[], object]) -> None:
    began = time.perf_counter()
    act()
    print(f"{name:<40} {time.perf_counter() - began:8.2f} s", flush=True)


def main(contracts: int = 1000) -> None:
    """On servers of its own (or those that DATABASE_URL and REDIS_URL name: an empty database)."""
    on_servers(lambda: measure(contracts))


def on_servers(act: Callable[[], None]) -> None:
    """With a database that is migrated and empty."""
    with servers.running(None) as addresses:
        os.environ.update(addresses)
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
        os.environ.setdefault("PORTAL_MODE", "test")
        os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(64))
        key = X25519PrivateKey.generate().public_key().public_bytes_raw()
        os.environ.setdefault("POOL_SEALING_PUBLIC_KEYS", f"bench:{base64.urlsafe_b64encode(key).decode().rstrip('=')}")
        django.setup()
        logging.disable(logging.INFO)  # figures only
        call_command("migrate", verbosity=0, interactive=False)
        act()


def measure(contracts: int) -> None:
    from billing import settlement
    from billing.holds.drafts import why_held
    from billing.issue import issue
    from customers import onboarding, tenancy
    from portal.database import as_owner
    from portal.views.staff.needs import needs_of

    access = onboarding.create_provider(slug="bench", name="Bench", now=NOW)

    def run(*statements: str) -> None:
        with tenancy.access_context(access), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            for statement in statements:
                cursor.execute(statement, {"provider": access.provider.pk, "contracts": contracts})
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    def close() -> None:
        with tenancy.access_context(access), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            settlement.close_period(access, month=OCTOBER, now=NOW)

    def change() -> None:
        with tenancy.access_context(access), connection.cursor() as cursor:
            cursor.execute(CHANGE, [access.provider.pk])

    def look() -> None:
        with tenancy.access_context(access):
            needs_of(access, now=NOW)

    def ask_holds() -> None:
        with tenancy.access_context(access):
            why_held(access, settlement.drafts_of(access, OCTOBER))

    def issue_some() -> None:
        with tenancy.access_context(access):
            drafts = list(settlement.drafts_of(access, OCTOBER)[:20])
        for draft in drafts:
            with tenancy.access_context(access):
                issue(access, draft, now=NOW)

    timed(f"make {contracts} contracts × 31 rewards", lambda: run(*MAKE))
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # as autovacuum has done long before a month ends
    timed("close (with its commit)", close)
    timed("close again, nothing changed", close)
    timed("cancel 1 reward in 100", change)
    timed("close what changed", close)
    timed("which of all drafts are held", ask_holds)
    timed("what needs a person, of all drafts", look)
    timed("issue 20 documents", issue_some)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
