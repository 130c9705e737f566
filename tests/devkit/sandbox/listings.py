"""Answers as a caller reads them: whole lists, and one that is spoiled."""

from typing import Any

from tests.devkit.sandbox.signed import Caller
from tests.sandbox import Sandbox

LIST = "/api/v4/mining/rewards"


def names(caller: Caller) -> list[str]:
    return [account["name"] for account in caller.data("accounts")]


def whole_listing(caller: Caller) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = []
    while page := caller.data("rewards", limit=10, offset=len(records)):
        records += page
    return records


def spoiled(sandbox: Sandbox, alpha: Caller, name: str, endpoint: str = "rewards", **fields: Any) -> Any:
    sandbox.fault(name)
    return alpha(endpoint, fields).json
