"""What a quiet minute of the planner costs: `python -m devkit.benchmarks.planner_speed [PROVIDERS]`.

So many providers with a login, a key and three accounts each, and a month of runs; everything has just been read. Once
by a look at each of them, and once by the one query over all.
"""

from __future__ import annotations

import base64
import logging
import os
import secrets
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

import django
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from django.core.management import call_command
from django.db import connection

from devkit import servers

NOW = datetime(2026, 11, 4, 9, 0, tzinfo=UTC)
SUBJECTS = "('accounts'), ('rewards'), ('hashrate'), ('workers'), ('payouts'), ('watchers')"
MAKE = (
    """INSERT INTO mining_poollogin (provider_id, code, name, created_at)
    VALUES (%(provider)s, 'lgn_bench', 'main', %(now)s)""",
    """INSERT INTO mining_credential (provider_id, code, login_id, state, sealed_api_key, sealed_secret, key_digest,
        key_hint, created_at, endpoints, problem, verified_at, last_success_at)
    SELECT provider_id, 'crd_bench', id, 'active', '', '', 'digest ' || id, 'hint', %(now)s, '{}', '', %(now)s, %(now)s
    FROM mining_poollogin""",
    """INSERT INTO mining_miningaccount (provider_id, code, login_id, name, state, first_seen_at, links_unseen,
        site)
    SELECT provider_id, 'acc_' || n, id, 'account ' || n, 'active', %(now)s, 0, ''
    FROM mining_poollogin, generate_series(1, 3) n""",
    f"""INSERT INTO mining_syncrun (provider_id, code, login_id, subject, depth, state, asked, begins_after, turns,
        accounts_answered, queued_at, started_at, finished_at, calls, rows_new, rows_changed, quarantined,
        unread_fields, error)
    SELECT l.provider_id, 'run_' || s.subject || n, l.id, s.subject, '', 'ok', false, 0, 0, true, at, at, at, 1, 0, 0,
        0, '{{}}', ''
    FROM mining_poollogin l, (VALUES {SUBJECTS}) s (subject), generate_series(1000, 0, -1) n,
        LATERAL (SELECT %(now)s::timestamptz - n * interval '15 minutes' AS at) moment""",
)


def timed(name: str, act: Callable[[], object]) -> None:
    began, cpu = time.perf_counter(), time.process_time()
    act()
    took = time.perf_counter() - began
    print(f"{name:<40} {took:8.3f} s, {time.process_time() - cpu:.3f} of them in this process", flush=True)


def main(providers: int = 100) -> None:
    """On servers of its own (or those that DATABASE_URL and REDIS_URL name: an empty database)."""
    with servers.running(None) as addresses:
        os.environ.update(addresses)
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
        os.environ.setdefault("PORTAL_MODE", "test")
        os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(64))
        key = X25519PrivateKey.generate().public_key().public_bytes_raw()
        os.environ.setdefault("POOL_SEALING_PUBLIC_KEYS", f"bench:{base64.urlsafe_b64encode(key).decode().rstrip('=')}")
        measure(providers)


def measure(providers: int) -> None:
    django.setup()
    logging.disable(logging.INFO)  # figures only
    call_command("migrate", verbosity=0, interactive=False)
    from customers import onboarding, tenancy
    from customers.providers import each_active
    from mining import planner
    from portal.database import as_owner

    for number in range(providers):
        access = onboarding.create_provider(slug=f"bench-{number}", name="Bench", now=NOW)
        with tenancy.access_context(access), connection.cursor() as cursor:
            for statement in MAKE:
                cursor.execute(statement, {"provider": access.provider.pk, "now": NOW})
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ANALYZE")

    for name in ("first", "again"):
        timed(
            f"a look at each of {providers} ({name})",
            lambda: each_active(lambda provider_id: planner.plan(provider_id, now=NOW), failed="plan.failed"),
        )
        timed(f"one query over all ({name})", lambda: planner.due(now=NOW))


if __name__ == "__main__":
    main(*(int(number) for number in sys.argv[1:2]))
