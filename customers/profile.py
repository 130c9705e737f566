"""What a provider shows of itself to its customers: who it is, and where to ask for help."""

from __future__ import annotations

from datetime import datetime

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import transaction

from customers import audit, brand, tenancy
from customers.errors import Refused
from customers.models import ProviderProfile
from customers.tenancy import Access

DETAILS = ("legal_name", "address", "tax_id", "support_email", "support_phone", "support_url", "brand_colour")


def profile_of(access: Access) -> ProviderProfile | None:
    """The profile of the access's own provider, for staff and customers alike.

    The row names no customer, so the database shows it only in a context of every customer: it is opened here for
    this one read. Path not taken: a policy without the customer, which the next field of the row would inherit.
    """
    if access.sees_every_customer:
        return _profile(access)
    with tenancy.provider_context(access.provider.pk):
        return _profile(Access(kind=tenancy.Kind.SYSTEM, provider=access.provider, label="profile"))


def _profile(access: Access) -> ProviderProfile | None:
    return ProviderProfile.objects.visible_to(access).select_related("logo").defer("logo__content").first()


def face(access: Access) -> dict[str, str]:
    """What a document says of the provider, to be frozen in it."""
    profile, name = _profile(access), access.provider.name
    if profile is None:
        profile = ProviderProfile(legal_name=name)
    return {
        "name": name,
        "legal_name": profile.legal_name or name,
        "address": profile.address,
        "tax_id": profile.tax_id,
        "support_email": profile.support_email,
        "support_phone": profile.support_phone,
        "support_url": profile.support_url,
        "brand_colour": profile.brand_colour,
        "logo_sha256": profile.logo.sha256 if profile.logo else "",
    }


def change_profile(access: Access, *, now: datetime, **details: str) -> ProviderProfile:
    """Set the given ones of DETAILS; what is not given, or is as it was, is not written. Documents that are issued
    keep what they say: they hold a copy of their own."""
    if unknown := details.keys() - set(DETAILS):
        raise TypeError(f"no details of a provider: {sorted(unknown)}")
    if details.get("legal_name") == "":
        raise Refused("A document needs the company's legal name.", code="profile.name_missing")
    _refuse_link(details.get("support_url", ""))
    if "brand_colour" in details:
        details["brand_colour"] = brand.checked(details["brand_colour"])
    return _write(access, details, now=now)


def _write(access: Access, details: dict[str, str], *, now: datetime) -> ProviderProfile:
    with transaction.atomic():
        row = ProviderProfile.objects.visible_to(access).select_for_update().get()
        changed = sorted(name for name, value in details.items() if getattr(row, name) != value)
        if not changed:
            return row
        for name in changed:
            setattr(row, name, details[name])
        row.save(update_fields=changed)
        audit.record(access, "provider.profile_changed", access.provider.code, now=now, changed=" ".join(changed))
    return row


def _refuse_link(url: str) -> None:
    if not url:
        return
    try:
        URLValidator(schemes=["https"])(url)
    except ValidationError as error:
        raise Refused(
            "Write where help is found in full, beginning with https://.", code="profile.url_invalid"
        ) from error
