import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from html import unescape

import pytest
from django.template import Context, Engine
from hypothesis import given
from hypothesis import strategies as st

from billing.words import btc_text
from portal.templatetags import states, units

NOW = datetime(2026, 11, 4, 14, 35, tzinfo=UTC)
HOSTILE = '<script>alert("1")</script>'


def render(source: str, **context: object) -> str:
    engine = Engine(libraries={"units": "portal.templatetags.units", "states": "portal.templatetags.states"})
    return engine.from_string("{% load units states %}" + source).render(Context(context))


def copied(html: str) -> str:
    """What somebody gets who selects and copies: the text without the mark-up."""
    return unescape(re.sub(r"<[^>]+>", "", html))


# ── Bitcoin


@pytest.mark.parametrize(
    ("sat", "inside"),
    [
        (0, "<i>0.00<b>000</b><b>000</b></i>"),
        (1, "<i>0.00<b>000</b></i><b><i>00</i>1</b>"),
        (13, "<i>0.00<b>000</b></i><b><i>0</i>13</b>"),
        (1_000, "<i>0.00</i><b><i>00</i>1</b><b>000</b>"),
        (-13_012, "−<i>0.00</i><b><i>0</i>13</b><b>012</b>"),
        (125_000, "<i>0.00</i><b>125</b><b>000</b>"),
        (2_118_440, "<i>0.0</i>2<b>118</b><b>440</b>"),
        (12_360_568, "<i>0.</i>12<b>360</b><b>568</b>"),
        (190_330_417, "1.90<b>330</b><b>417</b>"),
        (1_000_000_000, "10.00<b>000</b><b>000</b>"),
        (123_456_789_012, "1,234.56<b>789</b><b>012</b>"),
        (-2_100_000_000_000_000, "−21,000,000.00<b>000</b><b>000</b>"),
    ],
)
def test_an_amount_has_eight_decimals_in_groups_and_dims_leading_zeros(sat: int, inside: str) -> None:
    assert units.btc(sat) == f'<span class="btc">{inside}</span>'


@given(st.integers(-21 * 10**14, 21 * 10**14))
def test_every_amount_copies_as_the_exact_number(sat: int) -> None:
    text = copied(units.btc(sat)).replace(",", "").replace("−", "-")

    assert text == btc_text(sat)
    assert Decimal(text) * 10**8 == sat
    assert len(text.partition(".")[2]) == 8


@given(st.integers(-21 * 10**14, 21 * 10**14))
def test_only_zeros_before_the_first_digit_that_counts_are_dim(sat: int) -> None:
    html = units.btc(sat)
    # Innermost and outer <i> alike: drop the groups' own mark-up, then read what stands in <i>.
    dim = "".join(re.findall(r"<i>(.*?)</i>", html))

    assert set(copied(dim)) <= {"0", "."}
    assert html.count("<b>") == html.count("</b>") == 2


def test_an_unknown_amount_is_a_word_and_never_zero() -> None:
    assert units.btc(None) == '<span class="none">unknown</span>'
    assert units.btc(None, none="–") == '<span class="muted">–</span>'


@pytest.mark.parametrize("wrong", [1.0, Decimal(1), "1", "", True])
def test_what_is_not_whole_satoshi_is_refused(wrong: object) -> None:
    with pytest.raises(TypeError, match="whole satoshi"):
        units.btc(wrong)  # type: ignore[arg-type]


def test_a_misspelt_variable_fails_instead_of_showing_a_number() -> None:
    with pytest.raises(TypeError, match="whole satoshi"):
        render("{% btc mispelt %}")
    with pytest.raises(TypeError, match="exact numbers"):
        render("{{ mispelt|hashrate }}")


def test_an_amount_in_a_template_takes_unit_weight_and_estimate() -> None:
    assert copied(render("{% btc sat unit=True %}", sat=125_000)) == "0.00125000 BTC"
    assert render("{% btc 7 strong=True %}").startswith('<span class="btc strong">')
    assert render("{% btc 7 estimate=True %}").startswith('<span class="est">≈ <span class="btc">')


# ── Hashrate


@pytest.mark.parametrize(
    ("ths", "text"),
    [
        ("0", "0 TH/s"),
        ("0.2", "< 1 TH/s"),
        ("142.4", "142 TH/s"),
        ("999.4", "999 TH/s"),
        ("999.6", "1.00 PH/s"),
        ("1000", "1.00 PH/s"),
        ("10050", "10.05 PH/s"),
        ("999994", "999.99 PH/s"),
        ("999996", "1.00 EH/s"),
        ("3830000", "3.83 EH/s"),
        ("3830000000", "3.83 ZH/s"),
        ("3830000000000", "3,830.00 ZH/s"),
    ],
)
def test_hashrate_steps_up_at_a_thousand(ths: str, text: str) -> None:
    assert copied(units.hashrate(Decimal(ths))).replace("\u00a0", " ") == text


def test_unknown_hashrate_is_not_zero() -> None:
    assert units.hashrate(None) == '<span class="none">unknown</span>'
    assert units.hashrate_in(None, "PH/s") == '<span class="none">unknown</span>'


def test_a_column_has_one_unit() -> None:
    column = [Decimal(20_000), Decimal(142), Decimal(1), Decimal(0)]

    unit = units.hashrate_unit(max(column))

    assert unit == "PH/s"
    assert [units.hashrate_in(ths, unit) for ths in column] == ["20.00", "0.14", "<\u00a00.01", "0.00"]


def test_hashrate_takes_no_float() -> None:
    with pytest.raises(TypeError, match="float"):
        units.hashrate(1.5)  # type: ignore[arg-type]


