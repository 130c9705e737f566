"""The hashrate of one account on its machines' page: a day, a week or a month, with what is excluded shaded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from customers.tenancy import Access
from mining.fleet.hashrate import Kind
from mining.fleet.series import DAILY, FINE, HOURLY, Place, series
from mining.fleet.states import exclusions_of
from mining.models import MiningAccount
from portal.templatetags.units import hashrate_in, hashrate_unit

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Span:
    name: str
    words: str
    long: str
    length: timedelta
    kind: Kind
    mean: str


# Each on the interval that its width can show.
SPANS = (
    Span("24h", "24 h", "24 hours", DAY, FINE, "mean of 5 minutes"),
    Span("7d", "7 d", "7 days", 7 * DAY, HOURLY, "mean of an hour"),
    Span("30d", "30 d", "30 days", 30 * DAY, HOURLY, "mean of an hour"),
    Span("1y", "1 y", "365 days", 365 * DAY, DAILY, "mean of a day"),
)


def machine_chart(access: Access, account: MiningAccount, asked: str, *, now: datetime) -> dict[str, Any]:
    span = next((span for span in SPANS if span.name == asked), SPANS[0])
    places = series(access, account, span.kind, length=span.length, now=now)
    begins, ends = places[0].at, places[-1].at + span.kind.step
    # Of the whole account: where one machine is excluded the sum is still that of the others.
    excluded = [
        row
        for row in exclusions_of(access, account, from_at=begins, until_at=ends)
        if row.worker_id is None and (not row.site or row.site == account.site)
    ]
    known = [place.hashrate_ths for place in places if place.hashrate_ths is not None]
    chart = {
        "step_seconds": int(span.kind.step.total_seconds()),
        "from": int(begins.timestamp()),
        "to": int(ends.timestamp()),
        "points": [
            [int(place.at.timestamp()), None if place.hashrate_ths is None else f"{place.hashrate_ths:f}"]
            for place in places
        ],
        "excluded": [
            [int(max(row.from_at, begins).timestamp()), int(min(row.until_at or ends, ends).timestamp())]
            for row in excluded
        ],
        "goal_ths": None,
    }
    return {
        "chart": chart if known else {"points": []},
        "summary": _summary(places, span, excluded=len(excluded)) if known else "",
        "rows": list(reversed(places)),
        "title": f"Hashrate of {span.long}",
        "legend": f"Hashrate, {span.mean}",
        "spans": [(each.words, f"?span={each.name}#hashrate", each is span) for each in SPANS],
    }


def _summary(places: list[Place], span: Span, *, excluded: int) -> str:
    known = [place.hashrate_ths for place in places if place.hashrate_ths is not None]
    unit = hashrate_unit(max(known))
    words = (
        f"Hashrate of {span.long}: between {hashrate_in(min(known), unit)} and {hashrate_in(max(known), unit)} {unit},"
        f" last {hashrate_in(known[-1], unit)} {unit}."
    )
    if missing := len(places) - len(known):
        words += f" {missing} of {len(places)} intervals are unknown."
    return words + (f" {excluded} excluded windows are shaded." if excluded else "")
