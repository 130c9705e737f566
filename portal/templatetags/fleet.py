"""Times and shares as the fleet's pages say them."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from customers.words import short_day
from portal.templatetags.units import NBSP, nothing

register = template.Library()

MINUTE, HOUR, DAY = 60, 3600, 86_400


@register.filter
def lasted(seconds: int) -> str:
    """6 h 11 min 40 s; from two days on 12 d 4 h 30 min. Exact, so that lines add up."""
    days, rest = divmod(seconds, DAY)
    if days < 2:
        days, rest = 0, seconds
    hours, rest = divmod(rest, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    told = [f"{number}{NBSP}{unit}" for number, unit in parts if number]
    return " ".join(told) or f"0{NBSP}s"


@register.filter
def lasted_about(seconds: int) -> str:
    """1 h 27 min, 12 d 4 h: for what still goes on. Cut, not rounded."""
    if seconds < MINUTE:
        return f"under 1{NBSP}min"
    return lasted(seconds - seconds % (HOUR if seconds >= 2 * DAY else MINUTE))


@register.simple_tag
def clock(at: datetime | None, now: datetime) -> str:
    """13:05 of today; else 2 Nov, 08:10; of another year with it."""
    if at is None:
        return "unknown"
    at, now = at.astimezone(UTC), now.astimezone(UTC)
    if at.date() == now.date():
        return f"{at:%H:%M}"
    return f"{short_day(at, year=at.year != now.year)}, {at:%H:%M}"


@register.simple_tag
def until_when(at: datetime | None, now: datetime) -> str:
    return f"until {clock(at, now)}" if at is not None else "until it is ended"


@register.simple_tag
def for_so_long(since: datetime | None, now: datetime) -> str:
    return lasted_about(int((now - since).total_seconds())) if since is not None else ""


@register.filter
def to_the_second(at: datetime) -> str:
    return f"{at.astimezone(UTC):%H:%M:%S}"


@register.filter
def uptime_percent(share: Fraction | None) -> SafeString:
    """99.3 %: cut, never rounded, so that 99.96 is not 100."""
    if share is None:
        return nothing()
    return format_html('{}{}<span class="unit">%</span>', cut(share, 1), NBSP)


@register.filter
def uptime_exactly(share: Fraction | None) -> SafeString | str:
    return nothing() if share is None else f"{cut(share, 4)}{NBSP}%"


def cut(share: Fraction, places: int) -> str:
    whole, part = divmod(int(share * 100 * 10**places), 10**places)
    return f"{whole}.{part:0{places}d}"


@register.simple_tag
def lasted_between(from_at: datetime, until_at: datetime) -> str:
    return lasted(int((until_at - from_at).total_seconds()))
