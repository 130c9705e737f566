"""The test database as DESIGN 17 says: made and migrated by the owner, kept as a template, used as the runtime role."""

from __future__ import annotations

import contextlib

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections

from portal.database import _connect
from tests.waiting import until

TEMPLATE, DATABASE = "portal_test_template", "portal_test"


def _as_maintenance(*statements: str) -> None:
    with _connect(settings.OWNER_DATABASE) as session:
        for statement in statements:
            session.execute(statement)


def make_template() -> None:
    _drop(TEMPLATE)
    _as_maintenance(f"CREATE DATABASE {TEMPLATE}")
    _use(TEMPLATE)
    call_command("migrate", verbosity=0, interactive=False)


def _drop(name: str) -> None:
    """FORCE ends the sessions that are left, but may not end a superuser's autovacuum, and then does nothing at all;
    without FORCE the server ends that by itself, but no session. So both, until the database is gone."""

    def gone() -> bool:
        for force in (" WITH (FORCE)", ""):
            with contextlib.suppress(psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectInUse):
                _as_maintenance(f"DROP DATABASE IF EXISTS {name}{force}")
                return True
        return False

    until(gone)


def make_fresh() -> None:
    """A new database from the template, about 0.1 s. Not a flush: the runtime role may not TRUNCATE, rightly."""
    connections.close_all()
    _drop(DATABASE)
    _as_maintenance(f"CREATE DATABASE {DATABASE} TEMPLATE {TEMPLATE}")
    _use(DATABASE)


def drop_all() -> None:
    connections.close_all()
    for name in (DATABASE, TEMPLATE):
        _drop(name)


def _use(name: str) -> None:
    connection.close()
    connection.settings_dict["NAME"] = name
    settings.DATABASES["default"]["NAME"] = name
