"""Nonces of a key that 8 processes share: `python -m devkit.benchmarks.nonce_speed [CALLS]` (100,000 without a number).

Real signed calls over HTTP to the sandbox, which refuses a repeated nonce (429) and one outside ±5 s (400). Its rate
limit and ours are out of the way, so that what holds calls back is the nonces alone.
"""

from __future__ import annotations

import logging
import multiprocessing
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import redis
import structlog

from mining.pool.client import PoolClient
from mining.pool.errors import PoolError
from mining.pool.limits.deadline import Deadline
from tests.mining.pool.conftest import private_valkey
from tests.mining.pool.moments import most_in_any
from tests.sandbox import PoolKey, start_sandbox

PROCESSES = 8


@dataclass
class Share:
    """What one process did: its nonces, when each was ready to be sent, how far from that moment, its failures."""

    nonces: list[int]
    ready_at_ms: list[float]
    largest_distance_ms: int
    failures: Counter[str]


def call_on(base_url: str, key: PoolKey, redis_url: str, calls: int) -> Share:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    share = Share([], [], 0, Counter())
    with PoolClient(
        base_url=base_url,
        api_key=key.api_key,
        secret=key.secret,
        redis=redis.Redis.from_url(redis_url, socket_timeout=5),
        calls_per_second=1e6,
        burst_calls=1_000_000,
    ) as pool:
        source = pool._caller._nonces  # the client keeps its nonces to itself; only here are they looked at
        issue = source.next

        def watched(deadline: Deadline) -> int:
            nonce = issue(deadline)
            now_ms = time.time() * 1000
            distance_ms = abs(nonce - int(now_ms))
            share.nonces.append(nonce)
            share.ready_at_ms.append(now_ms)
            share.largest_distance_ms = max(share.largest_distance_ms, distance_ms)
            return nonce

        source.next = watched  # type: ignore[method-assign]
        for _ in range(calls):
            try:
                pool.miners_info("kestrel_7")
            except PoolError as error:
                share.failures[type(error).__name__] += 1
    return share


def main(calls: int = 100_000) -> None:
    with start_sandbox("demo", 7) as sandbox, private_valkey() as (redis_url, _):
        sandbox.limit(calls=10**9)
        key = sandbox.key("northmere")
        began = time.monotonic()
        with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as processes:
            parts = [
                processes.submit(call_on, sandbox.base_url, key, redis_url, calls // PROCESSES)
                for _ in range(PROCESSES)
            ]
            shares = [part.result() for part in parts]
        took = time.monotonic() - began
        statuses = sandbox.log()["statuses"]["miners/info"]
    nonces = [nonce for share in shares for nonce in share.nonces]
    failures = sum((share.failures for share in shares), Counter[str]())
    print(f"signed calls                          {len(nonces):10,} in {took:.0f} s by {PROCESSES} processes")
    print(f"nonces issued twice                   {len(nonces) - len(set(nonces)):10,}")
    print(f"refused as repeated (429)             {statuses.get('429', 0):10,}")
    print(f"refused as outside the window (400)   {statuses.get('400', 0):10,}")
    print(f"largest distance from the pool's time {max(share.largest_distance_ms for share in shares):10,} ms")
    # A process that was not run for a while sends its one nonce late: up to one more for each process.
    most = most_in_any(1000, [at_ms for share in shares for at_ms in share.ready_at_ms])
    print(f"most sent in any one second           {most:10,} (1,000 and up to {PROCESSES} late ones)")
    print(f"answers                               {dict(statuses)}, errors {dict(failures)}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
