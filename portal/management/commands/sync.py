"""Read the pool now, in the foreground; the exit status tells how it went."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from customers import tenancy
from customers.words import counted
from mining.models import SyncRun
from mining.models.runs import Subject
from mining.rewards import rereading
from mining.runner import sync_provider
from portal.management.operator import access_to


class Command(BaseCommand):
    help = "Read a provider's accounts, rewards, hashrate, workers and payout destinations from the pool, now."

    def add_arguments(self, parser: CommandParser) -> None:
        subjects = [subject.value for subject in Subject if subject != Subject.KEY]
        parser.add_argument("--provider", required=True, metavar="SLUG")
        parser.add_argument("--only", choices=subjects)

    def handle(self, *args: Any, **options: Any) -> None:
        access = access_to(options["provider"])
        only = Subject(options["only"]) if options["only"] else None
        runs = sync_provider(access.provider.pk, only=only, now=timezone.now())
        if not runs:
            raise CommandError("There is no active pool key. Add one with: manage.py provider credential")
        with tenancy.access_context(access):
            for run in runs:
                self.stdout.write(
                    f"{run.login.name}  {run.subject}: {run.state}, {run.calls} calls, {run.rows_new} new,"
                    f" {run.rows_changed} changed, {run.quarantined} quarantined{': ' + run.error if run.error else ''}"
                )
                if run.unread_fields:
                    self.stdout.write(f"  {run.unread_sentence}")
            again = rereading.progress(access)
            if again is not None:
                self.stdout.write(
                    f"Rewards read again from the first one on: {again.done:,} of {counted(again.accounts, 'account')}."
                    " The next reading goes on."
                )
        bad = [run for run in runs if run.state not in (SyncRun.State.OK, SyncRun.State.PARTIAL)]
        if bad:
            raise CommandError(f"{len(bad)} of {len(runs)} readings failed; what was read before stays as it is.")
