"""Where the servers keep their files, and the short private folders for sockets."""

import fcntl
import os
import re
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from devkit.servers import postgres
from devkit.servers.errors import EmbeddedError
from devkit.servers.identity import Identity

PREFIX = "portal-embedded-"
MEMORY = "/dev/shm"  # noqa: S108 (the same)
MEMORY_BYTES = 4 * 2**30
# Within an address or a setting, anything else would need quoting that not every reader undoes.
PLAIN_PATH = re.compile(r"[A-Za-z0-9/._-]+")


def open_base(data_dir: Path) -> Path:
    """DIR/embedded, private. DIR itself belongs to others too (the beat schedule lies there)."""
    base = data_dir.absolute() / "embedded"
    try:
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        base.chmod(0o700)
        (base / "lock").touch()
    except OSError as error:
        raise EmbeddedError(
            f"The servers' data cannot be kept in {data_dir} ({error.strerror}): "
            "name a folder of yours with --data-dir or PORTAL_DATA_DIR."
        ) from error
    return base


@contextmanager
def temporary_folder(identity: Identity, places: Sequence[str] = ()) -> Iterator[Path]:
    """A private folder that goes at the end. What killed supervisors left in the same places goes first."""
    places = places or _temporary_places()
    _sweep_abandoned(places)
    folder = private_folder(identity, places)
    try:
        with locked(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def for_data() -> list[str]:
    """Where the folder of a temporary server may be, best first."""
    return [*_memory(), *_temporary_places()]


def _memory() -> list[str]:
    """Where files cost no disk, when that has room and lets programs run (a copy of PostgreSQL's may have to). What
    tests do most to a database is to make and drop it: a tenth of the work there. TMPDIR, when set, is obeyed."""
    try:
        known = os.statvfs(MEMORY)
    except OSError:
        return []
    unfit = "TMPDIR" in os.environ or known.f_bavail * known.f_frsize < MEMORY_BYTES or known.f_flag & os.ST_NOEXEC
    return [] if unfit else [MEMORY]


def _temporary_places() -> list[str]:
    return list(dict.fromkeys((tempfile.gettempdir(), "/tmp", "/var/tmp")))  # noqa: S108 (mkdtemp makes the name)


def private_folder(identity: Identity, places: Sequence[str] = ()) -> Path:
    """A new 0700 folder in the first temporary place that this identity reaches."""
    tried = places or _temporary_places()
    for place in tried:
        try:
            folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
        except OSError:
            continue
        if _handed_over(folder, identity):
            return folder
        folder.rmdir()
    raise EmbeddedError(
        f"PostgreSQL will not run as root, and neither user namespaces nor a change of user work here (tried with "
        f"{', '.join(tried)}): start this as an ordinary user, or set DATABASE_URL."
        if identity.kind == "drop"
        else f"No temporary folder could be made in {', '.join(tried)}: set TMPDIR to a folder of yours."
    )


def home_for(base: Path, identity: Identity) -> Path:
    """Where PostgreSQL's files are: in base, or elsewhere when another user has to reach them and cannot.

    The pointer is honoured under every identity, so that the data is found again after the surroundings changed.
    """
    pointer = base / "elsewhere"
    if pointer.exists():
        elsewhere = Path(pointer.read_text())
        if elsewhere.is_dir() and _handed_over(elsewhere, identity):
            return elsewhere
        sys.stderr.write(f"embedded servers: the data in {elsewhere} is gone, so this starts afresh.\n")
    if _handed_over(base, identity):
        return base
    elsewhere = private_folder(identity)
    pointer.write_text(str(elsewhere))
    return elsewhere


@contextmanager
def sockets_folder(home: Path, identity: Identity) -> Iterator[Path]:
    folder = home / "sockets"
    folder.mkdir(mode=0o700, exist_ok=True)
    if holds_sockets(folder):
        _handed_over(folder, identity)
        yield folder
        return
    folder.rmdir()
    with temporary_folder(identity) as folder:
        if not holds_sockets(folder):
            raise EmbeddedError(
                f"No unix socket can be made in {folder}: set TMPDIR to a folder with a short, plain path."
            )
        yield folder


def holds_sockets(folder: Path) -> bool:
    """Tried: a path over 107 bytes (103 on macOS) does not bind, and neither do some shared folders of containers."""
    if not PLAIN_PATH.fullmatch(str(folder)):
        return False
    trial = folder / postgres.SOCKET_NAME.replace("s", "t", 1)
    trial.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        try:
            listener.bind(str(trial))
        except OSError:
            return False
    trial.unlink()
    return True


@contextmanager
def locked(base: Path) -> Iterator[bool]:
    """Whether we are the one supervisor of this folder. The lock ends with its holder, however that ends."""
    # Nothing started from here inherits the descriptor, so a server that outlives us does not hold the lock.
    with (base / "lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def _handed_over(folder: Path, identity: Identity) -> bool:
    if os.geteuid() == 0:
        try:
            os.chown(folder, identity.files_uid, identity.gid if identity.kind == "drop" else -1)
        except OSError:
            return False
    return identity.reaches(folder)


def _sweep_abandoned(places: Sequence[str]) -> None:
    """Removes temporary folders whose supervisor was killed: old enough not to be in the making, and not locked.

    One without a lock is not temporary: data that another user had to reach (home_for).
    """
    for base in (folder for place in places for folder in Path(place).glob(f"{PREFIX}*")):
        try:
            if time.time() - (base / "lock").stat().st_mtime < 60:
                continue
            with locked(base) as ours:
                if ours:
                    shutil.rmtree(base, ignore_errors=True)
        except OSError:
            continue
