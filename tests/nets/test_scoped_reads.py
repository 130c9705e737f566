"""Net 2: in portal every read of a tenant's rows says for whom: `.objects` is followed by `.visible_to(`."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Directory models are read before the tenant is known; the rest is the door itself, which finds out who asks.
DIRECTORY_MODELS = {"Provider", "User", "EmailAddress", "Authenticator", "Session", "UserSession"}
THE_DOOR = {("portal/access.py", "Membership"), ("portal/access.py", "ApiToken")}


def unscoped_reads(source: str, file: str) -> list[str]:
    tree = ast.parse(source)
    scoped = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "visible_to" and isinstance(node.value, ast.Attribute)
    }
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute) or node.attr not in ("objects", "_default_manager", "_base_manager"):
            continue
        model = ast.unparse(node.value)
        if id(node) in scoped or model in DIRECTORY_MODELS or (file, model) in THE_DOOR:
            continue
        found.append(f"{file}:{node.lineno} {model}.{node.attr}")
    return found


def test_portal_reads_only_what_is_visible_to_somebody() -> None:
    files = [path for path in (ROOT / "portal").rglob("*.py") if "embedded" not in path.parts]
    assert len(files) > 30
    wrong = [line for path in files for line in unscoped_reads(path.read_text(), str(path.relative_to(ROOT)))]
    assert wrong == []


def test_the_net_catches_a_forgotten_filter() -> None:
    forgotten = "def view(request):\n    return Reward.objects.filter(day=1)"
    scoped = "def view(request):\n    return Reward.objects.visible_to(request.access).filter(day=1)"
    assert unscoped_reads(forgotten, "portal/x.py") == ["portal/x.py:2 Reward.objects"]
    assert unscoped_reads(scoped, "portal/x.py") == []
