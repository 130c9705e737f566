"""`migrate` always runs as the owner, then tells the runtime role what it may do, and makes the months ahead."""

from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands.migrate import Command as MigrateCommand
from django.db.migrations.exceptions import MigrationSchemaMissing
from django.utils import timezone

from mining.fleet import partitions
from portal.database import as_owner, grant, prepare_roles


class Command(MigrateCommand):
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        prepare_roles()
        with as_owner():
            try:
                super().handle(*args, **options)
            except MigrationSchemaMissing as error:
                raise CommandError(
                    "The owner may not create tables in this database. Set DATABASE_OWNER_URL to a role that owns it."
                ) from error
            if not options["plan"] and not options["check_unapplied"]:
                grant()
                partitions.make_ahead(now=timezone.now())
