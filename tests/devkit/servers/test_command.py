"""What the command is given, and what is given back."""

import sys
from pathlib import Path

import pytest

from tests.devkit.servers.launcher import addresses_of, only_linux, run

pytestmark = only_linux


def test_with_both_addresses_set_nothing_is_started_and_the_command_runs() -> None:
    given = {"DATABASE_URL": "postgresql://x@/y", "DATABASE_OWNER_URL": "postgresql://z@/y", "REDIS_URL": "redis://x"}
    found = addresses_of("--temporary", **given)
    assert {name: found[name] for name in given} == given


@pytest.mark.parametrize(("script", "status"), [("exit 7", 7), ("kill -TERM $$", 143), ("kill -KILL $$", 137)])
def test_the_commands_exit_status_is_passed_on(script: str, status: int) -> None:
    ended = run("--temporary", "--", "sh", "-c", script, DATABASE_URL="postgresql://x@/y", REDIS_URL="redis://x")
    assert (ended.returncode, ended.stderr) == (status, "")


def test_with_only_the_database_set_valkey_is_started() -> None:
    ask = "import os, redis; print(redis.Redis.from_url(os.environ['REDIS_URL']).ping(), os.environ['DATABASE_URL'])"
    ended = run("--temporary", "--", sys.executable, "-c", ask, DATABASE_URL="postgresql://x@/y")
    assert (ended.returncode, ended.stdout) == (0, "True postgresql://x@/y\n")


def test_a_database_address_in_a_file_counts_as_set(tmp_path: Path) -> None:
    found = addresses_of("--temporary", DATABASE_URL_FILE=str(tmp_path / "url"), REDIS_URL="redis://x")
    assert "DATABASE_URL" not in found


def test_somebodys_pgport_does_not_mislead_the_command() -> None:
    ask = "import os, psycopg; print(psycopg.connect(os.environ['DATABASE_URL']).execute('SELECT 1').fetchone())"
    ended = run("--temporary", "--", sys.executable, "-c", ask, PGPORT="6543", REDIS_URL="redis://x")
    assert (ended.returncode, ended.stdout) == (0, "(1,)\n")
