"""docs/sandbox.md says what the sandbox does."""

from mining.pool.sandbox.control import DOORS
from mining.pool.sandbox.edits import EDITS
from mining.pool.sandbox.endpoints import ENDPOINTS
from mining.pool.sandbox.faults import FAULTS
from mining.pool.sandbox.worlds import WORLDS
from tests.sandbox import ROOT

PAGE = (ROOT / "docs/sandbox.md").read_text()


def test_every_fault_is_on_the_page_with_its_meaning() -> None:
    assert [name for name, kind in FAULTS.items() if f"| `{name}` | {kind.meaning} |" not in PAGE] == []


def test_every_world_is_on_the_page() -> None:
    assert [name for name, plan in WORLDS.items() if f"| `{name}` | {plan.summary} |" not in PAGE] == []


def test_every_endpoint_act_and_control_call_is_on_the_page() -> None:
    assert [name for name in (*ENDPOINTS, *EDITS) if f"`{name}`" not in PAGE] == []
    assert [name for name in DOORS if f"/sandbox/{name}" not in PAGE] == []
