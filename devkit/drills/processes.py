"""The drill's long-running programs: each with a log, as an ordinary user, and none outlives the drill."""

import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from devkit.drills.steps import DrillFailed

ORDINARY = "nobody"  # whom root becomes; anybody else is ordinary already
PR_SET_PDEATHSIG = 1


class Processes:
    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        logs.mkdir()

    def start(
        self,
        name: str,
        words: Sequence[str | Path],
        environment: Mapping[str, str],
        *,
        folder: Path,
        feed: str = "",
        as_ourselves: bool = False,
    ) -> None:
        drop = os.geteuid() == 0 and not as_ourselves
        with self.log(name).open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - the drill's own words
                words,
                env=dict(environment),
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                user=ORDINARY if drop else None,
                group="nogroup" if drop else None,
                extra_groups=[] if drop else None,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - starts happen in the drill's one thread
                process_group=0,
            )
        assert process.stdin
        process.stdin.write(feed.encode())
        process.stdin.close()
        self.running[name] = process

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def check(self) -> None:
        for name, process in self.running.items():
            if process.poll() is not None:
                said = self.log(name).read_text(errors="replace")[-2000:]
                raise DrillFailed(f"{name} ended with status {process.returncode}:\n{said}")

    def until(self, what: str, happened: Callable[[], object], *, seconds: float = 600, pause: float = 0.1) -> None:
        """The limit is for what never comes, and not for slow machines."""
        ends = time.monotonic() + seconds
        while not happened():
            self.check()
            if time.monotonic() > ends:
                raise DrillFailed(f"{what} took over {seconds:.0f} s. The logs are in {self.logs}.")
            time.sleep(pause)

    def stop(self, name: str, *, with_signal: signal.Signals = signal.SIGTERM, seconds: float = 300) -> None:
        """As `docker compose` stops a container: asked first, and killed when it takes too long, which is told."""
        process = self.running.pop(name)
        with suppress(ProcessLookupError):
            process.send_signal(with_signal)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise DrillFailed(f"{name} did not end within {seconds:.0f} s of being asked to.") from None

    def stop_all(self) -> None:
        for process in reversed(self.running.values()):
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT if b"postgres" in str(process.args).encode() else signal.SIGTERM)
        ends = time.monotonic() + 15
        for process in self.running.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, ends - time.monotonic()))
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.running.clear()


def free_port() -> int:
    """None of those that the system gives to callers: one of these may be taken while its server is replaced."""
    for port in random.sample(range(10_000, 30_000), 1_000):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise DrillFailed("Of 1,000 ports none was free.")


def answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def can_become_ordinary() -> bool:
    """Whether root may become that user here, and there is one."""
    if os.geteuid() != 0:
        return True
    try:
        subprocess.run(["/bin/true"], user=ORDINARY, group="nogroup", extra_groups=[], check=True)
    except (OSError, KeyError, subprocess.SubprocessError):
        return False
    return True


def belongs_to_ordinary(folder: Path) -> Path:
    folder.mkdir(mode=0o700)
    if os.geteuid() == 0:
        import pwd

        named = pwd.getpwnam(ORDINARY)
        os.chown(folder, named.pw_uid, named.pw_gid)
    return folder


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
