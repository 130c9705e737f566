"""Which months the demo tells of: the two that have ended, and the present one so far."""

from datetime import date, timedelta


def ended_months(today: date) -> tuple[date, date]:
    """The first days of the two months before this one, the older first."""
    last = _month_before(today)
    return _month_before(last), last


def _month_before(day: date) -> date:
    return (day.replace(day=1) - timedelta(days=1)).replace(day=1)
