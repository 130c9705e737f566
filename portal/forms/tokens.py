"""What an owner chooses for an API token."""

from __future__ import annotations

from typing import Any

from django import forms

from portal.api.auth import EVERYTHING, LINKS_FOREVER, MONEY, READ_EVERYTHING, SCOPES
from portal.forms.fields import Words
from portal.forms.staff import DayField
from portal.scopes import BY_ITSELF

CHOSEN = "chosen"


class TokenForm(forms.Form):
    name = Words(max_length=100, label="Name", help_text="Of the program that will use it, such as ERP.")
    ends_on = DayField(
        label="Last day",
        required=False,
        help_text="At most two years from today (UTC). You are told 14 days before.",
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        error_messages={"invalid": "Write the day as 2027-10-01."},
    )
    never_ends = forms.BooleanField(label="It never ends", required=False)
    how = forms.ChoiceField(
        label="What it may do",
        choices=[
            (CHOSEN, "Only what is chosen below"),
            (READ_EVERYTHING, "Read everything, change nothing"),
            (EVERYTHING, "Everything, money and new tokens too"),
        ],
        widget=forms.RadioSelect,
        initial=CHOSEN,
    )
    scopes_chosen = forms.MultipleChoiceField(required=False, choices=[(scope, scope) for scope in sorted(SCOPES)])

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if given.get("never_ends"):
            given["ends_on"] = None
        elif "ends_on" in given and given["ends_on"] is None:
            self.add_error("ends_on", "Choose its last day, or say that it never ends.")
        return given

    @property
    def scopes(self) -> list[str]:
        how = self.cleaned_data["how"]
        return self.cleaned_data["scopes_chosen"] if how == CHOSEN else [how]

    @property
    def chosen(self) -> list[str]:
        return self.data.getlist("scopes_chosen") if self.is_bound else []  # type: ignore[attr-defined]  # a QueryDict

    @property
    def by_itself(self) -> list[tuple[str, str]]:
        return [(scope, BY_ITSELF[scope].capitalize()) for scope in (MONEY, LINKS_FOREVER)]
