"""The statement as PDF: typeset once after the issue, kept with its digest; later downloads return the same bytes."""

from billing.pdf.content import content_of
from billing.pdf.typesetting import TEMPLATE_VERSION, Made, TypesetError, keep, render, typeset

__all__ = ["TEMPLATE_VERSION", "Made", "TypesetError", "content_of", "keep", "render", "typeset"]
