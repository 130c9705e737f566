"""What the servers are like: roles, settings, who may reach them."""

import psycopg
import pytest
import redis

from tests.devkit.servers.launcher import only_linux, sockets_folder

pytestmark = only_linux


def test_neither_role_is_superuser_and_only_the_owner_makes_databases(servers: dict[str, str]) -> None:
    with psycopg.connect(servers["DATABASE_URL"]) as connection:
        roles = connection.execute(
            "SELECT rolname, rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolbypassrls, rolreplication "
            "FROM pg_roles WHERE rolname LIKE 'portal%' ORDER BY rolname"
        ).fetchall()
        owners = connection.execute(
            "SELECT (SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'portal'), "
            "(SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'public'), current_user"
        ).fetchone()
    assert roles == [
        ("portal_owner", True, False, True, True, False, False),
        ("portal_runtime", True, False, False, False, False, False),
    ]
    assert owners == ("portal_owner", "portal_owner", "portal_runtime")


def test_the_owner_has_none_of_the_runtime_roles_rights_and_the_reverse(servers: dict[str, str]) -> None:
    with psycopg.connect(servers["DATABASE_OWNER_URL"]) as connection:
        inherits = connection.execute(
            "SELECT pg_has_role('portal_owner', 'portal_runtime', 'USAGE'), "
            "pg_has_role('portal_runtime', 'portal_owner', 'MEMBER')"
        ).fetchone()
    assert inherits == (False, False)


def test_the_runtime_role_may_use_temporary_tables_but_not_make_lasting_ones(servers: dict[str, str]) -> None:
    with psycopg.connect(servers["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("CREATE TEMP TABLE passing (id int)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE lasting (id int)")


def test_the_owner_makes_copies_of_databases_and_drops_them(servers: dict[str, str]) -> None:
    with psycopg.connect(servers["DATABASE_OWNER_URL"], autocommit=True) as connection:
        connection.execute("CREATE DATABASE test_template")
        connection.execute("CREATE DATABASE test_copy TEMPLATE test_template")
    with psycopg.connect(servers["DATABASE_OWNER_URL"], dbname="test_copy") as copy:
        copy.execute("CREATE TABLE lasting (id int)")
    with (
        psycopg.connect(servers["DATABASE_URL"], dbname="test_copy") as as_runtime,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        as_runtime.execute("CREATE TABLE another (id int)")
    with psycopg.connect(servers["DATABASE_OWNER_URL"], autocommit=True) as connection:
        connection.execute("DROP DATABASE test_copy")
        connection.execute("DROP DATABASE test_template")


def test_the_settings_are_those_the_portal_counts_on(servers: dict[str, str]) -> None:
    names = ("jit", "listen_addresses", "max_connections", "TimeZone", "server_encoding", "data_checksums", "fsync")
    with psycopg.connect(servers["DATABASE_OWNER_URL"]) as connection:
        owner = [connection.execute("SELECT current_setting(%s)", [name]).fetchone() for name in names]
    with psycopg.connect(servers["DATABASE_URL"]) as connection:
        limits = connection.execute(
            "SELECT current_setting('statement_timeout'), current_setting('idle_in_transaction_session_timeout')"
        ).fetchone()
    assert owner == [("off",), ("",), ("100",), ("UTC",), ("UTF8",), ("on",), ("off",)]
    assert limits == ("30s", "15s")


def test_letters_beyond_ascii_are_letters(servers: dict[str, str]) -> None:
    with psycopg.connect(servers["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT upper('élan')").fetchone() == ("ÉLAN",)


def test_valkey_forgets_nothing_for_want_of_memory(servers: dict[str, str]) -> None:
    with redis.Redis.from_url(servers["REDIS_URL"]) as connection:
        policy = connection.config_get("maxmemory-policy")
    assert policy == {"maxmemory-policy": "noeviction"}


def test_sockets_and_data_are_closed_to_others(servers: dict[str, str]) -> None:
    folder = sockets_folder(servers)
    assert {oct(place.stat().st_mode & 0o777) for place in (folder, folder.parent, folder.parent / "postgres")} == {
        "0o700"
    }
