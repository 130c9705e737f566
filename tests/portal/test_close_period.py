"""The command that closes a month: it issues what can be issued, and its exit status tells of the rest."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from billing.models import Document
from customers import tenancy
from mining.models import MiningAccount
from tests.world import NOW, Tenant, World


def close(tenant: Tenant) -> None:
    call_command("close_period", provider=tenant.provider.slug, period="2026-10", issue=True)


@pytest.mark.django_db
def test_a_customer_who_is_held_is_named_and_does_not_stop_the_others(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    north, account = world.north, world.north.clients[0].account
    with tenancy.access_context(north.system):
        MiningAccount.objects.filter(pk=account.pk).update(payout_drift_since=NOW)

    with pytest.raises(CommandError, match=f"Not issued. {world.north.clients[0].customer.name} is held"):
        close(north)

    with tenancy.access_context(north.system):
        issued = dict(Document.objects.visible_to(north.system).values_list("customer", "status"))
        MiningAccount.objects.filter(pk=account.pk).update(payout_drift_since=None)
    assert issued == {north.clients[0].customer.pk: "draft", north.clients[1].customer.pk: "issued"}

    close(north)
    with tenancy.access_context(north.system):
        assert set(Document.objects.visible_to(north.system).values_list("status", flat=True)) == {"issued"}
