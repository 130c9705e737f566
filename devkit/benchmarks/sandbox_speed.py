"""How many signed requests one core of the sandbox answers: `python -m devkit.benchmarks.sandbox_speed [SECONDS]`.

The callers sign their requests beforehand and speak plain sockets, so that what is measured is the sandbox. Two figures
for each endpoint: requests per second as seen from outside, and per second of the sandbox's own processor time, which
is the one that says what a core does when callers and other work share the machine.
"""

import base64
import hashlib
import hmac
import itertools
import json
import os
import socket
import sys
import time
import urllib.parse
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.sandbox import PoolKey, Sandbox, start_sandbox

CONNECTIONS = 16  # each with a key of its own: one key has only 1,000 nonces per second
BATCH = 40
NUMBERS = itertools.count()
# The fields of one call by its number: what makes something must not make the same twice.
Question = Callable[[int], dict[str, Any]]


def always(**fields: Any) -> Question:
    return lambda number: fields


def new_link(number: int) -> dict[str, Any]:
    """Three for each of the 10,200 accounts of the world `crowded`: enough for 5 s at 6,000 a second."""
    account = f"shed{number // 3:05d}"
    return {"accounts": [account], "name": "bench", "permissions": ["rewards"], "liveUntil": "7d"}


DEMO, CROWDED = ("demo", "northmere"), ("crowded", "multitude")
CASES: dict[str, tuple[tuple[str, str], Question]] = {
    "accounts": (DEMO, always()),
    "accounts/create": (DEMO, lambda number: {"name": f"made_{number}"}),
    "rewards": (DEMO, always(limit=30)),
    "rewards (100)": (DEMO, always(limit=100)),
    "hashrate": (DEMO, always(account="kestrel_7")),
    "payout-destination": (DEMO, always(accountName="kestrel_7")),
    "payout-destination/edit": (DEMO, always(accountName="kestrel_7", destination="main_balance")),
    "miners/info": (DEMO, always(account="kestrel_7")),
    "workers/names": (DEMO, always(account="kestrel_7")),
    "workers/hashrate": (DEMO, always(account="kestrel_7", worker="rig_001")),
    "watcher-links/create": (CROWDED, new_link),
    "watcher-links/list": (DEMO, always(account="kestrel_7")),
}


def signed_request(key: PoolKey, host: str, path: str, fields: dict[str, Any], nonce: int) -> bytes:
    envelope = fields | {"request": path, "nonce": nonce, "nonceWindow": True}
    body = json.dumps(envelope, separators=(",", ":")).encode()
    payload = base64.b64encode(body)
    signature = hmac.new(key.secret.encode(), payload, hashlib.sha512).hexdigest()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        f"X-TXC-APIKEY: {key.api_key}\r\nX-TXC-PAYLOAD: {payload.decode()}\r\nX-TXC-SIGNATURE: {signature}\r\n\r\n"
    )
    return head.encode() + body


def read_answer(connection: socket.socket) -> None:
    raw = connection.recv(65_536)
    while b"\r\n\r\n" not in raw:
        raw += connection.recv(65_536)
    head, _, body = raw.partition(b"\r\n\r\n")
    if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")):
        raise RuntimeError(raw[:300])
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    missing = length - len(body)
    while missing > 0:
        missing -= len(connection.recv(min(missing, 262_144)))


class Load:
    """One connection that asks again and again until the end; only the asking counts, not the signing."""

    def __init__(self, sandbox: Sandbox, key: PoolKey, endpoint: str, question: Question, end: float) -> None:
        at = urllib.parse.urlsplit(sandbox.base_url)
        self.key, self.question, self.end = key, question, end
        self.host, self.path = at.netloc, f"/api/v4/mining/{endpoint.split(' ')[0]}"
        self.connection = socket.create_connection((at.hostname or "", at.port or 0))
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.answered, self.last_nonce = 0, 0

    def run(self) -> None:
        while time.monotonic() < self.end:
            for request in self._batch():
                self.connection.sendall(request)
                read_answer(self.connection)
                self.answered += 1
        self.connection.close()

    def _batch(self) -> list[bytes]:
        # Nonces run from where they stopped, or from now; more than 4 s ahead means waiting for the clock.
        now_ms = time.time_ns() // 1_000_000
        if self.last_nonce + BATCH > now_ms + 4_000:
            time.sleep((self.last_nonce + BATCH - now_ms - 4_000) / 1_000)
        first = max(self.last_nonce + 1, now_ms)
        self.last_nonce = first + BATCH
        return [
            signed_request(self.key, self.host, self.path, self.question(next(NUMBERS)), first + n)
            for n in range(BATCH)
        ]


def processor_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def fresh_keys(sandbox: Sandbox, world: str, login: str) -> list[PoolKey]:
    """A new world, so that no nonce is known, and a limit that is out of the way."""
    global NUMBERS
    NUMBERS = itertools.count()
    sandbox.reset(world=world, seed=7)
    sandbox.limit(calls=10**9)
    sandbox.edit("set_account_cap", login=login, cap=10**9)
    made = [sandbox.edit("add_key", login=login) for _ in range(CONNECTIONS)]
    return [PoolKey(login, key["api_key"], key["secret"]) for key in made]


def measure(sandbox: Sandbox, endpoint: str, seconds: float) -> None:
    (world, login), question = CASES[endpoint]
    keys = fresh_keys(sandbox, world, login)
    end = time.monotonic() + seconds
    loads = [Load(sandbox, key, endpoint, question, end) for key in keys]
    began, worked = time.monotonic(), processor_seconds(sandbox.process.pid)
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        for outcome in [threads.submit(load.run) for load in loads]:
            outcome.result()
    took, worked = time.monotonic() - began, processor_seconds(sandbox.process.pid) - worked
    answered = sum(load.answered for load in loads)
    per_second, per_core = answered / took, answered / max(worked, 0.01)
    print(f"{endpoint:24} {per_second:8,.0f} requests/s seen {per_core:9,.0f} per second of one core")


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    with start_sandbox("demo", 7) as sandbox:
        for endpoint in CASES:
            measure(sandbox, endpoint, seconds)


if __name__ == "__main__":
    main()
