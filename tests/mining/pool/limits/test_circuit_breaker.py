"""How a breaker opens, who may pass, and how it closes."""

from __future__ import annotations

import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor
from concurrent.futures import wait as wait_for

import pytest
import redis

from mining.pool.errors import CallsStopped, HeldBack, PoolUnavailable
from mining.pool.limits.circuit_breaker import CircuitBreaker, Kind, Passage
from mining.pool.limits.deadline import Deadline
from tests.mining.pool.moments import Counting, Sleepless
from tests.waiting import LAST_RESORT_SECONDS, until

WHY = "The pool is in maintenance."


def breaker(store: redis.Redis, *, first_seconds: float = 30.0, opens_after: int = 2) -> CircuitBreaker:
    return CircuitBreaker(store, "endpoint", opens_after=opens_after, first_seconds=first_seconds, longest_seconds=60.0)


def fail(broken: CircuitBreaker, passage: Passage, strikes: int = 1) -> None:
    with pytest.raises(PoolUnavailable), broken.watching(passage, lambda _error: strikes):
        raise PoolUnavailable(WHY)


def work(broken: CircuitBreaker, passage: Passage) -> None:
    with broken.watching(passage, lambda _error: 0):
        pass


def step_over(store: redis.Redis, pattern: str = "pool:circuit_breaker:endpoint:x") -> None:
    """As if the back-off's time had passed."""
    (name,) = store.scan_iter(pattern)
    store.hset(name, "until", 0)


def test_it_opens_after_so_many_failures_and_says_why(store: redis.Redis) -> None:
    held = breaker(store)
    fail(held, held.enter("x"))
    assert held.enter("x").kind is Kind.WATCHED
    fail(held, held.enter("x"))

    with pytest.raises(HeldBack, match="held back for now: The pool is in maintenance"):
        held.enter("x")
    assert held.enter("another").kind is Kind.CLOSED


def test_a_success_between_failures_keeps_it_closed(store: redis.Redis) -> None:
    held = breaker(store)
    for _ in range(3):
        fail(held, held.enter("x"))
        work(held, held.enter("x"))

    assert held.enter("x").kind is Kind.CLOSED


def test_one_probe_goes_in_a_step_and_its_success_lets_all_go(store: redis.Redis) -> None:
    held = breaker(store)
    fail(held, held.enter("x"), strikes=2)
    step_over(store)

    probe = held.enter("x")
    assert probe.kind is Kind.PROBE
    for _ in range(3):
        with pytest.raises(HeldBack):
            held.enter("x")
    work(held, probe)

    assert held.enter("x").kind is Kind.CLOSED


def test_the_steps_double_to_the_longest(store: redis.Redis) -> None:
    held = breaker(store, first_seconds=10)
    for step in (10, 20, 40, 60, 60):
        began = time.time()
        fail(held, held.enter("x"), strikes=2)
        until_s = int(store.hget("pool:circuit_breaker:endpoint:x", "until") or 0) / 1e6
        assert began + step - 0.001 <= until_s <= time.time() + step
        step_over(store)


def test_calls_that_were_out_before_it_opened_lengthen_nothing(store: redis.Redis) -> None:
    held = breaker(store)
    out = [held.enter("x") for _ in range(10)]
    for passage in out:
        fail(held, passage, strikes=2)

    assert store.hget("pool:circuit_breaker:endpoint:x", "steps") == b"1"


def test_what_was_out_before_it_opened_does_not_close_it(store: redis.Redis) -> None:
    held = breaker(store)
    fail(held, held.enter("x"))
    late = held.enter("x")
    assert late.kind is Kind.WATCHED
    for _ in range(3):
        fail(held, held.enter("x"))
        step_over(store)
    before = store.hgetall("pool:circuit_breaker:endpoint:x")

    work(held, late)

    assert store.hgetall("pool:circuit_breaker:endpoint:x") == before
    assert held.enter("x").kind is Kind.PROBE


