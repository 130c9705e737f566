"""The running pool: its world, clock and memory, and one request from the gateway's check to the answer."""

import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from . import edits, state
from .accounts import Key
from .answers import Answer, Refused, gateway
from .call import PREFIX, Call
from .clock import DataClock
from .endpoints import ENDPOINTS
from .faults import BEFORE, ActiveFault, Faults, Stage
from .fields import BadInput
from .log import CallLog
from .mined import HOUR_S
from .public import PUBLIC, PUBLIC_PATHS, PublicCall
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

ENDPOINT_OF_PATH = PUBLIC_PATHS | {PREFIX + name: name for name in ENDPOINTS}


LONGEST_LOGGED_BODY = 4_096


@dataclass(slots=True)
class Request:
    method: str
    path: str
    headers: dict[bytes, bytes]
    body: bytes
    address: str
    query: bytes = b""
    login: str | None = None  # known once the signature was good
    came_at: float = field(default_factory=time.time)


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
        self.faults = Faults()
        saved = state.load(state_path) if state_path else None
        if saved:
            self._resume(saved)
        else:
            self.reset(opening)

    # The world's life

    def reset(self, opening: Opening) -> None:
        """A fresh world: nothing of the former one stays, not even nonces, faults, held calls or the limit's memory."""
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
        self.faults.clear()
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
            # A state file from before uses were kept: every key counts as used just now.
            uses = saved.get("key_uses", dict.fromkeys(self.world.keys, self.clock.now()))
            for key in self.world.keys.values():
                key.used_at = uses.get(key.api_key, key.used_at)
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
                "key_uses": {key.api_key: key.used_at for key in world.keys.values()},
            },
        )

    def perform(self, act: dict[str, Any]) -> dict[str, Any]:
        """Changes the world and remembers how, so that a restart comes to the same world."""
        now = self.clock.now()
        result = edits.apply(self.world, act, now=now)
        self.acts.append(act | {"at": now})
        self.save()
        return result

    def move_clock(self, moment: datetime, *, keys_unused: bool) -> None:
        """Keys are taken to have been used all the while as they were before, unless they were not."""
        before = self.clock.now()
        self.clock.set(moment)
        if not keys_unused:
            for key in self.world.keys.values():
                key.used_at += self.clock.now() - before
        self.save()

    def _note_use(self, key: Key, now: int) -> None:
        # Kept to the hour: a save for every call would cost more than the call.
        saved_hour = key.used_at // HOUR_S
        key.used_at = now
        if now // HOUR_S != saved_hour:
            self.save()

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
        for fault in struck:
            if fault.kind.spoil is not None and fault.kind.spoils(answer.status):
                answer = fault.kind.spoil(answer, fault.dice)
        return _replacement(struck, "after") or answer

    def _true_answer(self, endpoint: str | None, request: Request, struck: list[ActiveFault]) -> Answer:
        if endpoint is None:
            return gateway(404, "Not Found")
        if not self.limit.takes(endpoint, request.address, now=time.monotonic()):
            return gateway(429, "Too Many Requests")
        pool_now = time.time() + sum(f.options["seconds"] for f in struck if f.name == "clock_skew")
        if endpoint.startswith("public/"):
            return self._public(endpoint, request, pool_now)
        if request.method != "POST":
            return gateway(405, "Not Allowed", headers=((b"allow", b"POST"),))
        return self._private(endpoint, request, struck, int(pool_now * 1000))

    def _public(self, endpoint: str, request: Request, pool_now: float) -> Answer:
        if request.method != "GET":
            return gateway(405, "Not Allowed", headers=((b"allow", b"GET"),))
        return PUBLIC[endpoint](PublicCall(self.world, request.query, self.clock.now(), pool_now))

    def _private(self, endpoint: str, request: Request, struck: list[ActiveFault], now_ms: int) -> Answer:
        now = self.clock.now()
        key = check_signature(self.world.keys, request.headers, request.body, request.address, now=now)
        request.login = key.login
        self._note_use(key, now)
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
            now=now,
            perform=self.perform,
            quirks={fault.name: fault for fault in struck if fault.kind.stage is Stage.LISTING},
        )
        return ENDPOINTS[endpoint](call)

    def note(self, endpoint: str | None, request: Request, status: int | None, struck: list[ActiveFault]) -> None:
        entry: dict[str, Any] = {
            "at": request.came_at,
            "method": request.method,
            "path": request.path,
            "login": request.login,
            "address": request.address,
        }
        if request.query:
            entry["query"] = request.query.decode("latin-1")
        if request.body:
            entry["body"] = request.body[:LONGEST_LOGGED_BODY]
        if struck:
            entry["faults"] = [fault.name for fault in struck]
        self.log.note(endpoint or "unknown", status, entry)


def _replacement(struck: list[ActiveFault], phase: str) -> Answer | None:
    for fault in struck:
        if fault.kind.replace is not None and fault.phase == phase:
            return fault.kind.replace(fault)
    return None
