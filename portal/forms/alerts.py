"""What people say about alerts: the limits of a rule, and what they are mailed themselves."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from zoneinfo import available_timezones

from django import forms

from customers.models import Membership
from mining.alerts.rules import OF_CUSTOMERS, OF_FLEET
from mining.models import AlertKind, AlertRule, AlertWishes
from portal.alerts.rule_words import RULES, number, words_of
from portal.forms.fields import Lines

TIME = forms.TimeInput(format="%H:%M", attrs={"type": "time"})


def _number(**more: Any) -> forms.TextInput:
    return forms.TextInput(attrs={"inputmode": "decimal", "class": "n", **more})


def _plain(value: Any) -> Any:
    """70 and not 70.00."""
    return number(value) if isinstance(value, Decimal) else value


class RuleForm(forms.Form):
    """The fields that the rule's kind has; what is left out stays as it is."""

    is_on = forms.BooleanField(required=False, label="This rule is on")
    threshold = forms.DecimalField(max_digits=14, decimal_places=2, label="Limit", widget=_number())
    unit = forms.ChoiceField(label="Unit")
    by_time = forms.TimeField(label="Time of day, UTC", widget=TIME)
    grace_minutes = forms.IntegerField(min_value=0, label="Minutes that it has to last", widget=_number())
    ends_at = forms.DecimalField(max_digits=14, decimal_places=2, label="Limit at which it ends", widget=_number())
    clear_minutes = forms.IntegerField(min_value=0, label="Minutes that it has to be over", widget=_number())
    repeat_minutes = forms.IntegerField(
        min_value=1, required=False, label="Minutes after which it is told again", widget=_number()
    )
    group_percent = forms.IntegerField(min_value=1, max_value=100, label="Share of the machines", widget=_number())
    group_minutes = forms.IntegerField(min_value=0, label="Minutes within which they fall", widget=_number())

    def __init__(self, *args: Any, rule: AlertRule, **kwargs: Any) -> None:
        self.rule, self.words = rule, words_of(rule)
        kept = ["is_on"] if rule.kind in OF_FLEET else []
        if self.words.units:
            kept += ["threshold", "unit", "clear_minutes"]
        if self.words.ends:
            kept += ["ends_at", "grace_minutes"]
        if rule.by_time is not None:
            kept += ["by_time"]
        if rule.customer_id is None:
            kept += ["repeat_minutes"]
            if rule.kind in OF_FLEET and rule.kind != AlertKind.WORKER_DOWN:
                kept += ["group_percent", "group_minutes"]
        super().__init__(*args, **{"initial": {name: _plain(getattr(rule, name)) for name in kept}, **kwargs})
        for name in set(self.fields) - set(kept):
            del self.fields[name]
        if "unit" in self.fields:
            self.fields["unit"] = forms.ChoiceField(label="Unit", choices=list(self.words.units.items()))


class WishesForm(forms.Form):
    kinds = forms.MultipleChoiceField(required=False, label="Mail me", widget=forms.CheckboxSelectMultiple)
    quiet_from = forms.TimeField(required=False, label="Quiet from", widget=TIME)
    quiet_until = forms.TimeField(required=False, label="Quiet until", widget=TIME)
    time_zone = forms.ChoiceField(label="Time zone", choices=[(zone, zone) for zone in sorted(available_timezones())])
    alarms_wake = forms.BooleanField(required=False, label="Mail me alarms in quiet hours too")

    def __init__(self, *args: Any, wishes: AlertWishes, **kwargs: Any) -> None:
        super().__init__(*args, **{"initial": {name: getattr(wishes, name) for name in self.base_fields}, **kwargs})
        kinds = OF_CUSTOMERS if wishes.customer_id else tuple(RULES)
        names = [(kind.value, RULES[kind].for_customers if wishes.customer_id else RULES[kind].name) for kind in kinds]
        self.fields["kinds"] = forms.MultipleChoiceField(
            choices=names, required=False, label="Mail me", widget=forms.CheckboxSelectMultiple
        )


class NoteForm(forms.Form):
    note = Lines(max_length=500, required=False, label="Note", widget=forms.Textarea(attrs={"rows": 3}))


class AssignForm(forms.Form):
    member = forms.ChoiceField(label="Give it to", required=False)

    def __init__(self, *args: Any, staff: list[Membership], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = [(member.code, member.user.name or member.user.email) for member in staff]
        self.fields["member"] = forms.ChoiceField(label="Give it to", required=False, choices=[("", "Nobody"), *people])
