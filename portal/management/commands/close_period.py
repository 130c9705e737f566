"""Close an ended month: draft the documents of every contract, and issue them when asked to."""

from datetime import date, datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from billing import rereading
from billing.holds.drafts import why_held
from billing.issue import issue
from billing.models import Document
from billing.models.documents import DocumentStatus
from billing.settlement import close_period, month_of
from customers import tenancy
from portal.management.operator import OperatorCommand, access_to


class Command(OperatorCommand):
    help = "Draft (and with --issue number and freeze) the documents of one ended month. Safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--provider", required=True, metavar="SLUG")
        parser.add_argument("--period", required=True, metavar="YYYY-MM")
        parser.add_argument("--issue", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        access, month, now = access_to(options["provider"]), _month(options["period"]), timezone.now()
        with tenancy.access_context(access):
            documents = close_period(access, month=month, now=now)
            held = why_held(access, documents)
            unread = rereading.in_words(access, month_of(month))
        for document in documents:
            self._show(access, document, issue_it=options["issue"] and document.pk not in held)
        if not documents:
            self.stdout.write("Nothing to bill in this period.")
        if unread:
            self.stdout.write(unread)
        if held and options["issue"]:
            raise CommandError("Not issued. " + "\n".join(map(str, held.values())))

    def _show(self, access: tenancy.Access, document: Document, *, issue_it: bool) -> None:
        # One transaction a document: a refusal of one leaves the numbers of the others.
        if issue_it and document.status == DocumentStatus.DRAFT:
            with tenancy.access_context(access):
                document = issue(access, document, now=timezone.now())
        name = document.number or document.status
        self.stdout.write(f"{document.code}  {name}  {document.type}  {abs(document.balance_sat)} sat")


def _month(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m").date()  # noqa: DTZ007 - a month has no zone
    except ValueError as error:
        raise CommandError("--period must be a month such as 2026-10.") from error
