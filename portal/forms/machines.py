"""What is typed above lists of machines, and about one of them."""

from __future__ import annotations

from django import forms

from mining.fleet.exclusions import LONGEST_SITE
from portal.forms.fields import Words

WORST, NAME, LONGEST = "", "name", "longest"


class MachineFilter(forms.Form):
    q = Words(required=False, max_length=100, label="Find a machine", widget=forms.TextInput(attrs={"type": "search"}))
    order = forms.ChoiceField(
        required=False,
        label="Order",
        choices=[(WORST, "Worst first"), (NAME, "Name"), (LONGEST, "Longest in its state")],
        error_messages={"invalid_choice": "Choose one of the list."},
    )
    state = forms.CharField(required=False, max_length=20, widget=forms.HiddenInput)


class SiteForm(forms.Form):
    site = Words(
        required=False,
        max_length=LONGEST_SITE,
        label="Site",
        help_text="The hall or site, such as Bergvik hall 2. Exclusions of a site find its machines by this label.",
    )
