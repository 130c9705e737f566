"""What staff type about money that moved."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms

from billing.models import DocumentOpen, PaidBy, Source
from billing.payments.files import MOST_ROWS
from billing.split import SAT_PER_BTC
from portal.forms.fields import Words
from portal.forms.staff import DayField, PlainDecimal

MOST_BTC = Decimal(21_000_000)
LARGEST_FILE = 256 * 1024


class PaymentForm(forms.Form):
    """A payment of one customer; `opens` is what it may be put to."""

    paid_by = forms.ChoiceField(
        label="Who paid", choices=[(PaidBy.CUSTOMER.value, "The customer paid us"), (PaidBy.PROVIDER.value, "We paid")]
    )
    amount = PlainDecimal(
        label="Amount, BTC",
        max_digits=16,
        decimal_places=8,
        max_value=MOST_BTC,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        error_messages={"invalid": "Write the amount as 0.01250000."},
    )
    received_on = DayField(label="Day", widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}))
    source = forms.ChoiceField(
        label="Way", choices=[(Source.BITCOIN.value, "Bitcoin"), (Source.BANK.value, "Bank or exchange")]
    )
    ref = forms.CharField(
        label="Transaction:output, or reference",
        max_length=100,
        help_text="The same one is taken once only.",
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}),
    )
    note = Words(label="Note", max_length=200, required=False)
    documents = forms.MultipleChoiceField(
        label="Settles", required=False, help_text="None chosen: all that is open, the oldest first."
    )

    def __init__(self, *args: Any, opens: Sequence[DocumentOpen], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.opens = opens
        self.fields["documents"].choices = [(row.document.code, row.document.number) for row in opens]  # type: ignore[attr-defined]  # a field of choices

    def clean_amount(self) -> Decimal:
        amount: Decimal = self.cleaned_data["amount"]
        if amount <= 0:
            raise forms.ValidationError("A payment is more than 0.")
        return amount

    @property
    def amount_sat(self) -> int:
        return int(self.cleaned_data["amount"] * SAT_PER_BTC)


class ReasonForm(forms.Form):
    reason = Words(label="Why", max_length=200, help_text="Whoever looks at it later reads it.")


class PaymentFileForm(forms.Form):
    file = forms.FileField(
        required=False,
        allow_empty_file=True,
        label="CSV file",
        help_text=f"At most {MOST_ROWS:,} payments.",
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
    )
    csv = forms.CharField(required=False, widget=forms.HiddenInput, strip=False, max_length=LARGEST_FILE)

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = self.cleaned_data
        upload = given.get("file")
        if upload is not None:
            content = bytes(upload.read(LARGEST_FILE + 1))
            if len(content) > LARGEST_FILE:
                raise forms.ValidationError(f"The file is larger than {LARGEST_FILE // 1024} KiB.")
            try:
                given["csv"] = content.decode("utf-8")
            except UnicodeDecodeError as error:
                raise forms.ValidationError("The file is not UTF-8. Save it as CSV UTF-8.") from error
        if not given.get("csv"):
            raise forms.ValidationError("Choose a CSV file.")
        return given


class PaymentTermsForm(forms.Form):
    due_days = forms.IntegerField(
        label="Due after, days", min_value=0, max_value=365, help_text="From the day of issue. Issued ones keep theirs."
    )
    bitcoin_address = forms.CharField(
        label="Customers pay to",
        required=False,
        max_length=100,
        help_text="A bitcoin address of yours, shown with a QR code beside what a customer owes. Empty: none is shown.",
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}),
    )
