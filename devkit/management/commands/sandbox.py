"""Run the WhitePool sandbox: the pool as the portal meets it, for development and for trying things out."""

import sys

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Run the WhitePool sandbox on this machine. It needs neither database nor Redis."

    def run_from_argv(self, argv: list[str]) -> None:
        """Handed through as they are: the sandbox has a parser of its own, with one sentence for a mistake."""
        # Imported here: the sandbox's server is in no production image.
        from devkit.sandbox.__main__ import main

        sys.exit(main(argv[2:], program="manage.py sandbox"))
