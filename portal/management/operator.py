"""The operator's commands act for one provider at a time, as a system that the audit names."""

from django.core.management.base import CommandError

from customers.models import Provider
from customers.tenancy import Access, Kind


def access_to(slug: str) -> Access:
    provider = Provider.objects.filter(slug=slug).first()
    if provider is None:
        raise CommandError(f"No provider has the slug {slug!r}. List them with: manage.py provider list")
    return Access(kind=Kind.SYSTEM, provider=provider, label="operator")