@given(st.decimals(0, 10**10, allow_nan=False, places=6))
def test_hashrate_never_shows_zero_for_something_nor_four_digits(ths: Decimal) -> None:
    text = copied(units.hashrate(ths))

    assert (text == "0\u00a0TH/s") == (ths == 0)
    assert re.fullmatch(r"(< |<\u00a0)?\d{1,3}(\.\d\d)?\u00a0[TPEZ]H/s", text) or ths >= 10**12


# ── Per cent


@pytest.mark.parametrize(
    ("ppm", "text"),
    [
        (0, "0 %"),
        (150_000, "15 %"),
        (125_000, "12.5 %"),
        (1_000_000, "100 %"),
        (333_333, "33.3333 %"),
        (1, "0.0001 %"),
    ],
)
def test_a_share_is_exact_without_idle_zeros(ppm: int, text: str) -> None:
    assert str(units.share(ppm)).replace("\u00a0", " ") == text


def test_fees_have_two_places_and_uptime_is_cut() -> None:
    assert units.percent(Decimal("2.5")) == "2.50\u00a0%"
    assert units.percent(Decimal("-0.5")) == "−0.50\u00a0%"
    assert [units.percent_cut(Decimal(n)) for n in ("99.96", "100", "98.44")] == [
        "99.9\u00a0%",
        "100.0\u00a0%",
        "98.4\u00a0%",
    ]
    for show in (units.share, units.percent, units.percent_cut):
        assert show(None) == '<span class="none">unknown</span>'


# ── Time


@pytest.mark.parametrize(
    ("before", "text"),
    [
        (timedelta(seconds=-30), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(seconds=60), "1 min ago"),
        (timedelta(minutes=3, seconds=59), "3 min ago"),
        (timedelta(minutes=59, seconds=59), "59 min ago"),
        (timedelta(hours=1), "4 Nov, 13:35 UTC"),
        (timedelta(days=400), "30 Sep 2025, 14:35 UTC"),
        (timedelta(minutes=-5), "4 Nov, 14:40 UTC"),
    ],
)
def test_under_an_hour_is_relative_and_older_is_a_date(before: timedelta, text: str) -> None:
    assert copied(units.ago(NOW - before, NOW)) == text


def test_moments_are_shown_in_utc_whatever_their_zone() -> None:
    there = datetime(2026, 11, 5, 1, 0, tzinfo=timezone(timedelta(hours=3)))

    assert units.moment(there) == '<time datetime="2026-11-04T22:00:00Z">4 Nov 2026, 22:00 UTC</time>'
    assert units.utc_date(there) == '<time datetime="2026-11-04">4 Nov 2026</time>'
    with pytest.raises(ValueError, match="zone"):
        units.moment(datetime(2026, 11, 4))  # noqa: DTZ001


def test_an_age_says_fresh_late_or_lost() -> None:
    ages = [units.age(NOW - timedelta(minutes=m), NOW, late=20, lost=120) for m in (3, 20, 120)]

    assert [re.findall("is-[a-z]+", html)[0] for html in ages] == ["is-up", "is-low", "is-unknown"]
    assert units.age(None, NOW) == '<span class="age is-unknown">never read</span>'
    assert units.ago(None, NOW, none="–") == '<span class="muted">–</span>'


def test_dates_and_periods_are_spelt_out() -> None:
    day = date(2026, 10, 1)

    assert [copied(units.utc_date(day, form)) for form in ("", "short", "long")] == [
        "1 Oct 2026",
        "1 Oct",
        "1 October 2026",
    ]
    assert units.period("2026-10") == units.period(day) == "October 2026"
    assert units.period(None) == units.utc_date(None) == '<span class="none">unknown</span>'


# ── Addresses and hostile strings


def test_an_address_is_shown_whole_in_fours_and_copies_whole() -> None:
    text = "bc1qc9m0mfmxlu66vwjr8f3mss2rmmlez2xvnmcm0k"

    html = units.address(text)

    assert html.startswith('<span class="address"><span>bc1q</span><wbr><span>c9m0</span>')
    assert html.endswith("<wbr><span>0k</span></span>")
    assert copied(html) == text
    assert units.address("") == '<span class="none">unknown</span>'


@given(st.text(min_size=1))
def test_any_address_copies_whole_and_brings_no_markup(text: str) -> None:
    html = units.address(text)

    assert copied(html) == text
    assert set(re.findall(r"</?[a-z]+", html)) <= {"<span", "</span", "<wbr"}


def test_hostile_strings_are_escaped_wherever_text_is_taken() -> None:
    shown = [
        units.address(HOSTILE),
        units.btc(None, none=HOSTILE),
        units.hashrate(None, HOSTILE),
        states.badge("reward", HOSTILE),
        states.tag("document", HOSTILE),
        render("{{ text|address }}{% nothing text %}{{ text|state_word:'sync' }}", text=HOSTILE),
    ]

    assert [html for html in shown if "<script" in html] == []


# ── States


def test_states_have_one_word_and_one_look() -> None:
    assert states.tag("reward", "pending") == '<span class="tag">Not final</span>'
    assert states.tag("reward", "successful") == '<span class="muted">Final</span>'
    assert states.tag("reward", "canceled") == '<span class="tag is-warn">Canceled by the pool</span>'
    assert states.badge("sync", "failed") == '<span class="badge is-bad">Failed</span>'
    assert render("{{ s|state_class:'account' }} {{ s|state_word:'account' }}", s="active") == "is-up Active"


@pytest.mark.parametrize("state", ["", None, "brand_new", "OK"])
def test_a_state_nobody_told_us_about_is_unknown_and_never_green(state: str | None) -> None:
    for kind in states.STATES:
        assert states.look(kind, state) == ("is-unknown", "Unknown")


def test_a_kind_that_does_not_exist_is_our_mistake() -> None:
    with pytest.raises(KeyError):
        states.look("acount", "active")
