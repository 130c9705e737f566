"""Numbers with their units: exact, with one rule for "unknown".

None is always "we could not read it" and shows as the word *unknown*; pass none="–" where the number does
not apply. A missing template variable arrives here as "" and raises: a slip must never look like a zero.
Money is integers of satoshi from end to end; nothing in this file touches float.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from billing.split import SAT_PER_BTC
from customers.words import counted, day_in_words, month_in_words, short_day

register = template.Library()
# {{ count|counted:"reward" }}: 1,234 rewards.
register.filter("counted", counted)


@register.filter
def thousands(count: int) -> str:
    return f"{count:,}"


UNKNOWN = "unknown"
MINUS = "−"
NBSP = "\u00a0"
HASHRATE_UNITS = (("TH/s", 0), ("PH/s", 3), ("EH/s", 6), ("ZH/s", 9))
MINUTE, HOUR, DAY = 60, 3600, 24 * 3600


@register.filter
def signed(count: int) -> str:
    """+1,234, −1,234, 0: a difference."""
    return f"{count:+,}".replace("-", MINUS) if count else "0"


@register.filter
def sat(amount_sat: int) -> str:
    """−21,442 satoshi: a difference in a sentence."""
    return f"{signed(amount_sat)} satoshi"


@register.simple_tag
def nothing(none: str = UNKNOWN) -> SafeString:
    """What stands in the place of a number: unknown (could not be read), or a dash (does not apply)."""
    if none == UNKNOWN:
        return format_html('<span class="none">{}</span>', UNKNOWN)
    return format_html('<span class="muted">{}</span>', none)


# ── Bitcoin


@register.simple_tag
def btc(
    sat: int | None, *, unit: bool = False, none: str = UNKNOWN, strong: bool = False, estimate: bool = False
) -> SafeString:
    """0.00 125 000: eight decimals, 2-3-3. The gaps are margins, so a copied amount is one clean string."""
    if sat is None:
        return nothing(none)
    shown = format_html(
        '<span class="btc{}">{}{}</span>', " strong" if strong else "", _sign(sat), _grouped(abs(_whole(sat)))
    )
    if unit:
        shown = format_html('{} <span class="unit">BTC</span>', shown)
    return format_html('<span class="est">≈ {}</span>', shown) if estimate else shown


def _whole(amount_sat: object) -> int:
    # bool is an int in Python; True satoshi is a mistake of the caller.
    if isinstance(amount_sat, bool) or not isinstance(amount_sat, int):
        raise TypeError(f"amounts are whole satoshi, not {type(amount_sat).__name__}")
    return amount_sat


def _sign(amount_sat: int) -> str:
    return MINUS if _whole(amount_sat) < 0 else ""


def _grouped(amount_sat: int) -> SafeString:
    whole, part = divmod(amount_sat, SAT_PER_BTC)
    decimals = f"{part:08d}"
    head, groups = f"{whole:,}.{decimals[:2]}", (decimals[2:5], decimals[5:])
    # Leading zeros step back (<i>), up to the first digit that counts.
    zeros = _leading_zeros(head)
    if zeros < len(head):
        return format_html("{}{}{}", _dim(head[:zeros]), head[zeros:], _groups(groups))
    if not part:
        return _dim(format_html("{}{}", head, _groups(groups)))
    if not int(groups[0]):
        first, last = groups
        return format_html("{}{}", _dim(format_html("{}<b>{}</b>", head, first)), _group(last))
    return format_html("{}{}<b>{}</b>", _dim(head), _group(groups[0]), groups[1])


def _leading_zeros(digits: str) -> int:
    return len(digits) - len(digits.lstrip("0.")) if digits.startswith("0.") else 0


def _dim(zeros: str | SafeString) -> SafeString:
    return format_html("<i>{}</i>", zeros) if zeros else SafeString("")


def _group(digits: str) -> SafeString:
    counts = digits.lstrip("0")
    return format_html("<b>{}{}</b>", _dim(digits[: len(digits) - len(counts)]), counts)


def _groups(groups: tuple[str, str]) -> SafeString:
    return format_html_join("", "<b>{}</b>", ((group,) for group in groups))


# ── Hashrate


@register.filter
def hashrate(ths: Decimal | None, none: str = UNKNOWN) -> SafeString:
    """142 TH/s, 10.05 PH/s, 3.83 EH/s: from terahash per second, one step up at 1,000."""
    if ths is None:
        return nothing(none)
    unit = hashrate_unit(ths)
    return format_html('{}{}<span class="unit">{}</span>', hashrate_in(ths, unit), NBSP, unit)


@register.filter
def hashrate_unit(largest_ths: Decimal | None) -> str:
    """The unit in which a column, or one number, is read best. Rounding counts: 999.6 TH/s is 1.00 PH/s."""
    for unit, exponent in HASHRATE_UNITS[:-1]:
        if largest_ths is None or abs(_scaled(largest_ths, exponent)) < 1000:
            return unit
    return HASHRATE_UNITS[-1][0]


@register.filter
def hashrate_in(ths: Decimal | None, unit: str) -> str | SafeString:
    """The bare number, for a column that has its unit in the head."""
    if ths is None:
        return nothing()
    shown = _scaled(ths, dict(HASHRATE_UNITS)[unit])
    # A small measured number must not be printed as the zero that means "down".
    if ths > 0 and not shown:
        return f"<{NBSP}{'1' if unit == 'TH/s' else '0.01'}"
    return f"{shown:,}"


def _scaled(ths: Decimal, exponent: int) -> Decimal:
    places = Decimal("0.01") if exponent else Decimal(1)
    return _decimal(ths).scaleb(-exponent).quantize(places, ROUND_HALF_EVEN)


def _decimal(number: object) -> Decimal:
    if isinstance(number, Decimal):
        return number
    if isinstance(number, bool) or not isinstance(number, int):
        raise TypeError(f"exact numbers only, not {type(number).__name__}")
    return Decimal(number)


# ── Per cent


@register.filter
def share(ppm: int | None, none: str = UNKNOWN) -> str | SafeString:
    """15 %, 12.5 %: a share in parts per million, exact, without idle zeros."""
    if ppm is None:
        return nothing(none)
    shown = _decimal(ppm).scaleb(-4)
    return f"{shown.normalize():f}{NBSP}%"


@register.filter
def percent(number: Decimal | None, none: str = UNKNOWN) -> str | SafeString:
    """2.50 %: fees."""
    if number is None:
        return nothing(none)
    shown = _decimal(number).quantize(Decimal("0.01"), ROUND_HALF_EVEN)
    return f"{shown:f}{NBSP}%".replace("-", MINUS)


@register.filter
def percent_cut(number: Decimal | None, none: str = UNKNOWN) -> str | SafeString:
    """98.4 %: uptime is cut, not rounded, so that 99.96 never reads as 100."""
    if number is None:
        return nothing(none)
    return f"{_decimal(number).quantize(Decimal('0.1'), ROUND_DOWN):f}{NBSP}%"


# ── Time. Everything is UTC, as at the pool.


@register.simple_tag
def ago(moment: datetime | None, now: datetime, *, none: str = UNKNOWN) -> SafeString:
    """3 min ago; from an hour on a date."""
    if moment is None:
        return nothing(none)
    return _time(_utc(moment), _relative(_utc(moment), _utc(now)))


@register.simple_tag
def ago_coarsely(moment: datetime, now: datetime) -> str:
    """within the last hour, 3 hours ago; from a day on a date: for what is kept to within an hour."""
    seconds = (_utc(now) - _utc(moment)).total_seconds()
    if seconds < HOUR:
        return "within the last hour"
    if seconds < DAY:
        hours = int(seconds // HOUR)
        return f"{counted(hours, 'hour')} ago"
    return f"on {short_day(_utc(moment), year=_utc(moment).year != _utc(now).year)}"


@register.simple_tag
def until(moment: datetime, now: datetime) -> SafeString:
    """in 3 days, in 30 hours, in 12 min: to the nearest one. The exact moment is in the markup, or stands beside it."""
    seconds = (_utc(moment) - _utc(now)).total_seconds()
    if seconds >= 36 * HOUR:
        return _time(_utc(moment), f"in {round(seconds / DAY)} days")
    if seconds >= 90 * MINUTE:
        return _time(_utc(moment), f"in {round(seconds / HOUR)} hours")
    return _time(_utc(moment), f"in {int(seconds // MINUTE)} min" if seconds >= MINUTE else "within a minute")


@register.simple_tag
def age(moment: datetime | None, now: datetime, *, late: int = 90, lost: int = 360) -> SafeString:
    """The age of what is shown, with its state: fresh, late (amber) and lost after so many minutes."""
    if moment is None:
        return format_html('<span class="age is-unknown">{}</span>', "never read")
    minutes = (_utc(now) - _utc(moment)).total_seconds() / MINUTE
    state = "is-up" if minutes < late else "is-low" if minutes < lost else "is-unknown"
    return format_html('<span class="age {}">{}</span>', state, ago(moment, now))


@register.filter
def moment(at: datetime | None, none: str = UNKNOWN) -> SafeString:
    """4 Nov 2026, 14:32 UTC"""
    if at is None:
        return nothing(none)
    return _time(_utc(at), f"{short_day(_utc(at), year=True)}, {_utc(at):%H:%M} UTC")


@register.filter
def utc_date(day: date | None, form: str = "") -> SafeString:
    """4 Nov 2026; "short": 4 Nov, where the page says the year; "long": 4 November 2026, on documents."""
    if day is None:
        return nothing()
    day = _utc(day).date() if isinstance(day, datetime) else day
    text = day_in_words(day) if form == "long" else short_day(day, year=form != "short")
    return format_html('<time datetime="{}">{}</time>', day.isoformat(), text)


@register.filter
def period(month: str | date | None, none: str = UNKNOWN) -> str | SafeString:
    """October 2026, from "2026-10" or any day in it."""
    if month is None:
        return nothing(none)
    day = month if isinstance(month, date) else date.fromisoformat(f"{month}-01")
    return month_in_words(day)


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a moment without a zone")
    return at.astimezone(UTC)


def _relative(at: datetime, now: datetime) -> str:
    seconds = (now - at).total_seconds()
    # A minute ahead is two clocks that differ, not the future.
    if -MINUTE < seconds < MINUTE:
        return "just now"
    if 0 < seconds < HOUR:
        return f"{int(seconds // MINUTE)} min ago"
    return f"{short_day(at, year=at.year != now.year)}, {at:%H:%M} UTC"


def plain_date(at: datetime) -> str:
    """4 Nov 2026, for a sentence."""
    return short_day(_utc(at))


def _time(at: datetime, text: str) -> SafeString:
    return format_html('<time datetime="{}">{}</time>', at.strftime("%Y-%m-%dT%H:%M:%SZ"), text)


# ── Addresses


@register.filter
def address(text: str | None, none: str = UNKNOWN) -> SafeString:
    """A whole address in groups of four to compare by eye; copies as one string."""
    if not text:
        return nothing(none)
    groups = format_html_join(SafeString("<wbr>"), "<span>{}</span>", ((group,) for group in _fours(text)))
    return format_html('<span class="address">{}</span>', groups)


def _fours(text: str) -> Iterator[str]:
    return (text[start : start + 4] for start in range(0, len(text), 4))
