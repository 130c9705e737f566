"""docs/sandbox.md says what the sandbox does."""

import re

from devkit.sandbox.__main__ import parser
from devkit.sandbox.control import DOORS
from devkit.sandbox.edits import EDITS
from devkit.sandbox.endpoints import ENDPOINTS
from devkit.sandbox.faults import FAULTS, FaultKind
from devkit.sandbox.public import PUBLIC_PATHS
from devkit.sandbox.worlds import WORLDS, WorldPlan
from tests.sandbox import ROOT

PAGE = (ROOT / "docs/sandbox.md").read_text()


def rows(section: str) -> list[str]:
    """The table's rows under that heading, without their head."""
    text = re.split(r"^##+ ", PAGE.split(f"# {section}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    return [line for line in text.splitlines() if line.startswith("| ")][2:]


def fault_row(name: str, kind: FaultKind) -> str:
    endpoints = ", ".join(kind.endpoints or ("every",))
    if kind.when_named:
        endpoints += f"; when named {', '.join(kind.when_named)}"
    phase = " or ".join(kind.phases) if len(kind.phases) > 1 else ""
    options = ", ".join(f"`{option}` {limits.default:.0f}" for option, limits in kind.options.items())
    return f"| `{name}` | {kind.meaning} | {endpoints} | {phase} | {options} |"


def world_row(name: str, plan: WorldPlan) -> str:
    return f"| `{name}` | {plan.summary} | {', '.join(plan.users)} | {plan.history_days} |"


def test_the_table_of_faults_is_the_sandboxs() -> None:
    assert rows("Faults") == [fault_row(name, kind) for name, kind in FAULTS.items()]


def test_the_table_of_worlds_is_the_sandboxs() -> None:
    assert rows("Worlds") == [world_row(name, plan) for name, plan in WORLDS.items()]


def test_every_endpoint_act_and_control_call_is_on_the_page() -> None:
    assert [name for name in (*ENDPOINTS, *EDITS) if f"`{name}`" not in PAGE] == []
    assert [path for path in PUBLIC_PATHS if path.rsplit("/", 1)[1] not in PAGE] == []
    assert [name for name in DOORS if f"/sandbox/{name}" not in PAGE] == []


def test_the_first_command_is_one_that_works_after_setup() -> None:
    setup, start = PAGE.split("```\n")[1].splitlines()
    python, module, *arguments = start.split(" ", 3)
    assert (setup, f"PY := {python}\n" in (ROOT / "Makefile").read_text()) == ("make setup", True)
    assert (module, arguments[0]) == ("-m", "devkit.sandbox")
    assert parser().parse_args(arguments[1].split()).port == 8600


def test_every_option_of_the_command_line_is_on_the_page() -> None:
    options = [option for action in parser()._actions for option in action.option_strings if option.startswith("--")]
    assert [option for option in options if f"`{option}" not in PAGE] == ["--help"]
