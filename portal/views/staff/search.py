"""Finding customers by what staff know of them: name, address, reference or account."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q, QuerySet

from customers.models import Customer
from customers.tenancy import Access
from mining.models import MiningAccount


def customers_found(access: Access, words: str) -> QuerySet[Customer]:
    everybody = Customer.objects.visible_to(access)
    if not words:
        return everybody
    account = MiningAccount.objects.visible_to(access).filter(customer=OuterRef("pk"), name__icontains=words)
    return everybody.filter(
        Q(name__icontains=words) | Q(email__icontains=words) | Q(external_ref__icontains=words) | Exists(account)
    )
