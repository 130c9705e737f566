"""Fixtures that every room uses. The world of tests is in tests/world.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.test import TransactionTestCase

from portal.environment import sealing_keys
from tests import database, plugin
from tests.world import World


def _asks_for_world(item: pytest.Item) -> bool:
    return "world" in getattr(item, "fixturenames", ())


@pytest.fixture(scope="session")
def django_db_setup(request: pytest.FixtureRequest, django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock():
        database.make(with_world=any(_asks_for_world(item) for item in request.session.items))
    yield
    with django_db_blocker.unblock():
        database.drop_all()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    database.choose(with_world=_asks_for_world(item))


def _new_database_after_test(_case: TransactionTestCase) -> None:
    database.make_fresh()


# Instead of a flush. The stubs do not know the method.
TransactionTestCase._fixture_teardown = _new_database_after_test  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def cheap_passwords(settings: Any) -> None:
    settings.PASSWORD_HASHERS = database.CHEAP_PASSWORDS


@pytest.fixture(autouse=True)
def static_files_as_they_are_asked_for(settings: Any) -> None:
    """Otherwise each test client reads all of them before its first page, as a web server does once."""
    settings.WHITENOISE_AUTOREFRESH = True


@pytest.fixture
def worker_keys(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """This test runs as a worker does: it can open pool keys."""
    monkeypatch.setenv("POOL_SEALING_PRIVATE_KEYS", plugin.PRIVATE_KEYS)
    settings.POOL_SEALING_PRIVATE_KEYS = sealing_keys("POOL_SEALING_PRIVATE_KEYS", "test", required=True)


@pytest.fixture
def world(db: None) -> World:
    """Two providers with two customers each, with alike data that could leak. Nothing is counted of them yet."""
    cache.clear()
    return database.world()
