"""What accounts and machines are now, and what became of a machine: for pages, the API and alerts.

Inside the access's context, and each sees what it sees. A constant number of queries, however many rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from django.db import connection
from django.db.models import Q

from customers.tenancy import Access
from mining.fleet.coverage import IDLE_AFTER, IDLE_PACE, MISSED_READINGS, PACE, Span, most_apart, open_spans
from mining.models import Covered, Exclusion, MiningAccount, Outage, Worker

STATES = (Path(__file__).parent / "states.sql").read_text(encoding="utf-8")


BY_ACCOUNT = """
SELECT id, expected, up, low, down, excluded, unknown, state, since, read_at, exclusion_id FROM state
"""
BY_STATE = """
SELECT state, count(*), sum(expected), sum(up), sum(low), sum(down), sum(excluded), sum(unknown)
FROM state GROUP BY state
"""


SHORTEST = timedelta(microseconds=1)


class State(StrEnum):
    """The worst first. A worker is never low: the pool counts those that are, and names none of them."""

    DOWN = "down"
    UNKNOWN = "unknown"
    LOW = "low"
    EXCLUDED = "excluded"
    UP = "up"
    RETIRED = "retired"  # a worker that is no part of its account any more


@dataclass(frozen=True, slots=True)
class AccountNow:
    """Up: all that are expected. Low: some hash. Down: none does. How many of them are what beside it.

    `since`: since when the counts stand as they do; of an unknown one, when it was last read (None: never).
    """

    state: State
    expected: int
    up: int
    low: int
    down: int
    excluded: int
    unknown: int
    since: datetime | None
    read_at: datetime | None
    exclusion: Exclusion | None = None


@dataclass(frozen=True, slots=True)
class FleetNow:
    """All accounts together: machines in each state, and accounts in each."""

    accounts: int
    expected: int
    up: int
    low: int
    down: int
    excluded: int
    unknown: int
    accounts_in: dict[State, int]


@dataclass(frozen=True, slots=True)
class WorkerNow:
    """`since` is known to lie in (not_before, since] where there is a `not_before`."""

    worker: Worker
    state: State
    since: datetime | None
    not_before: datetime | None
    last_seen_at: datetime
    exclusion: Exclusion | None = None


def account_states(access: Access, accounts: Sequence[MiningAccount], *, now: datetime) -> dict[int, AccountNow]:
    """By account's key."""
    values = account_parameters(access.provider.pk, [account.pk for account in accounts], now=now)
    with connection.cursor() as cursor:
        cursor.execute(STATES + BY_ACCOUNT, values)
        rows = cursor.fetchall()
    exclusions = Exclusion.objects.filter(provider=access.provider).in_bulk({row[-1] for row in rows} - {None})
    return {
        account_id: AccountNow(
            State(state), expected, up, low, down, excluded, unknown, since, read_at, exclusions.get(exclusion_id)
        )
        for account_id, expected, up, low, down, excluded, unknown, state, since, read_at, exclusion_id in rows
    }


def account_state(access: Access, account: MiningAccount, *, now: datetime) -> AccountNow:
    return account_states(access, [account], now=now)[account.pk]


def fleet_state(access: Access, *, now: datetime) -> FleetNow:
    """One query. Accounts that belong to nobody yet are in it."""
    with connection.cursor() as cursor:
        cursor.execute(STATES + BY_STATE, account_parameters(access.provider.pk, None, now=now))
        rows = cursor.fetchall()
    accounts, expected, up, low, down, excluded, unknown = (
        sum(int(row[column]) for row in rows) for column in range(1, 8)
    )
    in_state = {State(row[0]): int(row[1]) for row in rows}
    return FleetNow(accounts, expected, up, low, down, excluded, unknown, in_state)


def account_parameters(provider_id: int, account_ids: list[int] | None, *, now: datetime) -> dict[str, Any]:
    """Of STATES; None: all accounts."""
    return {
        "provider": provider_id,
        "accounts": account_ids,
        "now": now,
        "idle_after": IDLE_AFTER,
        "apart": PACE[Covered.COUNTS] * MISSED_READINGS,
        "idle_apart": IDLE_PACE * MISSED_READINGS,
    }


# --- Workers


def workers_of(access: Access, account: MiningAccount, *, now: datetime) -> list[WorkerNow]:
    """The whole roster, the worst first, then by name: some 10,000 at the most. Four queries."""
    workers = Worker.objects.visible_to(access).filter(mining_account=account)
    missing = Outage.objects.visible_to(access).filter(mining_account=account, until_at=None)
    outages = {outage.worker_id: outage for outage in missing}
    exclusions = _exclusions_now(access, account, now)
    spans = open_spans(access.provider.pk, [account.pk])
    seen_at, holds = _last_seen(account, spans, now)
    found = [
        _worker_now(worker, account, outages.get(worker.pk), exclusions, seen_at=seen_at, holds=holds)
        for worker in workers
    ]
    order = list(State)
    return sorted(found, key=lambda row: (order.index(row.state), row.worker.name))


