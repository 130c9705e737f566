from __future__ import annotations

from collections.abc import Iterator

import pytest
import time_machine

from tests.portal.customer.scenes import read_the_pool
from tests.world import NOW, Tenant, World


@pytest.fixture
def at_now() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def world(world: World, at_now: None) -> World:
    """The world of tests at its own moment, with the pool read four minutes ago."""
    for tenant in (world.north, world.south):
        for index in range(len(tenant.clients)):
            read_the_pool(tenant, index=index)
    return world


@pytest.fixture
def north(world: World) -> Tenant:
    return world.north