def test_a_probe_that_our_own_side_stopped_makes_way_for_another_and_lengthens_nothing(store: redis.Redis) -> None:
    held = breaker(store)
    fail(held, held.enter("x"), strikes=2)
    step_over(store)
    for _ in range(5):
        probe = held.enter("x")
        assert probe.kind is Kind.PROBE
        with pytest.raises(CallsStopped), held.watching(probe, lambda _error: 0):
            raise CallsStopped("No nonce was free in time.")

    assert store.hmget("pool:circuit_breaker:endpoint:x", "steps", "why") == [b"1", WHY.encode()]


def test_what_our_own_side_stopped_leaves_nothing_behind_where_the_trouble_is_over(store: redis.Redis) -> None:
    held = breaker(store)
    with pytest.raises(CallsStopped), held.watching(Passage("x", Kind.PROBE), lambda _error: 0):
        raise CallsStopped("No nonce was free in time.")

    assert not store.exists("pool:circuit_breaker:endpoint:x")


def test_a_probe_that_told_nothing_has_not_got_through(store: redis.Redis) -> None:
    held = breaker(store)
    fail(held, held.enter("x"), strikes=2)
    step_over(store)
    fail(held, held.enter("x"), strikes=0)

    with pytest.raises(HeldBack):
        held.enter("x")
    assert store.hget("pool:circuit_breaker:endpoint:x", "steps") == b"2"


def test_a_probe_that_died_is_followed_by_another(store: redis.Redis) -> None:
    held = breaker(store)
    fail(held, held.enter("x"), strikes=2)
    step_over(store)
    began = time.time()
    held.enter("x")
    until_s = int(store.hget("pool:circuit_breaker:endpoint:x", "until") or 0) / 1e6
    assert began + 19.999 <= until_s <= time.time() + 20

    step_over(store)

    assert held.enter("x").kind is Kind.PROBE


def test_who_can_wait_waits_and_lines_up_again(store: redis.Redis) -> None:
    held = breaker(store)
    fail(held, held.enter("x"), strikes=2)
    patient = [Counting(LAST_RESORT_SECONDS) for _ in range(4)]

    with ThreadPoolExecutor(4) as threads:
        waiting = [threads.submit(held.wait, "x", deadline) for deadline in patient]
        until(lambda: all(deadline.waits for deadline in patient))
        step_over(store)
        # The first to come back is the probe: all others wait for it.
        first, _ = wait_for(waiting, return_when=FIRST_COMPLETED)
        (probe,) = [future.result() for future in first]
        assert probe is not None
        work(held, probe)
        found = [future.result() for future in waiting]

    assert probe.kind is Kind.PROBE
    assert found.count(None) == 3


def test_who_cannot_wait_so_long_is_told_at_once(store: redis.Redis) -> None:
    held = breaker(store, first_seconds=30)
    fail(held, held.enter("x"), strikes=2)

    with pytest.raises(HeldBack):
        held.wait("x", Sleepless(20))


def test_a_clock_set_back_by_an_hour_holds_nobody_back_for_an_hour(store: redis.Redis) -> None:
    held = breaker(store)
    fail(held, held.enter("x"), strikes=2)
    store.hset("pool:circuit_breaker:endpoint:x", "until", int((time.time() + 3600) * 1e6))

    assert held.enter("x").kind is Kind.PROBE


def test_without_redis_no_call_passes(dead_store: redis.Redis) -> None:
    with pytest.raises(CallsStopped, match="Redis"):
        breaker(dead_store).enter("x")


def test_what_it_remembers_goes_away_by_itself(store: redis.Redis) -> None:
    held = breaker(store)
    fail(held, held.enter("x"))

    assert 0 < store.pttl("pool:circuit_breaker:endpoint:x") <= 600_000


def test_waits_leave_the_exchange_its_time() -> None:
    deadline = Deadline(0.04)
    assert deadline.left_seconds <= 0.03
    time.sleep(0.05)

    assert not deadline.wait(0.001)
    assert deadline.exchange_seconds == 0.01
