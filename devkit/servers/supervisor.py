"""The process that owns the servers: started by starter.py, in a session of its own, one for each starter.

It holds the reading end of a pipe whose writing end only the starter has. When that closes, however it comes about,
it ends the command (unless that has ended), then the servers, and takes temporary folders away. It also watches a
`make` above the starter, for killing that leaves the starter alive.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devkit.servers import identity, places, postgres, valkey
from devkit.servers.errors import EmbeddedError
from devkit.servers.watch import Line, StarterGone

TICK_SECONDS = 0.5
WAIT_FOR_OTHER_SECONDS = 150.0


@dataclass(frozen=True)
class Request:
    starter: int
    data_dir: str | None  # None: temporary
    postgres_bin: str | None  # None: not wanted
    valkey_server: str | None
    run_as: str | None


@contextmanager
def serving(request: Request, line: Line) -> Iterator[dict[str, str]]:
    """The addresses of running servers: ours, or those that another starter runs on the same folder."""
    if not request.postgres_bin and not request.valkey_server:
        yield {}
        return
    whom = identity.choose(Path(request.postgres_bin), request.run_as) if request.postgres_bin else identity.myself()
    if request.data_dir is None:
        with places.temporary_folder(whom, places.for_data()) as base, _servers(base, request, whom) as addresses:
            yield addresses
        return
    base = places.open_base(Path(request.data_dir))
    deadline = time.monotonic() + WAIT_FOR_OTHER_SECONDS
    while time.monotonic() < deadline:
        with places.locked(base) as ours:
            if ours:
                with _servers(base, request, whom) as addresses:
                    yield addresses
                return
        if told := _announced(base):
            sys.stderr.write(
                f"embedded servers: those of another run on {base.parent} are used here, and end with it.\n"
            )
            yield _enough(told, request, base)
            return
        line.check(0.05)  # it is still starting, or already ending
    raise EmbeddedError(
        f"Another start on {base.parent} has held its lock without getting ready: end that one, or use --temporary."
    )


def _announced(base: Path) -> dict[str, str] | None:
    try:
        addresses: dict[str, str] = json.loads((base / "running.json").read_text())
    except (OSError, ValueError):
        return None
    return addresses


def _enough(addresses: dict[str, str], request: Request, base: Path) -> dict[str, str]:
    wanted = {"DATABASE_URL", "DATABASE_OWNER_URL"} if request.postgres_bin else set()
    wanted |= {"REDIS_URL"} if request.valkey_server else set()
    if wanted - addresses.keys():
        raise EmbeddedError(
            f"The servers on {base.parent} were started by a run that did not need {min(wanted - addresses.keys())}: "
            "end that run first, or set the same variables here."
        )
    return {name: addresses[name] for name in wanted}


@contextmanager
def _servers(base: Path, request: Request, whom: identity.Identity) -> Iterator[dict[str, str]]:
    announcement = base / "running.json"
    announcement.unlink(missing_ok=True)  # of a supervisor that was killed
    home, temporary = places.home_for(base, whom), request.data_dir is None
    addresses: dict[str, str] = {}
    with ExitStack() as stack:
        sockets = stack.enter_context(places.sockets_folder(home, whom))
        if request.valkey_server:
            program = Path(request.valkey_server)
            stack.enter_context(valkey.running(program=program, home=base, sockets=sockets, temporary=temporary))
            addresses["REDIS_URL"] = valkey.url(sockets)
        if request.postgres_bin:
            bin_folder = Path(request.postgres_bin)
            cluster = postgres.Cluster(home=home, bin_folder=bin_folder, identity=whom, temporary=temporary)
            cluster.prepare()
            stack.enter_context(cluster.running(sockets))
            addresses |= postgres.urls(sockets)
        # Undone first: nobody joins servers that are about to end.
        stack.callback(announcement.unlink, missing_ok=True)
        _announce(announcement, addresses)
        yield addresses


def _announce(path: Path, addresses: dict[str, str]) -> None:
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(addresses))
    unfinished.replace(path)


def main() -> int:
    with open(0, "rb", buffering=0, closefd=False) as pipe:
        request = Request(**json.loads(pipe.readline()))
    line = Line(request.starter)
    line.watch()
    try:
        with serving(request, line) as addresses:
            _answer({"addresses": addresses})
            _wait_for_the_end(line)
    except StarterGone:
        return 0
    except EmbeddedError as error:
        _answer({"error": str(error)})
    except OSError as error:
        what = f"{error.strerror or error} ({error.filename})"
        _answer({"error": f"The servers could not be started: {what}. See to that, or set DATABASE_URL and REDIS_URL."})
    return 2


def _wait_for_the_end(line: Line) -> None:
    try:
        while True:
            line.check(TICK_SECONDS)
    except StarterGone:
        line.end_command()  # before the servers, which it may need to end well


def _answer(told: dict[str, Any]) -> None:
    with suppress(BrokenPipeError):  # then the pipe from the starter has closed too, and the loop sees that
        os.write(1, json.dumps(told).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main())
