"""The append-only record of who did what to which row."""

from datetime import datetime

from customers.models import AuditEntry
from customers.tenancy import Access, Kind

WORKER = "worker"  # as the audit names the programs that act by themselves


def record(access: Access, action: str, subject: str, *, now: datetime, **details: str | int | None) -> None:
    """Write one line in the transaction of the act itself. Details are codes, states and counts: never a secret."""
    _write(access.provider.pk, access.kind, access.actor, action, subject, now, details)


def record_by_worker(
    provider_id: int, action: str, subject: str, *, now: datetime, **details: str | int | None
) -> None:
    """As `record`, for what a worker did or found by itself. Inside the provider's context."""
    _write(provider_id, Kind.SYSTEM, WORKER, action, subject, now, details)


def _write(
    provider_id: int,
    kind: Kind,
    actor: str,
    action: str,
    subject: str,
    now: datetime,
    details: dict[str, str | int | None],
) -> None:
    AuditEntry.objects.create(
        provider_id=provider_id,
        at=now,
        actor_kind=kind,
        actor=actor,
        action=action,
        subject=subject,
        details=details,
    )
