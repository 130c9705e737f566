"""Ending processes and asking the system about them. Linux answers from /proc, other systems through `ps`."""

# ruff: noqa: S603, S607  (`ps` with a number; its place differs between systems)

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    group: int
    name: str
    ended: bool  # a zombie: over, though nobody has asked for its status yet


def find(pid: int) -> Process | None:
    if not (PROC / "self/stat").exists():
        return _find_with_ps(pid)
    try:
        before, _, after = (PROC / str(pid) / "stat").read_text().rpartition(")")
    except OSError:
        return None
    state, parent, group = after.split()[:3]
    return Process(pid, int(parent), int(group), before.partition("(")[2], state in "ZX")


def _find_with_ps(pid: int) -> Process | None:
    answer = subprocess.run(
        ["ps", "-o", "ppid=,pgid=,state=,comm=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    words = answer.stdout.split(None, 3)
    if len(words) < 4:
        return None
    return Process(pid, int(words[0]), int(words[1]), Path(words[3].strip()).name, words[2].startswith("Z"))


def alive(pid: int) -> bool:
    found = find(pid)
    return found is not None and not found.ended


def group_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    if not (PROC / "self/stat").exists():
        return True
    # Where nobody collects orphans (a container without an init) zombies keep the group's number.
    everybody = (find(int(entry.name)) for entry in PROC.iterdir() if entry.name.isdigit())
    return any(process.group == group and not process.ended for process in everybody if process)


def command_line(pid: int) -> str:
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        pass
    if (PROC / "self/stat").exists():
        return ""
    asked = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout


def send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def send_group(group: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def end(process: subprocess.Popen[bytes], *steps: tuple[signal.Signals, float]) -> None:
    """Asks a child to end, step by step with the seconds each may take, and at last kills it."""
    for number, seconds in steps:
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
    if process.poll() is None:
        process.kill()
        process.wait()


def end_group(group: int, *, grace_seconds: float) -> None:
    """Ends a process group that is not ours: SIGTERM, a grace, SIGKILL."""
    for number, seconds in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, 2.0)):
        if not group_alive(group):
            return
        send_group(group, number)
        send_group(group, signal.SIGCONT)  # one stopped by Ctrl-Z would not hear it
        _wait_until_gone(group_alive, group, seconds)


def end_one(pid: int, *, grace_seconds: float) -> None:
    for number, seconds in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, 2.0)):
        if not alive(pid):
            return
        send(pid, number)
        send(pid, signal.SIGCONT)
        _wait_until_gone(alive, pid, seconds)


def end_leftover(pid: int | None, *, mentions: Path, end_with: signal.Signals) -> None:
    """Ends a server that outlived its supervisor; a process that merely got its number is left alone."""
    for number, seconds in ((end_with, 10.0), (signal.SIGKILL, 5.0)):
        if pid is None or not alive(pid) or str(mentions) not in command_line(pid):
            return
        send(pid, number)
        _wait_until_gone(alive, pid, seconds)


def _wait_until_gone(there: Callable[[int], bool], number: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while there(number) and time.monotonic() < deadline:
        time.sleep(0.02)


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


def give_to(path: Path, *, uid: int, gid: int) -> None:
    """Hands a folder and all in it to a user: root may have made it under another identity before."""
    if os.geteuid() != 0 or path.lstat().st_uid == uid:
        return
    for folder, _, names in os.walk(path):
        for name in names:
            os.lchown(os.path.join(folder, name), uid, gid)
        os.lchown(folder, uid, gid)
