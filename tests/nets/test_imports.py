"""Net 1: rooms import one way only."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_import_contracts_hold() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_lock_file_names_the_public_index_only() -> None:
    sources = {line.split('"')[1] for line in (ROOT / "uv.lock").read_text().splitlines() if "registry = " in line}
    assert sources == {"https://pypi.org/simple"}
