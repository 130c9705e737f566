"""Staff pages are asked at the moment of the world of tests, whatever the day of the machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import time_machine

from tests.world import NOW, Tenant, World


@pytest.fixture(autouse=True)
def at_the_worlds_moment() -> Iterator[None]:
    with time_machine.travel(NOW):
        yield


@pytest.fixture
def north(world: World) -> Tenant:
    return world.north
