"""One alert for one cause: alerts of accounts that fell together are told as one, and their end is told once."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from pathlib import Path

from django.db import connection
from django.db.models import Count, Min, Q

from mining.alerts.limits import parameters
from mining.fleet import states
from mining.fleet.coverage import PACE
from mining.models import Alert, Covered

TOGETHER = (Path(__file__).parent / "together.sql").read_text(encoding="utf-8")
PACE_MINUTES = PACE[Covered.COUNTS].total_seconds() / 60
JOIN = """
UPDATE mining_alert AS alert SET group_id = found.id
FROM mining_alert AS found
JOIN mining_alertrule AS rule ON rule.provider_id = %(provider)s AND rule.customer_id IS NULL AND rule.kind = found.kind
JOIN mining_miningaccount AS account ON account.provider_id = %(provider)s
WHERE found.provider_id = %(provider)s AND found.is_group AND found.ended_at IS NULL
  AND alert.provider_id = %(provider)s AND alert.kind = found.kind AND alert.group_id IS NULL AND NOT alert.is_group
  AND alert.ended_at IS NULL AND alert.for_customer_id IS NULL AND account.id = alert.mining_account_id
  AND found.site IN ('', account.site)
  AND alert.stood_at - found.stood_at BETWEEN - (rule.group_minutes + %(pace_minutes)s) * interval '1 minute'
      AND (rule.group_minutes + %(pace_minutes)s) * interval '1 minute'
"""


def refresh(provider_id: int, *, now: datetime) -> None:
    values = {**parameters(provider_id, now=now), "pace_minutes": PACE_MINUTES}
    with connection.cursor() as cursor:
        cursor.execute(JOIN, values)
    if _may_have_fallen(provider_id):
        with connection.cursor() as cursor:
            cursor.execute(states.STATES + TOGETHER, values)
            fell = cursor.fetchall()
        _group(provider_id, fell, now=now)
    _follow_members(provider_id, now=now)


def _may_have_fallen(provider_id: int) -> bool:
    """Spares a quiet minute the look at everything."""
    alone = Alert.objects.filter(provider=provider_id, ended_at=None, group=None, is_group=False, for_customer=None)
    return len(alone.filter(mining_account__isnull=False, worker=None).values("pk")[:2]) > 1


def _group(provider_id: int, fell: list[tuple[int, str, str, bool]], *, now: datetime) -> None:
    members: dict[tuple[str, str], list[int]] = defaultdict(list)
    sites: dict[tuple[str, str], set[str]] = defaultdict(set)
    for alert_id, kind, site, is_everywhere in fell:
        place = (kind, "" if is_everywhere else site)
        members[place].append(alert_id)
        sites[place].add(site)
    for place, alert_ids in members.items():
        kind, (site, *others) = place[0], sites[place]
        group = Alert.objects.create(
            provider_id=provider_id, kind=kind, is_group=True, site="" if others else site, stood_at=now
        )
        Alert.objects.filter(provider=provider_id, pk__in=alert_ids).update(group=group)


def _follow_members(provider_id: int, *, now: datetime) -> None:
    """A group opens with the first of its members and ends with the last, and is silenced when all that stand are.
    Should they pass before they were worth telling, it goes with them."""
    standing = Q(members__ended_at=None)
    groups = Alert.objects.filter(provider=provider_id, is_group=True, ended_at=None)
    rows = groups.annotate(
        stand=Count("members", filter=standing),
        are_heard=Count("members", filter=standing & Q(members__is_silenced=False)),
        first_opened_at=Min("members__opened_at"),
        first_stood_at=Min("members__stood_at"),
    ).values_list("pk", "opened_at", "is_silenced", "stand", "are_heard", "first_opened_at", "first_stood_at")
    for group_id, opened_at, is_silenced, stand, are_heard, first_opened_at, first_stood_at in rows:
        group, is_silent = groups.filter(pk=group_id), stand > 0 and are_heard == 0
        if not stand and first_opened_at is None:
            group.delete()
            continue
        if opened_at is None and first_opened_at is not None:
            group.update(opened_at=first_opened_at, stood_at=first_stood_at)
        if is_silent != is_silenced:
            group.update(is_silenced=is_silent)
        if not stand:
            group.update(ended_at=now)
