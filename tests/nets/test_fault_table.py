"""docs/pool-faults.md promises a test for each fault: what it names must be there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| (\d+) \| .+ \| (.+) \|$", re.MULTILINE)


def defined() -> set[tuple[str, str]]:
    return {
        (path.name, node.name)
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    }


def test_every_fault_names_tests_that_exist() -> None:
    rows = ROW.findall((ROOT / "docs" / "pool-faults.md").read_text(encoding="utf-8"))
    named = {tuple(part.strip() for part in test.split(":")) for _, tests in rows for test in tests.split(";")}

    assert [int(number) for number, _ in rows] == list(range(1, 51))
    assert named - defined() == set()
