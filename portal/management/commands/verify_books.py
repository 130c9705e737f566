"""Recompute what must always hold of the books; non-zero when anything does not."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing.verify import problems
from customers import tenancy
from customers.models import Provider
from portal.management.operator import operator_of


class Command(BaseCommand):
    help = "Check numbers, journals, documents and balances of every provider, also of suspended ones."

    def handle(self, *args: Any, **options: Any) -> None:
        problem_count = 0
        for provider in Provider.objects.order_by("slug"):
            access = operator_of(provider)
            with tenancy.access_context(access):
                wrong = problems(access)
            problem_count += len(wrong)
            for sentence in wrong:
                self.stderr.write(f"{provider.slug}: {sentence}")
        if problem_count:
            raise CommandError(f"The books have {problem_count} problems.")
        self.stdout.write("The books agree.")
