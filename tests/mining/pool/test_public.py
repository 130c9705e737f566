"""What the pool tells everybody, read by the real client from the real sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
import redis

from mining.pool.errors import BadAnswer, CallsStopped, OurBug, PoolUnavailable
from mining.pool.public import PublicPool
from tests.mining.pool.moments import WaitsAlone
from tests.sandbox import Sandbox


@pytest.fixture
def public(sandbox: Sandbox, store: redis.Redis, unhurried: WaitsAlone) -> Iterator[PublicPool]:
    with PublicPool(
        base_url=sandbox.base_url, redis=store, deadline_seconds=2.0, first_wait_seconds=0.02, longest_wait_seconds=0.1
    ) as pool:
        yield pool


def test_the_pools_clock_is_read(public: PublicPool) -> None:
    # The sandbox's nonces, and so its public clock, stay on real time whatever its world's clock says.
    before = datetime.now(UTC).replace(microsecond=0)
    assert before <= public.time() <= datetime.now(UTC)


def test_the_overview_is_the_same_in_both_documented_forms(sandbox: Sandbox, public: PublicPool) -> None:
    as_object = public.overview()
    sandbox.fault("overview_as_list")

    assert public.overview() == as_object
    assert as_object.workers > 0
    assert as_object.hashrate_hs > 10**12
    assert len(as_object.last_days) == 7
    assert as_object.newest_block_height is not None


def test_a_bitcoin_costs_what_the_last_daily_price_says(public: PublicPool) -> None:
    days = public.daily_prices(date(2026, 10, 17), date(2026, 10, 20))

    assert [price.day for price in days] == [date(2026, 10, number) for number in (17, 18, 19, 20)]
    assert all(price.low <= min(price.open, price.close) for price in days)
    assert all(price.high >= max(price.open, price.close) for price in days)
    assert days[-1].low <= public.last_price() <= days[-1].high
    assert isinstance(public.last_price(), Decimal)


def test_a_market_that_is_not_there_is_a_bad_answer(public: PublicPool) -> None:
    with pytest.raises(BadAnswer, match="BTC_XYZ: missing"):
        public.last_price("BTC_XYZ")
    with pytest.raises(BadAnswer, match="success: false"):
        public.daily_prices(date(2026, 10, 1), date(2026, 10, 2), market="BTC_XYZ")


def test_days_the_wrong_way_round_are_our_bug(public: PublicPool) -> None:
    with pytest.raises(OurBug):
        public.daily_prices(date(2026, 10, 2), date(2026, 10, 1))


def test_a_passing_trouble_is_waited_out(sandbox: Sandbox, public: PublicPool) -> None:
    sandbox.fault("http_500", endpoint="public/ticker", times=2)

    assert public.last_price() > 0
    assert sandbox.calls()["public/ticker"] == 3


def test_a_trouble_that_stays_ends_within_patience(sandbox: Sandbox, public: PublicPool) -> None:
    sandbox.fault("http_503", endpoint="public/ticker")

    with pytest.raises(PoolUnavailable):
        public.last_price()


def test_without_redis_nothing_leaves(sandbox: Sandbox, dead_store: redis.Redis) -> None:
    with PublicPool(base_url=sandbox.base_url, redis=dead_store) as pool, pytest.raises(CallsStopped):
        pool.overview()

    assert "public/mining-pool" not in sandbox.calls()
