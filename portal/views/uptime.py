"""Uptime of one account in a month: the per cent, its days, how it is worked out, and every interval behind it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

from django.http import Http404, QueryDict

from billing.evidence import text
from customers.tenancy import Access
from customers.words import counted
from mining.fleet.evidence import Report, Stop, report
from mining.fleet.states import State
from mining.fleet.uptime import Uptime
from mining.models import MiningAccount
from portal.templatetags.fleet import cut
from portal.views.machines import day_columns, iso

PAGE = 50
DAY = timedelta(days=1)
STOP_COLUMNS = (
    "state", "from", "until", "seconds", "workers", "worker_seconds", "exclusions", "reasons", "notes", "machines",
)  # fmt: skip


def month_of(access: Access, account: MiningAccount, first: date, *, now: datetime) -> Report:
    return report(access, account, first=first, last=next_month(first) - DAY, now=now)


def asked_month(account: MiningAccount, given: QueryDict, *, now: datetime) -> date:
    """The month that is asked for; this one where none is. One before the account was here is no page."""
    newest, asked = now.date().replace(day=1), given.get("month", "")
    if not asked:
        return newest
    try:
        month = date.fromisoformat(f"{asked}-01")
    except ValueError as error:
        raise Http404 from error
    if f"{month:%Y-%m}" != asked or not first_month(account) <= month <= newest:
        raise Http404
    return month


def uptime_part(access: Access, account: MiningAccount, given: QueryDict, *, now: datetime) -> dict[str, Any]:
    """What customer/uptime.html and staff/uptime.html show."""
    first = asked_month(account, given, now=now)
    month = month_of(access, account, first, now=now)
    stops, after = _page(month.evidence.stops, given.get("after"))
    before, following = (first - DAY).replace(day=1), next_month(first)
    return {
        "month": month,
        "until_now": now.replace(microsecond=0),
        "total": month.total,
        "share": month.total.share(),
        "low_share": month.total.share(low_counts=True),
        "bounds": month.total.bounds() or (None, None),
        "named_share": month.by_names.share(),
        "headline": headline(month),
        "detail": detail(month),
        "before": before if before >= first_month(account) else None,
        "following": following if following <= now.date() else None,
        "columns": day_columns({day: _seconds(month.days.get(day)) for day in _days(first)}),
        "wholly_up": sum(_is_wholly_up(day) for day in month.days.values()),
        "formula": _formula(month),
        "counts": {state.value: _told(month, state) for state in State},
        "stops": stops,
        "stop_count": len(month.evidence.stops),
        "not_up_s": month.total.expected_s - month.total.up_s,
        "after": after,
        "shown": len(stops),
    }


def headline(month: Report) -> str:
    share, words = month.total.share(), f"{month.first:%B}" + ("" if month.is_over else " so far")
    if share is None:
        return f"Uptime in {words} is unknown"
    return f"{cut(share, 1)} % up in {words}"


def detail(month: Report) -> str:
    total = month.total
    if not total.expected_s:
        return "No machine was known in this time."
    if not total.counted_s:
        return "Nothing of it was read or counted: that is unknown, not 100 %."
    parts = [
        f"{counted(len([1 for stop in month.evidence.stops if stop.state is State.DOWN]), 'stop')}"
        if total.down_s
        else "No machine was down",
        f"{cut(Fraction(total.excluded_s, total.expected_s), 1)} % of the time is excluded" if total.excluded_s else "",
        f"{cut(Fraction(total.unknown_s, total.expected_s), 1)} % is unknown and counts against nobody"
        if total.unknown_s
        else "",
    ]
    return ", ".join(part for part in parts if part) + "."


def _formula(month: Report) -> str:
    """52 machines × 31 days × 86,400 s, where that is what was expected; else what is true."""
    expected, seconds = month.evidence.expected, month.total.expected_s
    if expected is None:
        return "Expected"
    fewest, most = expected
    days, rest = divmod(seconds // fewest if fewest else 0, 86_400)
    if fewest == most and fewest * (days * 86_400 + rest) == seconds and days:
        left = f" and {rest:,} s" if rest else ""
        return f"{counted(fewest, 'machine')} × {counted(days, 'day')}{left}"
    machines = f"{fewest:,} to {most:,} machines" if fewest != most else counted(fewest, "machine")
    return f"{machines}, by the second"


def _told(month: Report, state: State) -> str:
    """3 stops, 2 windows: how many rows of the evidence a line has."""
    count = sum(stop.state is state for stop in month.evidence.stops)
    windows = {row.pk for stop in month.evidence.stops for row in stop.exclusions}
    return counted(len(windows), "window") if state is State.EXCLUDED else counted(count, "stop")


def _seconds(day: Uptime | None) -> dict[State, int]:
    if day is None:
        return {}
    return {
        State.UP: day.up_s,
        State.LOW: day.low_s,
        State.DOWN: day.down_s,
        State.EXCLUDED: day.excluded_s,
        State.UNKNOWN: day.unknown_s,
    }


def _is_wholly_up(day: Uptime) -> bool:
    return day.expected_s == day.up_s > 0


def _page(stops: list[Stop], after: str | None) -> tuple[list[Stop], str | None]:
    begin = 0
    if after:
        places = [index for index, stop in enumerate(stops) if name_of(stop) == after]
        if not places:
            raise Http404
        begin = places[0] + 1
    page = stops[begin : begin + PAGE]
    return page, name_of(page[-1]) if len(stops) > begin + PAGE else None


def name_of(stop: Stop) -> str:
    return f"{iso(stop.from_at)}-{stop.state}"


def _days(first: date) -> Iterator[date]:
    day = first
    while day < next_month(first):
        yield day
        day += DAY


def next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)


def first_month(account: MiningAccount) -> date:
    return account.first_seen_at.astimezone(UTC).date().replace(day=1)


def stop_rows(stops: Iterable[Stop]) -> Iterator[tuple[str, ...]]:
    yield STOP_COLUMNS
    for stop in stops:
        yield (
            stop.state.value,
            iso(stop.from_at),
            iso(stop.until_at),
            str(stop.seconds),
            str(stop.workers),
            str(stop.worker_seconds),
            " ".join(row.code for row in stop.exclusions),
            " ".join(row.reason for row in stop.exclusions),
            text(" / ".join(row.note for row in stop.exclusions if row.note)),
            text(", ".join(stop.machines) + f", and {stop.unnamed} more" * bool(stop.unnamed)),
        )
