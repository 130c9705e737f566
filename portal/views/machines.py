"""The machines of one account, for its customer and for staff: which is what since when, and each one's history."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

from django.http import Http404, QueryDict

from billing.evidence import text
from customers.tenancy import Access
from customers.words import agreeing, counted
from mining import queries as mining
from mining.fleet import history, states, uptime
from mining.fleet.history import Stretch
from mining.fleet.states import AccountNow, State, WorkerNow
from mining.models import MiningAccount, Worker
from portal.forms.machines import LONGEST, NAME, MachineFilter
from portal.templatetags.fleet import clock, lasted, lasted_about, until_when
from portal.templatetags.states import look
from portal.views.machine_chart import machine_chart

PAGE, MOST_STRETCHES = 25, 50
DAY, HISTORY = timedelta(days=1), timedelta(days=30)
TABS = (State.DOWN, State.UNKNOWN, State.EXCLUDED, State.UP)


# --- The list


@dataclass(frozen=True, slots=True)
class Bit:
    """A piece of a strip of time: its place and width in per cent, and what it was."""

    x: str
    width: str
    state: State


@dataclass(frozen=True, slots=True)
class Row:
    now: WorkerNow
    strip: list[Bit]


@dataclass(frozen=True, slots=True)
class Tab:
    state: str
    words: str
    css: str
    count: int


def machines_part(access: Access, account: MiningAccount, given: QueryDict, *, now: datetime) -> dict[str, Any]:
    """What customer/machines.html and staff/machines.html show."""
    everything = states.workers_of(access, account, now=now)
    form = MachineFilter(given)
    words, order = (form.cleaned_data["q"], form.cleaned_data["order"]) if form.is_valid() else ("", "")
    found = [row for row in everything if _matches(row, words)]
    state = given.get("state", "")
    page, after = _page(_ordered(_in_state(found, state), order), given.get("after"))
    account_now = states.account_state(access, account, now=now)
    present = [row for row in everything if row.state is not State.RETIRED]
    return {
        "form": form,
        "words": words,
        "tabs": _tabs(found),
        "state": state,
        "rows": _rows(access, account, page, now=now),
        "after": after,
        "shown": len(page),
        "known": len(everything),
        "present": len(present),
        "has_sites": bool(account.site) or any(row.worker.site for row in everything),
        "account_now": account_now,
        "fleet_answer": machines_answer(account_now, present, now=now),
        "hashrate": mining.current_hashrate(access, account, now=now),
        "month": now.date().replace(day=1),
        "uptime": uptime.month(access, account, now.date(), now=now),
        "hashrate_chart": machine_chart(access, account, given.get("span", ""), now=now),
    }


def _matches(row: WorkerNow, words: str) -> bool:
    words = words.casefold()
    return words in row.worker.name.casefold() or words in row.worker.site.casefold()


def _in_state(rows: Iterable[WorkerNow], state: str) -> list[WorkerNow]:
    if not state:
        return [row for row in rows if row.state is not State.RETIRED]
    return [row for row in rows if row.state == state]


def _ordered(rows: list[WorkerNow], order: str) -> list[WorkerNow]:
    if order == NAME:
        return sorted(rows, key=lambda row: row.worker.name)
    if order == LONGEST:
        return sorted(rows, key=lambda row: (row.since or datetime.min.replace(tzinfo=UTC), row.worker.name))
    return rows  # the worst first, as they come


def _page(rows: list[WorkerNow], after: str | None) -> tuple[list[WorkerNow], str | None]:
    begin = 0
    if after:
        places = [index for index, row in enumerate(rows) if row.worker.code == after]
        if not places:
            raise Http404
        begin = places[0] + 1
    page = rows[begin : begin + PAGE]
    return page, page[-1].worker.code if len(rows) > begin + PAGE else None


def _tabs(found: Sequence[WorkerNow]) -> list[Tab]:
    counts = {state: sum(row.state is state for row in found) for state in State}
    retired = counts.pop(State.RETIRED)
    tabs = [Tab("", "All", "", sum(counts.values()))]
    tabs += [
        Tab(state.value, *_look(state), count=counts[state]) for state in TABS if counts[state] or state is State.UP
    ]
    return [*tabs, Tab(State.RETIRED.value, "Retired", "", retired)] if retired else tabs


def _look(state: State) -> tuple[str, str]:
    css, word = look("machine", state)
    return word, css


def _rows(access: Access, account: MiningAccount, page: Sequence[WorkerNow], *, now: datetime) -> list[Row]:
    begins = now - DAY
    workers = [row.worker for row in page]
    each = history.histories(access, account, workers, from_at=begins, until_at=now, now=now)
    return [Row(row, _strip(up_to_now(each[row.worker.pk], row), begins, now)) for row in page]


def up_to_now(stretches: list[Stretch], machine: WorkerNow) -> list[Stretch]:
    """What was read last holds for as long as the next reading may take: as in `machine`, and not in any sum."""
    if machine.state not in (State.UP, State.DOWN) or not stretches or stretches[-1].state is not State.UNKNOWN:
        return stretches
    *before, last = stretches
    if before and before[-1].state is machine.state and before[-1].until_at == last.from_at:
        return [*before[:-1], replace(before[-1], until_at=last.until_at)]
    return [*before, replace(last, state=machine.state)]


def _strip(stretches: Iterable[Stretch], begins: datetime, ends: datetime) -> list[Bit]:
    whole = (ends - begins).total_seconds()
    bits = []
    for row in stretches:
        x = 100 * max((row.from_at - begins).total_seconds(), 0) / whole
        # A short stop must be seen too.
        width = max(100 * row.seconds / whole, 0 if row.state is State.UP else 1.5)
        bits.append(Bit(f"{min(x, 98.5):.2f}%", f"{width:.2f}%", row.state))
    # Up lies below: what was widened to be seen stays in sight.
    return sorted(bits, key=lambda bit: bit.state is not State.UP)


# --- The first line


@dataclass(frozen=True, slots=True)
class FleetAnswer:
    headline: str
    detail: str = ""


def machines_answer(account: AccountNow, machines: Sequence[WorkerNow], *, now: datetime) -> FleetAnswer:
    """How many, by the pool's counts; which and since when, by its names."""
    total = account.expected
    if account.state is State.UNKNOWN:
        last = f"Last read {clock(account.read_at, now)}." if account.read_at else "They were never read."
        return FleetAnswer("Not known how the machines are", last)
    if account.state is State.EXCLUDED and account.exclusion is not None:
        exclusion = account.exclusion
        words = exclusion.get_reason_display() + (f": {exclusion.note}" if exclusion.note else "")
        return FleetAnswer(
            f"Excluded {until_when(exclusion.until_at, now)}", f"{words}. This time counts for and against nobody."
        )
    if not total:
        return FleetAnswer("The pool has named no machine yet", "The first ones come with the first reading.")
    down = [row for row in machines if row.state is State.DOWN]
    hashing = f"{account.up + account.low:,} of {total:,} hash" + (f", {account.low:,} of them low" * bool(account.low))
    if account.down:
        since = {row.since for row in down}
        told = f" since {clock(next(iter(since)), now)}" if len(since) == 1 and len(down) == account.down else ""
        who = "All machines" if account.down == total > 1 else counted(account.down, "machine")
        return FleetAnswer(f"{who} {agreeing(account.down, 'is', 'are')} down{told}", f"{hashing}.")
    if account.low:
        runs = agreeing(account.low, "runs", "run")
        return FleetAnswer(f"{counted(account.low, 'machine')} {runs} low", f"{hashing}.")
    if account.excluded:
        return FleetAnswer(f"{account.up:,} of {total:,} machines are up", f"{account.excluded:,} excluded.")
    return FleetAnswer("The machine is up" if total == 1 else f"All {total:,} machines are up")


