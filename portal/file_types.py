"""The files of a document, as the web names what they are."""

from billing.models import FileKind

CONTENT_TYPES = {FileKind.PDF: "application/pdf", FileKind.CSV: "text/csv; charset=utf-8"}
