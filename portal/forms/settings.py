"""What an owner types about the provider itself."""

from __future__ import annotations

from typing import Any

from django import forms

from customers.logos import LARGEST_FILE
from portal.forms.fields import Email, Lines, Words


class CompanyForm(forms.Form):
    legal_name = Words(max_length=200, label="Legal name")
    tax_id = Words(max_length=64, required=False, label="VAT or tax no.")
    address = Lines(max_length=500, required=False, label="Address")
    support_email = Email(max_length=254, required=False, label="Support e-mail")
    support_phone = Words(max_length=40, required=False, label="Support phone")
    support_url = Words(
        max_length=200,
        required=False,
        label="Support page",
        help_text="In full, beginning with https://",
        widget=forms.TextInput(attrs={"inputmode": "url", "autocapitalize": "off", "spellcheck": "false"}),
    )


class BrandForm(forms.Form):
    brand_colour = Words(
        max_length=20,
        required=False,
        label="Colour",
        help_text="As #0b5fae. Pages move it until it reads in both themes. Empty: the portal's own.",
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}),
    )
    logo = forms.FileField(
        required=False,
        allow_empty_file=True,  # told as any other file that is no picture
        label="Logo",
        help_text="PNG, JPEG or WebP, at most 512 KiB and 2,000 pixels a side. Only its pixels are kept.",
        widget=forms.FileInput(attrs={"accept": "image/png,image/jpeg,image/webp"}),
    )
    no_logo = forms.BooleanField(required=False, label="Take the logo away")

    def __init__(self, *args: Any, has_logo: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not has_logo:
            del self.fields["no_logo"]

    @property
    def file(self) -> bytes | None:
        """What was sent, as far as it is looked at: one byte more than is taken."""
        upload = self.cleaned_data["logo"]
        return None if upload is None else bytes(upload.read(LARGEST_FILE + 1))
