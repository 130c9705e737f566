"""Make a pair of sealing keys and print the two settings."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from customers.sealing import new_key_pair


class Command(BaseCommand):
    help = "Print a new pair of sealing keys: the public one for all, the private one for workers only."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--id", default="k1", help="the key's id; a later key needs another (default: k1)")

    def handle(self, *args: Any, **options: Any) -> None:
        private, public = new_key_pair()
        self.stdout.write(f"POOL_SEALING_PUBLIC_KEYS={options['id']}:{public}")
        self.stdout.write(f"POOL_SEALING_PRIVATE_KEYS={options['id']}:{private}")
