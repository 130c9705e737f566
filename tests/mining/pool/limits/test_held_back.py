"""What counts as the pool's trouble, for whom, and how it ends: the real client at the sandbox."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest
import redis

from mining.pool.errors import (
    BadAnswer,
    CallsStopped,
    HeldBack,
    NonceRefused,
    OutOfOrder,
    PoolError,
    PoolUnavailable,
    RateLimited,
    RequestRefused,
    Unreachable,
)
from mining.pool.limits.deadline import Deadline
from tests.mining.pool.conftest import MakeClient
from tests.mining.pool.limits.test_circuit_breaker import step_over
from tests.sandbox import Sandbox
from tests.waiting import until

# One attempt, and a step that is not over before the test is.
IMPATIENT: dict[str, Any] = {"deadline_seconds": 0.3, "first_wait_seconds": 300.0, "longest_wait_seconds": 300.0}


@pytest.mark.parametrize("fault", ["rate_limited", "http_503"])
def test_a_storm_sees_one_probe_for_each_step_from_all_callers_and_all_go_on_after_it(
    sandbox: Sandbox, client: MakeClient, store: redis.Redis, fault: str
) -> None:
    steps: dict[str, Any] = {"first_wait_seconds": 0.2, "longest_wait_seconds": 0.4}
    pools = [client(deadline_seconds=60, **steps) for _ in range(8)]
    pools[0].miners_info("north")  # the clock is known
    sandbox.clear_log()
    sandbox.fault(fault, endpoint="rewards")
    with pytest.raises(PoolUnavailable):
        client(deadline_seconds=0.1, **steps).rewards_page()

    with ThreadPoolExecutor(8) as threads:
        waiting = [threads.submit(pool.rewards_page) for pool in pools]
        until(lambda: int(store.hget("pool:circuit_breaker:endpoint::rewards", "steps") or 0) >= 4)
        sandbox.clear_faults()
        pages = [future.result() for future in waiting]

    assert len(pages) == 8
    # The first one opened it. Then probes alone, each a whole step after the one before was answered, however slow the
    # machine is; callers that do not wait come all at once.
    refused = sorted(call["at"] for call in sandbox.log()["last"] if call["status"] != 200)
    assert len(refused) >= 4
    gaps = [later - sooner for sooner, later in pairwise(refused)]
    assert all(gap > step - 0.01 for gap, step in zip(gaps, [0.2, *[0.4] * len(gaps)], strict=False))


def test_a_probe_without_a_nonce_keeps_what_is_told_and_the_next_one_closes_it(
    sandbox: Sandbox, client: MakeClient, store: redis.Redis
) -> None:
    sandbox.fault("http_503", endpoint="rewards", times=1)
    with pytest.raises(OutOfOrder):
        client(**IMPATIENT).rewards_page()
    step_over(store, "pool:circuit_breaker:endpoint:*rewards")
    (last_nonce,) = store.scan_iter("pool:nonce:*")
    for _ in range(5):
        store.set(last_nonce, int(time.time() * 1000) + 5_000)
        with pytest.raises(CallsStopped, match="no nonce was free"):
            client(**IMPATIENT).rewards_page()
    assert b"status 503" in (store.hget("pool:circuit_breaker:endpoint::rewards", "why") or b"")
    store.delete(last_nonce)

    assert client(**IMPATIENT).rewards_page().records
    assert not store.exists("pool:circuit_breaker:endpoint::rewards")


def test_while_the_clock_is_held_back_that_is_said_once_and_by_its_name(sandbox: Sandbox, client: MakeClient) -> None:
    sandbox.fault("http_503", endpoint="public/time")
    with pytest.raises(PoolUnavailable, match="clock could not be read"):
        client(**IMPATIENT).rewards_page()

    with pytest.raises(HeldBack, match="status 503") as raised:
        client(**IMPATIENT).rewards_page()

    assert raised.value.endpoint == "public/time"
    assert raised.value.sentence.count("held back for now") == 1


@pytest.mark.parametrize(("kind", "trouble", "times"), [("endpoint", "http_503", 1), ("key", "reset", 5)])
def test_a_page_that_is_not_the_pools_closes_nothing(
    sandbox: Sandbox, client: MakeClient, store: redis.Redis, kind: str, trouble: str, times: int
) -> None:
    pool = client(**IMPATIENT)
    sandbox.fault(trouble, endpoint="rewards", times=times)
    for _ in range(times):
        with pytest.raises(PoolUnavailable):
            pool.rewards_page()
    step_over(store, f"pool:circuit_breaker:{kind}:*")
    sandbox.fault("captive_page", endpoint="rewards")
    with pytest.raises(BadAnswer):
        pool.rewards_page()

    with pytest.raises(HeldBack, match="not the JSON we expect"):
        pool.rewards_page()


def test_the_storm_of_one_endpoint_leaves_the_others_alone(sandbox: Sandbox, client: MakeClient) -> None:
    sandbox.fault("rate_limited", endpoint="rewards")
    pool = client(deadline_seconds=0.3)
    with pytest.raises(RateLimited):
        pool.rewards_page()

    assert pool.miners_info("north").stratum


def test_another_key_is_held_back_too_and_told_why(sandbox: Sandbox, client: MakeClient) -> None:
    other = sandbox.key("beta")
    sandbox.fault("http_503", endpoint="rewards")
    with pytest.raises(OutOfOrder):
        client(**IMPATIENT).rewards_page()

    with pytest.raises(HeldBack, match=r"Calls of this endpoint are held back for now: .*status 503"):
        client(api_key=other.api_key, secret=other.secret, **IMPATIENT).rewards_page()

    assert sandbox.calls()["rewards"] == 1


def test_one_account_that_the_pool_breaks_on_holds_no_others_back(sandbox: Sandbox, client: MakeClient) -> None:
    pool = client(**IMPATIENT)
    for _ in range(5):
        sandbox.fault("http_500", endpoint="miners/info", times=1)
        with pytest.raises(OutOfOrder):
            pool.miners_info("north")
        assert pool.miners_info("south").stratum


def test_an_endpoint_that_breaks_on_everything_is_held_back(sandbox: Sandbox, client: MakeClient) -> None:
    sandbox.fault("http_500", endpoint="miners/info")
    for _ in range(3):
        with pytest.raises(OutOfOrder):
            client(**IMPATIENT).miners_info("north")

    with pytest.raises(HeldBack):
        client(**IMPATIENT).miners_info("south")


@pytest.mark.parametrize(
    ("fault", "options", "error"), [("reset", {}, Unreachable), ("nonce_refused", {"status": 401}, NonceRefused)]
)
def test_a_key_that_fails_again_and_again_is_held_back_and_no_other(
    sandbox: Sandbox, client: MakeClient, fault: str, options: dict[str, int], error: type[PoolError]
) -> None:
    other = sandbox.key("beta")
    sandbox.fault(fault, **options)
    for _ in range(5):
        with pytest.raises(error):
            client(**IMPATIENT).rewards_page()
    sandbox.clear_faults()
    sandbox.clear_log()

    with pytest.raises(HeldBack, match="Calls of this key are held back"):
        client(**IMPATIENT).hashrate("north")

    assert sandbox.calls() == {}
    assert client(api_key=other.api_key, secret=other.secret).rewards_page().records


def test_a_repeated_nonce_in_other_words_holds_back_its_key_and_nobody_else(
    sandbox: Sandbox, client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In whatever words: that it goes on when the key makes no other call tells it from a limit."""
    other = sandbox.key("beta")
    pool = client(deadline_seconds=5)
    nonce = pool._caller._nonces.next(Deadline(5))
    monkeypatch.setattr(pool._caller._nonces, "next", lambda _deadline: nonce)
    pool.rewards_page()
    sandbox.fault("localized_errors")
    with pytest.raises(NonceRefused, match="used elsewhere"):
        pool.rewards_page()

    with pytest.raises(PoolUnavailable, match="used elsewhere"):
        client(**IMPATIENT).hashrate("north")
    assert client(api_key=other.api_key, secret=other.secret, **IMPATIENT).rewards_page().records


