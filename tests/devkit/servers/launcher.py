"""The launcher, driven as people drive it: by command line, with real servers, and with kill -9.

Each test has servers of its own, whatever DATABASE_URL says: the one the suite runs on must not notice.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from tests.waiting import LAST_RESORT_SECONDS, until

ROOT = Path(__file__).resolve().parents[3]
NOBODY = 65534
OURS = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "PORTAL_DATA_DIR", "PORTAL_EMBEDDED_RUN_AS")
CLEAN = {name: value for name, value in os.environ.items() if name.removesuffix("_FILE") not in OURS}

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
only_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

SAY_ADDRESSES = (
    "import json, os; print(json.dumps({n: v for n, v in os.environ.items() if n.endswith('_URL')}), flush=True)"
)
SAY_ADDRESSES_AND_WAIT = f"{SAY_ADDRESSES}; import time; time.sleep(600)"


def command_line(*arguments: str | Path, python: str = sys.executable) -> list[str]:
    return [python, "-m", "devkit.servers", *map(str, arguments)]


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command_line(*arguments),
        env=CLEAN | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LAST_RESORT_SECONDS,
    )


def addresses_of(*arguments: str | Path, **environment: str) -> dict[str, str]:
    ended = run(*arguments, "--", sys.executable, "-c", SAY_ADDRESSES, **environment)
    assert (ended.returncode, ended.stderr) == (0, "")
    found: dict[str, str] = json.loads(ended.stdout)
    return found


def sockets_folder(addresses: dict[str, str]) -> Path:
    return Path(parse_qs(urlsplit(addresses["DATABASE_URL"]).query)["host"][0])


def processes_of(folder: Path) -> list[int]:
    """Everybody whose command line or working directory is in the folder: PostgreSQL's children stand in the data."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words, stands_in = (entry / "cmdline").read_bytes(), os.readlink(entry / "cwd")
        except OSError:
            continue
        if os.fsencode(folder) in words or stands_in.startswith(str(folder)):
            found.append(int(entry.name))
    return found


def nothing_left(folder: Path) -> None:
    until(lambda: not processes_of(folder))


class Running:
    """A starter in the background whose command has said where the servers are."""

    started: ClassVar[list[subprocess.Popen[str]]] = []

    def __init__(self, *arguments: str | Path, words: list[str] | None = None, **environment: str) -> None:
        self.process = subprocess.Popen(
            words or command_line(*arguments, "--", sys.executable, "-c", SAY_ADDRESSES_AND_WAIT),
            env=CLEAN | environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.started.append(self.process)
        assert self.process.stdout
        self.addresses: dict[str, str] = json.loads(self.process.stdout.readline())

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(LAST_RESORT_SECONDS)
        assert self.process.stdout
        self.process.stdout.close()
        return status


def kept(addresses: dict[str, str]) -> list[str]:
    with psycopg.connect(addresses["DATABASE_OWNER_URL"]) as connection:
        return [row[0] for row in connection.execute("SELECT word FROM memory ORDER BY word")]


def keep(addresses: dict[str, str], word: str) -> None:
    with psycopg.connect(addresses["DATABASE_OWNER_URL"]) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS memory (word text)")
        connection.execute("INSERT INTO memory VALUES (%s)", [word])


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def supervisor_of(starter: int) -> int:
    return next(pid for pid in children_of(starter) if b"supervisor" in Path(f"/proc/{pid}/cmdline").read_bytes())


def complaint(ended: subprocess.CompletedProcess[str]) -> str:
    assert ended.returncode == 2
    assert ended.stderr.startswith("embedded servers: ")
    assert ended.stderr.count("\n") == 1
    return ended.stderr.removeprefix("embedded servers: ").strip()
