"""The statement as PDF: typeset once after the issue and kept (billing/files.py); later downloads return its bytes."""

from billing.pdf.content import content_of
from billing.pdf.typesetting import TEMPLATE_VERSION, render, typeset

__all__ = ["TEMPLATE_VERSION", "content_of", "render", "typeset"]