# --- One machine


def machine_part(access: Access, account: MiningAccount, worker: Worker, *, now: datetime) -> dict[str, Any]:
    machine = states.worker_state(access, worker, account, now=now)
    month = now.date().replace(day=1)
    before = (month - DAY).replace(day=1)
    begins = history_from(now)
    first = min(begins, uptime.midnight(before))
    stretches = history.history(access, account, worker, from_at=first, until_at=now, now=now)
    shown = up_to_now(within(stretches, begins, now), machine)
    events = [row for row in reversed(shown) if row.state is not State.UP]
    outages = [row for row in within(stretches, begins, now) if row.state is State.DOWN]
    return {
        "machine": machine,
        "headline": machine_headline(machine, now=now),
        "months": [_month(stretches, month, now), _month(stretches, before, now)],
        "events": events[:MOST_STRETCHES],
        "more_events": max(len(events) - MOST_STRETCHES, 0),
        "outages": len({row.outage.from_at for row in outages if row.outage is not None}),
        "outage_seconds": sum(row.seconds for row in outages),
        "days": day_columns(
            {
                day: _shares(within(shown, uptime.midnight(day), uptime.midnight(day) + DAY))
                for day in (begins.date() + number * DAY for number in range(HISTORY.days))
            }
        ),
    }


