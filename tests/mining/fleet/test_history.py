"""A machine's own time: the same seconds as the account's by names has, each stretch with its reason."""

from __future__ import annotations

from datetime import datetime

import pytest

from customers import tenancy
from mining.fleet import exclusions, history, uptime
from mining.fleet.states import State
from mining.models import Basis, Exclusion, Outage, Worker
from tests.mining.fleet.test_worked_month import NOVEMBER, OCTOBER, october, october_of
from tests.world import ClientOfProvider, Tenant, World


def missing(client: ClientOfProvider, name: str, from_at: datetime, until_at: datetime | None, **facts: object) -> None:
    worker = Worker.objects.get(mining_account=client.account, name=name)
    Outage.objects.create(
        provider=client.account.provider, mining_account=client.account, worker=worker, from_at=from_at,
        from_not_before=from_at, until_at=until_at, until_not_before=until_at, **facts,
    )  # fmt: skip


@pytest.fixture
def north(world: World) -> Tenant:
    with world.north.context():
        for client in world.north.clients:
            october_of(client.account)
    return world.north


@pytest.fixture
def eventful(north: Tenant) -> ClientOfProvider:
    """Machines that fell, were doubted, retired, excluded alone and with their hall, one over the other."""
    client, ours = north.clients[0], north.system
    with north.context():
        missing(client, "rig0", october(3, 6), october(3, 14))
        missing(client, "rig0", october(8, 20), october(9, 14))  # while nothing was read, too
        missing(client, "rig1", october(4), october(4, 6), state="unknown")
        missing(client, "rig2", october(10), None, retired_at=october(20))
        Worker.objects.filter(mining_account=client.account, name="rig2").update(retired_at=october(20))
        missing(client, "rig3", october(5, 3), october(5, 9))
        Worker.objects.filter(mining_account=client.account, name="rig4").update(first_seen_at=october(12), site="roof")
        machine = Worker.objects.get(mining_account=client.account, name="rig3")
        window = {"reason": Exclusion.Reason.POWER, "now": NOVEMBER}
        exclusions.enter(ours, worker=machine, from_at=october(5), until_at=october(5, 6), **window)  # type: ignore[arg-type]
        exclusions.enter(ours, site="hall 2", from_at=october(5, 4), until_at=october(5, 8), **window)  # type: ignore[arg-type]
        exclusions.enter(ours, site="roof", from_at=october(11), until_at=october(13), **window)  # type: ignore[arg-type]
    return client


def test_machines_together_are_the_account_by_names_to_the_second(north: Tenant, eventful: ClientOfProvider) -> None:
    with north.context():
        workers = list(Worker.objects.filter(mining_account=eventful.account))
        each = history.histories(
            north.system, eventful.account, workers, from_at=OCTOBER, until_at=NOVEMBER, now=NOVEMBER
        )
        month = uptime.month(north.system, eventful.account, OCTOBER.date(), basis=Basis.NAMES, now=NOVEMBER)

    sums = history.seconds_in(stretch for stretches in each.values() for stretch in stretches)
    assert sums == {
        State.UP: month.up_s,
        State.DOWN: month.down_s,
        State.EXCLUDED: month.excluded_s,
        State.UNKNOWN: month.unknown_s,
    }
    assert min(sums.values()) > 0


def test_each_stretch_says_what_it_was_and_why(north: Tenant, eventful: ClientOfProvider) -> None:
    with tenancy.access_context(eventful.owner.access):
        machine = Worker.objects.get(mining_account=eventful.account, name="rig3")
        told = history.history(
            eventful.owner.access, eventful.account, machine, from_at=october(5), until_at=october(6), now=NOVEMBER
        )

    assert [(row.from_at.hour, row.until_at.hour, row.state) for row in told] == [
        (0, 6, State.EXCLUDED),  # its own window
        (6, 8, State.EXCLUDED),  # its hall's
        (8, 9, State.DOWN),
        (9, 0, State.UP),
    ]
    assert [row.exclusion.site if row.exclusion else None for row in told] == ["", "hall 2", None, None]
    assert told[2].outage is not None
    assert told[2].outage.from_at == october(5, 3)


def test_a_neighbour_is_told_nothing(north: Tenant, eventful: ClientOfProvider) -> None:
    other = north.clients[1].owner.access
    with north.context():
        machine = Worker.objects.get(mining_account=eventful.account, name="rig0")
    with tenancy.access_context(other):
        told = history.history(other, eventful.account, machine, from_at=october(3), until_at=october(4), now=NOVEMBER)

    assert [row.state for row in told] == [State.UNKNOWN]
