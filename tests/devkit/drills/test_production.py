"""What the production drill does where it cannot be done: it says so, and CI is not red for it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from devkit.drills import image, processes, production, programs
from devkit.drills.steps import DrillFailed, MachineLacks


@pytest.fixture(autouse=True)
def whole_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "find", lambda name: f"/usr/sbin/{name}")


@pytest.mark.parametrize(
    ("lack", "what"),
    [
        (lambda patch: patch.setattr(programs, "find", lambda _: None), "nginx-light, openssl, redis-server"),
        (lambda patch: patch.setattr(programs, "DEBIANS_PYTHON", Path("/none")), "python3 (as /none, 3.11 or newer)"),
        (
            lambda patch: patch.setattr(programs, "OLDEST_PYTHON", (99, 0)),
            "python3 (as /usr/bin/python3, 99.0 or newer)",
        ),
        (
            lambda patch: (patch.setattr("os.geteuid", lambda: 0), patch.setattr(processes, "ORDINARY", "no-such")),
            "the user no-such for root to become",
        ),
    ],
)
def test_a_machine_that_lacks_something_is_told_so_and_nothing_is_run(
    lack: Callable[[pytest.MonkeyPatch], Any],
    what: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(production, "Drill", None)
    lack(monkeypatch)

    assert production.main() == 0
    assert capsys.readouterr().out == f"production drill: NOT RUN, because this machine lacks {what}.\n"


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("error sending request for url (https://pypi.org/simple/django/)\n  dns error", MachineLacks),
        ("The lockfile at `uv.lock` needs to be updated", DrillFailed),
    ],
)
def test_packages_that_cannot_be_had_are_no_fault_of_the_portals(
    said: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def run(words: list[object], *_: object, **__: object) -> bytes:
        if "sync" in words:
            raise DrillFailed(f"uv sync ended with 2:\n{said}")
        return b""

    monkeypatch.setattr(image, "run", run)
    monkeypatch.setattr(image, "_copy", lambda *_: None)

    with pytest.raises(error):
        image.Image(tmp_path / "app")


def test_a_port_that_was_chosen_is_given_to_nobody_who_calls_out() -> None:
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    port = processes.free_port()

    assert port < first
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))


def test_who_waits_for_a_long_reading_stays_within_the_calls_of_a_token(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls: list[str] = []
    waited: list[float] = []
    runs = [{"id": str(number), "state": "running"} for number in range(6)]

    def get(path: str) -> Any:
        calls.append(path)
        return {"data": runs, **runs[0]}  # of the list, or of one run

    drill = object.__new__(production.Drill)
    drill.api = SimpleNamespace(get=get)
    drill.host = SimpleNamespace(processes=processes.Processes(tmp_path / "logs"))  # type: ignore[assignment]
    clock = SimpleNamespace(sleep=waited.append, monotonic=lambda: sum(waited))
    monkeypatch.setattr(processes, "time", clock)

    with pytest.raises(DrillFailed, match=r"the reading took over"):
        drill.until("the reading", lambda: drill._ended([run["id"] for run in runs]))

    assert len(calls) <= 300 * sum(waited) / 60  # half of the 600 that docs/production.md gives
