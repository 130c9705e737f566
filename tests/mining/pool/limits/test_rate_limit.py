from __future__ import annotations

import multiprocessing
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial

import pytest
import redis

from mining.pool.errors import CallsStopped
from mining.pool.limits import rate_limit
from mining.pool.limits.deadline import Deadline
from mining.pool.limits.rate_limit import RateLimiter
from tests.mining.pool.moments import Sleepless, most_in_any


def let_go(redis_url: str, seconds: float, threads: int) -> list[float]:
    """When calls went out, as fast as 160/s with a burst of 10 allows, from several threads."""
    shared = RateLimiter(redis.Redis.from_url(redis_url), egress="window", calls_per_second=160, burst_calls=10)
    ends_at = time.monotonic() + seconds
    moments: list[float] = []
    lock = threading.Lock()

    def work() -> None:
        while time.monotonic() < ends_at:
            shared.take("rewards", Deadline(5))
            with lock:
                moments.append(time.monotonic())

    with ThreadPoolExecutor(threads) as workers:
        for future in [workers.submit(work) for _ in range(threads)]:
            future.result()
    return moments


def test_no_sliding_window_holds_more_calls_than_allowed(store: redis.Redis, redis_url: str) -> None:
    # The pool's rule, smaller: 200 calls per second. 160/s and a burst of 10 leave 30 for calls that arrive bunched.
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as processes:
        parts = [processes.submit(let_go, redis_url, 1.7, 4) for _ in range(3)]
        moments = [moment for part in parts for moment in part.result()]

    assert most_in_any(1.0, moments) <= 200


def test_who_never_stops_asking_uses_the_whole_rate(store: redis.Redis) -> None:
    interval_s = 0.02
    shared = RateLimiter(store, egress="whole", calls_per_second=1 / interval_s, burst_calls=3)
    for number in range(10):
        ask = partial(shared.ask, "rewards", f"ticket-{number}", Deadline(1e6))
        # However long it slept, the next call is never further away than the rate says, and one wait is enough.
        if (wait_us := ask()) > 0:
            assert wait_us <= interval_s * 1e6 + 1
            time.sleep(wait_us / 1e6 + 0.001)
            assert ask() == 0


def test_the_rate_in_use_leaves_room_below_1000_in_10_seconds() -> None:
    assert rate_limit.CALLS_PER_SECOND * 10 + rate_limit.BURST_CALLS <= 950
    assert rate_limit.CALLS_PER_SECOND * 10 >= 850


def test_a_burst_goes_at_once_and_the_next_call_waits_its_turn(store: redis.Redis) -> None:
    shared = RateLimiter(store, egress="burst", calls_per_second=5, burst_calls=5)
    started = time.monotonic()

    for _ in range(5):
        shared.take("rewards", Sleepless(1))
    shared.take("rewards", Deadline(10))

    assert time.monotonic() - started >= 0.2


def test_a_call_that_cannot_be_in_time_gives_up_at_once_and_takes_no_slot(store: redis.Redis) -> None:
    shared = RateLimiter(store, egress="late", calls_per_second=0.001, burst_calls=1)
    shared.take("rewards", Deadline(1))
    due = store.hget("pool:rate_limit:late:rewards", "due")

    for _ in range(20):
        with pytest.raises(CallsStopped, match="rate limit"):
            shared.take("rewards", Sleepless(0.2))

    assert store.hget("pool:rate_limit:late:rewards", "due") == due


def test_each_endpoint_and_each_egress_address_has_its_own_rate_limit(store: redis.Redis) -> None:
    first = RateLimiter(store, egress="a", calls_per_second=0.001, burst_calls=1)
    second = RateLimiter(store, egress="b", calls_per_second=0.001, burst_calls=1)

    first.take("rewards", Deadline(0.5))
    first.take("hashrate", Deadline(0.5))
    second.take("rewards", Deadline(0.5))

    with pytest.raises(CallsStopped):
        first.take("rewards", Deadline(0.5))


def test_a_redis_clock_set_back_by_an_hour_does_not_stop_calls_for_an_hour(store: redis.Redis) -> None:
    shared = RateLimiter(store, egress="stepped", calls_per_second=20, burst_calls=2)
    store.hset("pool:rate_limit:stepped:rewards", "due", int((time.time() + 3600) * 1e6))

    shared.take("rewards", Deadline(60))


def test_without_redis_no_call_goes_out(dead_store: redis.Redis) -> None:
    with pytest.raises(CallsStopped, match="Redis"):
        RateLimiter(dead_store, egress="gone").take("rewards", Deadline(1))


def test_what_the_limiter_keeps_goes_away_by_itself(store: redis.Redis) -> None:
    RateLimiter(store, egress="tidy", calls_per_second=0.01, burst_calls=1).take("rewards", Deadline(1))

    assert 0 < store.pttl("pool:rate_limit:tidy:rewards") <= 101_500