@dataclass(frozen=True, slots=True)
class MachineMonth:
    month: date
    share: Fraction | None
    seconds: dict[State, int]
    is_over: bool

    @property
    def note(self) -> str:
        """3 h 20 min down, 9 h unknown."""
        if self.share is None:
            return "nothing counted"
        down = self.seconds[State.DOWN]
        told = [f"{lasted(down)} down" if down else "never down"]
        told += [
            f"{lasted_about(self.seconds[state])} {state}"
            for state in (State.UNKNOWN, State.EXCLUDED)
            if self.seconds[state]
        ]
        return ", ".join(told)


def _month(stretches: Sequence[Stretch], month: date, now: datetime) -> MachineMonth:
    begins = uptime.midnight(month)
    ends = uptime.midnight((month + timedelta(days=31)).replace(day=1))
    seconds = history.seconds_in(within(stretches, begins, ends))
    return MachineMonth(month, history.share_up(seconds), seconds, ends <= now)


def history_from(now: datetime) -> datetime:
    """As far back as a machine's page tells."""
    return uptime.midnight(now.date()) - HISTORY + DAY


def within(stretches: Iterable[Stretch], begins: datetime, ends: datetime) -> list[Stretch]:
    return [
        Stretch(max(row.from_at, begins), min(row.until_at, ends), row.state, row.outage, row.exclusion)
        for row in stretches
        if row.from_at < ends and row.until_at > begins
    ]


def machine_headline(machine: WorkerNow, *, now: datetime) -> str:
    name = machine.worker.name
    match machine.state:
        case State.DOWN | State.UP:
            return f"{name} is {machine.state} since {clock(machine.since, now)}"
        case State.EXCLUDED:
            return f"{name} is excluded {until_when(machine.exclusion.until_at if machine.exclusion else None, now)}"
        case State.RETIRED:
            return f"{name} is retired since {clock(machine.since, now)}"
        case _:
            return f"It is not known how {name} is"


# --- Columns of days


@dataclass(frozen=True, slots=True)
class Piece:
    y: str
    height: str
    state: State


@dataclass(frozen=True, slots=True)
class Column:
    day: date
    x: str
    width: str
    bar_x: str
    bar_width: str
    middle: str
    label: str
    title: str
    pieces: list[Piece]


HEIGHT, SHORTEST = 112.0, 3.0
STACKED = (State.DOWN, State.LOW, State.EXCLUDED, State.UNKNOWN)


