"""Starts the real sandbox as a process of its own and speaks to its control API."""

import json
import select
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.waiting import LAST_RESORT_SECONDS, until

ROOT = Path(__file__).resolve().parent.parent
HELD_SECONDS = 120


class ControlRefused(AssertionError):
    """The control API answered with an error: the sentence is its own."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(f"{status}: {sentence}")
        self.status, self.sentence = status, sentence


@dataclass(frozen=True)
class PoolKey:
    login: str
    api_key: str
    secret: str


class Sandbox:
    """A running sandbox. `base_url` is what a pool client gets instead of https://whitebit.com."""

    def __init__(self, process: "subprocess.Popen[str]", base_url: str) -> None:
        self.process, self.base_url = process, base_url
        # Straight to this machine, whatever proxy the environment names.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()

    def reset(
        self,
        *,
        world: str | None = None,
        seed: int | None = None,
        now: datetime | str | None = None,
        history_days: int | None = None,
    ) -> str:
        """A fresh world; returns its moment. What is left out stays as it was (the clock: the real time)."""
        given = {"world": world, "seed": seed, "now": _iso(now), "history_days": history_days}
        return str(self.control("POST", "reset", _without_none(given))["now"])

    def clock(self, *, now: datetime | str | None = None, advance_seconds: float | None = None) -> datetime:
        """Moves the data clock when told to; returns where it stands."""
        given = _without_none({"now": _iso(now), "advance_seconds": advance_seconds})
        answer = self.control("POST", "clock", given) if given else self.control("GET", "clock")
        return datetime.fromisoformat(answer["now"])

    def truth(self) -> dict[str, Any]:
        return self.control("GET", "truth")

    def key(self, login: str) -> PoolKey:
        """The first enabled key of that user."""
        user = next(user for user in self.truth()["users"] if user["login"] == login)
        key = next(key for key in user["keys"] if key["enabled"])
        return PoolKey(login, key["api_key"], key["secret"])

    def rewards(
        self, login: str, *, since: datetime | str | None = None, until: datetime | str | None = None
    ) -> list[dict[str, Any]]:
        """The true records, oldest first; both ends inclusive."""
        query = urllib.parse.urlencode(_without_none({"login": login, "from": _iso(since), "to": _iso(until)}))
        answer: list[dict[str, Any]] = self.control("GET", f"truth/rewards?{query}")["data"]
        return answer

    def fault(self, name: str, **options: Any) -> dict[str, Any]:
        """Switches a fault on: endpoint, probability, times, skip, phase, seed and the fault's own options."""
        return self.control("POST", "faults", {"name": name} | options)

    def faults(self) -> dict[str, Any]:
        return self.control("GET", "faults")

    def clear_faults(self) -> None:
        self.control("DELETE", "faults")

    def hold(self, endpoint: str, *, calls: int = 1) -> None:
        """The next calls wait there until the faults are cleared. They have not acted yet."""
        self.fault("delay", endpoint=endpoint, seconds=HELD_SECONDS, times=calls)

    def until_struck(self, calls: int = 1) -> None:
        """Returns when the active faults have struck so many calls in all."""
        until(lambda: sum(fault["struck"] for fault in self.faults()["active"]) >= calls)

    def edit(self, act: str, **fields: Any) -> dict[str, Any]:
        return self.control("POST", "edit", {"act": act} | fields)

    def limit(self, *, calls: int, seconds: float = 10) -> None:
        """Another rate limit until the next reset; what was called so far is forgotten."""
        self.control("POST", "limit", {"calls": calls, "seconds": seconds})

    def log(self) -> dict[str, Any]:
        return self.control("GET", "log")

    def calls(self) -> dict[str, int]:
        """Requests per endpoint since the start, the last reset or clear_log."""
        counts: dict[str, int] = self.log()["calls"]
        return counts

    def clear_log(self) -> None:
        self.control("DELETE", "log")

    def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self.base_url}/sandbox/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with self._opener.open(request, timeout=LAST_RESORT_SECONDS) as response:
                answer: dict[str, Any] = json.load(response)
                return answer
        except urllib.error.HTTPError as refused:
            with refused:
                raise ControlRefused(refused.code, json.load(refused)["error"]) from None


def start_sandbox(world: str = "tests", seed: int = 1, *arguments: str) -> Sandbox:
    """Further arguments go to the command line, e.g. "--state", path. Ends with the calling process at the latest."""
    command = [sys.executable, "-m", "devkit.sandbox", "--port", "0", "--world", world, "--seed", str(seed)]
    process = subprocess.Popen([*command, "--end-with-parent", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], LAST_RESORT_SECONDS)
    line = process.stdout.readline() if ready else ""
    if not line.startswith("sandbox listening on "):
        process.kill()
        process.wait()
        raise RuntimeError(f"the sandbox did not start: {line!r}")
    return Sandbox(process, line.removeprefix("sandbox listening on ").strip())


def _iso(moment: datetime | str | None) -> str | None:
    return moment.isoformat() if isinstance(moment, datetime) else moment


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
