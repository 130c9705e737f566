"""One look at everything that may be an alert of a provider."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from customers import tenancy
from mining.alerts import causes, limits, rules, together

# Told apart from other locks of the same kind.
LOCK = 1_095_517_011


def refresh(provider_id: int, *, now: datetime) -> None:
    """Safe to repeat: what is open stays as it is while its cause stands. Opens its own context. A constant number of
    queries, however many accounts there are."""
    with tenancy.provider_context(provider_id):
        with connection.cursor() as cursor:
            # Two workers that look at the same moment would both find what is no row yet, and group it twice.
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK, provider_id % 2**31])
        rules.make_missing(provider_id)
        causes.refresh(provider_id, now=now)
        limits.refresh(provider_id, now=now)
        together.refresh(provider_id, now=now)
