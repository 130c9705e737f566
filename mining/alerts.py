"""What should be an open alert now, minus what is one: pulled from the rows that say how things stand.

A cause is three-valued. What surely stands opens an alert, what is surely over ends it, and what is not known (a key
that is being checked, an act that is being looked up once more) leaves it as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import structlog
from django.db.models import Exists, F, Func, OuterRef, Q, Value

from customers import tenancy
from customers.tenancy import TenantQuerySet
from mining import attention
from mining.attention import Cause
from mining.models import Alert, Credential, MiningAccount, PoolIntent

log = structlog.get_logger(__name__)

Kind = Alert.Kind

# --- Opening and ending


class Subject(NamedTuple):
    """What alerts of some causes are about: the rows, and the alert's field that names the row."""

    field: str
    rows: TenantQuerySet[Any]
    causes: tuple[Cause, ...]


def refresh(provider_id: int, *, now: datetime) -> None:
    """Alerts of the pool's causes. Opens its own context."""
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


# --- Telling people. Others write and send (portal/alerts/mails.py); the rows say what is to be told, and when.

# Longer than a mail server that answers slowly can keep one mail, so that nobody sends it a second time meanwhile.
SHORTEST_WAIT, LONGEST_WAIT = timedelta(minutes=4), timedelta(minutes=16)
# A payout that goes on to another place is news again; one that goes to and fro is told no more often than this.
TOLD_AGAIN_AFTER = timedelta(hours=1)


def is_any_untold(provider_id: int, *, now: datetime) -> bool:
    with tenancy.provider_context(provider_id):
        return _untold(provider_id, now=now).exists()


def take_untold(provider_id: int, *, now: datetime) -> list[Alert]:
    """What is to be told now, claimed: of two workers one gets it. While a try waits that reached nobody, all waits and
    is told with it; an alert that some have and others have not holds up nothing. Opens its own context."""
    with tenancy.provider_context(provider_id):
        # The second worker waits here for the first one's commit, and then finds that it has been tried just now.
        untold = list(_untold(provider_id, now=now).order_by("pk").select_for_update(of=("self",), no_key=True))
        waiting = [alert for alert in untold if now < _next_try_at(alert)]
        if any(not alert.mailed_to for alert in waiting):
            return []
        due = {alert.pk for alert in untold} - {alert.pk for alert in waiting}
        claimed = Alert.objects.filter(provider=provider_id, pk__in=due)
        claimed.update(tried_at=now)
        subjects = ("customer", "mining_account", "credential__login", "intent")
        return list(claimed.select_related(*subjects).order_by("pk"))


def _next_try_at(alert: Alert) -> datetime:
    """After twice the time since it opened, within bounds."""
    if alert.tried_at is None:
        return alert.opened_at
    return alert.tried_at + min(max(alert.tried_at - alert.opened_at, SHORTEST_WAIT), LONGEST_WAIT)


def note_mailed(provider_id: int, alerts: list[Alert], user_id: int, *, now: datetime) -> None:
    """This person has them now."""
    has_it = Func(F("mailed_to"), Value(user_id), function="array_append")
    with tenancy.provider_context(provider_id):
        _still_untold(provider_id, alerts, now=now).update(mailed_to=has_it)


def note_told(provider_id: int, alerts: list[Alert], *, now: datetime) -> None:
    """Everybody has them."""
    with tenancy.provider_context(provider_id):
        _still_untold(provider_id, alerts, now=now).update(told_at=now, mailed_to=[], problem="")


def note_not_told(provider_id: int, alerts: list[Alert], problem: str, *, now: datetime) -> None:
    with tenancy.provider_context(provider_id):
        _still_untold(provider_id, alerts, now=now).update(problem=problem[:500])


def _untold(provider_id: int, *, now: datetime) -> TenantQuerySet[Alert]:
    """What ended before it could be told is not told any more."""
    return Alert.objects.filter(_is_news(now), provider=provider_id, ended_at=None)


def _still_untold(provider_id: int, alerts: list[Alert], *, now: datetime) -> TenantQuerySet[Alert]:
    return Alert.objects.filter(_is_news(now), provider=provider_id, pk__in=[alert.pk for alert in alerts])


def _is_news(now: datetime) -> Q:
    went_on = Q(
        kind=Kind.PAYOUT_DRIFT,
        mining_account__payout_first_seen_at__gt=F("told_at"),
        told_at__lte=now - TOLD_AGAIN_AFTER,
    )
    return Q(told_at=None) | went_on
