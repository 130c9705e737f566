"""Run the WhitePool sandbox: the pool as the portal meets it, for development and for trying things out."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    help = "Run the WhitePool sandbox on this machine. It needs neither database nor Redis."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", default="8765")
        parser.add_argument("--world", default="demo")
        parser.add_argument("--seed", default="7")

    def handle(self, *args: Any, **options: Any) -> None:
        # Imported here: the sandbox's server is in no production image.
        from mining.pool.sandbox.__main__ import main

        sys.exit(main(["--port", options["port"], "--world", options["world"], "--seed", options["seed"]]))
