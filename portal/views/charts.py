"""From hourly readings to what _hashrate_chart.html shows."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from mining.queries import HOUR, Hour
from portal.templatetags.units import hashrate_in, hashrate_unit


def hashrate_chart(series: Sequence[Hour], *, title: str = "Hashrate") -> dict[str, Any]:
    """The context of the chart: nothing to draw (and a sentence instead) when no hour is known."""
    hashrates = [hour.hashrate_ths for hour in series if hour.hashrate_ths is not None]
    if not hashrates:
        return {"chart": {"points": []}, "summary": "", "rows": [], "title": title}
    chart = {
        "step_seconds": int(HOUR.total_seconds()),
        "from": int(series[0].at.timestamp()),
        "to": int((series[-1].at + HOUR).timestamp()),
        "points": [[int(hour.at.timestamp()), _exact(hour.hashrate_ths)] for hour in series],
        "goal_ths": None,
    }
    rows = [(hour.at, hour.hashrate_ths) for hour in reversed(series)]
    return {"chart": chart, "summary": _summary(hashrates, len(series)), "rows": rows, "title": title}


def _exact(ths: Decimal | None) -> str | None:
    return None if ths is None else f"{ths:f}"


def _summary(hashrates: list[Decimal], hours: int) -> str:
    unit = hashrate_unit(max(hashrates))
    span = f"between {hashrate_in(min(hashrates), unit)} and {hashrate_in(max(hashrates), unit)} {unit}"
    missing = hours - len(hashrates)
    gaps = f" {missing} of {hours} hours are unknown." if missing else ""
    return f"Hashrate of the last {hours // 24} days: {span}, last {hashrate_in(hashrates[-1], unit)} {unit}.{gaps}"
