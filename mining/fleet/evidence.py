"""Why an account's uptime is what it is: every time in which not all of its machines were up, and what is known of it.

The sums of these are the sums of the month (mining/fleet/uptime.py), whatever is not listed was up. Inside the access's
context; a constant number of queries.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from heapq import heappop, heappush, nsmallest

from customers.tenancy import Access
from mining.fleet import states, uptime
from mining.fleet.states import State
from mining.fleet.uptime import Interval, Uptime
from mining.models import Basis, Exclusion, MiningAccount, Outage, Worker

TOLD = (State.DOWN, State.LOW, State.EXCLUDED, State.UNKNOWN)
MOST_NAMES = 20


@dataclass(frozen=True, slots=True)
class Stop:
    """`workers` were `state` for all of it, by the pool's counts. `machines`: the first of those that the lists of
    names left out meanwhile; counts and names are read apart, so they may be fewer or more."""

    state: State
    from_at: datetime
    until_at: datetime
    workers: int
    exclusions: tuple[Exclusion, ...] = ()
    machines: tuple[str, ...] = field(default=())
    missing: int = 0  # how many machines the lists left out

    @property
    def seconds(self) -> int:
        return int((self.until_at - self.from_at).total_seconds())

    @property
    def unnamed(self) -> int:
        return self.missing - len(self.machines)

    @property
    def worker_seconds(self) -> int:
        return self.workers * self.seconds


@dataclass(frozen=True, slots=True)
class Evidence:
    """`expected`: the fewest and the most machines that there were to be; None where the account was not here."""

    stops: list[Stop]  # newest first
    expected: tuple[int, int] | None


def evidence(
    access: Access, account: MiningAccount, *, from_at: datetime, until_at: datetime, now: datetime
) -> Evidence:
    intervals = uptime.intervals(access, account, from_at=from_at, until_at=until_at, now=now)
    expected = [interval.expected for interval in intervals]
    stops = [stop for state in TOLD for stop in _stops(state, intervals)]
    if stops:
        stops = _with_reasons(stops, _exclusions(access, account, from_at, until_at))
        stops = _with_machines(stops, states.outages_of(access, account, from_at=from_at, until_at=until_at))
    stops.sort(key=lambda stop: (stop.from_at, TOLD[::-1].index(stop.state)), reverse=True)
    return Evidence(stops, (min(expected), max(expected)) if expected else None)


@dataclass(frozen=True, slots=True)
class Report:
    """Uptime of an account from a day to a day (UTC, both inclusive), as far as it has come."""

    account: MiningAccount
    first: date
    last: date
    days: dict[date, Uptime]
    total: Uptime
    by_names: Uptime
    evidence: Evidence
    is_over: bool


def report(access: Access, account: MiningAccount, *, first: date, last: date, now: datetime) -> Report:
    days = uptime.days(access, [account], first=first, last=last, now=now)[account.pk]
    named = uptime.days(access, [account], first=first, last=last, basis=Basis.NAMES, now=now)[account.pk]
    begins, ends = uptime.midnight(first), uptime.midnight(last + uptime.ONE_DAY)
    return Report(
        account=account,
        first=first,
        last=last,
        days=dict(sorted(days.items())),
        total=uptime.total(days.values()),
        by_names=uptime.total(named.values()),
        evidence=evidence(access, account, from_at=begins, until_at=ends, now=now),
        is_over=ends <= now,
    )


def _stops(state: State, intervals: Iterable[Interval]) -> list[Stop]:
    stops: list[Stop] = []
    for interval in intervals:
        workers = getattr(interval, state.value)
        if not workers:
            continue
        last = stops[-1] if stops else None
        if last is not None and last.until_at == interval.from_at and last.workers == workers:
            stops[-1] = replace(last, until_at=interval.until_at)
        else:
            stops.append(Stop(state, interval.from_at, interval.until_at, workers))
    return stops


def _exclusions(access: Access, account: MiningAccount, from_at: datetime, until_at: datetime) -> list[Exclusion]:
    """None of another site: what happens there is nobody's business here."""
    of_workers = Worker.objects.visible_to(access).filter(mining_account=account).values_list("site", flat=True)
    sites = {"", account.site, *of_workers.order_by().distinct()}
    found = states.exclusions_of(access, account, from_at=from_at, until_at=until_at)
    return [row for row in found if row.site in sites]


def _with_reasons(stops: Sequence[Stop], exclusions: Sequence[Exclusion]) -> list[Stop]:
    return [
        replace(
            stop,
            exclusions=tuple(
                row
                for row in exclusions
                if row.from_at < stop.until_at and (row.until_at is None or row.until_at > stop.from_at)
            ),
        )
        if stop.state is State.EXCLUDED
        else stop
        for stop in stops
    ]


def _with_machines(stops: Sequence[Stop], outages: Sequence[Outage]) -> list[Stop]:
    """Those that were missing in the middle of a stop: at its edges the lists are behind the counts."""
    ahead = sorted(
        (outage for outage in outages if outage.state == Outage.State.DOWN),
        key=lambda outage: outage.from_at,
        reverse=True,
    )
    open_: list[tuple[datetime, int, str]] = []
    named: dict[int, tuple[tuple[str, ...], int]] = {}
    down = [index for index, stop in enumerate(stops) if stop.state is State.DOWN]
    for index in sorted(down, key=lambda index: _middle(stops[index])):
        middle = _middle(stops[index])
        while ahead and ahead[-1].from_at <= middle:
            outage = ahead.pop()
            ends = [moment for moment in (outage.until_at, outage.retired_at) if moment is not None]
            heappush(open_, (min(ends, default=uptime.FOR_EVER), len(ahead), outage.worker.name))
        while open_ and open_[0][0] <= middle:
            heappop(open_)
        named[index] = (tuple(nsmallest(MOST_NAMES, (name for _, _, name in open_))), len(open_))
    return [
        replace(stop, machines=named[index][0], missing=named[index][1]) if index in named else stop
        for index, stop in enumerate(stops)
    ]


def _middle(stop: Stop) -> datetime:
    return stop.from_at + (stop.until_at - stop.from_at) / 2
