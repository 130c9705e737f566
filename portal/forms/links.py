"""What staff choose for a new watcher link."""

from __future__ import annotations

from typing import Any

from django import forms

from mining.models import LinkLifetime
from portal.templatetags.links import LIFETIMES, PERMISSIONS


class LinkForm(forms.Form):
    permissions = forms.MultipleChoiceField(
        label="What it shows",
        choices=[(permission.value, f"{words.name}: {words.plain}") for permission, words in PERMISSIONS.items()],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one page that it shows."},
    )
    lifetime = forms.ChoiceField(label="How long it lives", widget=forms.RadioSelect, initial=LinkLifetime.WEEK.value)
    renews = forms.BooleanField(
        required=False,
        label="Renew it by itself",
        help_text="Only with 7 days: before it ends a new link is made, with an address of its own.",
    )

    def __init__(self, *args: Any, forever: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        lifetime = self.fields["lifetime"]
        assert isinstance(lifetime, forms.ChoiceField)
        lifetime.choices = [
            (choice.value, words) for choice, words in LIFETIMES.items() if forever or choice != LinkLifetime.ALWAYS
        ]
        lifetime.help_text = "" if forever else "Only an owner can issue one that never ends."

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = self.cleaned_data
        if given.get("renews") and given.get("lifetime") not in (None, LinkLifetime.WEEK):
            self.add_error("renews", "Only a link of 7 days can renew itself.")
        return given

    @property
    def is_forever(self) -> bool:
        return bool(self.cleaned_data["lifetime"] == LinkLifetime.ALWAYS)
