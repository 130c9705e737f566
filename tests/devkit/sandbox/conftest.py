from collections.abc import Iterator

import pytest

from tests.devkit.sandbox.signed import Caller
from tests.sandbox import Sandbox, start_sandbox

# A quiet moment: late enough that yesterday's rewards are listed and settled.
NOON = "2026-10-20T15:00:00Z"


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[Sandbox]:
    with start_sandbox("tests", 7) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(sandbox_process: Sandbox) -> Sandbox:
    """The two users of the world `tests` at a fixed moment, with nothing of an earlier test left."""
    sandbox_process.reset(world="tests", seed=7, now=NOON)
    return sandbox_process


@pytest.fixture
def alpha(sandbox: Sandbox) -> Caller:
    return Caller(sandbox.base_url, sandbox.key("alpha"))


@pytest.fixture
def beta(sandbox: Sandbox) -> Caller:
    return Caller(sandbox.base_url, sandbox.key("beta"))
