"""What a provider shows of itself to its customers: its full name and where to ask for help."""

from __future__ import annotations

from customers import tenancy
from customers.models import ProviderProfile
from customers.tenancy import Access


def profile_of(access: Access) -> ProviderProfile | None:
    """The profile of the access's own provider, for staff and customers alike.

    The row names no customer, so the database shows it only in a context of every customer: it is opened here for
    this one read. Path not taken: a policy without the customer, which the next field of the row would inherit.
    """
    with tenancy.provider_context(access.provider.pk):
        return ProviderProfile.objects.visible_to(_whole(access)).first()


def _whole(access: Access) -> Access:
    return Access(kind=tenancy.Kind.SYSTEM, provider=access.provider, label="profile")
