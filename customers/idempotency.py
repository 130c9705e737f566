"""A call that was sent twice is done once: its key and its answer are kept in the transaction of what it did.

So a crash takes both back, and there is no key that is taken and has no answer. The key is convenience; what must never
exist twice has a unique constraint of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable

from customers import tenancy
from customers.models import KeptCall
from customers.tenancy import Access

KEPT_FOR = timedelta(days=7)
LONGEST_WAIT_SECONDS = 5  # for the same call, when it is still being done


class StillRunning(Exception):
    """The same call has been at work for longer than anybody should wait."""


@dataclass(frozen=True, slots=True)
class Call:
    """Which call it is: a key means another one for another caller, method or route."""

    caller: bytes
    method: str
    route: str
    key: str
    digest: bytes  # of what was sent

    @property
    def names(self) -> dict[str, object]:
        return {"caller": self.caller, "method": self.method, "route": self.route, "key": self.key}


def claim(access: Access, call: Call, *, now: datetime) -> KeptCall | None:
    """None: it is ours to do, and keep() must follow in this transaction. Else the row of when it was done."""
    calls = KeptCall.objects.visible_to(access).filter(**call.names)
    calls.filter(created_at__lt=now - KEPT_FOR).delete()
    try:
        with transaction.atomic(), _waiting_at_most(LONGEST_WAIT_SECONDS):
            # Waits for whoever has just claimed it: then there is an answer, or it is ours.
            KeptCall.objects.bulk_create(
                [KeptCall(provider=access.provider, created_at=now, body_digest=call.digest, **call.names)],
                ignore_conflicts=True,
            )
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise StillRunning from error
        raise
    row = calls.get()
    return row if row.status else None


def keep(access: Access, call: Call, *, status: int, body: str, location: str) -> None:
    KeptCall.objects.visible_to(access).filter(**call.names).update(status=status, body=body, location=location)


def forget_old(provider_id: int, *, now: datetime) -> None:
    with tenancy.provider_context(provider_id):
        KeptCall.objects.filter(provider=provider_id, created_at__lt=now - KEPT_FOR).delete()


@contextmanager
def _waiting_at_most(seconds: int) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{seconds}s"])
        yield
        cursor.execute("SET LOCAL lock_timeout TO DEFAULT")
