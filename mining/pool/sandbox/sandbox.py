"""The running pool: its world, clock and memory, and one request from the gateway's check to the answer."""

import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from . import edits, state
from .answers import Answer, Refused, gateway, ok
from .clock import DataClock
from .endpoints import ENDPOINTS, PREFIX, Call
from .faults import BEFORE, ActiveFault, Faults, Stage
from .fields import BadInput
from .log import CallLog
from .rules import (
    NonceBook,
    RateLimit,
    check_envelope,
    check_permission,
    check_signature,
    read_body,
)
from .world import World
from .worlds import WORLDS

PUBLIC = {"/api/v4/public/time": "public/time", "/api/v4/public/ping": "public/ping"}
ENDPOINT_OF_PATH = PUBLIC | {PREFIX + name: name for name in ENDPOINTS}


@dataclass(slots=True)
class Request:
    method: str
    path: str
    headers: dict[bytes, bytes]
    body: bytes
    address: str
    query: bytes = b""
    login: str | None = None  # known once the signature was good


@dataclass(slots=True)
class Opening:
    """How a world begins."""

    world: str = "demo"
    seed: int = 1
    now: datetime | None = None  # None: the real time
    history_days: int | None = None  # None: as the world's plan says


class Sandbox:
    def __init__(self, opening: Opening, *, state_path: Path | None = None, limit: RateLimit | None = None) -> None:
        self.state_path = state_path
        self.first_limit = limit or RateLimit()
        saved = state.load(state_path) if state_path else None
        if saved:
            self._resume(saved)
        else:
            self.reset(opening)

    # The world's life

    def reset(self, opening: Opening) -> None:
        """A fresh world: nothing of the former one stays, not even nonces, faults or the limit's memory."""
        clock = DataClock()
        if opening.now is not None:
            clock.set(opening.now)
        self._open(opening.world, opening.seed, clock, opened_at=clock.now(), history_days=opening.history_days)
        self.save()

    def _open(self, name: str, seed: int, clock: DataClock, *, opened_at: int, history_days: int | None) -> None:
        if name not in WORLDS:
            raise BadInput(f"there is no world {name!r}; there are {', '.join(WORLDS)}")
        self.clock = clock
        self.world = World(name, seed, opened_at=opened_at, history_days=history_days)
        self.acts: list[dict[str, Any]] = []
        self.faults = Faults()
        self.log = CallLog()
        self.limit = RateLimit(self.first_limit.calls, self.first_limit.seconds)
        self._nonces: dict[str, NonceBook] = {}

    def _resume(self, saved: dict[str, Any]) -> None:
        try:
            self._open(
                saved["world"],
                saved["seed"],
                DataClock(saved["clock_offset_s"]),
                opened_at=saved["opened_at"],
                history_days=saved["history_days"],
            )
            for act in saved["acts"]:
                edits.apply(self.world, {k: v for k, v in act.items() if k != "at"}, now=act["at"])
            self.acts = saved["acts"]
        except (KeyError, TypeError, AttributeError) as reason:
            raise BadInput(f"the state file {self.state_path} is damaged ({reason!r}); move it away") from None

    def save(self) -> None:
        if self.state_path is None:
            return
        world = self.world
        state.save(
            self.state_path,
            {
                "world": world.name,
                "seed": world.seed,
                "opened_at": world.opened_at,
                "history_days": world.history_days,
                "clock_offset_s": self.clock.offset_s,
                "acts": self.acts,
            },
        )

    def perform(self, act: dict[str, Any]) -> dict[str, Any]:
        """Changes the world and remembers how, so that a restart comes to the same world."""
        now = self.clock.now()
        result = edits.apply(self.world, act, now=now)
        self.acts.append(act | {"at": now})
        self.save()
        return result

    # One request

    def answer(self, endpoint: str | None, request: Request, struck: list[ActiveFault]) -> Answer:
        """Everything between the wire's two ends. Faults of the wire itself are the server's."""
        early = _replacement(struck, BEFORE)
        if early is not None:
            return early
        try:
            answer = self._true_answer(endpoint, request, struck)
        except Refused as refused:
            answer = refused.answer
        if answer.status == 200:
            for fault in struck:
                if fault.kind.spoil is not None:
                    answer = fault.kind.spoil(answer, fault.dice)
        return _replacement(struck, "after") or answer

    def _true_answer(self, endpoint: str | None, request: Request, struck: list[ActiveFault]) -> Answer:
        if endpoint is None:
            return gateway(404, "Not Found")
        if not self.limit.takes(endpoint, request.address, now=time.monotonic()):
            return gateway(429, "Too Many Requests")
        pool_now = time.time() + sum(f.options["seconds"] for f in struck if f.name == "clock_skew")
        if endpoint.startswith("public/"):
            return _public(endpoint, request, pool_now)
        if request.method != "POST":
            return gateway(405, "Not Allowed", headers=((b"allow", b"POST"),))
        return self._private(endpoint, request, struck, int(pool_now * 1000))

    def _private(self, endpoint: str, request: Request, struck: list[ActiveFault], now_ms: int) -> Answer:
        key = check_signature(self.world.keys, request.headers, request.body, request.address)
        request.login = key.login
        for fault in struck:
            if fault.kind.refuse is not None:
                raise fault.kind.refuse()
        fields = read_body(request.body, request.headers)
        nonces = self._nonces.setdefault(key.api_key, NonceBook())
        check_envelope(fields, request.path, nonces, now_ms=now_ms)
        check_permission(key, endpoint)
        call = Call(
            world=self.world,
            user=self.world.users[key.login],
            book=self.world.books[key.login],
            fields=fields,
            now=self.clock.now(),
            perform=self.perform,
            quirks={fault.name: fault.dice for fault in struck if fault.kind.stage is Stage.LISTING},
        )
        return ENDPOINTS[endpoint](call)

    def note(self, endpoint: str | None, request: Request, status: int | None, struck: list[ActiveFault]) -> None:
        entry: dict[str, Any] = {
            "at": time.time(),
            "method": request.method,
            "path": request.path,
            "login": request.login,
            "address": request.address,
        }
        if struck:
            entry["faults"] = [fault.name for fault in struck]
        self.log.note(endpoint or "unknown", status, entry)


def _replacement(struck: list[ActiveFault], phase: str) -> Answer | None:
    for fault in struck:
        if fault.kind.replace is not None and fault.phase == phase:
            return fault.kind.replace(fault)
    return None


def _public(endpoint: str, request: Request, pool_now: float) -> Answer:
    if request.method != "GET":
        return gateway(405, "Not Allowed", headers=((b"allow", b"GET"),))
    return ok({"time": int(pool_now)} if endpoint == "public/time" else ["pong"])
