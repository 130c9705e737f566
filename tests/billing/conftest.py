"""Billing's tests run as a system of the north provider, inside its context."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from customers import tenancy
from customers.tenancy import Access
from tests.billing.books import Story, open_story
from tests.world import World


@pytest.fixture
def north(world: World) -> Iterator[Access]:
    with tenancy.access_context(world.north.system):
        yield world.north.system


@pytest.fixture
def story(north: Access) -> Story:
    """Cedar, 15 % of net since 1 October."""
    return open_story(north)
