"""From hourly readings to what _hashrate_chart.html shows."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from customers.words import agreeing, counted
from mining.queries import HOUR, Hour
from portal.templatetags.units import hashrate_in, hashrate_unit


def hashrate_chart(series: Sequence[Hour], *, title: str = "Hashrate", is_sum: bool = False) -> dict[str, Any]:
    """The context of the chart: nothing to draw (and a sentence instead) when no hour is known. Of a sum every hour
    says how many accounts are in it, and one that lacks some is no part of the line."""
    hashrates = [hour.hashrate_ths for hour in series if hour.hashrate_ths is not None]
    if not hashrates:
        return {"chart": {"points": []}, "summary": "", "rows": [], "title": title, "is_sum": is_sum}
    chart = {
        "step_seconds": int(HOUR.total_seconds()),
        "from": int(series[0].at.timestamp()),
        "to": int((series[-1].at + HOUR).timestamp()),
        "points": [_point(hour, is_sum) for hour in series],
        "goal_ths": None,
    }
    return {
        "chart": chart,
        "summary": _summary(series),
        "rows": list(reversed(series)),
        "title": title,
        "is_sum": is_sum,
    }


def _point(hour: Hour, is_sum: bool) -> list[Any]:
    point = [int(hour.at.timestamp()), None if hour.hashrate_ths is None else f"{hour.hashrate_ths:f}"]
    return [*point, hour.accounts, hour.missing] if is_sum else point


def _summary(series: Sequence[Hour]) -> str:
    known = [hour.hashrate_ths for hour in series if hour.hashrate_ths is not None and not hour.missing]
    unknown = sum(hour.hashrate_ths is None for hour in series)
    lacking = len(series) - len(known) - unknown
    said = [_span(known) if known else "In no hour all accounts are known."]
    if unknown:
        said.append(f"{unknown} of {len(series)} hours are unknown.")
    if lacking:
        said.append(f"{counted(lacking, 'hour')} {agreeing(lacking, 'lacks', 'lack')} accounts that are unknown.")
    return f"Hashrate of the last {len(series) // 24} days: {' '.join(said)}"


def _span(hashrates: list[Decimal]) -> str:
    unit = hashrate_unit(max(hashrates))
    lowest, highest = hashrate_in(min(hashrates), unit), hashrate_in(max(hashrates), unit)
    return f"between {lowest} and {highest} {unit}, last {hashrate_in(hashrates[-1], unit)} {unit}."
