"""The public endpoints: GET, without a key. Prices and the pool's figures follow the data clock, the time does not."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from . import market, mined
from .answers import Answer, ok
from .market import MARKETS
from .mined import DAY_S, TERAHASH
from .workers import LOW, ONLINE
from .world import World

PREFIX_V4, PREFIX_V1 = "/api/v4/", "/api/v1/"
MOST_CANDLES = 1_440
OTHER_MINERS_THS, OTHER_WORKERS = 3_900_000, 18_500  # the pool is larger than the users we know
BLOCK_EVERY_S, FIRST_HEIGHT = 19 * 3_600, 840_000


@dataclass(frozen=True, slots=True)
class PublicCall:
    world: World
    query: bytes
    now: int  # the data clock
    pool_now: float  # the clock that nonces are measured by


class BadQuery(Exception):
    """The sentence that kline answers with, as 200."""


def pool_time(call: PublicCall) -> Answer:
    return ok({"time": int(call.pool_now)})


def ping(call: PublicCall) -> Answer:
    return ok(["pong"])


def overview(call: PublicCall) -> Answer:
    today = call.now // DAY_S
    figures = {
        "connection_links": ["stratum+tcp://pool.whitebit.com:3333", "stratum+tcp://pool.whitebit.com:3334"],
        "location": "global",
        "assets": ["BTC"],
        "reward_schemes": ["FPPS"],
        "workers": _running_workers(call.world, call.now),
        "current_hash_rate": _pool_hashes(call.world, today),
        "last7days_hash_rate": [
            {"timestamp": day * DAY_S, "hashrate": _pool_hashes(call.world, day)} for day in range(today - 7, today)
        ],
        "blocks": [
            {"block_found_at": number * BLOCK_EVERY_S, "block_height": FIRST_HEIGHT + number}
            for number in range(call.now // BLOCK_EVERY_S, call.now // BLOCK_EVERY_S - 5, -1)
        ],
    }
    return ok({"data": figures})


def _running_workers(world: World, now: int) -> int:
    states = (
        state
        for user in world.users.values()
        for account in user.accounts.values()
        for state in world.fleet(user.login, account).states(now).values()
    )
    return OTHER_WORKERS + sum(state in (ONLINE, LOW) for state in states)


def _pool_hashes(world: World, day: int) -> str:
    """H/s, as a string of whole hashes."""
    others = OTHER_MINERS_THS * (0.97 + 0.06 * mined.seeded_fractions(world.seed, "pool", day, "hashrate")[0])
    ours = sum(
        account.hashrate_ths * mined.day_factor(world.seed, user.login, account.name, day)
        for user in world.users.values()
        for account in user.accounts.values()
        if account.hashrate_ths is not None and day >= account.first_day
    )
    return str(round(others + ours) * TERAHASH)


def ticker(call: PublicCall) -> Answer:
    return ok({name: _ticker_of(call, name) for name in MARKETS})


def _ticker_of(call: PublicCall, name: str) -> dict[str, Any]:
    yesterday = market.candle(call.world.seed, name, call.now // DAY_S - 1, now=call.now)
    return {
        "base_id": 1 if name.startswith("BTC") else 1027,
        "quote_id": 825 if name.endswith("USDT") else 0,
        "last_price": market.last_price(call.world.seed, name, call.now),
        "quote_volume": yesterday.money_volume,
        "base_volume": yesterday.volume,
        "isFrozen": False,
        "change": market.day_change_percent(call.world.seed, name, call.now),
    }


def kline(call: PublicCall) -> Answer:
    """Daily candles, oldest first. Mistakes are 200 with `success: false`, as everywhere in version 1 of the API."""
    try:
        rows = _candles(call, dict(parse_qsl(call.query.decode("latin-1"), keep_blank_values=True)))
    except BadQuery as wrong:
        return ok({"success": False, "message": str(wrong), "result": []})
    return ok({"success": True, "message": "", "result": rows})


def _candles(call: PublicCall, query: dict[str, str]) -> list[list[int | str]]:
    name = query.get("market", "")
    if name not in MARKETS:
        raise BadQuery("Market is not available.")
    if query.get("interval", "1h") != "1d":
        raise BadQuery("Interval is not supported.")  # the real one has many, 1h by default; the sandbox only days
    limit = _number(query, "limit", MOST_CANDLES)
    if not 1 <= limit <= MOST_CANDLES:
        raise BadQuery(f"Limit must be between 1 and {MOST_CANDLES}.")
    end = min(_number(query, "end", call.now), call.now)
    start = _number(query, "start", (end // DAY_S - limit + 1) * DAY_S)
    if start > _number(query, "end", call.now):
        raise BadQuery("Start must not be greater than end.")
    days = range(max(-(-start // DAY_S), 0), end // DAY_S + 1)[-limit:]
    return [market.candle(call.world.seed, name, day, now=call.now).row() for day in days]


def _number(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 11:
        raise BadQuery(f"{name.capitalize()} must be an integer.")
    return int(text)


PUBLIC: dict[str, Callable[[PublicCall], Answer]] = {
    "public/time": pool_time,
    "public/ping": ping,
    "public/mining-pool": overview,
    "public/ticker": ticker,
    "public/kline": kline,
}
PUBLIC_PATHS = {
    (PREFIX_V1 if name == "public/kline" else PREFIX_V4) + name: name  # one of them is older than the others
    for name in PUBLIC
}
