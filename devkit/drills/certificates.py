"""An authority of the drill's own, and a certificate for `localhost` from it."""

import os
from dataclasses import dataclass
from pathlib import Path

from devkit.drills.steps import run


@dataclass(frozen=True)
class Certificates:
    authority: Path
    certificate: Path
    key: Path


def make(folder: Path) -> Certificates:
    folder.mkdir()
    (folder / "names").write_text("subjectAltName=DNS:localhost\n")
    new_key = ("-newkey", "rsa:2048", "-nodes")
    for words in (
        ("req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=drill"),
        ("req", *new_key, "-keyout", "localhost.key", "-out", "localhost.csr", "-subj", "/CN=localhost"),
        ("x509", "-req", "-in", "localhost.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
         "-extfile", "names", "-out", "localhost.pem"),
    ):  # fmt: skip
        run(["openssl", *words], os.environ, folder=folder)
    return Certificates(folder / "ca.pem", folder / "localhost.pem", folder / "localhost.key")
