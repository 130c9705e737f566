"""Telling people. Others write and send (portal/alerts/mails.py); the rows say what is to be told, and when.

Told are: what is new, what nobody has acknowledged for as long as its rule says, a payout that goes on to yet another
place, and of the fleet that it is over. What fell together is told once, by the alert that stands for all.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import F, Func, Q, Value

from customers import tenancy
from customers.tenancy import TenantQuerySet
from mining.alerts.rules import OF_FLEET
from mining.models import Alert, AlertKind, AlertRule

# Longer than a mail server that answers slowly can keep one mail, so that nobody sends it a second time meanwhile.
SHORTEST_WAIT, LONGEST_WAIT = timedelta(minutes=4), timedelta(minutes=16)
# A payout that goes on to another place is news again; one that goes to and fro is told no more often than this.
TOLD_AGAIN_AFTER = timedelta(hours=1)


# How the problem begins of what reached nobody because the mail server is away.
COULD_NOT_SEND = "The mail server did not take the mail"
RELATED = ("customer", "mining_account", "credential__login", "intent", "worker")


def is_any_untold(provider_id: int, *, now: datetime) -> bool:
    with tenancy.provider_context(provider_id):
        return _untold(provider_id, now=now).exists()


def take_untold(provider_id: int, *, now: datetime) -> list[Alert]:
    """What is to be told now (its end, of one that has ended), claimed: of two workers one gets it. While the mail
    server is away all waits and is told together. Opens its own context."""
    with tenancy.provider_context(provider_id):
        # The second worker waits here for the first one's commit, and then finds that it has been tried just now.
        untold = list(_untold(provider_id, now=now).order_by("pk").select_for_update(of=("self",), no_key=True))
        waiting = [alert for alert in untold if now < _next_try_at(alert)]
        if any(alert.problem.startswith(COULD_NOT_SEND) and not who_has(alert) for alert in waiting):
            return []
        due = {alert.pk for alert in untold} - {alert.pk for alert in waiting}
        claimed = Alert.objects.filter(provider=provider_id, pk__in=due)
        claimed.update(tried_at=now)
        return list(claimed.select_related(*RELATED).prefetch_related("members__customer").order_by("pk"))


def who_has(alert: Alert) -> list[int]:
    """The users who were mailed already, while others were not: of the alert, or of its end."""
    return alert.mailed_to if alert.is_open else alert.end_mailed_to


def _next_try_at(alert: Alert) -> datetime:
    """After twice the time since there was something to tell, within bounds."""
    begun = alert.ended_at or alert.opened_at
    assert begun is not None
    if alert.tried_at is None or alert.tried_at < begun:
        return begun
    return alert.tried_at + min(max(alert.tried_at - begun, SHORTEST_WAIT), LONGEST_WAIT)


def note_mailed(provider_id: int, alerts: list[Alert], user_id: int, *, now: datetime) -> None:
    """This person has them now."""
    with tenancy.provider_context(provider_id):
        for field, rows in (("mailed_to", _news_of(alerts)), ("end_mailed_to", _ends_of(alerts))):
            has_it = Func(F(field), Value(user_id), function="array_append")
            _still_untold(provider_id, rows, now=now).update(**{field: has_it})


def note_told(provider_id: int, alerts: list[Alert], *, now: datetime) -> None:
    """Everybody has them."""
    with tenancy.provider_context(provider_id):
        _still_untold(provider_id, _news_of(alerts), now=now).update(told_at=now, mailed_to=[], problem="")
        _still_untold(provider_id, _ends_of(alerts), now=now).update(end_told_at=now, end_mailed_to=[], problem="")


def note_not_told(provider_id: int, alerts: list[Alert], problem: str, *, now: datetime) -> None:
    """`problem` empty: somebody does not want to be told at this hour."""
    with tenancy.provider_context(provider_id):
        _still_untold(provider_id, alerts, now=now).update(problem=problem[:500])


def _news_of(alerts: list[Alert]) -> list[Alert]:
    return [alert for alert in alerts if alert.is_open]


def _ends_of(alerts: list[Alert]) -> list[Alert]:
    return [alert for alert in alerts if not alert.is_open]


def _untold(provider_id: int, *, now: datetime) -> TenantQuerySet[Alert]:
    """What ended before it could be told is not told any more, and neither is its end."""
    news = _is_news(provider_id, now) & Q(ended_at=None, is_silenced=False)
    was_told = Q(told_at__isnull=False) | ~Q(mailed_to=[])
    over = was_told & Q(ended_at__isnull=False, end_told_at=None, kind__in=OF_FLEET)
    return Alert.objects.opened().told_singly().filter(news | over, provider=provider_id)


def _still_untold(provider_id: int, alerts: list[Alert], *, now: datetime) -> TenantQuerySet[Alert]:
    news = _is_news(provider_id, now) & Q(pk__in=[alert.pk for alert in _news_of(alerts)])
    over = Q(end_told_at=None, pk__in=[alert.pk for alert in _ends_of(alerts)])
    return Alert.objects.filter(news | over, provider=provider_id)


def _is_news(provider_id: int, now: datetime) -> Q:
    went_on = Q(
        kind=AlertKind.PAYOUT_DRIFT,
        mining_account__payout_first_seen_at__gt=F("told_at"),
        told_at__lte=now - TOLD_AGAIN_AFTER,
    )
    news = Q(told_at=None) | went_on
    rules = AlertRule.objects.filter(provider=provider_id, customer=None, repeat_minutes__isnull=False)
    for kind, minutes in rules.values_list("kind", "repeat_minutes"):
        nobody_took_it = Q(kind=kind, for_customer=None, acknowledged_at=None)
        news |= nobody_took_it & Q(told_at__lte=now - timedelta(minutes=minutes or 0))
    return news
