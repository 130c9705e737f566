"""What a PDF says, as a reader takes it out again."""

from __future__ import annotations

import io
from typing import Any

from pypdf import PdfReader


def text_of(content: bytes) -> str:
    pages = PdfReader(io.BytesIO(content)).pages
    return "\n".join(page.extract_text() for page in pages)


def fonts_of(content: bytes) -> set[str]:
    found: set[str] = set()
    for page in PdfReader(io.BytesIO(content)).pages:
        fonts: Any = page["/Resources"]
        found |= {str(font.get_object()["/BaseFont"]) for font in fonts["/Font"].values()}
    return found
