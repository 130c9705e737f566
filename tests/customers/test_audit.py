"""Who the audit names."""

from __future__ import annotations

import pytest

from customers import audit, tenancy
from customers.models import AuditEntry
from tests.world import NOW, World


@pytest.mark.django_db
def test_what_a_worker_did_by_itself_is_told_as_a_system_of_that_name(world: World) -> None:
    provider = world.north.provider
    with tenancy.provider_context(provider.pk):
        audit.record_by_worker(provider.pk, "link.gone", "wlk_1", now=NOW, account="north")

        entry = AuditEntry.objects.get(action="link.gone")

    assert (entry.provider, entry.actor_kind, entry.actor) == (provider, "system", "worker")
    assert (entry.subject, entry.at, entry.details) == ("wlk_1", NOW, {"account": "north"})
