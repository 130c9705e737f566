"""What tells the supervisor that it is over: the pipe from the starter, and the ends of a few processes above it."""

import json
import os
import select
import signal
import time
from dataclasses import dataclass, field
from types import FrameType

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
    command: int | None = None
    is_group: bool = False
    asked_to_end: bool = False
    _unread: bytes = b""
    _watched: dict[int, int | None] = field(default_factory=dict)
    _kill_starter_at: float | None = None

    def watch(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._ask_to_end)
        signal.signal(signal.SIGHUP, self._ask_to_end)
        self._watched = {pid: _pidfd(pid) for pid in _whose_death_ends_it(self.starter)}

    def check(self, seconds: float = 0.0) -> None:
        """Reads what there is; ends the starter when something whose end means the end is gone; raises when it is."""
        handles = [0, *(handle for handle in self._watched.values() if handle is not None)]
        ready = select.select(handles, [], [], seconds)[0]
        if 0 in ready:
            self._read()
        if os.getppid() != self.starter:  # a forked child of the starter can hold the pipe open
            raise StarterGone
        self._end_starter_when_due(ready)

    def end_command(self) -> None:
        if self.command is None:
            return
        if self.is_group:
            processes.end_group(self.command, grace_seconds=GRACE_SECONDS)
        else:
            processes.end_one(self.command, grace_seconds=GRACE_SECONDS)

    def _end_starter_when_due(self, ready: list[int]) -> None:
        if self._kill_starter_at is None:
            by_handle = any(handle in ready for handle in self._watched.values() if handle is not None)
            by_number = any(not processes.alive(pid) for pid, handle in self._watched.items() if handle is None)
            if by_handle or by_number or self.asked_to_end:
                # It ends its command, then closes the pipe and waits for us: so the pipe is read on meanwhile.
                processes.send(self.starter, signal.SIGTERM)
                self._kill_starter_at = time.monotonic() + GRACE_SECONDS
                self._forget_watched()
        elif time.monotonic() > self._kill_starter_at:
            processes.send(self.starter, signal.SIGKILL)

    def _forget_watched(self) -> None:
        for handle in self._watched.values():
            if handle is not None:
                os.close(handle)
        self._watched = {}

    def _read(self) -> None:
        received = os.read(0, 4096)
        if not received:
            raise StarterGone
        *messages, self._unread = (self._unread + received).split(b"\n")
        for message in messages:
            told = json.loads(message)
            self.command, self.is_group = told["command"], told["is_group"]

    def _ask_to_end(self, number: int, frame: FrameType | None) -> None:
        self.asked_to_end = True


def _whose_death_ends_it(starter: int) -> list[int]:
    """Every `make` above the starter, and its parent unless that is a shell.

    A shell's end means nothing: `make demo &` in a script is meant to go on. Neither does that of a parent in another
    process group, which is how sessions, containers and nohup start things.
    """
    found: list[int] = []
    here = processes.find(starter)
    parent = processes.find(here.parent) if here else None
    if here and parent and parent.group == here.group and parent.pid > 1 and parent.name not in SHELLS:
        found.append(parent.pid)
    while parent and parent.pid > 1:
        if parent.name in MAKES and parent.pid not in found:
            found.append(parent.pid)
        parent = processes.find(parent.parent)
    return found


def _pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None
