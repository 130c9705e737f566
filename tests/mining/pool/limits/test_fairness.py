"""Whose turn it is at the rate limit. A call is freed by hand here, so that orders are exact and no clock decides."""

from __future__ import annotations

import threading
import time
from collections import Counter
from itertools import pairwise

import pytest
import redis

from mining.pool.errors import CallsStopped
from mining.pool.limits import rate_limit
from mining.pool.limits.deadline import Deadline
from mining.pool.limits.rate_limit import Priority, RateLimiter
from tests.mining.pool.moments import Sleepy
from tests.waiting import LAST_RESORT_SECONDS, until

NAME = "pool:rate_limit:line:rewards"
FOR_EVER = Deadline(1e6)


class Attempt:
    """Callers of one rate limit whose calls are freed one at a time."""

    def __init__(self, store: redis.Redis) -> None:
        self._store = store
        self._limiters: dict[str, RateLimiter] = {}
        self.waiting: dict[str, tuple[RateLimiter, str]] = {}
        self._tickets = 0
        self._limiter("first", Priority.ACCOUNTS).ask("rewards", "first", FOR_EVER)  # uses the one free call up

    def _limiter(self, party: str, priority: Priority) -> RateLimiter:
        return RateLimiter(
            self._store, egress="line", party=party, priority=priority, calls_per_second=0.001, burst_calls=1
        )

    def join(self, party: str, priority: Priority = Priority.ACCOUNTS, *, calls: int = 1) -> None:
        for _ in range(calls):
            self._tickets += 1
            ticket = f"ticket-{self._tickets}"
            limiter = self._limiter(party, priority)
            assert limiter.ask("rewards", ticket, FOR_EVER) > 0
            self.waiting[ticket] = limiter, f"{priority.name}:{party}"

    def free_a_call(self) -> str:
        """All who wait ask again, last come first asking; who was let go."""
        self._store.hset(NAME, "due", 0)
        let_go = [ticket for ticket in reversed(self.waiting) if not self._asks_again(ticket)]
        assert len(let_go) == 1
        return self.waiting.pop(let_go[0])[1]

    def _asks_again(self, ticket: str) -> int:
        return self.waiting[ticket][0].ask("rewards", ticket, FOR_EVER)


