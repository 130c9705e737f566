"""From data to bytes with Typst."""

from __future__ import annotations

import functools
import json
from datetime import UTC, datetime
from pathlib import Path

import typst

from billing.models import Document
from billing.pdf import alphabet
from billing.pdf.content import Content, content_of

HERE = Path(__file__).parent
TEMPLATE = HERE / "statement.typ"
TEMPLATE_VERSION = 4  # raise it with any change of the template, of content.py or of the fonts


def render(document: Document) -> bytes:
    """The PDF of an issued document. The same document gives the same bytes: its date is the issue date."""
    return typeset(content_of(document))


def typeset(content: Content) -> bytes:
    year, month, day = content["date"]
    readable = alphabet.readable(content, alphabet.of_fonts())
    made = typst.compile(
        str(TEMPLATE),
        root=str(HERE),
        font_paths=_fonts(),
        ignore_system_fonts=True,
        sys_inputs={"data": json.dumps({**readable, "fonts": _families()})},
        timestamp=int(datetime(year, month, day, tzinfo=UTC).timestamp()),
        pdf_standards="a-2b",
    )
    if not isinstance(made, bytes):
        raise TypeError("Typst did not return one PDF")
    return made


@functools.cache
def _fonts() -> typst.Fonts:
    """The fonts beside the template and no others: the system's would make other bytes on another machine."""
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(alphabet.FONTS)])


def _families() -> list[str]:
    """In the order in which they are asked for a character: Inter, then the other scripts."""
    return sorted(_fonts().families(), key=lambda family: (family != "Inter", family))
