"""What a list is asked for: customers by what staff know of them (name, address, reference, account), or one alone."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.forms import Form

from customers.models import Customer
from customers.tenancy import Access
from mining.models import MiningAccount
from portal.views.lookup import the


def customers_found(access: Access, words: str) -> QuerySet[Customer]:
    everybody = Customer.objects.visible_to(access)
    if not words:
        return everybody
    account = MiningAccount.objects.visible_to(access).filter(customer=OuterRef("pk"), name__icontains=words)
    return everybody.filter(
        Q(name__icontains=words) | Q(email__icontains=words) | Q(external_ref__icontains=words) | Exists(account)
    )


def wanted_of(access: Access, form: Form) -> tuple[dict[str, Any], Customer | None]:
    """What a list's filter was given, and the one customer whose rows are asked for."""
    wanted = form.cleaned_data if form.is_valid() else {}
    code = wanted.get("customer")
    return wanted, the(Customer.objects.visible_to(access), code) if code else None
