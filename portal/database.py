"""The two roles: `portal_runtime` works, the owner migrates. Everything that runs as owner goes through here."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.conf import settings
from django.db import OperationalError, connection, transaction

from customers.row_security import grant_runtime
from portal.environment import RUNTIME_ROLE, refuse

OWNER_ROLE = "portal_owner"


@contextmanager
def as_owner() -> Iterator[None]:
    """Inside, the default connection is the owner's: for migrate, backups and the tests' set-up."""
    runtime = connection.settings_dict
    connection.close()
    connection.settings_dict = {**runtime, **_owner_settings(runtime["NAME"])}
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict = runtime


def _owner_settings(name: str) -> dict[str, Any]:
    owner = {**settings.OWNER_DATABASE, "NAME": name}
    owner["OPTIONS"] = {
        **owner["OPTIONS"],
        **({"options": f"-c role={OWNER_ROLE}"} if _is_superuser(owner) else {}),
    }
    return owner


def _connect(config: dict[str, Any]) -> psycopg.Connection[Any]:
    arguments = {"dbname": config["NAME"], "user": config["USER"], "password": config["PASSWORD"]}
    arguments |= {"host": config["HOST"], "port": config["PORT"], **config["OPTIONS"]}
    return psycopg.connect(**{key: value for key, value in arguments.items() if value}, autocommit=True)


def _is_superuser(config: dict[str, Any]) -> bool:
    with _connect(config) as session:
        row = session.execute("SELECT rolsuper FROM pg_roles WHERE rolname = session_user").fetchone()
    return bool(row and row[0])


def prepare_roles() -> None:
    """With DATABASE_URL alone: make the runtime role (and, for a superuser, an owner that is none), and say so."""
    try:
        if (
            settings.RUNTIME_ROLE == RUNTIME_ROLE
            and settings.OWNER_DATABASE["USER"] == settings.DATABASES["default"]["USER"]
        ):
            _make_roles(settings.OWNER_DATABASE)
    except psycopg.OperationalError as error:
        refuse(f"the database can not be reached: {str(error).strip().splitlines()[0]}")


def _make_roles(config: dict[str, Any]) -> None:
    with _connect(config) as session:
        ((me, superuser, creates_roles),) = session.execute(
            "SELECT rolname, rolsuper, rolcreaterole FROM pg_roles WHERE rolname = session_user"
        ).fetchall()
        wanted = [RUNTIME_ROLE, OWNER_ROLE] if superuser else [RUNTIME_ROLE]
        existing = {row[0] for row in session.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", [wanted])}
        missing = [role for role in wanted if role not in existing]
        if missing and not (superuser or creates_roles):
            refuse(
                f"the role {me!r} of DATABASE_URL can not create roles. Set DATABASE_OWNER_URL to the role that owns"
                " the tables, and DATABASE_URL to a role that owns none."
            )
        for role in missing:
            session.execute(f"CREATE ROLE {role} NOLOGIN NOSUPERUSER NOBYPASSRLS")
            sys.stderr.write(f"Made the role {role}: DATABASE_OWNER_URL is not set, so {me} is taken as the owner.\n")
        if not superuser:
            _let_assume(session, me)
        if superuser:
            session.execute(f"GRANT CREATE ON DATABASE {_quoted(config['NAME'])} TO {OWNER_ROLE}")
            session.execute(f"GRANT ALL ON SCHEMA public TO {OWNER_ROLE}")
        session.execute(f"GRANT CONNECT, TEMPORARY ON DATABASE {_quoted(config['NAME'])} TO {RUNTIME_ROLE}")


def _let_assume(session: psycopg.Connection[Any], me: str) -> None:
    ((may,),) = session.execute("SELECT pg_has_role(current_user, %s, 'SET')", [RUNTIME_ROLE]).fetchall()
    if may:
        return
    try:
        session.execute(f"GRANT {RUNTIME_ROLE} TO CURRENT_USER WITH INHERIT FALSE, SET TRUE")
    except psycopg.errors.InsufficientPrivilege:
        refuse(
            f"the role {me!r} of DATABASE_URL may not act as {RUNTIME_ROLE}, which somebody else made. Set"
            f" DATABASE_OWNER_URL to {me!r}'s address, and DATABASE_URL to that of {RUNTIME_ROLE}."
        )


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)


def grant() -> None:
    """After a migrate, as owner: what the runtime role may do. At once: a web server that runs meanwhile keeps its
    rights until it has the new ones."""
    with transaction.atomic(), connection.cursor() as cursor:
        grant_runtime(cursor, settings.RUNTIME_ROLE)


UNSAFE_ROLE = """
SELECT CASE
    WHEN r.rolsuper THEN 'is a superuser'
    WHEN r.rolbypassrls THEN 'has BYPASSRLS'
    WHEN EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                 WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND c.relowner = r.oid) THEN 'owns tables'
    WHEN EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                 WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p')
                   AND has_table_privilege(r.oid, c.oid, 'TRUNCATE')) THEN 'may TRUNCATE tables'
END FROM pg_roles r WHERE r.rolname = current_user
"""


def why_runtime_is_unsafe() -> str | None:
    """None, or what is wrong with the role that web and workers use: it must stay behind the policies."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(UNSAFE_ROLE)
            (fault,) = cursor.fetchone()
    except OperationalError as error:
        return f"The database can not be reached: {str(error).strip().splitlines()[0]}"
    if fault is None:
        return None
    return f"The role of DATABASE_URL {fault}, so row-level security would not hold. Use a role that owns nothing."


def refuse_unsafe_runtime() -> None:
    """Start of the web server and of a worker: not with a role that stands above the policies."""
    fault = why_runtime_is_unsafe()
    connection.close()
    if fault is not None:
        refuse(fault)
