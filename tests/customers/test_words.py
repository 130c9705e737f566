"""Counts and days as sentences say them."""

from datetime import date

import pytest

from customers import words


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 rewards"), (1, "1 reward"), (2, "2 rewards"), (1234, "1,234 rewards")]
)
def test_a_noun_agrees_with_its_count(count: int, said: str) -> None:
    assert words.counted(count, "reward") == said


@pytest.mark.parametrize(("count", "said"), [(0, "are"), (1, "is"), (2, "are")])
def test_a_verb_agrees_with_its_count(count: int, said: str) -> None:
    assert words.agreeing(count, "is", "are") == said


def test_a_day_has_no_leading_zero_and_its_year_where_the_page_does_not_say_it() -> None:
    day = date(2026, 9, 4)

    assert (words.day_in_words(day), words.day_in_words(day, year=False)) == ("4 September 2026", "4 September")
    assert (words.short_day(day), words.short_day(day, year=False)) == ("4 Sep 2026", "4 Sep")
    assert words.month_in_words(day) == "September 2026"


def test_a_year_has_four_digits() -> None:
    day = date(26, 10, 1)

    said = (words.day_in_words(day), words.short_day(day), words.month_in_words(day))
    assert said == ("1 October 0026", "1 Oct 0026", "October 0026")
