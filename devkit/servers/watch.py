"""What tells the supervisor that it is over: the pipe from the starter, and the ends of a few processes above it."""

import json
import os
import select
import signal
import time
from dataclasses import dataclass, field
from types import FrameType

import psutil

from devkit.servers import processes

GRACE_SECONDS = 10.0  # for the command to end after SIGTERM
SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "ash", "fish", "busybox"})
MAKES = frozenset({"make", "gmake", "remake"})


class StarterGone(Exception):
    """Nobody waits for the servers any more."""


@dataclass
class Line:
    """The pipe from the starter, and what it last said about its command."""

    starter: int
    command: int | None = None  # below zero: a process group
    asked_to_end: bool = False
    _unread: bytes = b""
    _watched: list[int] = field(default_factory=list)
    _kill_starter_at: float | None = None

    def watch(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._ask_to_end)
        signal.signal(signal.SIGHUP, self._ask_to_end)
        self._watched = _whose_death_ends_it(self.starter)

    def check(self, seconds: float = 0.0) -> None:
        """Reads what there is; ends the starter when something whose end means the end is gone; raises when it is."""
        if select.select([0], [], [], seconds)[0]:
            self._read()
        if os.getppid() != self.starter:  # a forked child of the starter can hold the pipe open
            raise StarterGone
        if self._kill_starter_at is not None:
            if time.monotonic() > self._kill_starter_at:
                processes.send(self.starter, signal.SIGKILL)
        elif self.asked_to_end or not all(processes.alive(pid) for pid in self._watched):
            # It ends its command, then closes the pipe and waits for us: so the pipe is read on meanwhile.
            processes.send(self.starter, signal.SIGTERM)
            self._kill_starter_at = time.monotonic() + GRACE_SECONDS

    def end_command(self) -> None:
        if self.command is not None:
            processes.end(self.command, (signal.SIGTERM, GRACE_SECONDS))

    def _read(self) -> None:
        received = os.read(0, 4096)
        if not received:
            raise StarterGone
        *messages, self._unread = (self._unread + received).split(b"\n")
        for message in messages:
            self.command = json.loads(message)["command"]

    def _ask_to_end(self, number: int, frame: FrameType | None) -> None:
        self.asked_to_end = True


def _whose_death_ends_it(starter: int) -> list[int]:
    """Every `make` above the starter, and its parent unless that is a shell.

    A shell's end means nothing: `make demo &` in a script is meant to go on. Neither does that of a parent in another
    process group, which is how sessions, containers and nohup start things.
    """
    try:
        above = [process for process in psutil.Process(starter).parents() if process.pid > 1]
        found = [process.pid for process in above if process.name() in MAKES]
        # The supervisor leads a session of its own, so its starter's group is asked for.
        if above and os.getpgid(above[0].pid) == os.getpgid(starter) and above[0].name() not in SHELLS:
            found.append(above[0].pid)
    except (psutil.Error, OSError):  # it has just ended, which the pipe tells too
        return []
    return found
