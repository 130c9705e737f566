"""What staff type: customers, contracts, keys, people, and the filters above lists."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any

from django import forms

from billing.contracts import LARGEST_MINIMUM_SAT, RevenueShare
from billing.models import Basis, DocumentStatus, FeeBearer
from customers.models import ROLES, Customer, MemberKind, Role
from customers.words import YEARS, month_in_words
from mining.models import PoolLogin, Reward
from mining.models.logins import LONGEST_NAME
from mining.models.rewards import RewardStatus
from portal.forms.fields import Email, Words
from portal.templatetags.states import state_word

PPM_PER_PERCENT = 10_000
PLAIN_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
PLAIN_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{4}|[0-9]{1,2} [A-Za-z]{3,9} [0-9]{4}")
# The share in per cent: a field that says it is meant, and what would come of it.
WHO_GETS_NOTHING = {
    Decimal(0): ("nothing_for_us", "we get nothing"),
    Decimal(100): ("nothing_for_customer", "the customer gets nothing"),
}
# What is shared, as a form names it, as billing and the API take it, and in words.
BASES: list[tuple[str, dict[str, str], str]] = [
    ("net", {"basis": Basis.NET.value}, "Net: after the pool's fee, which is off the top for both"),
    (
        "gross_customer",
        {"basis": Basis.GROSS.value, "pool_fee_borne_by": FeeBearer.CUSTOMER.value},
        "Gross: before the pool's fee, which the customer bears",
    ),
    (
        "gross_provider",
        {"basis": Basis.GROSS.value, "pool_fee_borne_by": FeeBearer.PROVIDER.value},
        "Gross: before the pool's fee, which we bear",
    ),
]
ADOPT, CREATE = "adopt", "create"
ROLE_WORDS = {
    Role.OWNER: "Owner: everything, also keys and team",
    Role.FINANCE: "Finance: contracts, payouts, close and issue",
    Role.SUPPORT: "Support: customers, watcher links and sync",
    Role.AUDITOR: "Auditor: reads everything, changes nothing",
    Role.VIEWER: "Viewer: reads only",
}


def _any(words: str, *choices: tuple[str, str]) -> list[tuple[str, str]]:
    return [("", words), *choices]


class CustomerForm(forms.Form):
    name = Words(max_length=200, label="Name")
    email = Email(max_length=254, label="E-mail", help_text="How you reach them. It is nobody's sign-in.")
    external_ref = Words(
        max_length=100, required=False, label="Your reference", help_text="The customer's number in your own books."
    )


class NewCustomerForm(CustomerForm):
    how = forms.ChoiceField(
        label="Mining account",
        choices=[(ADOPT, "Take over an account that exists at the pool"), (CREATE, "Create a new one at the pool")],
        widget=forms.RadioSelect,
        initial=ADOPT,
    )
    account_name = forms.CharField(
        max_length=255,
        label="Account name",
        help_text="Letters, digits and _. Capitals count, and a name can never be changed.",
        widget=forms.TextInput(attrs={"autocapitalize": "off", "spellcheck": "false", "class": "mono"}),
    )
    login = forms.ChoiceField(label="At which WhiteBIT user")

    def __init__(self, *args: Any, logins: list[PoolLogin], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._logins = {login.code: login for login in logins}
        # With one login there is nothing to choose.
        if len(logins) < 2:
            del self.fields["login"]
        else:
            choices = _any("Choose", *((login.code, login.name) for login in logins))
            self.fields["login"] = forms.ChoiceField(label="At which WhiteBIT user", choices=choices)

    def clean_login(self) -> PoolLogin:
        return self._logins[self.cleaned_data["login"]]


class AccountForm(NewCustomerForm):
    """Another account for a customer that is there already."""

    field_order = ("how", "account_name", "login")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("name", "email", "external_ref"):
            del self.fields[name]


class PlainDecimal(forms.DecimalField):
    """Digits and a point or a comma, with or without the sign for per cent behind. Python reads more as a number: 1e2,
    +5, 1_0, the digits of every script."""

    def to_python(self, value: Any) -> Any:  # Decimal | None, where the stubs inherit the int of IntegerField
        if value in self.empty_values:
            return super().to_python(value)
        text = str(value).strip(" ").removesuffix("%").rstrip(" \u00a0")
        if text.count(",") == 1 and "." not in text:
            text = text.replace(",", ".")
        if not PLAIN_NUMBER.fullmatch(text):
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(text)


class DayField(forms.DateField):
    """As the browser's calendar sends it, or by hand as 1.11.2026 or 1 Nov 2026: nothing that can be read in two ways,
    as 10/11/2026 can."""

    input_formats = ["%Y-%m-%d", "%d.%m.%Y", "%d %b %Y", "%d %B %Y"]

    def to_python(self, value: Any) -> date | None:
        if isinstance(value, str) and value and not PLAIN_DAY.fullmatch(value.strip(" ")):
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        day: date | None = super().to_python(value)
        if day is not None and day.year not in YEARS:
            raise forms.ValidationError(f"Check the year: it is from {YEARS[0]} to {YEARS[-1]}.", code="year")
        return day


class TermsForm(forms.Form):
    share = PlainDecimal(
        label="Our share, in per cent",
        min_value=Decimal(0),
        max_value=Decimal(100),
        max_digits=7,
        decimal_places=4,
        help_text="Up to four decimals, such as 15 or 12.5. The customer gets the rest.",
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        error_messages={
            "invalid": "Write the share as a number, such as 15 or 12.5.",
            "max_decimal_places": "A share has four decimals at most.",
            "max_digits": "A share has four decimals at most.",
            "max_whole_digits": "A share is at most 100 per cent.",
            "min_value": "A share is at least 0 per cent.",
            "max_value": "A share is at most 100 per cent.",
        },
    )
    basis = forms.ChoiceField(
        label="Of which reward",
        choices=[(name, words) for name, _, words in BASES],
        widget=forms.RadioSelect,
        initial=BASES[0][0],
    )
    minimum = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=LARGEST_MINIMUM_SAT,
        label="Smallest amount to issue, in satoshi",
        help_text="A smaller balance is carried to the next month. Empty or 0: everything is issued.",
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
        error_messages={
            "invalid": "Write a whole number of satoshi, such as 10000.",
            "min_value": "The smallest amount is at least 0.",
            "max_value": "The smallest amount is at most 100000000 satoshi (1 BTC).",
        },
    )
    valid_from = DayField(
        label="From",
        help_text="The first day (UTC) with these terms.",
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        error_messages={"invalid": "Write the day as 2026-10-01."},
    )

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = self.cleaned_data
        self._ask_about_nothing(given.get("share"))
        return given

    def _ask_about_nothing(self, share: Decimal | None) -> None:
        """One who gets nothing may be a slip of the hand: asked once, by a field that is there only then."""
        if share not in WHO_GETS_NOTHING:
            return
        name, who = WHO_GETS_NOTHING[share]
        self.fields[name] = forms.BooleanField(required=False, label="Yes, this is meant")
        if not self.data.get(name):
            self.add_error(name, f"With a share of {share:.0f} per cent {who}: is that meant?")

    @property
    def minimum_sat(self) -> int:
        return self.cleaned_data["minimum"] or 0

    @property
    def component(self) -> dict[str, Any]:
        """The one component, in the shape that billing and the API use."""
        given = self.cleaned_data
        (basis,) = [terms for name, terms, _ in BASES if name == given["basis"]]
        # Exact: the field has let at most four decimals through.
        return {"kind": "revenue_share", "share_ppm": int(given["share"] * PPM_PER_PERCENT), **basis}

    @classmethod
    def filled_in(cls, terms: RevenueShare, *, minimum_sat: int, valid_from: date) -> dict[str, Any]:
        """The initial values of a form about other terms than these."""
        (basis,) = [name for name, given, _ in BASES if given == terms.basis_given]
        share = Decimal(terms.share_ppm) / PPM_PER_PERCENT
        return {"share": f"{share.normalize():f}", "basis": basis, "minimum": minimum_sat, "valid_from": valid_from}


class NewContractForm(TermsForm):
    customer = forms.ChoiceField(label="Customer")

    field_order = ("customer", "share", "basis", "minimum", "valid_from")

    def __init__(self, *args: Any, customers: list[Customer], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.customers = {customer.code: customer for customer in customers}
        self.fields["customer"] = forms.ChoiceField(
            label="Customer",
            choices=_any("Choose", *((code, customer.name) for code, customer in self.customers.items())),
            error_messages={"invalid_choice": "This customer has a contract already, or does not exist."},
        )
        self.order_fields(self.field_order)


class NeverShown(forms.TextInput):
    """A text field that never shows again what was typed: somebody may have pasted the secret into it."""

    def format_value(self, value: Any) -> str | None:
        return None


_KEY_FIELD = {"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false", "class": "mono"}


class PasteKeyForm(forms.Form):
    login = Words(
        max_length=LONGEST_NAME,
        label="WhiteBIT user",
        help_text="Your name for the login at WhiteBIT that made the key. A new key of it replaces the old one.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    # No upper limit on the length: what is too long is refused by a sentence that says so.
    api_key = forms.CharField(label="API key", widget=NeverShown(attrs=_KEY_FIELD))
    secret = forms.CharField(
        label="Secret",
        strip=False,
        help_text="Sealed at once. Nobody can read it here again, and it is not shown.",
        widget=forms.PasswordInput(attrs={**_KEY_FIELD, "autocomplete": "new-password"}, render_value=False),
    )


class RenameLoginForm(forms.Form):
    name = Words(
        max_length=LONGEST_NAME,
        label="WhiteBIT user",
        help_text="Your name for the login at WhiteBIT. Nothing is renamed there.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


class InviteForm(forms.Form):
    email = Email(max_length=254, label="E-mail", widget=forms.EmailInput(attrs={"autocomplete": "off"}))
    role = forms.ChoiceField(label="Role")

    def __init__(self, *args: Any, kind: MemberKind, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A choice is a sentence, which a select on a phone would cut.
        self.fields["role"] = forms.ChoiceField(
            label="Role", choices=role_choices(kind), initial=ROLES[kind][-1].value, widget=forms.RadioSelect
        )


def role_choices(kind: MemberKind) -> list[tuple[str, str]]:
    if kind == MemberKind.CUSTOMER:
        return [(Role.OWNER.value, "Owner"), (Role.VIEWER.value, "Viewer: reads only")]
    return [(role.value, ROLE_WORDS[role]) for role in ROLES[kind]]


class NoteForm(forms.Form):
    note = Words(max_length=500, label="Why", help_text="For whoever asks later.")


class SettleForm(forms.Form):
    """What a quarantined record is."""

    decision = forms.ChoiceField(label="What is it?", widget=forms.RadioSelect)
    reward = forms.ChoiceField(label="Which reward is it?", required=False, widget=forms.RadioSelect)
    note = Words(max_length=500, label="Why", help_text="For whoever asks later: what the pool said, or who said so.")

    def __init__(self, *args: Any, choices: list[tuple[str, str]], rewards: list[Reward], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sayings = dict(choices)
        self.fields["decision"] = forms.ChoiceField(
            label="What is it?",
            choices=choices,
            widget=forms.RadioSelect,
            error_messages={"required": "Say what it is.", "invalid_choice": "This cannot be said of such a record."},
        )
        # With one that it may be there is nothing to choose.
        if len(rewards) < 2:
            del self.fields["reward"]
        else:
            named = [(reward.code, f"{reward.code}, {reward.reward_at:%Y-%m-%d %H:%M:%S} UTC") for reward in rewards]
            self.fields["reward"] = forms.ChoiceField(
                label="If it is one that we have: which?", required=False, choices=named, widget=forms.RadioSelect
            )

    @property
    def saying(self) -> str:
        return self._sayings[self.cleaned_data["decision"]]


# --- Filters: a wrong value is told beside the field, and nothing is listed


class CustomerFilter(forms.Form):
    q = Words(
        required=False,
        max_length=200,
        label="Find",
        widget=forms.TextInput(attrs={"type": "search", "placeholder": "Name, reference or account"}),
    )


class RewardFilter(forms.Form):
    q = Words(
        required=False,
        max_length=200,
        label="Customer",
        widget=forms.TextInput(attrs={"type": "search", "placeholder": "Name, reference or account"}),
    )
    date_from = DayField(
        required=False, label="From", widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    )
    date_to = DayField(required=False, label="To", widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}))
    status = forms.ChoiceField(
        required=False,
        label="Status",
        choices=_any("All", *((status.value, state_word(status.value, "reward")) for status in RewardStatus)),
    )
    customer = forms.CharField(required=False, max_length=32, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = self.cleaned_data
        first, last = given.get("date_from"), given.get("date_to")
        if first and last and last < first:
            self.add_error("date_to", "This day is before the first one.")
        return given


FILE_FAILED = "file_failed"


class DocumentFilter(forms.Form):
    q = Words(
        required=False,
        max_length=200,
        label="Find",
        widget=forms.TextInput(attrs={"type": "search", "placeholder": "Number or customer"}),
    )
    month = forms.ChoiceField(required=False, label="Month")
    status = forms.ChoiceField(
        required=False,
        label="Stage",
        choices=_any(
            "All",
            *((status.value, state_word(status.value, "document")) for status in DocumentStatus),
            (FILE_FAILED, "Issued, a file failed"),
        ),
    )
    customer = forms.CharField(required=False, max_length=32, widget=forms.HiddenInput)

    def __init__(self, *args: Any, months: list[date], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["month"] = forms.ChoiceField(
            required=False, label="Month", choices=_any("All", *month_choices(months))
        )


class CloseForm(forms.Form):
    def __init__(self, *args: Any, months: list[date], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["month"] = forms.ChoiceField(
            label="Month",
            choices=month_choices(months),
            error_messages={
                "required": "Choose the month to close.",
                "invalid_choice": "Only a month that has ended can be closed, from that of the first reward on.",
            },
        )


def month_choices(months: list[date]) -> list[tuple[str, str]]:
    return [(f"{month:%Y-%m}", month_in_words(month)) for month in months]


def first_sentence(form: forms.Form) -> str:
    """What is wrong, for the pages that answer with a message."""
    return next((str(errors[0]) for errors in form.errors.values()), "")
