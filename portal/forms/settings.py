"""What an owner types about the provider itself."""

from django import forms

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
