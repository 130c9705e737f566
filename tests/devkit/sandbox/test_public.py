import time
from typing import Any

import pytest

from tests.devkit.sandbox.signed import request
from tests.sandbox import Sandbox

DAY_S = 86_400
NOON_S = 1_792_508_400  # 2026-10-20T15:00:00Z, where the tests' data clock stands


def get(sandbox: Sandbox, path: str) -> Any:
    reply = request(sandbox.base_url, "GET", f"/api/{path}")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    return reply.json


def candles(sandbox: Sandbox, query: str = "", market: str = "BTC_USDT") -> list[list[Any]]:
    answer = get(sandbox, f"v1/public/kline?market={market}&interval=1d{query}")
    assert (answer["success"], answer["message"]) == (True, "")
    rows: list[list[Any]] = answer["result"]
    return rows


def test_the_overview_is_an_object_with_snake_case_keys(sandbox: Sandbox) -> None:
    answer = get(sandbox, "v4/public/mining-pool")["data"]
    assert list(answer)[:4] == ["connection_links", "location", "assets", "reward_schemes"]
    assert [day["timestamp"] for day in answer["last7days_hash_rate"]] == [
        NOON_S // DAY_S * DAY_S - days * DAY_S for days in range(7, 0, -1)
    ]
    assert float(answer["current_hash_rate"]) > 1e18
    assert answer["blocks"][0]["block_found_at"] <= NOON_S < answer["blocks"][0]["block_found_at"] + DAY_S
    assert answer["blocks"][0]["block_height"] == answer["blocks"][1]["block_height"] + 1


def test_the_overview_can_be_a_list_with_camel_case_keys(sandbox: Sandbox) -> None:
    sandbox.fault("overview_as_list")
    (answer,) = get(sandbox, "v4/public/mining-pool")["data"]
    assert {"connectionLinks", "rewardSchemes", "currentHashRate", "last7daysHashRate", "blocks"} <= set(answer)
    assert list(answer["blocks"][0]) == ["blockFoundAt", "blockHeight"]


def test_the_ticker_has_last_prices_of_three_markets(sandbox: Sandbox) -> None:
    answer = get(sandbox, "v4/public/ticker")
    assert list(answer) == ["BTC_USDT", "BTC_EUR", "ETH_USDT"]
    assert 40_000 < float(answer["BTC_USDT"]["last_price"]) < 200_000
    assert isinstance(answer["BTC_USDT"]["last_price"], str)


def test_candles_are_whole_days_that_follow_each_other(sandbox: Sandbox) -> None:
    rows = candles(sandbox, f"&start={NOON_S - 30 * DAY_S}&end={NOON_S}")
    assert [row[0] for row in rows] == [NOON_S // DAY_S * DAY_S - days * DAY_S for days in range(29, -1, -1)]
    assert [row[2] for row in rows[:-1]] == [row[1] for row in rows[1:]]
    for row in rows:
        opened, closed, high, low = map(float, row[1:5])
        assert low <= min(opened, closed) <= max(opened, closed) <= high
        assert [type(value) for value in row] == [int, *[str] * 6]


def test_the_last_candle_closes_at_the_last_price(sandbox: Sandbox) -> None:
    last = candles(sandbox, "&limit=1")[0]
    assert abs(float(last[2]) - float(get(sandbox, "v4/public/ticker")["BTC_USDT"]["last_price"])) < 1


def test_a_day_that_has_ended_keeps_its_candle(sandbox: Sandbox) -> None:
    query = f"&start={NOON_S - 20 * DAY_S}&end={NOON_S - DAY_S}"
    before = candles(sandbox, query)
    sandbox.clock(advance_seconds=40 * DAY_S)
    assert candles(sandbox, query) == before
    sandbox.reset(world="tests", seed=8, now="2026-10-20T15:00:00Z")
    assert candles(sandbox, query) != before


def test_too_many_candles_are_cut_to_the_newest(sandbox: Sandbox) -> None:
    assert len(candles(sandbox)) == 1_440
    assert len(candles(sandbox, f"&start={NOON_S - 3_000 * DAY_S}")) == 1_440
    few = candles(sandbox, f"&start={NOON_S - 30 * DAY_S}&limit=3")
    assert [row[0] for row in few] == [NOON_S // DAY_S * DAY_S - days * DAY_S for days in (2, 1, 0)]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("interval=1d", "Market is not available."),
        ("market=BTC_XYZ&interval=1d", "Market is not available."),
        ("market=BTC_USDT", "Interval is not supported."),
        ("market=BTC_USDT&interval=2y", "Interval is not supported."),
        ("market=BTC_USDT&interval=1d&limit=1441", "Limit must be between 1 and 1440."),
        ("market=BTC_USDT&interval=1d&limit=0", "Limit must be between 1 and 1440."),
        ("market=BTC_USDT&interval=1d&start=soon", "Start must be an integer."),
        ("market=BTC_USDT&interval=1d&start=1800000001&end=1800000000", "Start must not be greater than end."),
    ],
)
def test_mistakes_are_200_with_success_false(sandbox: Sandbox, query: str, message: str) -> None:
    assert get(sandbox, f"v1/public/kline?{query}") == {"success": False, "message": message, "result": []}


def test_the_time_is_the_real_one_whatever_the_data_clock_says(sandbox: Sandbox) -> None:
    before = int(time.time())
    assert before <= get(sandbox, "v4/public/time")["time"] <= time.time()


@pytest.mark.parametrize("name", ["mining-pool", "ticker", "time", "ping"])
def test_public_answers_can_be_spoiled_too(sandbox: Sandbox, name: str) -> None:
    whole = get(sandbox, f"v4/public/{name}")
    sandbox.fault("data_missing", endpoint=f"public/{name}")
    assert len(get(sandbox, f"v4/public/{name}")) == len(whole) - 1
