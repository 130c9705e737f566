"""Prices: a pure function of (seed, market, day), so that a document can be worked out again. UTC days, as mined.py."""

import math
from dataclasses import dataclass

from .mined import DAY_S, seeded_fractions

_TREND_DAYS = (17, 61, 197, 701)  # no two with a common period
DAILY_SWING, LONGEST_WICK = 0.03, 0.02


@dataclass(frozen=True, slots=True)
class Market:
    typical_price: float
    decimals: int
    daily_volume: float  # in the first currency of the name


MARKETS: dict[str, Market] = {
    "BTC_USDT": Market(94_000, 2, 18_000),
    "BTC_EUR": Market(81_000, 2, 900),
    "ETH_USDT": Market(3_300, 2, 120_000),
}


@dataclass(frozen=True, slots=True)
class Candle:
    at: int
    open: str
    close: str
    high: str
    low: str
    volume: str
    money_volume: str

    def row(self) -> list[int | str]:
        return [self.at, self.open, self.close, self.high, self.low, self.volume, self.money_volume]


def last_price(seed: int, market: str, now: int) -> str:
    return f"{_price_now(seed, market, now):.{MARKETS[market].decimals}f}"


def candle(seed: int, market: str, day: int, *, now: int) -> Candle:
    """The day's candle; one that still burns closes at the price of the moment."""
    plan = MARKETS[market]
    drawn = seeded_fractions(seed, market, day, "candle")
    part_of_day = min(1.0, (now - day * DAY_S) / DAY_S)
    opened, closed = _close(seed, market, day - 1), _price_now(seed, market, min(now, (day + 1) * DAY_S))
    high = max(opened, closed) * (1 + LONGEST_WICK * drawn[0] * part_of_day)
    low = min(opened, closed) * (1 - LONGEST_WICK * drawn[1] * part_of_day)
    volume = plan.daily_volume * (0.5 + drawn[2]) * part_of_day
    return Candle(
        at=day * DAY_S,
        open=f"{opened:.{plan.decimals}f}",
        close=f"{closed:.{plan.decimals}f}",
        high=f"{high:.{plan.decimals}f}",
        low=f"{low:.{plan.decimals}f}",
        volume=f"{volume:.6f}",
        money_volume=f"{volume * (opened + closed) / 2:.4f}",
    )


def day_change_percent(seed: int, market: str, now: int) -> str:
    """Against the same moment of the day before."""
    return f"{(_price_now(seed, market, now) / _price_now(seed, market, now - DAY_S) - 1) * 100:.2f}"


def _price_now(seed: int, market: str, now: int) -> float:
    """Straight from the day's opening to its close."""
    day, second = divmod(now, DAY_S)
    opened, closed = _close(seed, market, day - 1), _close(seed, market, day)
    return opened + (closed - opened) * second / DAY_S


def _close(seed: int, market: str, day: int) -> float:
    phases = seeded_fractions(seed, market, "trend", count=len(_TREND_DAYS))
    waves = zip(_TREND_DAYS, phases, strict=True)
    trend = sum(0.04 * math.sin(2 * math.pi * (day / days + phase)) for days, phase in waves)
    noise = DAILY_SWING * (seeded_fractions(seed, market, day, "close")[0] - 0.5)
    return MARKETS[market].typical_price * math.exp(trend + noise)
