from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from mining.runs import Watch
from tests.mining.hosting import AFTERNOON, Hosting, set_up
from tests.mining.pool.moments import count_waits_alone
from tests.sandbox import Sandbox, start_sandbox


@pytest.fixture(scope="session")
def whitepool_process() -> Iterator[Sandbox]:
    with start_sandbox("tests", 7) as sandbox:
        yield sandbox


@pytest.fixture
def whitepool(
    whitepool_process: Sandbox,
    settings: Any,
    worker_keys: None,
    transactional_db: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Sandbox:
    """The two users of the world `tests`, quiet and new, as the pool that this process speaks to. How long this machine
    takes decides nothing: calls have all the time they need, and a worker's watch goes on by a microsecond for each
    look at it."""
    count_waits_alone(monkeypatch)
    looks = count(1)
    monkeypatch.setattr(Watch, "now", lambda watch: watch.started_at + timedelta(microseconds=next(looks)))
    whitepool_process.reset(world="tests", seed=7, now=AFTERNOON)
    settings.WHITEPOOL_BASE_URL = whitepool_process.base_url
    settings.POOL_DEADLINE_SECONDS = 1.0
    settings.POOL_BACK_OFF_SECONDS = (0.02, 0.1)
    return whitepool_process


@pytest.fixture
def north(whitepool: Sandbox) -> Hosting:
    """A provider with a verified key of the user alpha."""
    return set_up(whitepool, slug="north", login="alpha")


@pytest.fixture
def south(whitepool: Sandbox) -> Hosting:
    """The neighbour: alike accounts, of the user beta."""
    return set_up(whitepool, slug="south", login="beta")
