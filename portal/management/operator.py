"""The operator's commands act for one provider at a time, as a system that the audit names."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from customers.errors import Refused
from customers.models import Provider
from customers.tenancy import Access, Kind


class OperatorCommand(BaseCommand):
    """What is refused is told as a sentence, and the exit status is not 0."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal


def provider_named(slug: str) -> Provider:
    provider = Provider.objects.filter(slug=slug).first()
    if provider is None:
        raise CommandError(f"No provider has the slug {slug!r}. List them with: manage.py provider list")
    return provider


def access_to(slug: str) -> Access:
    provider = provider_named(slug)
    if provider.status == Provider.Status.SUSPENDED:
        raise CommandError(f"The provider {slug!r} is suspended: nothing is done for it.")
    return operator_of(provider)


def operator_of(provider: Provider) -> Access:
    return Access(kind=Kind.SYSTEM, provider=provider, label="operator")
