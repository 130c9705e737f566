"""The operator's commands act for one provider at a time, as a system that the audit names."""

from django.core.management.base import CommandError

from customers.models import Provider
from customers.tenancy import Access, Kind


def access_to(slug: str) -> Access:
    provider = Provider.objects.filter(slug=slug).first()
    if provider is None:
        raise CommandError(f"No provider has the slug {slug!r}. List them with: manage.py provider list")
    if provider.status == Provider.Status.SUSPENDED:
        raise CommandError(f"The provider {slug!r} is suspended: nothing is done for it.")
    return operator_of(provider)


def operator_of(provider: Provider) -> Access:
    return Access(kind=Kind.SYSTEM, provider=provider, label="operator")
