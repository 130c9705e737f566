"""Asking the system about processes, and ending them. As with kill(2), a number below zero means that process group."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import psutil

Step = tuple[signal.Signals, float]  # what to send, and the seconds that may take


def alive(target: int) -> bool:
    """Zombies are over, though nobody has asked for their status yet: a container without an init keeps them."""
    if target < 0:
        return any(_group(process.pid) == -target and alive(process.pid) for process in psutil.process_iter())
    try:
        return bool(psutil.Process(target).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def send(target: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(target, number)
        os.kill(target, signal.SIGCONT)  # one stopped by Ctrl-Z would not hear it


def end(target: int, *steps: Step) -> None:
    """Asks it to end, step by step, and at last kills it."""
    for number, seconds in (*steps, (signal.SIGKILL, 5.0)):
        if not alive(target):
            return
        send(target, number)
        deadline = time.monotonic() + seconds
        while alive(target) and time.monotonic() < deadline:
            time.sleep(0.02)


def end_leftover(pid: int | None, *steps: Step, mentions: Path) -> None:
    """Ends a server that outlived its supervisor; a process that merely got its number is left alone."""
    with suppress(psutil.Error):
        if pid and any(str(mentions) in word for word in psutil.Process(pid).cmdline()):
            end(pid, *steps)


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except OSError:
        return None
