"""Uptime worked out a second time, from the readings alone, moment by moment: slow, plain, and knowing no SQL.

It follows docs/uptime.md and shares no code with the product. Times are whole seconds since some midnight.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

DAY = 86_400
COUNTS_APART, IDLE_APART, NAMES_APART = 750, 4_500, 9_000
IDLE_AFTER = DAY

UP, DOWN, DOUBTED = "up", "down", "doubted"
Spell = tuple[int, float]  # from, until


@dataclass
class History:
    """What was told of one account, in the order of time, and what people said beside it."""

    counts: list[tuple[int, int, int]] = field(default_factory=list)  # at, online, low
    names: list[tuple[int, frozenset[str], str]] = field(default_factory=list)  # at, listed, what the missing are
    retired: list[tuple[int, str]] = field(default_factory=list)
    excluded: list[Spell] = field(default_factory=list)  # the whole account
    excluded_workers: list[tuple[str, Spell]] = field(default_factory=list)
    contracted: list[tuple[int, int | None]] = field(default_factory=list)  # from, workers
    begins: int = 0

    def moments(self) -> set[int]:
        ends = [at for spell in self.excluded for at in spell]
        ends += [at for _, spell in self.excluded_workers for at in spell]
        told = [row[0] for row in self.counts] + [row[0] for row in self.names]
        said = [row[0] for row in self.retired] + [row[0] for row in self.contracted]
        return {int(at) for at in [*ends, *told, *said, self.begins] if at != float("inf")}


@dataclass
class Seconds:
    expected: int = 0
    up: int = 0
    low: int = 0
    down: int = 0
    excluded: int = 0
    unknown: int = 0
    up_least: int = 0
    up_most: int = 0
    hashing_least: int = 0
    hashing_most: int = 0

    def add(self, other: Seconds, times: int) -> None:
        for name, number in vars(other).items():
            setattr(self, name, getattr(self, name) + number * times)

    def share(self) -> Fraction | None:
        counted = self.up + self.low + self.down
        return Fraction(self.up, counted) if counted else None

    def told(self) -> tuple[int, ...]:
        return tuple(vars(self).values())


class Counted:
    """By the pool's counts."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.at = [row[0] for row in history.counts]
        self.roster = Roster(history)
        self.apart = _apart(history.counts)

    def covers(self, moment: int) -> bool:
        last = bisect_right(self.at, moment) - 1
        return 0 <= last < len(self.at) - 1 and self.at[last + 1] - self.at[last] <= self.apart[last]

    def __call__(self, moment: int) -> Seconds:
        expected = self.expected(moment)
        if _within(self.history.excluded, moment):
            return Seconds(expected=expected, excluded=expected)
        alone = {worker for worker, spell in self.history.excluded_workers if spell[0] <= moment < spell[1]}
        excluded = min(expected, len(alone & self.roster.at(moment)))
        rest = expected - excluded
        if not self.covers(moment):
            return Seconds(expected=expected, excluded=excluded, unknown=rest)
        last = bisect_right(self.at, moment) - 1
        (_, online, low), (_, online_next, low_next) = self.history.counts[last : last + 2]
        # One by one: excluded workers are taken from those that are down, then low, then up.
        machines = [UP] * min(online, expected)
        machines += ["low"] * min(low, expected - len(machines))
        machines += [DOWN] * (expected - len(machines))
        machines = machines[:rest]
        return Seconds(
            expected,
            machines.count(UP),
            machines.count("low"),
            machines.count(DOWN),
            excluded,
            0,
            min(online, online_next, rest),
            min(max(online, online_next), rest),
            min(online + low, online_next + low_next, rest),
            min(max(online + low, online_next + low_next), rest),
        )

    def expected(self, moment: int) -> int:
        contracted = [workers for since, workers in sorted(self.history.contracted) if since <= moment]
        if contracted and contracted[-1] is not None:
            return contracted[-1]
        return len(self.roster.at(moment))


