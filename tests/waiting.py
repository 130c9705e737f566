"""Waits for states, never for times: how fast the machine is decides nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Thread

from django.db import connection

# For what never comes: the test fails then, and does not hang.
LAST_RESORT_SECONDS = 120.0


def until(happened: Callable[[], object]) -> None:
    ends = time.monotonic() + LAST_RESORT_SECONDS
    while not happened():
        assert time.monotonic() < ends, "waited in vain"
        time.sleep(0.01)


def in_thread(act: Callable[[], object]) -> Thread:
    """Begun at once, with a database connection of its own."""

    def work() -> None:
        try:
            act()
        finally:
            connection.close()

    thread = Thread(target=work, daemon=True)
    thread.start()
    return thread


def ended(*threads: Thread) -> None:
    """Returns when they have."""
    for thread in threads:
        thread.join(LAST_RESORT_SECONDS)
        assert not thread.is_alive(), "it never ends"


def waits_for_us(thread: Thread) -> bool:
    """Inside a transaction that the thread should come up against: whether it waits for its end, or goes past it."""
    until(lambda: _somebody_waits() or not thread.is_alive())
    return thread.is_alive()


def _somebody_waits() -> bool:
    # pg_locks shows the present; pg_stat_activity would show, inside a transaction, what it showed before.
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))"
        )
        ((waits,),) = cursor.fetchall()
    return bool(waits)
