"""The append-only record of who did what to which row."""

from datetime import datetime

from customers.models import AuditEntry
from customers.tenancy import Access


def record(access: Access, action: str, subject: str, *, now: datetime, **details: str | int | None) -> None:
    """Write one line in the transaction of the act itself. Details are codes, states and counts: never a secret."""
    AuditEntry.objects.create(
        provider=access.provider,
        at=now,
        actor_kind=access.kind,
        actor=access.actor,
        action=action,
        subject=subject,
        details=details,
    )
