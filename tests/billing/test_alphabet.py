"""A document in any script: shown where a font has it, a box where none has, and never no document."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing import pdf
from billing.pdf import alphabet
from billing.pdf.content import clean
from customers.models import Customer, ProviderProfile
from customers.tenancy import Access
from tests.billing.books import AFTER_OCTOBER, OCTOBER, Story, open_story
from tests.billing.printed import fonts_of, text_of


def issued_for(access: Access, name: str) -> bytes:
    """The PDF of a customer of this name, from a provider of this name."""
    story: Story = open_story(access, name="Cedar")
    Customer.objects.filter(pk=story.customer.pk).update(name=name)
    access.provider.name = name
    ProviderProfile.objects.update_or_create(provider=access.provider, defaults={"legal_name": name})
    story.reward(1)
    return pdf.render(story.issue(OCTOBER, AFTER_OCTOBER))


@pytest.mark.parametrize(
    ("name", "font"),
    [
        ("上海矿业有限公司", "NotoSansCJKsc"),
        ("日本マイニング株式会社", "NotoSansCJKsc"),
        ("한국채굴", "NotoSansCJKsc"),
        ("شركة التعدين", "NotoSansArabic"),
        ("חברת כרייה", "NotoSansHebrew"),
        ("खनन", "NotoSansDevanagari"),
        ("ไทย", "NotoSansThai"),
        ("მაღარო", "NotoSansGeorgian"),
        ("Ελληνικά Ўзбек Łódź Việt", "Inter"),
    ],
)
def test_a_name_in_any_script_is_printed_and_can_be_read_again(north: Access, name: str, font: str) -> None:
    content = issued_for(north, name)

    read = text_of(content)

    assert [word for word in name.split() if word not in read] == []
    assert alphabet.MISSING not in read
    assert font in {used.split("+")[-1].split("-")[0] for used in fonts_of(content)}


def test_what_no_font_has_is_a_box(north: Access) -> None:
    assert "Hash □ Mining owes Hash □ Mining" in text_of(issued_for(north, "Hash \U0001f680 Mining"))


def test_a_name_from_the_right_stands_apart_from_the_words_around_it() -> None:
    assert clean("شركة 12") == "\u2068شركة 12\u2069"
    assert clean("Cedar 12") == "Cedar 12"
    assert clean("می\u200cشود") == "\u2068می\u200cشود\u2069"


def words_beside() -> dict[str, Any]:
    """A whole content, of which a test changes the names."""
    empty: dict[str, Any] = {key: [] for key in ("summary", "rows", "sums", "corrections", "accounts", "terms")}
    shown = dict.fromkeys(("title", "number", "issued_on", "month", "period", "payer", "contract"), "x")
    return empty | shown | {
        "date": [2026, 12, 3], "total": "0.00000001", "nothing_owed": False, "wide": False, "correction_sums": None,
        "left_out": None, "worked": None, "pending": None, "ink": None, "logo": None, "from": ["x"], "to": ["x"],
    }  # fmt: skip


@given(name=st.text(min_size=1, max_size=30))
@settings(max_examples=100, deadline=None)
def test_no_name_stops_a_document(name: str) -> None:
    shown = clean(name)
    names = {"provider_name": shown, "customer_name": shown, "payee": shown}

    assert pdf.typeset(words_beside() | names).startswith(b"%PDF-")


def test_a_mark_on_a_letter_of_another_script_stops_no_document() -> None:
    names = dict.fromkeys(("provider_name", "customer_name", "payee"), "א\u0941ष\u05b0ก\u064b中\u0e34")

    assert pdf.typeset(words_beside() | names).startswith(b"%PDF-")
