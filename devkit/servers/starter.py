"""The starter's side: says what is needed, waits until it is there, and holds the pipe whose end ends the servers."""

import json
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from devkit.servers import binaries
from devkit.servers.errors import EmbeddedError

PROJECT = Path(__file__).resolve().parents[2]
PORT = "5432"
RUN_AS = "PORTAL_EMBEDDED_RUN_AS"  # for the tests: self, namespace or drop


@contextmanager
def running(data_dir: str | os.PathLike[str] | None) -> Iterator[dict[str, str]]:
    """Runs the servers that the environment does not name, on `data_dir` (None: in a temporary folder).

    Yields what to put in the environment: DATABASE_URL, DATABASE_OWNER_URL, REDIS_URL, those set already as they are.
    Both servers are gone when the block is left. Raises EmbeddedError with one sentence.
    """
    with supervised(data_dir) as supervisor:
        yield supervisor.addresses


@dataclass
class Supervisor:
    process: subprocess.Popen[bytes]
    addresses: dict[str, str]

    def tell_command(self, target: int | None) -> None:
        """The process or process group to end when we are killed; None when it has ended."""
        self.say({"command": target})

    def say(self, message: Mapping[str, object]) -> None:
        assert self.process.stdin
        with suppress(BrokenPipeError):  # it was killed, and the servers went with it
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()


@contextmanager
def supervised(
    data_dir: str | os.PathLike[str] | None, *, interrupted: Callable[[], bool] = lambda: False
) -> Iterator[Supervisor]:
    given = _given(os.environ)
    request = {
        "starter": os.getpid(),
        "data_dir": None if data_dir is None else os.path.abspath(data_dir),
        "postgres_bin": None if "DATABASE_URL" in given else str(binaries.postgres_bin()),
        "valkey_server": None if "REDIS_URL" in given else str(binaries.valkey_server()),
        "run_as": os.environ.get(RUN_AS),
    }
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "devkit.servers.supervisor"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        start_new_session=True,  # Ctrl-C is for the command
    )
    supervisor = Supervisor(process, dict(given))
    try:
        supervisor.say(request)
        supervisor.addresses |= _answer(process, interrupted)
        if "DATABASE_URL" not in given and "PGPORT" in os.environ:
            supervisor.addresses["PGPORT"] = PORT  # libpq would take somebody's own, as the address names no port
        yield supervisor
    finally:
        _end(process)


def _given(environment: Mapping[str, str]) -> dict[str, str]:
    """The addresses that are set already. A *_FILE counts: whoever reads the variable reads that too."""
    names = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL")
    given = {name: environment[name] for name in names if environment.get(name)}
    given |= {name: "" for name in names if environment.get(f"{name}_FILE")}
    if "DATABASE_OWNER_URL" in given and "DATABASE_URL" not in given:
        raise EmbeddedError("DATABASE_OWNER_URL is set and DATABASE_URL is not: set both, or neither.")
    return given


def _answer(process: subprocess.Popen[bytes], interrupted: Callable[[], bool]) -> dict[str, str]:
    assert process.stdout
    while not select.select([process.stdout], [], [], 0.1)[0]:
        if interrupted():
            return {}
    told = json.loads(process.stdout.readline() or "{}")
    if "addresses" not in told:
        raise EmbeddedError(
            told.get("error", "The servers' supervisor ended before they were ready: see the lines above.")
        )
    addresses: dict[str, str] = told["addresses"]
    return addresses


def _end(process: subprocess.Popen[bytes]) -> None:
    """Lets the supervisor end the servers, and returns when it has. A second Ctrl-C does not cut that short."""
    assert process.stdin
    assert process.stdout
    with suppress(BrokenPipeError):
        process.stdin.close()
    while True:
        try:
            process.wait()
            break
        except KeyboardInterrupt:
            continue
    process.stdout.close()
