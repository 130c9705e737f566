"""Work that goes on by itself: for every provider but the suspended, and one in trouble stops no other."""

from __future__ import annotations

import inspect

import pytest
from celery import current_app
from structlog.testing import capture_logs

from customers import providers
from customers.models import Provider
from tests.world import Tenant, World

ROOMS = ("mining.", "billing.", "portal.")


def suspend(tenant: Tenant) -> None:
    Provider.objects.filter(pk=tenant.provider.pk).update(status=Provider.Status.SUSPENDED)


@pytest.mark.django_db
def test_one_provider_in_trouble_is_logged_and_stops_no_other(world: World) -> None:
    done: list[int] = []

    def act(provider_id: int) -> None:
        if provider_id == world.north.provider.pk:
            raise ZeroDivisionError
        done.append(provider_id)

    with capture_logs() as logs:
        providers.each_active(act, failed="act.failed")

    assert done == [world.south.provider.pk]
    assert [(entry["event"], entry["provider_id"]) for entry in logs] == [("act.failed", world.north.provider.pk)]


@pytest.mark.django_db
def test_a_suspended_provider_has_no_turn_and_its_queued_tasks_do_nothing(world: World) -> None:
    done: list[tuple[int, int]] = []
    suspend(world.south)

    task = providers.while_active(lambda provider_id, row_id: done.append((provider_id, row_id)))
    providers.each_active(lambda provider_id: task(provider_id, 1), failed="act.failed")
    task(world.south.provider.pk, 2)

    assert done == [(world.north.provider.pk, 1)]


def test_every_task_of_one_provider_rests_while_it_is_suspended() -> None:
    current_app.loader.import_default_modules()  # as a worker does
    ours = [task for name, task in current_app.tasks.items() if name.startswith(ROOMS)]
    of_one = [task for task in ours if "provider_id" in inspect.signature(task.run).parameters]
    door = providers.while_active(lambda _: None).__code__

    assert len(of_one) >= 7
    assert [task.name for task in of_one if task.run.__code__ is not door] == []
