"""A provider's colour: moved until it reads, and refused where it cannot be seen."""

from __future__ import annotations

from itertools import product

import pytest

from customers.brand import LEAST_SHAPE, brand_of, checked
from tests.refusals import refused


def test_text_on_buttons_and_links_read_in_both_themes_whatever_the_colour() -> None:
    steps = range(0, 256, 17)
    colours = [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in product(steps, steps, steps)]

    worst = min(min(theme.button, theme.link) for colour in colours for theme in brand_of(colour).themes)

    assert worst > 4.5


def test_ratios_are_those_that_were_measured_in_chromium() -> None:
    light, dark = brand_of("#0b5fae").themes

    assert [light.button, dark.button] == pytest.approx([6.4, 6.4], abs=0.1)
    assert [light.link, dark.link] == pytest.approx([5.8, 7.5], abs=0.1)  # on the worst ground


@pytest.mark.parametrize("colour", ["#0b5fae", "#D9541E", " #ffd21f ", "#f7931a", "#000000", "#ffffff"])
def test_a_colour_that_can_be_seen_is_kept_in_small_letters(colour: str) -> None:
    assert checked(colour) == colour.strip().lower()


@pytest.mark.parametrize("colour", ["#00ff00", "#00ffb4"])
def test_a_colour_that_can_hardly_be_seen_is_refused_with_what_passes(colour: str) -> None:
    with refused("brand.not_seen") as refusal:
        checked(colour)

    assert refusal.value.params["least"] == LEAST_SHAPE
    assert "in the light theme (1.4" in str(refusal.value)
    assert "take a darker one" in str(refusal.value)


@pytest.mark.parametrize("colour", ["blue", "#fff", "#0b5fae;}", "url(x)", "0b5fae", "#０b5fae"])
def test_what_is_no_colour_is_refused(colour: str) -> None:
    with refused("brand.no_colour"):
        checked(colour)
