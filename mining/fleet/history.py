"""What became of single machines in a window: the time of each, cut into what it was. docs/uptime.md defines it.

The same sums as names.sql has for whole accounts, for few machines and with each stretch told. A constant number of
queries, however many machines. Inside the access's context.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from itertools import pairwise

from django.db.models import Q

from customers.tenancy import Access
from mining.fleet.states import State, concerns, exclusions_of
from mining.fleet.uptime import FOR_EVER
from mining.models import Coverage, Covered, Exclusion, MiningAccount, OpenCoverage, Outage, Worker


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in which a machine was one thing. A fall is known to lie in (outage.from_not_before, outage.from_at], a
    return in (outage.until_not_before, outage.until_at]."""

    from_at: datetime
    until_at: datetime
    state: State
    outage: Outage | None = None
    exclusion: Exclusion | None = None

    @property
    def seconds(self) -> int:
        return int((self.until_at - self.from_at).total_seconds())


@dataclass(frozen=True, slots=True)
class Range:
    """`of`: the row that it comes from."""

    from_at: datetime
    until_at: datetime
    of: Outage | Exclusion | None = None


class Layer:
    """Ranges of one kind, none over another: of two at one moment the one that began first is told."""

    def __init__(self, ranges: Iterable[Range]) -> None:
        self.ranges: list[Range] = []
        for range_ in sorted(ranges, key=lambda range_: (range_.from_at, range_.until_at)):
            begins = max(range_.from_at, self.ranges[-1].until_at) if self.ranges else range_.from_at
            if begins < range_.until_at:
                self.ranges.append(replace(range_, from_at=begins))
        self._begins = [range_.from_at for range_ in self.ranges]

    def at(self, moment: datetime) -> Range | None:
        place = bisect_right(self._begins, moment) - 1
        return self.ranges[place] if place >= 0 and moment < self.ranges[place].until_at else None

    def edges(self) -> Iterable[datetime]:
        for range_ in self.ranges:
            yield range_.from_at
            yield range_.until_at


def histories(
    access: Access,
    account: MiningAccount,
    workers: Sequence[Worker],
    *,
    from_at: datetime,
    until_at: datetime,
    now: datetime,
) -> dict[int, list[Stretch]]:
    """By worker's key, oldest first, without gaps save where it was retired or not there yet."""
    from_at = max(_second(from_at), _second(account.first_seen_at))
    until_at = _second(min(until_at, now))
    keys = [worker.pk for worker in workers]
    if until_at <= from_at or not keys:
        return {key: [] for key in keys}
    outages: dict[int, list[Outage]] = defaultdict(list)
    for outage in _outages(access, account, keys, from_at, until_at):
        outages[outage.worker_id].append(outage)
    exclusions = exclusions_of(access, account, from_at=from_at, until_at=until_at)
    covered = _covered(access, account, from_at, until_at)
    return {
        worker.pk: _history(worker, account, outages[worker.pk], exclusions, covered, from_at, until_at)
        for worker in workers
    }


def history(
    access: Access, account: MiningAccount, worker: Worker, *, from_at: datetime, until_at: datetime, now: datetime
) -> list[Stretch]:
    return histories(access, account, [worker], from_at=from_at, until_at=until_at, now=now)[worker.pk]


def seconds_in(stretches: Iterable[Stretch]) -> dict[State, int]:
    sums = dict.fromkeys((State.UP, State.DOWN, State.EXCLUDED, State.UNKNOWN), 0)
    for stretch in stretches:
        sums[stretch.state] += stretch.seconds
    return sums


def share_up(seconds: dict[State, int]) -> Fraction | None:
    """Of what counted; None where nothing did: that is unknown, not 100 %."""
    counted = seconds[State.UP] + seconds[State.DOWN]
    return Fraction(seconds[State.UP], counted) if counted else None


def _history(
    worker: Worker,
    account: MiningAccount,
    outages: Sequence[Outage],
    exclusions: Sequence[Exclusion],
    covered: Layer,
    from_at: datetime,
    until_at: datetime,
) -> list[Stretch]:
    begins = max(from_at, worker.first_seen_at)
    away = [Range(row.retired_at, row.until_at or FOR_EVER) for row in outages if row.retired_at is not None]
    if worker.retired_at is not None:
        away.append(Range(worker.retired_at, FOR_EVER))
    retired = Layer(away)
    excluded = Layer(
        Range(row.from_at, row.until_at or FOR_EVER, row) for row in exclusions if concerns(row, worker, account)
    )
    missing = {
        state: Layer(
            Range(row.from_at, min(row.until_at or FOR_EVER, row.retired_at or FOR_EVER), row)
            for row in outages
            if row.state == state
        )
        for state in (Outage.State.UNKNOWN, Outage.State.DOWN)
    }
    edges = {edge for layer in (retired, excluded, covered, *missing.values()) for edge in layer.edges()}
    moments = sorted({begins, until_at} | {edge for edge in edges if begins < edge < until_at})
    stretches: list[Stretch] = []
    for moment, following in pairwise(moments):
        if retired.at(moment) is None:
            _put(stretches, _stretch(moment, following, excluded, covered, missing))
    return stretches


def _stretch(
    from_at: datetime, until_at: datetime, excluded: Layer, covered: Layer, missing: dict[Outage.State, Layer]
) -> Stretch:
    """Excluded before unknown before the rest."""
    if (found := excluded.at(from_at)) is not None and isinstance(found.of, Exclusion):
        return Stretch(from_at, until_at, State.EXCLUDED, exclusion=found.of)
    if covered.at(from_at) is None or missing[Outage.State.UNKNOWN].at(from_at) is not None:
        return Stretch(from_at, until_at, State.UNKNOWN)
    if (found := missing[Outage.State.DOWN].at(from_at)) is not None and isinstance(found.of, Outage):
        return Stretch(from_at, until_at, State.DOWN, outage=found.of)
    return Stretch(from_at, until_at, State.UP)


def _put(stretches: list[Stretch], stretch: Stretch) -> None:
    last = stretches[-1] if stretches else None
    if (
        last is not None
        and last.until_at == stretch.from_at
        and (last.state, last.outage, last.exclusion) == (stretch.state, stretch.outage, stretch.exclusion)
    ):
        stretches[-1] = replace(last, until_at=stretch.until_at)
    else:
        stretches.append(stretch)


def _outages(
    access: Access, account: MiningAccount, keys: Collection[int], from_at: datetime, until_at: datetime
) -> list[Outage]:
    rows = Outage.objects.visible_to(access).filter(mining_account=account, worker__in=keys, from_at__lt=until_at)
    return list(rows.filter(Q(until_at=None) | Q(until_at__gt=from_at)).order_by("from_at"))


def _covered(access: Access, account: MiningAccount, from_at: datetime, until_at: datetime) -> Layer:
    """When both the names and the counts were read: between two lists the names hold because the counts did."""
    spans: dict[str, list[Range]] = {Covered.COUNTS: [], Covered.NAMES: []}
    for model in (Coverage, OpenCoverage):
        rows = model.objects.visible_to(access).filter(
            mining_account=account, subject__in=list(spans), from_at__lt=until_at, until_at__gt=from_at
        )
        for subject, begins, ends in rows.values_list("subject", "from_at", "until_at"):
            spans[subject].append(Range(begins, ends))
    counts = Layer(spans[Covered.COUNTS])
    both = (
        Range(max(names.from_at, read.from_at), min(names.until_at, read.until_at))
        for names in Layer(spans[Covered.NAMES]).ranges
        for read in counts.ranges
        if names.from_at < read.until_at and read.from_at < names.until_at
    )
    return Layer(both)


def _second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)
