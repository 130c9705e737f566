"""Amounts and shares as sentences and files say them."""

from billing.words import btc_text


def test_files_and_sentences_get_plain_numbers() -> None:
    assert [btc_text(sat) for sat in (125_000, -13_012, 123_456_789_012)] == [
        "0.00125000",
        "-0.00013012",
        "1234.56789012",
    ]
