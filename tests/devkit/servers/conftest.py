"""Servers and folders of the launcher's own tests."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from devkit.servers import running
from tests.devkit.servers.launcher import OURS, Running
from tests.waiting import LAST_RESORT_SECONDS


@pytest.fixture(autouse=True)
def nothing_outlives_a_failing_test() -> Iterator[None]:
    yield
    for process in Running.started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.communicate(timeout=LAST_RESORT_SECONDS)
    Running.started.clear()


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, str]]:
    with pytest.MonkeyPatch.context() as environment:
        for name in OURS:
            environment.delenv(name, raising=False)
            environment.delenv(f"{name}_FILE", raising=False)
        with running(None) as addresses:
            yield addresses


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that other users can reach; pytest's own are closed to them."""
    folder = Path(tempfile.mkdtemp(prefix="portal-test-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def short_path() -> Iterator[Path]:
    """For tests that put sockets below it: their whole path must be shorter than 108 bytes."""
    with tempfile.TemporaryDirectory(prefix="p-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