def test_a_held_key_is_let_go_by_one_call_that_gets_through(
    sandbox: Sandbox, client: MakeClient, store: redis.Redis
) -> None:
    sandbox.fault("reset", times=5)
    for _ in range(5):
        with pytest.raises(Unreachable):
            client(**IMPATIENT).rewards_page()
    with pytest.raises(HeldBack):
        client(**IMPATIENT).rewards_page()
    step_over(store, "pool:circuit_breaker:key:*")

    assert client().rewards_page().records
    assert client().miners_info("north").stratum


def test_a_turn_that_comes_too_late_for_an_answer_sends_nothing_and_is_no_strike(
    sandbox: Sandbox, client: MakeClient, store: redis.Redis
) -> None:
    pool = client(deadline_seconds=400.0, calls_per_second=0.001, burst_calls=1)
    pool.rewards_page()  # the clock is known
    # Within its deadline, and too late for the 2 s that are kept for the exchange.
    store.hset("pool:rate_limit::miners/info", "due", int((time.time() + 399.9) * 1e6))

    with pytest.raises(CallsStopped, match="gave up in time"):
        pool.miners_info("north")

    assert "miners/info" not in sandbox.calls()
    assert list(store.scan_iter("pool:circuit_breaker:*")) == []


def test_a_refusal_of_the_parameters_shows_that_the_pool_is_well(sandbox: Sandbox, client: MakeClient) -> None:
    pool = client(**IMPATIENT)
    for _ in range(4):
        sandbox.fault("reset", times=2)
        for _ in range(2):
            with pytest.raises(Unreachable):
                pool.miners_info("north")
        with pytest.raises(RequestRefused):
            pool.miners_info("nobody")