@pytest.fixture
def line(store: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Attempt:
    monkeypatch.setattr(rate_limit, "_LEASE_SECONDS", 600.0)  # nobody is taken for dead where the machine is slow
    return Attempt(store)


def test_one_flow_is_served_in_the_order_it_came(line: Attempt, store: redis.Redis) -> None:
    line.join("north", calls=3)
    tickets = list(line.waiting)

    served: list[str] = []
    while line.waiting:
        before = set(line.waiting)
        line.free_a_call()
        served += before - set(line.waiting)

    assert served == tickets


def test_a_provider_that_asks_for_ten_times_as_much_gets_no_more_than_its_turn(line: Attempt) -> None:
    line.join("big", calls=30)
    line.join("small", calls=3)
    line.join("other", calls=3)

    first = Counter(line.free_a_call() for _ in range(9))

    assert first == {"ACCOUNTS:big": 3, "ACCOUNTS:small": 3, "ACCOUNTS:other": 3}


def test_who_was_quiet_has_saved_nothing_up_and_owes_nothing(line: Attempt) -> None:
    line.join("busy", calls=20)
    for _ in range(10):
        line.free_a_call()

    line.join("quiet", calls=10)
    first = [line.free_a_call() for _ in range(10)]

    assert Counter(first) == {"ACCOUNTS:busy": 5, "ACCOUNTS:quiet": 5}


def test_a_person_goes_before_everything_that_waits_already(line: Attempt) -> None:
    for priority in (Priority.HISTORY, Priority.BACKFILL, Priority.ACCOUNTS, Priority.PAYOUTS):
        line.join("north", priority, calls=5)
    line.free_a_call()

    line.join("south", Priority.PERSON)

    assert line.free_a_call() == "PERSON:south"


def test_classes_go_in_their_order_when_all_come_at_once(line: Attempt) -> None:
    classes = list(Priority)
    for priority in reversed(classes):
        line.join("north", priority)

    assert [line.free_a_call() for _ in classes] == [f"{priority.name}:north" for priority in classes]


def test_each_class_gets_its_share_while_all_wait_and_none_starves(line: Attempt) -> None:
    def backlog() -> None:
        waiting = Counter(flow for _, flow in line.waiting.values())
        for priority in Priority:
            if waiting[f"{priority.name}:north"] < 2:
                line.join("north", priority)

    served: Counter[str] = Counter()
    for _ in range(2 * (256 + 64 + 16 + 4 + 1)):
        backlog()
        served[line.free_a_call().partition(":")[0]] += 1

    shares = [served[priority.name] for priority in Priority]
    assert all(3.4 < more / less < 4.6 for more, less in pairwise(shares[:4]))
    assert served["HISTORY"] == 2


def test_the_place_of_a_dead_waiter_is_freed(store: redis.Redis) -> None:
    line = Attempt(store)
    started = time.monotonic()
    line.join("north", calls=2)
    dead, alive = line.waiting
    del line.waiting[dead]

    def goes_out() -> bool:
        store.hset(NAME, "due", 0)
        return line.waiting[alive][0].ask("rewards", alive, FOR_EVER) == 0

    until(goes_out)

    assert time.monotonic() - started > 0.5  # not at once: it may only be asleep
    assert store.exists(f"{NAME}:queue", f"{NAME}:leases") == 0


def test_dead_waiters_cost_the_living_free_calls_and_not_their_turn(
    store: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limit, "_LEASE_SECONDS", 600.0)
    shared = RateLimiter(store, egress="line", calls_per_second=100, burst_calls=10)
    dead = [f"dead-{number}" for number in range(5)]
    store.zadd(f"{NAME}:queue", dict.fromkeys(dead, 0))
    store.zadd(f"{NAME}:leases", dict.fromkeys(dead, (time.time() + 500) * 1e6))

    for _ in range(12):
        shared.take("rewards", Deadline(60))
        assert store.zcard(f"{NAME}:queue") == 5  # it went before the dead were found out


def test_a_call_that_overtakes_sleepers_does_not_pull_time_along(line: Attempt, store: redis.Redis) -> None:
    """Four calls are free and the last of four asks first. A person who comes then is still before the others."""
    interval_us, burst = 1_000_000_000, 4

    def free(calls: int) -> None:
        store.hset(NAME, "due", int(time.time() * 1e6) + (burst - calls) * interval_us - 1)

    def ask(ticket: str, priority: Priority) -> bool:
        flow = RateLimiter(store, egress="line", priority=priority, calls_per_second=0.001, burst_calls=burst)
        return flow.ask("rewards", ticket, FOR_EVER) == 0

    free(0)
    accounts = ["first", "second", "third"]
    for ticket in accounts:
        ask(ticket, Priority.ACCOUNTS)
    ask("history", Priority.HISTORY)
    free(4)
    assert ask("history", Priority.HISTORY)
    free(0)
    ask("person", Priority.PERSON)

    served = []
    for _ in range(4):
        free(1)
        served += [ticket for ticket in accounts if ask(ticket, Priority.ACCOUNTS)]
        served += ["person"] if ask("person", Priority.PERSON) else []
        accounts = [ticket for ticket in accounts if ticket not in served]
        if "person" in served:
            break

    assert served == ["first", "person"]


def test_who_gives_up_leaves_the_queue_and_pays_nothing(line: Attempt, store: redis.Redis) -> None:
    line.join("north")
    before = store.zrange(f"{NAME}:flows", 0, -1, withscores=True)
    hasty = RateLimiter(store, egress="line", party="south", calls_per_second=0.001, burst_calls=1)

    with pytest.raises(CallsStopped, match="rate limit"):
        hasty.take("rewards", Deadline(0.1))
    assert hasty.ask("rewards", "patient-first", FOR_EVER) > 0
    assert hasty.ask("rewards", "patient-first", Deadline(0.1)) == -1

    assert store.zrange(f"{NAME}:flows", 0, -1, withscores=True) == before
    assert store.zcard(f"{NAME}:queue") == store.zcard(f"{NAME}:leases") == 1


def test_who_has_no_time_left_to_sleep_leaves_the_queue_too(line: Attempt, store: redis.Redis) -> None:
    line.join("north")
    before = store.zrange(f"{NAME}:flows", 0, -1, withscores=True)
    sleepy = RateLimiter(store, egress="line", party="south", calls_per_second=0.001, burst_calls=1)

    with pytest.raises(CallsStopped, match="rate limit"):
        sleepy.take("rewards", Sleepy(1e6))

    assert store.zrange(f"{NAME}:flows", 0, -1, withscores=True) == before
    assert store.zcard(f"{NAME}:queue") == store.zcard(f"{NAME}:leases") == 1


def test_leases_from_before_a_step_back_of_the_clock_hold_nobody_up(line: Attempt, store: redis.Redis) -> None:
    line.join("north")
    store.zadd(f"{NAME}:queue", {"ghost": 1})
    store.zadd(f"{NAME}:leases", {"ghost": (time.time() + 3600) * 1e6})

    assert line.free_a_call() == "ACCOUNTS:north"


def test_a_quiet_rate_limit_keeps_nothing_but_its_next_moment(line: Attempt, store: redis.Redis) -> None:
    line.join("north", calls=3)
    line.join("south", Priority.HISTORY)
    while line.waiting:
        line.free_a_call()

    assert [key.decode() for key in store.scan_iter("pool:rate_limit:*")] == [NAME]
    assert store.hget(NAME, "virtual") == b"0"


def test_everything_that_waiters_leave_in_redis_ends_by_itself(store: redis.Redis) -> None:
    shared = RateLimiter(store, egress="line", calls_per_second=0.01, burst_calls=1)
    for number in range(3):
        shared.ask("rewards", f"ticket-{number}", FOR_EVER)

    keys = list(store.scan_iter("pool:rate_limit:*"))
    assert len(keys) == 4
    assert all(0 < store.pttl(key) <= 101_500 for key in keys)


def test_a_free_call_takes_one_trip(store: redis.Redis) -> None:
    shared = RateLimiter(store, egress="line")
    shared.take("rewards", Deadline(1))
    store.config_resetstat()

    shared.take("rewards", Deadline(1))

    commands = {name: said["calls"] for name, said in store.info("commandstats").items()}
    assert commands["cmdstat_evalsha"] == 1
    assert "cmdstat_eval" not in commands


def test_turns_are_kept_by_threads_and_real_waits_too(store: redis.Redis) -> None:
    """Eight callers that never stop against one that asks again when it was served."""
    ended = threading.Event()
    served: Counter[str] = Counter()

    def ask_on(party: str, most: int) -> None:
        shared = RateLimiter(store, egress="real", party=party, calls_per_second=20, burst_calls=2)
        while not ended.is_set() and served[party] < most:
            shared.take("rewards", Deadline(LAST_RESORT_SECONDS))
            served[party] += 1

    big = [threading.Thread(target=ask_on, args=("big", 1_000)) for _ in range(8)]
    for thread in big:
        thread.start()
    until(lambda: served["big"] > 3)  # the burst is used up, and all stand in the line
    served.clear()
    ask_on("small", 8)
    ended.set()
    for thread in big:
        thread.join()

    # First come first served would be eight for one.
    assert served["big"] - 8 <= 3 * served["small"]
