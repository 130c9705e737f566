"""The demo's processes: each with a log of its own, and none outlives the demo."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from devkit.demo.environment import DEFAULT_PORT, PROJECT, CannotStart

PR_SET_PDEATHSIG = 1  # prctl(2), Linux


class ChildFailed(Exception):
    """One sentence: which process, and where it says why."""


class Children:
    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        logs.mkdir(parents=True, exist_ok=True)

    def start(self, name: str, *words: str, **environment: str) -> None:
        with (self.logs / f"{name}.log").open("wb") as log:
            self.running[name] = subprocess.Popen(  # noqa: S603 - our own words
                [sys.executable, *words],
                cwd=PROJECT,
                env=os.environ | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - no thread runs yet when children start
                process_group=0,  # Ctrl-C reaches the demo, which ends them in order
            )

    def check(self) -> None:
        for name, child in self.running.items():
            if child.poll() is not None:
                raise ChildFailed(f"The {name} ended with status {child.returncode}. See {self.log(name)}.")

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def wait_for(self, name: str, text: str, *, seconds: float) -> str:
        """The first line of a child's log that holds `text`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for line in self.log(name).read_text(errors="replace").splitlines():
                if text in line:
                    return line
            self.check()
            time.sleep(0.05)
        raise ChildFailed(f"The {name} was not ready after {seconds:.0f} s. See {self.log(name)}.")

    def stop(self) -> None:
        for child in reversed(self.running.values()):
            with suppress(ProcessLookupError):
                child.terminate()
        deadline = time.monotonic() + 10
        for child in self.running.values():
            with suppress(subprocess.TimeoutExpired):
                child.wait(max(0.1, deadline - time.monotonic()))
            if child.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        self.running.clear()


@contextmanager
def children(logs: Path) -> Iterator[Children]:
    started = Children(logs)
    try:
        yield started
    finally:
        started.stop()


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def free_port(given: int | None) -> int:
    """The given port of this machine; when none is given the usual one if it is free, else any."""
    if given is None:
        return _opened(DEFAULT_PORT) or _opened(0) or _refuse("No port of 127.0.0.1 can be opened.")
    return _opened(given) or _refuse(
        f"PORT={given} cannot be opened, probably because another program has it: give another, or none for any."
    )


def _opened(port: int) -> int | None:
    with socket.socket() as probe, suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        return int(probe.getsockname()[1])
    return None


def _refuse(sentence: str) -> NoReturn:
    raise CannotStart(sentence)
