"""The test databases (docs/decisions/0005): made and migrated by the owner, kept as templates, met as the runtime.

There are two: an empty one, and one that holds the world of tests, which is built once and not for each test. A test's
changes are rolled back; after a transactional test a copy of the template takes the place of its database.
"""

from __future__ import annotations

import contextlib
import os
import pickle
from typing import TYPE_CHECKING

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections
from django.test import override_settings

from portal.database import _connect
from tests.waiting import until

if TYPE_CHECKING:
    from tests.world import World

CHEAP_PASSWORDS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# The processes of one run (make test) share the server and the migrated template, and nothing else.
_RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID", "alone")
_PROCESS = os.environ.get("PYTEST_XDIST_WORKER", "")
MIGRATED = f"portal_test_template_{_RUN}"
WORLD_TEMPLATE = f"{MIGRATED}_{_PROCESS}"
EMPTY = f"portal_test_empty_{_RUN}_{_PROCESS}"
WORLD = f"portal_test_world_{_RUN}_{_PROCESS}"
TEMPLATE_OF = {EMPTY: MIGRATED, WORLD: WORLD_TEMPLATE}

_pickled_world: bytes | None = None
_wanted = EMPTY
# Held shared for as long as this process may copy the migrated template.
_in_use: psycopg.Connection[object] | None = None


def make(*, with_world: bool) -> None:
    _make_empty()
    if with_world:
        _make_world()
    _use(_wanted)


def _make_empty() -> None:
    """Of several processes the first migrates, and the others wait for it."""
    global _in_use
    _in_use = _connect(settings.OWNER_DATABASE)
    _in_use.execute("SELECT pg_advisory_lock_shared(hashtext(%s))", [MIGRATED])
    with _connect(settings.OWNER_DATABASE) as session:
        session.execute("SELECT pg_advisory_lock(hashtext('portal_test'))")
        if not (_PROCESS and _exists(session, MIGRATED)):
            _drop(MIGRATED)
            unfinished = f"{MIGRATED}_0"
            _drop(unfinished)
            session.execute(f"CREATE DATABASE {unfinished}")
            _use(unfinished)
            call_command("migrate", verbosity=0, interactive=False)
            connections.close_all()
            session.execute(f"ALTER DATABASE {unfinished} RENAME TO {MIGRATED}")
        _copy(MIGRATED, to=EMPTY)


def _make_world() -> None:
    from tests.world import build_world

    global _pickled_world
    _copy(MIGRATED, to=WORLD_TEMPLATE)
    _use(WORLD_TEMPLATE)
    with override_settings(PASSWORD_HASHERS=CHEAP_PASSWORDS):
        _pickled_world = pickle.dumps(build_world())
    _copy(WORLD_TEMPLATE, to=WORLD)


def world() -> World:
    """The rows of the world as they were built, in objects that no other test has touched."""
    assert connection.settings_dict["NAME"] == WORLD, "the fixture `world` was asked for while the test ran"
    assert _pickled_world is not None
    built: World = pickle.loads(_pickled_world)
    return built


def choose(*, with_world: bool) -> None:
    """Which of the two the next test meets."""
    global _wanted
    _wanted = WORLD if with_world else EMPTY
    name = connection.settings_dict["NAME"]
    if name in TEMPLATE_OF and name != _wanted:
        _use(_wanted)


def make_fresh() -> None:
    """Another copy of the template, about 0.05 s. Not a flush: the runtime role may not TRUNCATE, rightly."""
    name = connection.settings_dict["NAME"]
    _copy(TEMPLATE_OF[name], to=name)


def drop_all() -> None:
    for name in (EMPTY, WORLD, WORLD_TEMPLATE):
        _drop(name)
    if _in_use is not None:
        _in_use.close()
    with _connect(settings.OWNER_DATABASE) as session:
        alone = session.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [MIGRATED]).fetchone()
        if alone == (True,):  # else another process of this run still copies it
            _drop(MIGRATED)


def _exists(session: psycopg.Connection[object], name: str) -> bool:
    return session.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone() is not None


def _copy(template: str, *, to: str) -> None:
    _drop(to)
    with _connect(settings.OWNER_DATABASE) as session:
        # File by file, because the other strategy writes each page to the journal too: 3 times the work.
        session.execute(f"CREATE DATABASE {to} TEMPLATE {template} STRATEGY FILE_COPY")


def _drop(name: str) -> None:
    """FORCE ends the sessions that are left, but may not end a superuser's autovacuum, and then does nothing at all;
    without FORCE the server ends that by itself, but no session. So both, until the database is gone."""
    connections.close_all()

    def gone() -> bool:
        for force in (" WITH (FORCE)", ""):
            with (
                contextlib.suppress(psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectInUse),
                _connect(settings.OWNER_DATABASE) as session,
            ):
                session.execute(f"DROP DATABASE IF EXISTS {name}{force}")
                return True
        return False

    until(gone)


def _use(name: str) -> None:
    connection.close()
    connection.settings_dict["NAME"] = name
    settings.DATABASES["default"]["NAME"] = name
