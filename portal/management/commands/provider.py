"""The operator's acts for providers: list, create, suspend and resume them, give one an API token, seal a pool key."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser
from django.core.validators import validate_email, validate_slug
from django.db import transaction
from django.utils import timezone

from customers import onboarding, tenancy, tokens
from customers.models import MemberKind, Provider, Role
from customers.providers import set_status
from customers.text import NOTHING_VISIBLE, normal
from mining.keys import store as key_store
from mining.keys import verification
from portal.api.auth import unknown_scopes
from portal.invitations import send_invitation
from portal.management.operator import OperatorCommand, access_to, operator_of, provider_named


class Command(OperatorCommand):
    help = (
        "List providers, create one with its first owner, suspend one or let it go on, make an API token,"
        " or seal and verify a pool key."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser("list")
        create = acts.add_parser("create")
        create.add_argument("--slug", required=True)
        create.add_argument("--name", required=True)
        create.add_argument("--owner-email", required=True)
        acts.add_parser("suspend").add_argument("--slug", required=True)
        acts.add_parser("resume").add_argument("--slug", required=True)
        token = acts.add_parser("token")
        token.add_argument("--slug", required=True)
        token.add_argument("--scopes", required=True, help="comma-separated, such as rewards:read,customers:write or *")
        token.add_argument("--name", required=True)
        end = token.add_mutually_exclusive_group()
        end.add_argument("--days", type=int, default=tokens.DEFAULT_DAYS, help="how long it lasts (365; at most 731)")
        end.add_argument("--never-ends", action="store_true")
        credential = acts.add_parser("credential")
        credential.add_argument("--slug", required=True)
        credential.add_argument("--label", required=True, help="a name of your own for the WhiteBIT user")
        credential.add_argument("--api-key", required=True)
        credential.add_argument(
            "--secret-file", required=True, help="a file that holds the secret; - reads it from stdin"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        {
            "list": self.list,
            "create": self.create,
            "suspend": self.suspend,
            "resume": self.resume,
            "token": self.token,
            "credential": self.credential,
        }[options["act"]](options)

    def list(self, options: dict[str, Any]) -> None:
        for provider in Provider.objects.order_by("slug"):
            self.stdout.write(f"{provider.slug}  {provider.status}  {provider.name}")

    @transaction.atomic
    def create(self, options: dict[str, Any]) -> None:
        _check(validate_slug, options["slug"], "--slug takes letters, digits, - and _ only.")
        _check(validate_email, options["owner_email"], "--owner-email is not an e-mail address.")
        if Provider.objects.filter(slug=options["slug"]).exists():
            raise CommandError(f"A provider with the slug {options['slug']!r} exists. Choose another slug.")
        now = timezone.now()
        access = onboarding.create_provider(slug=options["slug"], name=_words(options["name"], "--name"), now=now)
        with tenancy.access_context(access):
            invited = onboarding.invite(
                access, email=options["owner_email"], kind=MemberKind.STAFF, role=Role.OWNER, now=now
            )
            link = send_invitation(invited)
        self.stdout.write(f"Provider {options['slug']} stands. The owner's invitation was mailed; its link: {link}")

    def suspend(self, options: dict[str, Any]) -> None:
        operator = operator_of(provider_named(options["slug"]))
        if not set_status(operator, Provider.Status.SUSPENDED, now=timezone.now()):
            raise CommandError(f"The provider {options['slug']!r} is suspended already.")
        self.stdout.write(
            f"Provider {options['slug']} is suspended: nobody signs in to it, its API tokens are refused, and nothing"
            " is read, planned, closed, rendered or mailed for it. Nothing is deleted."
        )

    def resume(self, options: dict[str, Any]) -> None:
        operator = operator_of(provider_named(options["slug"]))
        if not set_status(operator, Provider.Status.ACTIVE, now=timezone.now()):
            raise CommandError(f"The provider {options['slug']!r} is active already.")
        self.stdout.write(f"Provider {options['slug']} is active again. What was due meanwhile is read first.")

    def token(self, options: dict[str, Any]) -> None:
        scopes = [scope.strip() for scope in options["scopes"].split(",") if scope.strip()]
        if unknown := unknown_scopes(scopes):
            raise CommandError(f"Unknown scope {unknown[0]!r}. Scopes are resource:read, resource:write, *:read or *.")
        access = access_to(options["slug"])
        now = timezone.now()
        ends_on = None if options["never_ends"] else now.date() + timedelta(days=options["days"])
        with tenancy.access_context(access):
            made = tokens.make_token(
                access, name=_words(options["name"], "--name"), scopes=scopes, ends_on=ends_on, now=now
            )
        self.stdout.write(made.secret)

    def credential(self, options: dict[str, Any]) -> None:
        access = access_to(options["slug"])
        with tenancy.access_context(access):
            credential = key_store.paste_key(
                access,
                login_name=options["label"],
                api_key=options["api_key"],
                secret=_secret(options["secret_file"]),
                now=timezone.now(),
            )
        verification.verify(access.provider.pk, credential.pk, now=timezone.now())
        self.stdout.write(
            f"The key {credential.code} is sealed, verified and active for the login {credential.login.name}."
        )


def _words(text: str, option: str) -> str:
    kept = normal(text)
    if not kept:
        raise CommandError(f"{option} is empty. {NOTHING_VISIBLE}")
    return kept


def _check(validator: Any, value: str, sentence: str) -> None:
    try:
        validator(value)
    except ValidationError as error:
        raise CommandError(sentence) from error


def _secret(path: str) -> str:
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"--secret-file {path} can not be read ({type(error).__name__}).") from error
