"""The production files: no secret has a default, only workers open pool keys, and the database has two roles."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from devkit.servers import binaries, postgres
from tests.portal.test_database import SAFE, cluster, manage

__all__ = ["cluster"]  # the fixture: a cluster without our roles

ROOT = Path(__file__).resolve().parents[2]
NOT_SECRET = {"TRUSTED_PROXY_COUNT", "WHITEPOOL_BASE_URL", "POOL_EGRESS_ADDRESSES"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return read


def test_no_value_of_the_environment_has_a_default() -> None:
    used = re.findall(r"(?<!\$)\$\{(\w+)([^}]*)\}", (ROOT / "docker-compose.yml").read_text())
    assert {name for name, rule in used if not rule.startswith(":?")} == NOT_SECRET
    example = (ROOT / ".env.example").read_text().splitlines()
    lines = [line for line in example if line and not line.startswith("#")]
    assert {line.removesuffix("=") for line in lines} == {name for name, _ in used} - NOT_SECRET


def test_only_the_worker_gets_private_keys_and_only_migrate_the_owner(compose: dict[str, Any]) -> None:
    environments = {name: str(service.get("environment", {})) for name, service in compose["services"].items()}
    assert [name for name, text in environments.items() if "POOL_SEALING_PRIVATE_KEYS" in text] == ["worker", "worker2"]
    assert [name for name, text in environments.items() if "DATABASE_OWNER_URL" in text] == ["migrate"]


def test_every_lasting_service_has_a_health_check_but_beat(compose: dict[str, Any]) -> None:
    lasting = {name for name in compose["services"] if name != "migrate"}
    checked = {name for name, service in compose["services"].items() if "healthcheck" in service}
    assert lasting - checked == {"beat"}  # it only queues, and the worker sweeps; compose restarts it when it ends


@pytest.mark.long
def test_the_roles_of_the_compose_database_stand_as_the_walls_need_them(cluster: str) -> None:
    host = next(part.removeprefix("host=") for part in cluster.split("&") if part.startswith("host="))
    path = f"{binaries.postgres_bin()}:{os.environ['PATH']}"
    for password in ("one'two", "another"):  # run again it sets the passwords anew
        done = subprocess.run(
            ["sh", ROOT / "docs/deploy/roles.sh"],
            env={"PATH": path, "PGHOST": host, "OWNER_DB_PASSWORD": password, "RUNTIME_DB_PASSWORD": "three"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    owner, runtime = (f"postgresql://{role}@/portal?{cluster}" for role in ("portal_owner", "portal_runtime"))
    migrated = manage("migrate", DATABASE_URL=runtime, DATABASE_OWNER_URL=owner)
    assert migrated.returncode == 0, migrated.stderr
    assert manage("shell", "--no-imports", "-c", SAFE, DATABASE_URL=runtime).stdout == "None\n"
    assert_no_large_objects(runtime)


def assert_no_large_objects(url: str) -> None:
    """None of the functions that make one may be called: the owner could not back up what they made."""
    makers = (
        "SELECT proname, has_function_privilege(oid, 'EXECUTE') FROM pg_proc WHERE proname ~ '^lo_(creat|from|import)'"
    )
    with psycopg.connect(url) as session:
        may: dict[str, bool] = dict(session.execute(makers).fetchall())
    assert may == dict.fromkeys(("lo_creat", "lo_create", "lo_from_bytea", "lo_import"), False)


def test_the_embedded_database_lets_nobody_make_large_objects_either() -> None:
    assert_no_large_objects(os.environ["DATABASE_URL"])


def test_each_image_is_built_here_or_named_by_digest(compose: dict[str, Any]) -> None:
    images = {name: service["image"] for name, service in compose["services"].items()}
    built = {name for name, image in images.items() if image == "hosting-portal"}
    pinned = re.findall(r"^pin (\w+) ", (ROOT / "docs/deploy/pin-images.sh").read_text(), re.MULTILINE)
    assert built == {"migrate", "web", "web2", "worker", "worker2", "beat"}
    assert {images[name] for name in images.keys() - built} == {
        f"${{{name}:?see docs/deploy/pin-images.sh}}" for name in pinned if name != "PYTHON_IMAGE"
    }
    assert re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE) == ["${PYTHON_IMAGE}"] * 2


def test_every_service_has_a_limit_of_memory_and_processors(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert {"mem_limit", "cpus"} <= service.keys(), name


def test_no_password_is_on_a_command_line(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        words = [line for word in service.get("command", []) for line in word.splitlines()[:1]]  # the rest is fed
        assert "PASSWORD" not in " ".join(map(str, words)), name
    for script in (ROOT / "docs/deploy").glob("*.sh"):
        assert not re.search(r"\$\{?\w*PASSWORD", script.read_text()), script.name


def test_nothing_of_the_devkit_is_in_the_image() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    sources = {word for line in copied for word in line.split()[:-1]}
    assert sources == {
        *("requirements-uv.txt", "pyproject.toml", "uv.lock", "manage.py"),
        *("customers", "mining", "billing", "portal", "templates"),
    }


def test_the_log_of_the_compose_database_is_set_as_the_embedded_one(compose: dict[str, Any]) -> None:
    command = compose["services"]["postgres"]["command"]
    given = dict(word.removeprefix("-c").split("=") for word in command[1:])
    assert given == {name: value for name, value in postgres.SETTINGS.items() if name in given}
    assert {
        name for name in postgres.SETTINGS if name.startswith(("log_min", "log_s", "log_p", "log_e"))
    } == given.keys()


def test_the_log_of_the_database_holds_no_statement_and_no_value(cluster: str) -> None:
    with psycopg.connect(f"postgresql://postgres@/postgres?{cluster}", autocommit=True) as session:
        (data,) = session.execute("SHOW data_directory").fetchone() or ("",)
        session.execute("CREATE TABLE people (email text UNIQUE, hash text NOT NULL)")
        session.execute("INSERT INTO people VALUES ('canary-1@x.example', 'canary-2')")
        for statement, values in (
            ("INSERT INTO people VALUES (%s, %s)", ("canary-1@x.example", "canary-3")),
            ("INSERT INTO people VALUES (%s, %s)", ("canary-4", None)),
            ("SELECT %s::int", ("canary-5",)),
            ("SELECT 'canary-6' FROM nowhere", ()),
            ("DO $$ BEGIN RAISE EXCEPTION 'canary-7'; END $$", ()),
        ):
            with pytest.raises(psycopg.Error):
                session.execute(statement, values)
    log = (Path(data).parent / "postgres.log").read_text()
    assert "ready to accept connections" in log
    assert re.findall("canary-.", log) == []
