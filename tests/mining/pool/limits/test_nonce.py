from __future__ import annotations

import hashlib
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise

import pytest
import redis

from mining.pool.errors import CallsStopped, ClockSkewed
from mining.pool.limits.deadline import Deadline
from mining.pool.limits.nonce import NonceSource, PoolTime
from tests.mining.pool.moments import most_in_any

BASE_URL = "http://127.0.0.1:1"


def clock_ahead_by(seconds: float) -> PoolTime:
    return lambda _patience: int(time.time() + seconds)


def source(store: redis.Redis, *, pool_time: PoolTime | None = None, api_key: str = "key-1") -> NonceSource:
    return NonceSource(store, api_key=api_key, base_url=BASE_URL, read_pool_time=pool_time or clock_ahead_by(0))


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def last_key(api_key: str = "key-1") -> str:
    return f"pool:nonce:{hashlib.sha256(api_key.encode()).hexdigest()[:32]}"


def take_nonces(redis_url: str, count: int) -> list[tuple[int, float]]:
    """Nonces with the moment at which each was ready to be sent."""
    nonces = source(redis.Redis.from_url(redis_url))
    return [(nonces.next(Deadline(30)), time.time() * 1000) for _ in range(count)]


@pytest.mark.long
def test_eight_processes_of_one_key_get_no_nonce_twice_none_ahead_and_at_most_1000_a_second(
    store: redis.Redis, redis_url: str
) -> None:
    with ProcessPoolExecutor(8, mp_context=multiprocessing.get_context("spawn")) as processes:
        taken = [processes.submit(take_nonces, redis_url, 400) for _ in range(8)]
        sent = [pair for process in taken for pair in process.result()]

    assert len({nonce for nonce, _ in sent}) == 3_200
    assert max(nonce - at_ms for nonce, at_ms in sent) <= 1
    # By the moment of sending, in any second. A process that was not run for a while sends its one nonce late, so a
    # window may hold one more for each process; and one for its two ends.
    assert most_in_any(1000, [at_ms for _, at_ms in sent]) <= 1_000 + 8 + 1


def test_two_keys_do_not_wait_for_each_other(store: redis.Redis) -> None:
    one, two = source(store, api_key="key-1"), source(store, api_key="key-2")
    began_ms = now_ms()
    store.set(last_key("key-1"), began_ms + 5_500)

    assert began_ms <= two.next(Deadline(60)) <= now_ms()
    with pytest.raises(CallsStopped, match="nonce"):
        one.next(Deadline(0.5))


def test_nonces_are_milliseconds_and_grow(store: redis.Redis) -> None:
    began_ms = now_ms()
    nonces = [source(store).next(Deadline(60)) for _ in range(20)]

    assert all(later > earlier for earlier, later in pairwise(nonces))
    assert began_ms <= nonces[0] < nonces[-1] <= now_ms()


def test_the_skew_is_measured_once_for_everybody(store: redis.Redis) -> None:
    readings: list[float] = []

    def pool_time(deadline: Deadline) -> int:
        readings.append(deadline.left_seconds)
        return int(time.time())

    for _ in range(3):
        source(store, pool_time=pool_time).next(Deadline(5))

    assert len(readings) == 1


def test_a_pool_clock_4_s_off_is_followed(store: redis.Redis) -> None:
    began_ms = now_ms()
    ahead = source(store, pool_time=clock_ahead_by(4)).next(Deadline(60))
    took_ms = now_ms() - began_ms

    # The pool tells whole seconds, at some moment while it was asked.
    assert 3_500 <= ahead - began_ms <= 4_501 + 2 * took_ms


def test_a_pool_clock_within_the_resolution_of_seconds_is_left_alone(store: redis.Redis) -> None:
    source(store).next(Deadline(5))

    assert [int(store.get(key) or -1) for key in store.scan_iter("pool:skew:*")] == [0]


def test_a_pool_clock_that_is_read_on_the_stroke_of_a_second_is_left_alone(
    store: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    stroke_ms = 1_790_000_000_000
    ours = iter([stroke_ms - 1, stroke_ms])
    monkeypatch.setattr(NonceSource, "_redis_time_ms", lambda _source: next(ours))

    source(store, pool_time=lambda _patience: stroke_ms // 1000).next(Deadline(5))

    assert [store.get(key) for key in store.scan_iter("pool:skew:*")] == [b"0"]


@pytest.mark.parametrize("seconds", [30, -30, 3600])
def test_a_clock_30_s_off_stops_calls_with_a_sentence(store: redis.Redis, seconds: int) -> None:
    with pytest.raises(ClockSkewed, match=r"(2\d|3\d|359\d|360\d) s apart\. Set the clock"):
        source(store, pool_time=clock_ahead_by(seconds)).next(Deadline(5))

    assert list(store.scan_iter("pool:nonce:*")) == []


def test_a_clock_found_wrong_later_stops_calls_until_it_is_right(store: redis.Redis) -> None:
    nonces = source(store)
    nonces.next(Deadline(5))
    nonces.forget_skew()

    for _ in range(2):
        with pytest.raises(ClockSkewed):
            source(store, pool_time=clock_ahead_by(30)).next(Deadline(5))
    assert nonces.next(Deadline(5)) > 0


def test_a_clock_set_back_a_little_is_waited_for_and_nothing_repeats(store: redis.Redis) -> None:
    just_used = int(time.time() * 1000) + 300
    store.set(last_key(), just_used)

    nonce = source(store).next(Deadline(60))

    assert just_used < nonce <= now_ms() + 1


def test_a_clock_set_back_by_an_hour_does_not_stop_calls_for_an_hour(store: redis.Redis) -> None:
    began_ms = now_ms()
    store.set(last_key(), began_ms + 3_600_000)

    assert began_ms <= source(store).next(Deadline(1)) <= now_ms()


def test_without_redis_there_is_no_nonce(dead_store: redis.Redis) -> None:
    with pytest.raises(CallsStopped, match="Redis"):
        source(dead_store).next(Deadline(1))


def test_redis_holds_no_key_in_clear(store: redis.Redis) -> None:
    source(store, api_key="canary-key").next(Deadline(5))

    assert not any(b"canary" in key for key in store.scan_iter("*"))