def day_columns(by_day: dict[date, dict[State, int]]) -> list[Column]:
    """A column a day, stacked by state; a day without seconds has no bar."""
    width = 100 / len(by_day)
    return [
        Column(
            day=day,
            x=f"{index * width:.2f}%",
            width=f"{width:.2f}%",
            bar_x=f"{(index + 0.11) * width:.2f}%",
            bar_width=f"{width * 0.78:.2f}%",
            middle=f"{(index + 0.5) * width:.2f}%",
            label=_label(day, index, by_day),
            title=_title(day, seconds),
            pieces=_pieces(seconds),
        )
        for index, (day, seconds) in enumerate(by_day.items())
    ]


def _label(day: date, index: int, by_day: dict[date, Any]) -> str:
    if index % 7:
        return ""
    one_month = len({each.month for each in by_day}) == 1
    return f"{day.day}" if one_month else f"{day.day} {day:%b}"


def _pieces(seconds: dict[State, int]) -> list[Piece]:
    whole = sum(seconds.values())
    if not whole:
        return []
    heights = {state: max(HEIGHT * seconds[state] / whole, SHORTEST) for state in STACKED if seconds.get(state)}
    # What is widened to be seen is taken from the largest of the rest.
    up = HEIGHT - sum(heights.values()) if seconds.get(State.UP) else 0.0
    if up < SHORTEST and heights:
        largest = max(heights, key=lambda state: heights[state])
        kept = SHORTEST if seconds.get(State.UP) else 0.0
        heights[largest] -= sum(heights.values()) + kept - HEIGHT
        up = kept
    pieces, y = [], 0.0
    for state, height in [*heights.items(), *([(State.UP, up)] if up else [])]:
        pieces.append(Piece(f"{y:.1f}", f"{height:.1f}", state))
        y += height
    return pieces


def _title(day: date, seconds: dict[State, int]) -> str:
    if not sum(seconds.values()):
        return f"{day.day} {day:%b}: nothing"
    told = [f"{lasted(seconds[state])} {state}" for state in (State.UP, *STACKED) if seconds.get(state)]
    return f"{day.day} {day:%b}: {', '.join(told)}"


def _shares(stretches: Iterable[Stretch]) -> dict[State, int]:
    return history.seconds_in(stretches)


# --- Files

MACHINE_COLUMNS = (
    "worker",
    "name",
    "site",
    "state",
    "since",
    "since_not_before",
    "first_seen_at",
    "last_seen_at",
    "retired_at",
)
STRETCH_COLUMNS = ("from", "from_not_before", "until", "until_not_before", "seconds", "state", "reason", "note")


def machine_rows(rows: Iterable[WorkerNow]) -> Iterator[tuple[str, ...]]:
    """All of them, retired ones too."""
    yield MACHINE_COLUMNS
    for row in rows:
        worker = row.worker
        yield (
            worker.code,
            text(worker.name),
            text(worker.site),
            row.state.value,
            iso(row.since),
            iso(row.not_before),
            iso(worker.first_seen_at),
            iso(row.last_seen_at),
            iso(worker.retired_at),
        )


def stretch_rows(stretches: Iterable[Stretch]) -> Iterator[tuple[str, ...]]:
    yield STRETCH_COLUMNS
    for row in stretches:
        outage, exclusion = row.outage, row.exclusion
        # The bounds are of the outage's own edges; where a window or a gap cut it, the edge is that one's.
        falls = outage is not None and row.from_at == outage.from_at
        returns = outage is not None and row.until_at == outage.until_at
        yield (
            iso(row.from_at),
            iso(outage.from_not_before) if outage is not None and falls else "",
            iso(row.until_at),
            iso(outage.until_not_before) if outage is not None and returns else "",
            str(row.seconds),
            row.state.value,
            exclusion.reason if exclusion else "",
            text(exclusion.note) if exclusion else "",
        )


def iso(at: datetime | None) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else ""
