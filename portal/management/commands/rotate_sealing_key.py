"""Seal every pool key anew with the first public key. Run by a worker's environment; safe to stop and to repeat."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from customers.models import Provider
from customers.sealing import SealError
from mining.keys.rotation import reseal


class Command(BaseCommand):
    help = "After a new first key in POOL_SEALING_PUBLIC_KEYS: seal all with it. Then the old key can be retired."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.POOL_SEALING_PRIVATE_KEYS:
            raise CommandError("POOL_SEALING_PRIVATE_KEYS is not set: run this where the workers run.")
        resealed = 0
        for provider in Provider.objects.order_by("pk"):
            try:
                resealed += reseal(provider.pk)
            except SealError as error:
                raise CommandError(f"{provider.slug}: {error} {resealed} were sealed anew before it.") from error
        newest = next(iter(settings.POOL_SEALING_PUBLIC_KEYS))
        self.stdout.write(f"{resealed} pool keys sealed anew; all are sealed with {newest}. Older keys can be retired.")
