"""Links of 7 days that renew themselves before they end."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q

from customers import tenancy
from customers.errors import Refused
from customers.models import Provider
from customers.tenancy import Access, Kind
from mining.links.issuing import renew_link
from mining.links.reconcile import LATEST, LIST_LAGS, NOT_RENEWED
from mining.links.rules import MOST_RENEWALS, RENEW_AGAIN_AFTER, RENEW_BEFORE, State, to_renew
from mining.models import WatcherLink


def renew_due(provider_id: int, *, now: datetime) -> int:
    """Each minute: renew what ends within a day; how many were. Opens its own contexts: one for each link, because
    whoever holds several accounts, or an account and then an act of it, may stop others who come the other way."""
    with tenancy.provider_context(provider_id):
        near = WatcherLink.objects.filter(to_renew(now), provider=provider_id, live_until__lte=now + RENEW_BEFORE)
        without = near.filter(Q(successor=None) | Q(successor__state=State.FAILED)).order_by("live_until", "pk")
        due = [link for link in without.select_related("mining_account", "successor") if _may_try(link, now=now)]
    return sum(_renewed(link, now=now) for link in due)


def _may_try(link: WatcherLink, *, now: datetime) -> bool:
    # Right after its end the pool may count it still, and what the pool refuses is tried again an hour later.
    freed_at = LATEST if link.live_until is None else link.live_until + LIST_LAGS
    if freed_at - LIST_LAGS <= now < freed_at:
        return False
    if link.successor is None:
        return True
    tried_at = link.successor.created_at
    pause = RENEW_AGAIN_AFTER * 2 ** max(link.renewals_failed - 1, 0)
    return link.renewals_failed < MOST_RENEWALS and (tried_at < freed_at <= now or now - tried_at >= pause)


def _renewed(link: WatcherLink, *, now: datetime) -> bool:
    with tenancy.provider_context(link.provider_id):
        access = Access(Kind.SYSTEM, Provider.objects.get(pk=link.provider_id), label="renewal")
        try:
            renew_link(access, link, now=now)
        except Refused as refusal:
            why = f"{NOT_RENEWED}{refusal}"[:500]
            WatcherLink.objects.filter(provider=link.provider_id, pk=link.pk).exclude(problem=why).update(problem=why)
            return False
    return True
