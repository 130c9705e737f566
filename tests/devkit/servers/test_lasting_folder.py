"""A folder that lasts: kept over restarts and crashes, shared by two starters."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
import redis

from tests.devkit.servers.launcher import (
    CLEAN,
    ROOT,
    SAY_ADDRESSES,
    Running,
    children_of,
    command_line,
    keep,
    kept,
    nothing_left,
    only_linux,
    processes_of,
    sockets_folder,
    supervisor_of,
)
from tests.waiting import LAST_RESORT_SECONDS

pytestmark = only_linux


def test_data_are_kept_over_restarts_and_crashes(tmp_path: Path) -> None:
    first = Running("--data-dir", tmp_path)
    keep(first.addresses, "before a proper end")
    with redis.Redis.from_url(first.addresses["REDIS_URL"]) as valkey:
        valkey.set("word", "kept")
    first.end()

    second = Running("--data-dir", tmp_path)
    keep(second.addresses, "before a crash")
    command = [pid for pid in children_of(second.process.pid) if pid != supervisor_of(second.process.pid)]
    for pid in [supervisor_of(second.process.pid), *processes_of(tmp_path / "embedded"), second.process.pid, *command]:
        with suppress(ProcessLookupError):  # the death of one is the end of another
            os.kill(pid, signal.SIGKILL)
    second.end()
    nothing_left(tmp_path)
    postmaster = tmp_path / "embedded/postgres/postmaster.pid"
    # The number of the crashed server belongs to somebody else by now.
    postmaster.write_text("\n".join([str(os.getpid()), *postmaster.read_text().splitlines()[1:]]))

    third = Running("--data-dir", tmp_path)
    with redis.Redis.from_url(third.addresses["REDIS_URL"]) as valkey:
        word = valkey.get("word")
    assert (kept(third.addresses), word) == (["before a crash", "before a proper end"], b"kept")
    third.end()


def test_a_second_starter_shares_the_servers_and_leaves_them_running(tmp_path: Path) -> None:
    # Both at once: whoever comes second waits for the first.
    one, other = (
        subprocess.Popen(
            command_line("--data-dir", tmp_path, "--", sys.executable, "-c", f"{SAY_ADDRESSES}; input()"),
            env=CLEAN,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    )
    assert one.stdout
    assert other.stdout
    addresses: list[dict[str, str]] = [json.loads(one.stdout.readline()), json.loads(other.stdout.readline())]
    assert addresses[0] == addresses[1]
    owner = next(int(pid) for pid in _parents_of_servers(tmp_path) if pid)
    first, second = (one, other) if supervisor_of(one.pid) == owner else (other, one)
    _, said = second.communicate("\n", timeout=LAST_RESORT_SECONDS)
    assert said == f"embedded servers: those of another run on {tmp_path} are used here, and end with it.\n"
    with psycopg.connect(addresses[0]["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    first.communicate("\n", timeout=LAST_RESORT_SECONDS)
    assert (second.returncode, first.returncode, processes_of(tmp_path / "embedded")) == (0, 0, [])


def _parents_of_servers(data_dir: Path) -> set[int]:
    postmaster = int((data_dir / "embedded/postgres/postmaster.pid").read_text().split()[0])
    return {int(Path(f"/proc/{postmaster}/stat").read_text().rpartition(")")[2].split()[1])}


@pytest.mark.parametrize("name", ["long" * 20, "a space & more"])
def test_an_awkward_path_gets_its_sockets_in_a_short_folder_that_goes_at_the_end(name: str, tmp_path: Path) -> None:
    starter = Running("--data-dir", tmp_path / name)
    keep(starter.addresses, "found by a short way")
    sockets = sockets_folder(starter.addresses)
    assert (sockets.is_relative_to(tmp_path), sockets.stat().st_mode & 0o777) == (False, 0o700)
    starter.end()
    assert (sockets.exists(), (tmp_path / name / "embedded/postgres").is_dir()) == (False, True)
