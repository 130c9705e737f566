"""Days without a reward stand among the rewards: a gap in a list is seen by nobody."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import TypeVar

from customers.tenancy import Access
from mining.models import Reward
from mining.rewards.absent import Absent, absent

Row = TypeVar("Row")


def absent_of_page(
    access: Access,
    customers: Sequence[int] | None,
    *,
    rows: Sequence[Reward],
    after: str | None,
    is_last: bool,
    between: tuple[date | None, date | None] = (None, None),
    now: datetime,
) -> list[Absent]:
    """Those that belong on a page of rewards, newest first: its days go down from the day before the last one of the
    page before, which is named `after`. `between`: the days that the list is about."""
    first, last = between
    since = first if is_last or not rows else max(filter(None, (first, rows[-1].day)))
    before = [now.date() + timedelta(days=1)]
    if last is not None:
        before.append(last + timedelta(days=1))
    if after:
        before += Reward.objects.visible_to(access).filter(code=after).values_list("day", flat=True)
    return absent(access, customers=customers, since=since, before=min(before))


def among(
    rows: Sequence[Row], absents: Sequence[Absent], *, day_of: Callable[[Row], date]
) -> list[tuple[Row | None, Absent | None]]:
    """Both, newest first: each is a row, or days without one."""
    waiting = list(absents)
    merged: list[tuple[Row | None, Absent | None]] = []
    for row in rows:
        while waiting and waiting[0].last_day > day_of(row):
            merged.append((None, waiting.pop(0)))
        merged.append((row, None))
    return merged + [(None, left) for left in waiting]
