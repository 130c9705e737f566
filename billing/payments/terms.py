"""By when documents are due and where customers pay: what a provider set, or the defaults."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from billing.models import PaymentTerms
from customers import audit, tenancy
from customers.errors import Refused
from customers.tenancy import Access
from mining.pool.addresses import problem_of

LONGEST_DUE = 365


def terms_of(access: Access) -> PaymentTerms:
    """Of the access's own provider, for staff and customers alike; not saved where nothing was set.

    The row names no customer, so the database shows it only in a context of every customer, which is opened for this
    one read.
    """
    system = Access(kind=tenancy.Kind.SYSTEM, provider=access.provider, label="payment terms")
    with tenancy.provider_context(access.provider.pk):
        return PaymentTerms.objects.visible_to(system).first() or PaymentTerms(provider=access.provider)


def due_days(access: Access) -> int:
    """For who issues, and so sees every customer: without a context of its own."""
    terms = PaymentTerms.objects.visible_to(access).first() or PaymentTerms()
    return terms.due_days


def change_terms(access: Access, *, due_days: int, bitcoin_address: str, now: datetime) -> PaymentTerms:
    """For documents issued from now on; those issued keep the day they are due. The address is shown to customers
    beside what they owe: whoever may change it can have their money, so the act is audited with both."""
    if not 0 <= due_days <= LONGEST_DUE:
        raise Refused("Documents are due within a year of their issue.", code="payment.due_days")
    if bitcoin_address and (problem := problem_of(bitcoin_address)) is not None:
        raise Refused("%(problem)s", code="payment.address_invalid", params={"problem": problem})
    with transaction.atomic():
        PaymentTerms.objects.bulk_create([PaymentTerms(provider=access.provider)], ignore_conflicts=True)
        terms = PaymentTerms.objects.visible_to(access).select_for_update().get()
        if (terms.due_days, terms.bitcoin_address) == (due_days, bitcoin_address):
            return terms
        was = terms.bitcoin_address
        terms.due_days, terms.bitcoin_address = due_days, bitcoin_address
        terms.save(update_fields=["due_days", "bitcoin_address"])
        audit.record(
            access,
            "payment_terms.changed",
            access.provider.code,
            now=now,
            due_days=due_days,
            bitcoin_address=bitcoin_address,
            was=was,
        )
    return terms
