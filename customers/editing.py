"""Change what a customer is called and how to reach it. Its people's own sign-ins are not touched."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction

from customers import audit
from customers.errors import Refused
from customers.models import Customer
from customers.tenancy import Access


def change_details(access: Access, customer: Customer, *, now: datetime, **details: str | None) -> Customer:
    """Set the given ones of name, email and external_ref; what is not given, or is as it was, is not written."""
    if unknown := details.keys() - {"name", "email", "external_ref"}:
        raise TypeError(f"no details of a customer: {sorted(unknown)}")
    if details.get("email"):
        details["email"] = str(details["email"]).lower()
    with transaction.atomic():
        row = Customer.objects.visible_to(access).select_for_update().get(pk=customer.pk)
        changed = [name for name, value in details.items() if getattr(row, name) != value]
        if not changed:
            return row
        for name in changed:
            setattr(row, name, details[name])
        try:
            with transaction.atomic():
                row.save(update_fields=changed)
        except IntegrityError as error:
            raise reference_taken(row.external_ref) from error
        audit.record(access, "customer.changed", row.code, now=now, changed=" ".join(sorted(changed)))
    return row


def reference_taken(external_ref: str | None) -> Refused:
    return Refused(
        "Another customer has the reference %(reference)r already.",
        code="customer.reference_taken",
        params={"reference": external_ref},
    )
