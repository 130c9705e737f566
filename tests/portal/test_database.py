"""DATABASE_URL alone is enough (docs/decisions/0002), on a cluster of its own where no role of ours exists yet."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from devkit import servers

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def cluster() -> Iterator[str]:
    """The query of a URL that leads to a cluster without our roles."""
    kept = {name: os.environ.pop(name) for name in ("DATABASE_URL", "DATABASE_OWNER_URL") if name in os.environ}
    try:
        with servers.running(None) as addresses:
            query = urlsplit(addresses["DATABASE_URL"]).query
            with psycopg.connect(f"postgresql://postgres@/postgres?{query}", autocommit=True) as session:
                for role in ("portal_owner", "portal_runtime"):
                    session.execute(f"ALTER ROLE {role} RENAME TO former_{role}")
                session.execute("ALTER DATABASE portal RENAME TO former_portal")
            yield query
    finally:
        os.environ.update(kept)


def manage(*words: str, **changes: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DATABASE_")} | changes
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


WHO = "from django.db import connection as c; k = c.cursor(); k.execute('SELECT current_user'); print(k.fetchone()[0])"
SAFE = "from portal.database import why_runtime_is_unsafe; print(why_runtime_is_unsafe())"


def database(query: str, role: str, options: str) -> str:
    with psycopg.connect(f"postgresql://postgres@/postgres?{query}", autocommit=True) as session:
        if role != "postgres":
            session.execute(f"CREATE ROLE {role} LOGIN {options}")
        session.execute(f"CREATE DATABASE of_{role} OWNER {role} TEMPLATE template0")
    return f"postgresql://{role}@/of_{role}?{query}"


def test_a_role_that_neither_owns_nor_creates_roles_is_told_what_to_set(cluster: str) -> None:
    url = database(cluster, "plain", "NOCREATEROLE")
    done = manage("migrate", DATABASE_URL=url)
    assert done.returncode != 0
    assert "Set DATABASE_OWNER_URL" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_owner_that_may_not_create_tables_is_told_so(cluster: str) -> None:
    url = database(cluster, "guest", "CREATEROLE")
    with psycopg.connect(url.replace("guest@", "postgres@"), autocommit=True) as session:
        session.execute("ALTER SCHEMA public OWNER TO postgres")
        session.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    done = manage("migrate", DATABASE_URL=url)
    assert done.returncode != 0
    assert "may not create tables" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.long
@pytest.mark.parametrize(("role", "options"), [("solo", "CREATEROLE"), ("postgres", "")])
def test_one_address_is_taken_as_the_owners_and_the_runtime_role_is_assumed(
    cluster: str, role: str, options: str
) -> None:
    url = database(cluster, role, options)
    first = manage("migrate", DATABASE_URL=url)
    assert first.returncode == 0, first.stderr
    again = manage("migrate", DATABASE_URL=url)
    assert (again.returncode, again.stderr) == (0, "")
    assert manage("shell", "--no-imports", "-c", f"{WHO}; {SAFE}", DATABASE_URL=url).stdout == "portal_runtime\nNone\n"


def test_the_owners_address_as_runtime_is_refused_by_the_web_server(cluster: str) -> None:
    url = database(cluster, "single", "CREATEROLE")
    owning_one_is_enough = manage("migrate", "contenttypes", DATABASE_URL=url, DATABASE_OWNER_URL=url)
    assert owning_one_is_enough.returncode == 0, owning_one_is_enough.stderr
    done = manage("shell", "--no-imports", "-c", "import portal.wsgi", DATABASE_URL=url, DATABASE_OWNER_URL=url)
    assert done.returncode != 0
    assert "owns tables, so row-level security would not hold" in done.stderr
