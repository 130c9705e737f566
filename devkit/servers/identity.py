"""As whom PostgreSQL runs. It refuses to run as root, and nothing on the machine may be changed to please it.

- `self`: an ordinary user, who has a name in the user database (initdb asks for it).
- `namespace`: in a user namespace, where PostgreSQL sees another user id though the files stay ours.
- `drop`: root where user namespaces are forbidden (a plain container): as `nobody`, files and all.

Path not taken: pg_ctl, and the wheel's own start functions. They leave orphans, add system users and open folders.
"""

# ruff: noqa: S603  (the programs are those that binaries.py found)

import ctypes
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, cast

from devkit.servers.errors import EmbeddedError

Kind = Literal["self", "namespace", "drop"]
CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Identity:
    kind: Kind
    uid: int  # as PostgreSQL sees itself
    gid: int

    @property
    def files_uid(self) -> int:
        return self.uid if self.kind == "drop" else os.geteuid()

    def spawn(
        self,
        command: Sequence[str | Path],
        *,
        death_signal: signal.Signals,
        stdin: int | IO[bytes] = subprocess.DEVNULL,
        stdout: int | IO[bytes] = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        """Starts a program under this identity, in a session of its own: Ctrl-C goes to the command, not to it."""
        drop = self.kind == "drop"
        return subprocess.Popen(
            command,
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=_plain_environment(),
            start_new_session=True,
            user=self.uid if drop else None,
            group=self.gid if drop else None,
            extra_groups=[] if drop else None,
            # Runs after the change of user. The supervisor, the only caller, has one thread.
            preexec_fn=self._before_exec(death_signal),  # noqa: PLW1509
        )

    def runs(self, *command: str | Path) -> bool:
        """Whether a program can be run, and ends well."""
        try:
            return self.spawn(command, death_signal=signal.SIGKILL).wait() == 0
        except (OSError, subprocess.SubprocessError):
            return False

    def reaches(self, folder: Path) -> bool:
        """Tried, not computed from modes: access lists and mounts have a say too."""
        if self.kind != "drop":
            return os.access(folder, os.R_OK | os.W_OK | os.X_OK)
        return self.runs("test", "-r", folder, "-a", "-w", folder, "-a", "-x", folder)

    def _before_exec(self, death_signal: signal.Signals) -> Callable[[], None]:
        supervisor = os.getpid()

        def prepare() -> None:
            if self.kind == "namespace":
                _enter_user_namespace(self.uid, self.gid)
            # Last, because a change of user clears it. It covers a supervisor that is itself killed; where the
            # system has nothing like it, the next start ends what was left.
            if LIBC is not None:
                LIBC.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
                if os.getppid() != supervisor:
                    os._exit(1)

        return prepare


def myself() -> Identity:
    return Identity("self", os.geteuid(), os.getegid())


def choose(postgres_bin: Path, forced: str | None) -> Identity:
    """The first way that works here. `forced` (tests) names the one to take."""
    if forced:
        return _made(cast("Kind", forced))
    if os.geteuid() != 0 and _has_name(os.geteuid()):
        return myself()
    namespace = _made("namespace")
    if LIBC is not None and namespace.runs(postgres_bin / "postgres", "--version"):
        return namespace
    if os.geteuid() == 0:
        return _made("drop")
    raise EmbeddedError(
        f"PostgreSQL will not run as user id {os.geteuid()}, which has no name in /etc/passwd: "
        "run as a user who has one, or set DATABASE_URL to a database of your own."
    )


def _made(kind: Kind) -> Identity:
    if kind == "self":
        return myself()
    try:
        nobody = pwd.getpwnam("nobody")  # initdb looks its user up, so it must be one with a name
    except KeyError as error:
        raise EmbeddedError(
            "PostgreSQL will not run as root, and /etc/passwd has no user nobody: add it, or set DATABASE_URL."
        ) from error
    return Identity(kind, nobody.pw_uid, nobody.pw_gid)


def _has_name(uid: int) -> bool:
    try:
        return bool(pwd.getpwuid(uid))
    except KeyError:
        return False


def _enter_user_namespace(uid: int, gid: int) -> None:
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    if LIBC is None or LIBC.unshare(CLONE_NEWUSER) != 0:
        raise PermissionError("user namespaces are not available")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {outer_uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {outer_gid} 1")


def _plain_environment() -> dict[str, str]:
    # PGDATA, PGPORT, LC_ALL and the like in somebody's shell would change what the servers do.
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
