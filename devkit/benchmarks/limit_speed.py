"""How the shared rate limit is used, by whom, and what it costs: `python -m devkit.benchmarks.limit_speed [SECONDS]`.

Eight processes call the sandbox, whose limit is the pool's real one (1,000 calls in any 10 s), as fast as they are let;
then classes of callers compete for the same budget without HTTP, since only their order matters there.
"""

from __future__ import annotations

import logging
import multiprocessing
import statistics
import sys
import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor

import redis
import structlog

from mining.pool.client import PoolClient
from mining.pool.errors import PoolError
from mining.pool.limits.deadline import Deadline
from mining.pool.limits.rate_limit import CALLS_PER_SECOND, Priority, RateLimiter
from tests.mining.pool.conftest import private_valkey
from tests.sandbox import PoolKey, Sandbox, start_sandbox

PROCESSES, THREADS = 8, 4
WINDOW_SECONDS, ALLOWED = 10.0, 1_000
SPAWN = multiprocessing.get_context("spawn")


def in_threads(count: int, act: Callable[[], None]) -> None:
    threads = [threading.Thread(target=act) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def call_on(base_url: str, key: PoolKey, redis_url: str, party: str, ends_at: float) -> Counter[str]:
    """Calls from several threads until the end; what came back, by kind."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    store = redis.Redis.from_url(redis_url, socket_timeout=5)
    came: Counter[str] = Counter()

    def work() -> None:
        with PoolClient(base_url=base_url, api_key=key.api_key, secret=key.secret, redis=store, party=party) as pool:
            while time.time() < ends_at:
                try:
                    pool.miners_info("kestrel_7")
                    came["answers"] += 1
                except PoolError as error:
                    came[type(error).__name__] += 1

    in_threads(THREADS, work)
    return came


def arrivals_until_done(sandbox: Sandbox, parts: list[Future[Counter[str]]]) -> list[float]:
    """When each call arrived. The log keeps the last 500, so it is read more often than those can come."""
    seen: dict[tuple[float, str], float] = {}
    while True:
        done = all(part.done() for part in parts)
        for call in sandbox.log()["last"]:
            if call["endpoint"] == "miners/info":
                seen[call["at"], call["path"]] = call["at"]
        if done:
            return sorted(seen.values())
        time.sleep(1)


def use_of_the_limit(seconds: float) -> None:
    with start_sandbox("demo", 7) as sandbox, private_valkey() as (redis_url, _):
        key = sandbox.key("northmere")
        ends_at = time.time() + seconds + 5
        with ProcessPoolExecutor(PROCESSES, mp_context=SPAWN) as processes:
            parts = [
                processes.submit(call_on, sandbox.base_url, key, redis_url, f"provider-{number}", ends_at)
                for number in range(PROCESSES)
            ]
            moments = arrivals_until_done(sandbox, parts)
            came = [part.result() for part in parts]
        statuses = sandbox.log()["statuses"]["miners/info"]
    windows = [
        bisect_left(moments, start + WINDOW_SECONDS) - index
        for index, start in enumerate(moments)
        if start + WINDOW_SECONDS <= moments[-1]
    ]
    print(f"calls from {PROCESSES} processes                  {sum(statuses.values()):8,}")
    print(f"most in any sliding 10 s              {max(windows):8,} of {ALLOWED:,}")
    print(f"least in any sliding 10 s             {min(windows):8,}")
    print(f"use of the limit, typical 10 s        {statistics.median(windows) / ALLOWED:8.1%}")
    print(f"refused by the pool (429)             {statuses.get('429', 0):8,}")
    print(f"answers by provider                   {sorted(part['answers'] for part in came)}")


def decisions(seconds: float = 2.0) -> None:
    with private_valkey() as (redis_url, _):
        budget = RateLimiter(
            redis.Redis.from_url(redis_url), egress="bench", calls_per_second=1e6, burst_calls=1_000_000
        )
        count, ends_at = 0, time.monotonic() + seconds
        while time.monotonic() < ends_at:
            budget.take("rewards", Deadline(1))
            count += 1
        print(f"decisions of one process, nobody waits {count / seconds:7,.0f} a second")
        slow = RateLimiter(redis.Redis.from_url(redis_url), egress="queue", calls_per_second=0.001, burst_calls=1)
        for number in range(200):
            slow.ask("rewards", f"ticket-{number}", Deadline(1e6))
        count, ends_at = 0, time.monotonic() + seconds
        while time.monotonic() < ends_at:
            slow.ask("rewards", f"ticket-{count % 200}", Deadline(1e6))
            count += 1
        print(f"the same with 200 waiters in the queue {count / seconds:7,.0f} a second")


def classes(seconds: float) -> None:
    """All classes but the person's wait all the time, eight callers each; a person asks now and then."""
    with private_valkey() as (redis_url, _):
        store = redis.Redis.from_url(redis_url)
        served: Counter[str] = Counter()
        ended = threading.Event()

        def budget(priority: Priority) -> RateLimiter:
            return RateLimiter(store, egress="classes", party="north", priority=priority)

        def backlog(priority: Priority) -> None:
            mine = budget(priority)
            while not ended.is_set():
                try:
                    mine.take("rewards", Deadline(30))
                except PoolError:
                    served[f"{priority.name} gave up"] += 1
                    continue
                served[priority.name] += 1

        waiting = [
            threading.Thread(target=backlog, args=(priority,))
            for priority in Priority
            if priority is not Priority.PERSON
            for _ in range(8)
        ]
        for thread in waiting:
            thread.start()
        time.sleep(2)  # the burst is used up
        served.clear()
        person, waits = budget(Priority.PERSON), []
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            asked = time.monotonic()
            person.take("rewards", Deadline(30))
            waits.append(time.monotonic() - asked)
            time.sleep(0.25)
        counts = dict(served)
        ended.set()
        for thread in waiting:
            thread.join()
    total = sum(counts.values())
    waits.sort()
    print(f"a person's call while 32 others wait  median {waits[len(waits) // 2] * 1000:.0f} ms,", end=" ")
    print(f"95th {waits[int(len(waits) * 0.95)] * 1000:.0f} ms, longest {waits[-1] * 1000:.0f} ms")
    print(f"calls of each class in {seconds:.0f} s            ", end=" ")
    print(", ".join(f"{name} {count} ({count / total:.1%})" for name, count in counts.items()))


def main(seconds: float = 30.0) -> None:
    print(f"our rate {CALLS_PER_SECOND:.0f} calls a second")
    use_of_the_limit(seconds)
    decisions()
    classes(seconds / 2)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 30.0)
