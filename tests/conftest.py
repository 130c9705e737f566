"""Fixtures that every room uses. The world of tests is in tests/world.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import TransactionTestCase

from portal.environment import sealing_keys
from tests import database, plugin
from tests.world import World, build_world


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock():
        database.make_template()
        database.make_fresh()
    yield
    with django_db_blocker.unblock():
        database.drop_all()


def _new_database_after_test(_case: TransactionTestCase) -> None:
    database.make_fresh()


# Instead of a flush. The stubs do not know the method.
TransactionTestCase._fixture_teardown = _new_database_after_test  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def cheap_passwords(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def worker_keys(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """This test runs as a worker does: it can open pool keys."""
    monkeypatch.setenv("POOL_SEALING_PRIVATE_KEYS", plugin.PRIVATE_KEYS)
    settings.POOL_SEALING_PRIVATE_KEYS = sealing_keys("POOL_SEALING_PRIVATE_KEYS", "test", required=True)


@pytest.fixture
def world(db: None) -> World:
    """Two providers with two customers each, with alike data that could leak."""
    return build_world()
