"""From data to bytes with Typst, and the bytes into the database: once, with their digest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import typst

from billing.models import Document, DocumentFile
from billing.pdf.content import Content, content_of

HERE = Path(__file__).parent
TEMPLATE = HERE / "statement.typ"
FONTS = HERE / "fonts"  # the only fonts: the system's would make other bytes on another machine
TEMPLATE_VERSION = 2  # raise it with any change of the template or of content.py

TypesetError = typst.TypstError


@dataclass(frozen=True, slots=True)
class Made:
    content: bytes
    sha256: str
    template_version: int


def render(document: Document) -> bytes:
    """The PDF of an issued document. The same document gives the same bytes: its date is the issue date."""
    return typeset(content_of(document)).content


def typeset(content: Content) -> Made:
    year, month, day = content["date"]
    made = typst.compile(
        str(TEMPLATE),
        root=str(HERE),
        font_paths=[str(FONTS)],
        ignore_system_fonts=True,
        sys_inputs={"data": json.dumps(content)},
        timestamp=int(datetime(year, month, day, tzinfo=UTC).timestamp()),
        pdf_standards="a-2b",
    )
    if not isinstance(made, bytes):
        raise TypeError("Typst did not return one PDF")
    return Made(made, hashlib.sha256(made).hexdigest(), TEMPLATE_VERSION)


def keep(document: Document, made: Made, *, now: datetime) -> None:
    """Store the file. Two tasks at once: the first one's bytes stay."""
    DocumentFile.objects.bulk_create(
        [
            DocumentFile(
                provider_id=document.provider_id,
                document=document,
                customer_id=document.customer_id,
                content=made.content,
                sha256=made.sha256,
                template_version=made.template_version,
                created_at=now,
            )
        ],
        ignore_conflicts=True,
    )
