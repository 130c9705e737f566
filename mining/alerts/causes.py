"""Alerts of the pool and the money: of causes that stand or do not, and that are told as soon as they are found."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

import structlog
from django.db.models import Exists, OuterRef

from customers import tenancy
from customers.tenancy import TenantQuerySet
from mining import attention
from mining.attention import Cause
from mining.models import Alert, Credential, MiningAccount, PoolIntent

log = structlog.get_logger(__name__)


class Subject(NamedTuple):
    """What alerts of some causes are about: the rows, and the alert's field that names the row."""

    field: str
    rows: TenantQuerySet[Any]
    causes: tuple[Cause, ...]


def refresh(provider_id: int, *, now: datetime) -> None:
    agree(provider_id, _subjects(now), now=now)


def agree(provider_id: int, subjects: Iterable[Subject], *, now: datetime) -> None:
    """Safe to repeat: what is open stays as it is while its cause stands. Opens its own context."""
    with tenancy.provider_context(provider_id):
        for subject in subjects:
            for cause in subject.causes:
                opened = _open(provider_id, subject, cause, now=now)
                ended = _end(provider_id, subject, cause, now=now)
                if opened or ended:
                    log.info("alerts.changed", provider_id=provider_id, kind=cause.alert, opened=opened, ended=ended)


def _subjects(now: datetime) -> list[Subject]:
    """The causes are those that the overview tells of (mining/attention.py), by the same thresholds."""
    return [
        Subject("mining_account", MiningAccount.objects.all(), (attention.PAYOUT_DRIFT,)),
        Subject("credential", Credential.objects.all(), attention.key_causes(now)),
        Subject("intent", PoolIntent.objects.all(), (attention.ACT_IN_DOUBT,)),
    ]


def _open(provider_id: int, subject: Subject, cause: Cause, *, now: datetime) -> int:
    is_open = Exists(_open_ones(provider_id, cause).filter(**{subject.field: OuterRef("pk")}))
    alerts = [
        Alert(
            provider_id=provider_id,
            kind=cause.alert,
            customer_id=getattr(row, "customer_id", None),  # a key has none
            stood_at=now,
            opened_at=now,
            **{subject.field: row},
        )
        for row in subject.rows.filter(cause.stands, ~is_open, provider=provider_id).order_by("pk")
    ]
    # Another worker may open the same at this moment: the database keeps one.
    Alert.objects.bulk_create(alerts, batch_size=500, ignore_conflicts=True)
    return len(alerts)


def _end(provider_id: int, subject: Subject, cause: Cause, *, now: datetime) -> int:
    over = subject.rows.filter(cause.over, provider=provider_id).values("pk")
    return _open_ones(provider_id, cause).filter(**{f"{subject.field}__in": over}).update(ended_at=now)


def _open_ones(provider_id: int, cause: Cause) -> TenantQuerySet[Alert]:
    return Alert.objects.filter(provider=provider_id, kind=cause.alert, ended_at=None)
