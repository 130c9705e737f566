"""Counts and days as sentences say them, in every room alike. Days are English: C is the locale of every process."""

from __future__ import annotations

from datetime import date

YEARS = range(2009, 2100)  # that a person can mean: bitcoin's, and no slip of a finger


def counted(count: int, noun: str) -> str:
    """1 reward, 1,234 rewards: for nouns that take an s."""
    return f"{count:,} {agreeing(count, noun, noun + 's')}"


def agreeing(count: int, singular: str, plural: str) -> str:
    """The form that goes with the count: is or are, it or them."""
    return singular if count == 1 else plural


# No %-d below: it is not in every C library, and neither are four digits of %Y.


def day_in_words(day: date, *, year: bool = True) -> str:
    """4 November 2026; without the year where the page says it: 4 November."""
    return f"{day.day} {day:%B} {day.year:04}" if year else f"{day.day} {day:%B}"


def short_day(day: date, *, year: bool = True) -> str:
    """4 Nov 2026, or 4 Nov."""
    return f"{day.day} {day:%b} {day.year:04}" if year else f"{day.day} {day:%b}"


def month_in_words(day: date) -> str:
    """November 2026, from any day in it."""
    return f"{day:%B} {day.year:04}"