class Named:
    """By the names, machine by machine."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.counted = Counted(history)
        self.roster = self.counted.roster
        self.at = self.roster.moments

    def covers(self, moment: int) -> bool:
        last = bisect_right(self.at, moment) - 1
        between = 0 <= last < len(self.at) - 1 and self.at[last + 1] - self.at[last] <= NAMES_APART
        return between and self.counted.covers(moment)

    def __call__(self, moment: int) -> Seconds:
        sum_of_all = Seconds()
        is_covered, all_out = self.covers(moment), _within(self.history.excluded, moment)
        last = bisect_right(self.at, moment) - 1
        for worker in self.roster.at(moment):
            one = Seconds(expected=1)
            mine = [spell for name, spell in self.history.excluded_workers if name == worker]
            state = self.roster.states[worker][last]
            if all_out or _within(mine, moment):
                one.excluded = 1
            elif not is_covered or state == DOUBTED:
                one.unknown = 1
            else:
                one.up, one.down = int(state == UP), int(state == DOWN)
                following = self.roster.states[worker][last + 1]
                falls_next = self._proves_down(worker, last + 1)
                one.up_least = one.hashing_least = int(state == UP and not falls_next)
                one.up_most = one.hashing_most = int(state == UP or following != DOWN)
            sum_of_all.add(one, 1)
        return sum_of_all

    def _proves_down(self, worker: str, number: int) -> bool:
        """Whether that listing, or after doubts the first that decides, finds it down."""
        states = self.roster.states[worker]
        while number < len(states) and states[number] == DOUBTED:
            number += 1
        return number < len(states) and states[number] == DOWN


class Roster:
    """Who was there, and in which state each listing left them."""

    def __init__(self, history: History) -> None:
        self.moments = [at for at, _, _ in history.names]
        self.first_seen: dict[str, int] = {}
        self.states: dict[str, list[str]] = {}
        self.away: dict[str, list[list[float]]] = {}
        retired = sorted(history.retired)
        for number, (at, listed, missing) in enumerate(history.names):
            for moment, worker in retired:
                # Those that were retired since the listing before.
                if (number and self.moments[number - 1] <= moment) and moment <= at:
                    self._retire(worker, moment)
            for worker in listed - self.states.keys():
                self.first_seen[worker] = at
                self.states[worker] = [""] * number
            for worker, states in self.states.items():
                before = states[-1] if states else ""
                states.append(self._next(worker, before, worker in listed, missing, at))
        for moment, worker in retired:
            if self.moments and moment > self.moments[-1]:
                self._retire(worker, moment)

    def _retire(self, worker: str, moment: int) -> None:
        spells = self.away.setdefault(worker, [])
        if not spells or spells[-1][1] != float("inf"):
            spells.append([moment, float("inf")])

    def _next(self, worker: str, before: str, is_listed: bool, missing: str, at: int) -> str:
        spells = self.away.get(worker, [])
        if is_listed:
            if spells and spells[-1][1] == float("inf"):
                spells[-1][1] = at
            return UP
        if spells and spells[-1][1] == float("inf"):
            return before
        if missing == DOWN:
            return DOWN
        if missing == "unknown":
            return DOWN if before == DOWN else DOUBTED
        return DOWN if before == DOWN else UP

    def at(self, moment: int) -> set[str]:
        return {
            worker
            for worker, since in self.first_seen.items()
            if since <= moment and not any(begins <= moment < ends for begins, ends in self.away.get(worker, []))
        }


def by_day(history: History, of: Counted | Named, *, until: int) -> dict[int, Seconds]:
    """Cut at every moment at which anything was told or said, and at midnight."""
    edges = {at for at in history.moments() if history.begins <= at <= until}
    edges |= {history.begins, until, *range(0, until, DAY)}
    cuts = sorted(at for at in edges if history.begins <= at <= until)
    days: dict[int, Seconds] = {}
    for begins, ends in itertools.pairwise(cuts):
        days.setdefault(begins // DAY, Seconds()).add(of(begins), ends - begins)
    return days


def _apart(counts: list[tuple[int, int, int]]) -> list[int]:
    """How far the next reading may be away: further when nobody had mined for a day."""
    apart, idle_since = [], None
    for at, online, low in counts:
        idle_since = (at if idle_since is None else idle_since) if online == low == 0 else None
        apart.append(IDLE_APART if idle_since is not None and at - idle_since >= IDLE_AFTER else COUNTS_APART)
    return apart


def _within(spells: Iterable[Spell], moment: int) -> bool:
    return any(begins <= moment < ends for begins, ends in spells)
