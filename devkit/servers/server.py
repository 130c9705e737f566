"""What both servers share: a program with a log, waited for until it answers, and ended when its block is left."""

import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from devkit.servers import processes
from devkit.servers.errors import EmbeddedError
from devkit.servers.identity import Identity


@contextmanager
def running(
    words: Sequence[str | Path],
    *,
    name: str,
    identity: Identity,
    log: Path,
    answers: Callable[[int], bool],
    start_seconds: float,
    end: Sequence[processes.Step],
    way_out: str = "",
) -> Iterator[None]:
    with fresh_log(log) as output:
        process = identity.spawn(words, death_signal=end[0][0], stdout=output)
    try:
        deadline = time.monotonic() + start_seconds
        while not answers(process.pid):
            if process.poll() is not None or time.monotonic() > deadline:
                raise EmbeddedError(f"{name} did not start ({what_it_said(log)}): {log} says more{way_out}.")
            time.sleep(0.01)
        yield
    finally:
        processes.end(process.pid, *end)
        process.wait()


@contextmanager
def fresh_log(path: Path) -> Iterator[IO[bytes]]:
    """The log of one start; the one before is kept beside it, so a demo that is started daily does not grow."""
    if path.exists():
        path.replace(path.with_name(path.name + ".1"))
    with path.open("wb") as log:
        yield log


def what_it_said(log: Path) -> str:
    """The line of a log that says why, or the last one."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    reasons = [line for line in lines if re.search(r"\b(FATAL|PANIC|error):", line)]
    return (reasons or lines or ["it said nothing"])[-1]


def pid_in(path: Path) -> int | None:
    """The number in the first line of a pid file."""
    try:
        return int(path.read_text().split()[0])
    except (FileNotFoundError, ValueError, IndexError):
        return None


def give_to(path: Path, *, uid: int, gid: int) -> None:
    """Hands a folder and all in it to a user: root may have made it under another identity before."""
    if os.geteuid() != 0 or path.lstat().st_uid == uid:
        return
    for folder, _, names in os.walk(path):
        for name in names:
            os.lchown(os.path.join(folder, name), uid, gid)
        os.lchown(folder, uid, gid)
