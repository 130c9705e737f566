"""One alert for one cause: alerts of accounts that fell together are told as one, and their end is told once."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from django.db import connection
from django.db.models import Count, Min, Q

from mining.alerts.rules import OF_ACCOUNTS
from mining.fleet import states
from mining.fleet.coverage import PACE
from mining.models import Alert, AlertRule, Covered, MiningAccount

PACE_MINUTES = PACE[Covered.COUNTS].total_seconds() / 60
EXPECTED = "SELECT id, expected FROM state"
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


class Fell(NamedTuple):
    alert_id: int
    kind: str
    site: str
    machines: int


def refresh(provider_id: int, *, now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(JOIN, {"provider": provider_id, "pace_minutes": PACE_MINUTES})
    rules = {rule.kind: rule for rule in AlertRule.objects.filter(provider=provider_id, customer=None)}
    fell = _fell(provider_id, rules, now)
    if len(fell) > 1:
        everything = _machines(provider_id, now)
        for kind, of_kind in groupby(fell, key=attrgetter("kind")):
            _group(provider_id, list(of_kind), everything, rules[kind].group_percent, now=now)
    _follow_members(provider_id, now=now)


def _fell(provider_id: int, rules: dict[str, AlertRule], now: datetime) -> list[Fell]:
    """Alerts of accounts, opened or in grace, that began within the window of their rule and are told by themselves."""
    rows = Alert.objects.filter(provider=provider_id, ended_at=None, group=None, is_group=False, for_customer=None)
    columns = ("pk", "kind", "mining_account__site", "machines", "stood_at")
    found = rows.filter(kind__in=OF_ACCOUNTS).order_by("kind", "pk").values_list(*columns)
    window = {kind: timedelta(minutes=rule.group_minutes + PACE_MINUTES) for kind, rule in rules.items()}
    return [Fell(*row) for *row, stood_at in found if stood_at >= now - window[row[1]]]


def _machines(provider_id: int, now: datetime) -> Counter[str]:
    """How many machines each site is expected to have; an account without any counts as one."""
    with connection.cursor() as cursor:
        cursor.execute(states.STATES + EXPECTED, states.account_parameters(provider_id, None, now=now))
        expected = dict(cursor.fetchall())
    accounts = MiningAccount.objects.filter(provider=provider_id).exclude(customer=None)
    machines: Counter[str] = Counter()
    for account_id, site in accounts.values_list("pk", "site"):
        machines[site] += max(expected.get(account_id, 0), 1)
    return machines


def _group(provider_id: int, fell: list[Fell], everything: Counter[str], percent: int, *, now: datetime) -> None:
    """Of one kind: all as one where they are that much of everything, else those of a site that are that much of it."""

    def is_much(part: list[Fell], whole: int) -> bool:
        return len(part) > 1 and sum(row.machines for row in part) * 100 >= percent * whole

    if is_much(fell, everything.total()):
        sites = {row.site for row in fell}
        _stand_for(provider_id, fell, site=sites.pop() if len(sites) == 1 else "", now=now)
        return
    for site in {row.site for row in fell} - {""}:
        there = [row for row in fell if row.site == site]
        if is_much(there, everything[site]):
            _stand_for(provider_id, there, site=site, now=now)


def _stand_for(provider_id: int, fell: list[Fell], *, site: str, now: datetime) -> None:
    group = Alert.objects.create(provider_id=provider_id, kind=fell[0].kind, is_group=True, site=site, stood_at=now)
    Alert.objects.filter(provider=provider_id, pk__in=[row.alert_id for row in fell]).update(group=group)


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
