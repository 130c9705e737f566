"""How PostgreSQL plans queries over a whole provider."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def hash_joins() -> Iterator[None]:
    """Inside, the planner leaves nested loops alone where it can.

    The policies compare with settings that the planner can not know, so it expects one row from every table and joins
    by nested loops: 31,000 rewards took half a minute. Only for queries over a provider's whole months.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('enable_nestloop', 'off', true)")
        yield
        # After an error the transaction is rolled back, and the setting with it.
        cursor.execute("SELECT set_config('enable_nestloop', 'on', true)")
