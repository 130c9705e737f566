"""`migrate` always runs as the owner, and afterwards tells the runtime role what it may do."""

from typing import Any

from django.core.management.commands.migrate import Command as MigrateCommand

from portal.database import as_owner, grant, prepare_roles


class Command(MigrateCommand):
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        prepare_roles()
        with as_owner():
            super().handle(*args, **options)
            if not options["plan"] and not options["check_unapplied"]:
                grant()
