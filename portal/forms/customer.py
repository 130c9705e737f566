"""What customers type: the filters above their lists."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms

from customers.words import month_in_words
from mining.models.rewards import RewardStatus
from portal.templatetags.states import state_word

ALL_MONTHS = "all"


class RewardFilter(forms.Form):
    """Always bound: without a choice it is the newest month that has rewards."""

    month = forms.ChoiceField(label="Month", error_messages={"invalid_choice": "There are no rewards of that month."})
    status = forms.ChoiceField(
        required=False,
        label="Status",
        error_messages={"invalid_choice": "Choose one of the list."},
        choices=[("", "All"), *((status.value, state_word(status.value, "reward")) for status in RewardStatus)],
    )

    def __init__(self, given: Any, *, months: list[date]) -> None:
        newest = f"{months[0]:%Y-%m}" if months else ALL_MONTHS
        super().__init__({"month": given.get("month") or newest, "status": given.get("status", "")})
        field = self.fields["month"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [*((f"{month:%Y-%m}", month_in_words(month)) for month in months), (ALL_MONTHS, "All months")]

    @property
    def chosen_month(self) -> date | None:
        chosen = self.cleaned_data.get("month", ALL_MONTHS)
        return None if chosen == ALL_MONTHS else date.fromisoformat(f"{chosen}-01")

    @property
    def chosen_status(self) -> str:
        return str(self.cleaned_data.get("status", ""))
