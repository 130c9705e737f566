"""What pages make of a provider's one colour, worked out on the server: variables.css moves it until it reads.

The same arithmetic as there (OKLCH, by Björn Ottosson's matrices; contrast by WCAG 2.2), for what a browser cannot tell
us: whether the result can be seen in both themes, and which ink a document has.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from customers.errors import Refused

COLOUR = re.compile(r"#[0-9a-f]{6}")
# Text on a button and links need 4.5 : 1, which every colour reaches once it is moved (tests/customers/test_brand.py).
# What is left to fail is the button's shape: in a bright green or cyan it can hardly be told from a light page.
LEAST_SHAPE = 1.5
Rgb = tuple[float, float, float]  # linear light


@dataclass(frozen=True, slots=True)
class Theme:
    """How the colour does in one theme, as ratios to 1."""

    name: str
    button: float  # its text on it
    link: float  # on the darkest or lightest ground there is
    shape: float  # the button on the page


@dataclass(frozen=True, slots=True)
class Brand:
    themes: tuple[Theme, ...]
    ink: str  # for paper: the colour of links on a light page


def brand_of(colour: str) -> Brand:
    lightness, chroma, hue = _oklch(colour)
    accent = _rgb(_clamp(0.4, lightness, 0.53), min(chroma, 0.19), hue)
    text = _grey(1)
    if lightness > 0.6:  # what lies between reads with neither black nor white text
        accent, text = _rgb(_clamp(0.69, lightness, 0.86), min(chroma, 0.19), hue), _grey(0)
    on_light = _rgb(_clamp(0.38, lightness, 0.48), min(chroma, 0.16), hue)
    on_dark = _rgb(_clamp(0.77, lightness, 0.84), min(chroma, 0.11), hue)
    # The grounds of variables.css at their worst, and the surface that buttons stand on.
    themes = (
        _theme("Light", accent, text, on_light, ground=_grey(0.955), surface=_grey(1)),
        _theme("Dark", accent, text, on_dark, ground=_grey(0.258), surface=_grey(0.208)),
    )
    return Brand(themes, _hexadecimal(on_light))


def checked(colour: str) -> str:
    """The colour as it is kept, #0b5fae; empty: the portal's own. Refuses what cannot be seen."""
    if not colour:
        return ""
    colour = colour.strip().lower()
    if not COLOUR.fullmatch(colour):
        raise Refused("Write the colour as # and six digits from 0 to f, such as #0b5fae.", code="brand.no_colour")
    for theme in brand_of(colour).themes:
        if theme.shape < LEAST_SHAPE:
            raise Refused(
                "%(colour)s can hardly be seen in the %(theme)s theme (%(ratio).2f : 1): what has %(least)s : 1 or"
                " more passes, so take a %(other)s one.",
                code="brand.not_seen",
                params={
                    "colour": colour,
                    "theme": theme.name.lower(),
                    "ratio": theme.shape,
                    "least": LEAST_SHAPE,
                    "other": "darker" if theme.name == "Light" else "lighter",
                },
            )
    return colour


def _theme(name: str, accent: Rgb, text: Rgb, link: Rgb, *, ground: Rgb, surface: Rgb) -> Theme:
    return Theme(name, contrast(accent, text), contrast(link, ground), contrast(accent, surface))


def contrast(one: Rgb, other: Rgb) -> float:
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(rgb: Rgb) -> float:
    red, green, blue = rgb
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _clamp(least: float, value: float, most: float) -> float:
    return max(least, min(value, most))


def _grey(lightness: float) -> Rgb:
    return _rgb(lightness, 0, 0)


def _oklch(colour: str) -> tuple[float, float, float]:
    red, green, blue = (_linear(int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
    long = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    middle = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    lightness = 0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short
    a = 1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short
    b = 0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short
    return lightness, math.hypot(a, b), math.atan2(b, a)


def _rgb(lightness: float, chroma: float, hue: float) -> Rgb:
    """Clipped to what a screen shows, as browsers do."""
    a, b = chroma * math.cos(hue), chroma * math.sin(hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short
    return _clamp(0, red, 1), _clamp(0, green, 1), _clamp(0, blue, 1)


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)


def _hexadecimal(rgb: Rgb) -> str:
    parts = (part * 12.92 if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055 for part in rgb)
    return "#" + "".join(f"{round(part * 255):02x}" for part in parts)
