"""Every door of a suspended provider: the operator's commands, sign-in, invitations, the API, the workers' files."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing import tasks
from billing.issue import issue
from billing.models import DocumentFile
from billing.settlement import close_period
from customers import onboarding, tenancy
from customers.models import AuditEntry, MemberKind, Provider, Role
from customers.tenancy import Access
from tests.billing.books import OCTOBER
from tests.world import NOW, World


@pytest.fixture
def suspended(world: World) -> str:
    call_command("provider", "suspend", "--slug", world.north.provider.slug)
    return world.north.provider.slug


@pytest.mark.django_db
def test_nobody_enters_until_it_is_active_again_and_the_audit_has_both(world: World, suspended: str) -> None:
    owner, neighbour = world.north.owner.browser(), world.south.owner.browser()

    away = owner.get("/staff/", follow=True)
    call_command("provider", "resume", "--slug", suspended)

    assert away.redirect_chain[-1][0] == "/choose/"
    assert "Northmere Hosting is suspended: nobody enters until it is active again." in away.content.decode()
    assert (owner.get("/staff/").status_code, neighbour.get("/staff/").status_code) == (200, 200)
    with tenancy.access_context(world.north.system):
        entries = AuditEntry.objects.filter(action__in=["provider.suspended", "provider.resumed"]).order_by("at")
        assert list(entries.values_list("action", "actor")) == [
            ("provider.suspended", "operator"),
            ("provider.resumed", "operator"),
        ]


@pytest.mark.django_db
def test_the_api_says_why_a_good_token_opens_nothing(world: World, suspended: str) -> None:
    answer = world.north.api().get("/api/v1/customers")

    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/provider.suspended")
    guessed = Client(headers={"Authorization": f"Bearer {world.north.token}x"}).get("/api/v1/customers")
    assert guessed.json()["type"] == "/problems/token.unknown"
    assert world.south.api().get("/api/v1/customers").status_code == 200


@pytest.mark.django_db
def test_an_invitation_rests_with_its_provider(world: World) -> None:
    with tenancy.access_context(world.north.system):
        invited = onboarding.invite(
            world.north.system, email="new@x.example", kind=MemberKind.STAFF, role=Role.OWNER, now=timezone.now()
        )
    link = reverse("invitation", args=[invited.secret])

    call_command("provider", "suspend", "--slug", world.north.provider.slug)
    assert Client().get(link).status_code == 404

    call_command("provider", "resume", "--slug", world.north.provider.slug)
    assert Client().get(link).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize(("act", "state"), [("suspend", "suspended"), ("resume", "active")])
def test_doing_it_twice_is_told(world: World, act: str, state: str) -> None:
    Provider.objects.filter(pk=world.north.provider.pk).update(status=state)

    with pytest.raises(CommandError, match=f"The provider 'north' is {state} already"):
        call_command("provider", act, "--slug", "north")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "command",
    [
        ["close_period", "--period", "2026-10", "--provider"],
        ["sync", "--provider"],
        ["provider", "token", "--name", "grafana", "--scopes", "*", "--slug"],
    ],
)
def test_nothing_is_done_for_a_suspended_provider(command: list[str], suspended: str) -> None:
    with pytest.raises(CommandError, match=f"The provider '{suspended}' is suspended: nothing is done for it"):
        call_command(*command, suspended)


@pytest.mark.django_db
def test_the_books_of_a_suspended_provider_are_verified(
    world: World, suspended: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[str] = []

    def note(access: Access) -> list[str]:
        verified.append(access.provider.slug)
        return []

    monkeypatch.setattr("portal.management.commands.verify_books.problems", note)

    call_command("verify_books")

    assert verified == sorted([suspended, world.south.provider.slug])


@pytest.mark.django_db
def test_its_documents_get_their_files_once_it_is_active_again(world: World) -> None:
    access = world.north.system
    with tenancy.access_context(access):
        draft = close_period(access, month=OCTOBER, now=NOW)[0]
        issue(access, draft, now=NOW)

    Provider.objects.filter(pk=access.provider.pk).update(status=Provider.Status.SUSPENDED)
    tasks.make_missing_files()
    tasks.make_files(access.provider.pk, draft.pk)
    with tenancy.access_context(access):
        assert not DocumentFile.objects.filter(document=draft.pk).exists()

    Provider.objects.filter(pk=access.provider.pk).update(status=Provider.Status.ACTIVE)
    tasks.make_missing_files()
    with tenancy.access_context(access):
        assert DocumentFile.objects.filter(document=draft.pk).exists()
