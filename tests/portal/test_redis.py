"""Whoever can write Redis can disturb the portal, and cannot run code in it."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from kombu.exceptions import ContentDisallowed

from portal.celery import app

SIGN_IN = {"login": "somebody@x.example", "password": "wrong wrong wrong"}


class Trap:
    """Unpickled it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


@pytest.fixture
def trap(tmp_path: Path) -> Trap:
    return Trap(tmp_path / "sprung")


def planted(key: str, value: bytes) -> None:
    client = cache._cache.get_client(None, write=True)  # type: ignore[attr-defined]  # Redis itself, past the serializer
    client.set(cache.make_key(key), value)


def test_a_pickle_in_the_cache_is_not_run(trap: Trap) -> None:
    pickle.loads(pickle.dumps(Trap(trap.path.with_name("works"))))
    assert trap.path.with_name("works").exists()
    planted("probe", pickle.dumps(trap))

    with pytest.raises(ValueError, match=r"utf-8|Expecting"):
        cache.get("probe")

    assert not trap.path.exists()


@pytest.mark.django_db
def test_pickles_under_every_key_of_a_sign_in_are_not_run(trap: Trap) -> None:
    cache.clear()
    Client().post("/account/login/", SIGN_IN)
    client = cache._cache.get_client(None, write=True)  # type: ignore[attr-defined]  # Redis itself
    keys = list(client.scan_iter("portal:*"))
    assert keys
    for key in keys:
        client.set(key, pickle.dumps(trap))

    browser = Client(raise_request_exception=False)
    answer = browser.post("/account/login/", SIGN_IN)

    cache.clear()
    assert (answer.status_code, trap.path.exists()) == (500, False)


@pytest.mark.parametrize("value", [0, -5, 1.5, "y", True, None, [1.25, 2.5], {"a": ["b"]}])
def test_the_cache_gives_back_what_it_was_given(value: Any) -> None:
    cache.set("probe", value, 10)

    kept = cache.get("probe", "nothing")

    assert (kept, type(kept)) == (value, type(value))


def test_the_cache_counts() -> None:
    cache.set("probe", 1, 10)

    assert (cache.incr("probe"), cache.get("probe")) == (2, 2)


def test_workers_take_no_pickled_task(trap: Trap) -> None:
    with app.connection_for_write() as connection, connection.SimpleQueue("probe", serializer="pickle") as queue:
        queue.put({"task": trap})
        with app.connection_for_read() as reader, reader.channel() as channel:
            message = queue.queue(channel).get(accept=app.conf.accept_content)
            assert message is not None
            with pytest.raises(ContentDisallowed):
                message.decode()
            message.ack()

    assert not trap.path.exists()


def test_nothing_that_is_kept_is_a_pickle() -> None:
    kinds = (app.conf.task_serializer, app.conf.result_serializer, app.conf.event_serializer)
    assert (kinds, list(app.conf.accept_content)) == (("json",) * 3, ["json"])
    assert app.conf.result_accept_content in (None, ["json"])
    assert settings.SESSION_SERIALIZER == "django.contrib.sessions.serializers.JSONSerializer"