def worker_state(access: Access, worker: Worker, account: MiningAccount, *, now: datetime) -> WorkerNow:
    return worker_states(access, [worker], {account.pk: account}, now=now)[worker.pk]


def worker_states(
    access: Access, workers: Sequence[Worker], accounts: Mapping[int, MiningAccount], *, now: datetime
) -> dict[int, WorkerNow]:
    """By worker's key, of whatever accounts; `accounts`: theirs, by key."""
    missing = Outage.objects.visible_to(access).filter(
        mining_account__in=list(accounts), worker__in=[worker.pk for worker in workers], until_at=None
    )
    outages = {outage.worker_id: outage for outage in missing}
    spans = open_spans(access.provider.pk, list(accounts))
    running = Exclusion.objects.filter(provider=access.provider, from_at__lte=now)
    exclusions = list(running.filter(Q(until_at=None) | Q(until_at__gt=now)).order_by("from_at", "pk"))
    found = {}
    for worker in workers:
        account = accounts[worker.mining_account_id]
        seen_at, holds = _last_seen(account, spans, now)
        ours = [
            row for row in exclusions if row.worker_id is not None or row.customer_id in (None, account.customer_id)
        ]
        found[worker.pk] = _worker_now(worker, account, outages.get(worker.pk), ours, seen_at=seen_at, holds=holds)
    return found


def outages_of(
    access: Access,
    account: MiningAccount,
    *,
    worker: Worker | None = None,
    from_at: datetime,
    until_at: datetime,
) -> list[Outage]:
    """Those of a window, the newest first, with their workers. What lies outside of coverage is not known to be one."""
    rows = Outage.objects.visible_to(access).filter(mining_account=account, from_at__lt=until_at)
    if worker is not None:
        rows = rows.filter(worker=worker)
    rows = rows.filter(Q(until_at=None) | Q(until_at__gt=from_at))
    return list(rows.select_related("worker").order_by("-from_at", "worker__name"))


def _last_seen(
    account: MiningAccount, spans: dict[tuple[int, str], Span], now: datetime
) -> tuple[datetime | None, bool]:
    """When the names were last known to hold, and whether they still do: for as long as the counts beside them do."""
    names, counts = spans.get((account.pk, Covered.NAMES)), spans.get((account.pk, Covered.COUNTS))
    if names is None or counts is None:
        return None, False
    counts_apart = most_apart(Covered.COUNTS, idle_since=account.idle_since, before=counts.until_at)
    names_apart = most_apart(Covered.NAMES, idle_since=None, before=None)
    return names.until_at, now - counts.until_at <= counts_apart and now - names.until_at <= names_apart


def exclusions_of(access: Access, account: MiningAccount, *, from_at: datetime, until_at: datetime) -> list[Exclusion]:
    """All of a window that may be the account's, oldest first; every other customer's are left out, whoever asks."""
    of_them = Q(customer=account.customer_id) if account.customer_id else Q(worker__mining_account=account)
    of_them |= Q(customer=None, worker=None)
    rows = Exclusion.objects.filter(of_them, provider=access.provider, from_at__lt=until_at)
    return list(rows.filter(Q(until_at=None) | Q(until_at__gt=from_at)).order_by("from_at", "pk"))


def _exclusions_now(access: Access, account: MiningAccount, now: datetime) -> list[Exclusion]:
    return exclusions_of(access, account, from_at=now, until_at=now + SHORTEST)


def concerns(exclusion: Exclusion, worker: Worker, account: MiningAccount) -> bool:
    """Whether it is of this machine, among exclusions that are the account's or nobody's alone."""
    if exclusion.worker_id is not None:
        return exclusion.worker_id == worker.pk
    return not exclusion.site or exclusion.site in (worker.site, account.site)


def _worker_now(
    worker: Worker,
    account: MiningAccount,
    outage: Outage | None,
    exclusions: list[Exclusion],
    *,
    seen_at: datetime | None,
    holds: bool,
) -> WorkerNow:
    last_seen_at = worker.last_seen_at
    if outage is None and seen_at is not None and worker.retired_at is None:
        last_seen_at = max(last_seen_at, seen_at)
    if worker.retired_at is not None:
        return WorkerNow(worker, State.RETIRED, worker.retired_at, None, last_seen_at)
    exclusion = next((row for row in exclusions if concerns(row, worker, account)), None)
    if exclusion is not None:
        return WorkerNow(worker, State.EXCLUDED, exclusion.from_at, None, last_seen_at, exclusion)
    if not holds:
        return WorkerNow(worker, State.UNKNOWN, seen_at, None, last_seen_at)
    if outage is None:
        return WorkerNow(worker, State.UP, worker.last_seen_at, None, last_seen_at)
    state = State.DOWN if outage.state == Outage.State.DOWN else State.UNKNOWN
    return WorkerNow(worker, state, outage.from_at, outage.from_not_before, last_seen_at)
