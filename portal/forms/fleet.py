"""What staff type about the fleet: the filter above it, and times that count for and against nobody."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from django import forms

from customers.models import Customer
from customers.words import YEARS
from mining.fleet.exclusions import LONGEST_NOTE
from mining.fleet.expected import LONGEST_SITE
from mining.models import Exclusion, Worker
from portal.forms.fields import Words

ORDERS = [
    ("", "Worst first"),
    ("missing", "Most machines missing"),
    ("longest", "Longest in its state"),
    ("name", "Name"),
]
WHOLE, OF_SITE, OF_CUSTOMER, OF_WORKER = "all", "site", "customer", "worker"
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?")


class FleetFilter(forms.Form):
    q = Words(
        required=False,
        max_length=100,
        label="Find",
        widget=forms.TextInput(attrs={"type": "search", "placeholder": "Name, account or machine"}),
    )
    site = forms.ChoiceField(
        required=False, label="Site", error_messages={"invalid_choice": "There is no such site any more."}
    )
    order = forms.ChoiceField(
        required=False, label="Order", choices=ORDERS, error_messages={"invalid_choice": "Choose one of the list."}
    )

    def __init__(self, *args: Any, sites: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["site"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", "All sites"), *((site, site) for site in sites)]
        if not sites:
            del self.fields["site"]


class MomentField(forms.CharField):
    """As the browser's own field sends it, and in UTC: 2026-11-04T13:02."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local", "step": "60"}, format="%Y-%m-%dT%H:%M")

    def to_python(self, value: Any) -> Any:  # datetime | None, where the field's own is a text
        text = super().to_python(value)
        if not text:
            return None
        if not MOMENT.fullmatch(text):
            raise forms.ValidationError("Write the moment as 2026-10-31T14:30.", code="invalid")
        try:
            moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
        except ValueError as error:
            raise forms.ValidationError("There is no such moment.", code="invalid") from error
        if moment.year not in YEARS:
            raise forms.ValidationError(f"Check the year: it is from {YEARS[0]} to {YEARS[-1]}.", code="year")
        return moment


class ExclusionForm(forms.Form):
    reason = forms.ChoiceField(label="Reason", choices=Exclusion.Reason.choices)
    scope = forms.ChoiceField(
        label="For",
        choices=[
            (OF_SITE, "A site"),
            (OF_CUSTOMER, "A customer"),
            (OF_WORKER, "One machine"),
            (WHOLE, "Everything we host"),
        ],
    )
    which = Words(
        required=False,
        max_length=255,
        label="Which, unless everything is meant",
        help_text="The site's label; the customer's name, reference or id; the machine's id, or its name.",
        widget=forms.TextInput(attrs={"list": "sites", "autocomplete": "off"}),
    )
    from_at = MomentField(label="From (UTC)")
    until_at = MomentField(label="Until (UTC)", required=False, help_text="Empty: until you end it.")
    note = Words(
        required=False,
        max_length=LONGEST_NOTE,
        label="Note",
        help_text="Customers read it beside the window.",
    )

    customer: Customer | None = None
    worker: Worker | None = None
    site = ""

    def __init__(self, *args: Any, access: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._access = access

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = self.cleaned_data
        scope, which = given.get("scope"), given.get("which", "")
        if scope in (None, WHOLE):
            return given
        if not which:
            self.add_error("which", "Say which one.")
        elif scope == OF_SITE:
            self.site = which
            if len(which) > LONGEST_SITE:
                self.add_error("which", f"A site's name has at most {LONGEST_SITE} characters.")
        elif scope == OF_CUSTOMER:
            self.customer = self._one(customers_called(self._access, which), "customer")
        else:
            self.worker = self._one(workers_called(self._access, which), "machine")
        return given

    def _one(self, found: list[Any], noun: str) -> Any:
        if len(found) == 1:
            return found[0]
        many = f"Several {noun}s are called so: give the id." if found else f"There is no such {noun}."
        self.add_error("which", many)
        return None

    @property
    def window(self) -> dict[str, Any]:
        """What mining.fleet.exclusions takes."""
        given = self.cleaned_data
        return {
            "customer": self.customer,
            "worker": self.worker,
            "site": self.site,
            "from_at": given["from_at"],
            "until_at": given["until_at"],
            "reason": given["reason"],
            "note": given["note"],
        }


def customers_called(access: Any, which: str) -> list[Customer]:
    everybody = Customer.objects.visible_to(access)
    for by in ({"code": which}, {"external_ref": which}, {"name__iexact": which}):
        if found := list(everybody.filter(**by)[:2]):
            return found
    return []


def workers_called(access: Any, which: str) -> list[Worker]:
    everything = Worker.objects.visible_to(access)
    return list(everything.filter(code=which)[:2]) or list(everything.filter(name=which)[:2])


class ExclusionEndForm(forms.Form):
    until_at = MomentField(label="Until (UTC)", required=False, help_text="Empty: until you end it.")
