"""What looks the same is the same, and what nobody can see is nothing."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.text import normal


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Ku\u0308hl", "Kühl"),
        ("Kühl", "Kühl"),
        ("  Alder \u00a0 &\tFinch\u2028", "Alder & Finch"),
        ("Al\u200bder\u00ad", "Alder"),
        ("\u202eAlder\u202c \u2066GmbH\u2069\u200e\u200f\ufeff", "Alder GmbH"),
        ("Al\u200dder", "Alder"),
        ("上海矿业有限公司", "上海矿业有限公司"),
        ("شركة التعدين", "شركة التعدين"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("क्\u200dष", "क्\u200dष"),
        ("👩\u200d🔧 mines", "👩\u200d🔧 mines"),
        ("❤\ufe0f", "❤\ufe0f"),
        ("a\ufe0f", "a"),
        ("Å", "Å"),
        ("🚀", "🚀"),
    ],
)
def test_one_spelling_is_kept(typed: str, kept: str) -> None:
    assert normal(typed) == kept


@pytest.mark.parametrize(
    "typed",
    ["", " ", "\u200b", "\u200b\u200b \u200b", "\u200e", "\u202e\u202c", "\u2800", "\u3164", "\u115f", "\u0301",
     "\u200d", "\u00ad", "\ufe0f", "\ufeff", "\u2060", "\u180e", "\U000e0041", "\u034f"],
)  # fmt: skip
def test_what_nobody_can_see_is_nothing(typed: str) -> None:
    assert normal(typed) == ""


@given(st.text())
def test_it_is_done_at_once_and_leaves_what_is_composed(text: str) -> None:
    once = normal(text)

    assert normal(once) == once
    assert unicodedata.is_normalized("NFC", once)
    assert once == once.strip()
