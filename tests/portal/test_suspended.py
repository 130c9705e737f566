"""What the operator's commands do for a suspended provider: nothing, but its books are verified."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from billing import tasks
from billing.issue import issue
from billing.models import DocumentFile
from billing.settlement import close_period
from customers import tenancy
from customers.models import Provider
from customers.tenancy import Access
from tests.billing.books import OCTOBER
from tests.world import NOW, World


@pytest.fixture
def suspended(world: World) -> str:
    Provider.objects.filter(pk=world.north.provider.pk).update(status=Provider.Status.SUSPENDED)
    return world.north.provider.slug


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
    tasks.render_missing()
    tasks.render(access.provider.pk, draft.pk)
    with tenancy.access_context(access):
        assert not DocumentFile.objects.filter(document=draft.pk).exists()

    Provider.objects.filter(pk=access.provider.pk).update(status=Provider.Status.ACTIVE)
    tasks.render_missing()
    with tenancy.access_context(access):
        assert DocumentFile.objects.filter(document=draft.pk).exists()
