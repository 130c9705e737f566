"""Fields of more than one form."""

from __future__ import annotations

from typing import Any

from django import forms

from customers.text import NOTHING_VISIBLE, lines, normal


class Words(forms.CharField):
    """Text that people see, search or compare, in its normal form."""

    def to_python(self, value: Any) -> str:
        text = super().to_python(value) or ""
        kept = normal(text)
        if text and not kept:
            raise forms.ValidationError(NOTHING_VISIBLE, code="invisible")
        return kept


class Lines(forms.CharField):
    """As Words, over several lines: an address, a note."""

    widget = forms.Textarea(attrs={"rows": 4})

    def to_python(self, value: Any) -> str:
        return lines(super().to_python(value) or "")


class Email(forms.EmailField):
    """An address without what nobody can see: two that look the same would be two people."""

    def to_python(self, value: Any) -> str:
        return normal(super().to_python(value) or "")
