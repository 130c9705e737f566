"""What an account mined: a pure function of (seed, login, account, day). Nothing here remembers anything.

Days are counted from 1970-01-01 (UTC). The same seed gives the same amounts in every process and on every machine,
whatever was asked before: that is what lets a test compare a month's books with the truth.
"""

import hashlib
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

DAY_S = 86_400
HOUR_S = 3_600
SLOT_S = 300  # the finest interval of hashrate points
TERAHASH = 10**12
POOL_FEE = Decimal("0.025")
TYPICAL_FPPS_RATE = Decimal("0.00000045")  # BTC for one TH/s over one day

SECOND_RECORD_SHARE = 0.06
APPEARS_S = DAY_S + HOUR_S + 600  # after the start of the day mined: 01:10 UTC of the next day
SETTLES_S = DAY_S + 12 * HOUR_S


def seeded_bytes(*parts: object, count: int = 64) -> bytes:
    """Bytes that depend on every part, in order."""
    return hashlib.shake_128("\x1f".join(map(str, parts)).encode()).digest(count)


def seeded_fractions(*parts: object, count: int = 16) -> list[float]:
    """Numbers in [0, 1)."""
    return [number / 2**32 for number in struct.unpack(f">{count}I", seeded_bytes(*parts, count=4 * count))]


def typical_hashrate_ths(seed: int, login: str, account: str) -> int:
    """100 to 12,000 TH/s, small farms being more common than large ones."""
    return round(100 * math.pow(120, seeded_fractions(seed, login, account, "size")[0]))


def fpps_rate(seed: int, day: int) -> Decimal:
    """One rate for the whole pool and day, within 6 % of the typical one."""
    swing = seeded_fractions(seed, "pool", day)[0] * 0.12 - 0.06
    return (TYPICAL_FPPS_RATE * Decimal(repr(1 + swing))).quantize(Decimal(1).scaleb(-15)).normalize()


def day_factor(seed: int, login: str, account: str, day: int) -> float:
    """How the day went against the account's typical hashrate; one day in 25 something broke down."""
    drawn = seeded_fractions(seed, login, account, day, "weather")
    factor = 0.95 + 0.08 * drawn[0]
    return factor * (0.55 + 0.35 * drawn[2]) if drawn[1] < 0.04 else factor


@dataclass(frozen=True, slots=True)
class DayResult:
    """One reward record's figures, before anything is said about its status or where it was paid."""

    total: str
    net: str
    fee: str
    fpps_rate: str
    hash_rate: str  # H/s
    appears_at: int
    settles_at: int
    canceled: bool
    transaction_hash: str


def plain(amount: Decimal) -> str:
    return format(amount, "f")


def day_result(
    seed: int, login: str, account: str, day: int, *, hashrate_ths: float, part: int, oddity: str | None
) -> DayResult:
    """The record of one day; part 2 is the small second record that some days have, later parts are added by hand."""
    drawn = seeded_fractions(seed, login, account, day, "reward", part)
    ths = hashrate_ths * day_factor(seed, login, account, day) * (SECOND_RECORD_SHARE if part == 2 else 1)
    hash_rate = round(ths * 1_000_000) * (TERAHASH // 1_000_000)
    rate = fpps_rate(seed, day)
    decimals = Decimal(1).scaleb(-(8 + int(drawn[0] * 5)))
    total = (Decimal(hash_rate) * rate / TERAHASH).quantize(decimals)
    fee = (total * POOL_FEE).quantize(decimals)
    late_days = 1 + int(drawn[1] * 3) if oddity == "late" else 0
    return DayResult(
        total=plain(total),
        net=plain(total - fee),
        fee=plain(fee),
        fpps_rate=plain(rate),
        hash_rate=str(hash_rate),
        appears_at=day * DAY_S + APPEARS_S + 60 * int(drawn[2] * 6),
        settles_at=(day + late_days) * DAY_S + SETTLES_S + 60 * int(drawn[3] * 20),
        canceled=oddity == "canceled",
        transaction_hash=hashlib.sha256(f"{seed}/{login}/{day}/payout".encode()).hexdigest(),
    )


def chance_oddity(seed: int, login: str, account: str, day: int) -> str | None:
    """The rare irregular day that every real pool has."""
    drawn = seeded_fractions(seed, login, account, day, "oddity")[0]
    if drawn < 0.004:
        return "canceled"
    return "late" if drawn < 0.02 else None


@dataclass(frozen=True, slots=True)
class Point:
    at: int  # start of the interval
    hashrate_ths: float
    reject_rate: float


HOURLY_DRAWS = 16


def day_points(seed: int, login: str, account: str, day: int, *, hashrate_ths: float, step_s: int) -> Iterator[Point]:
    """The points of one whole day, oldest first. An hour may be missing: then none of its points is there."""
    level = hashrate_ths * day_factor(seed, login, account, day)
    if step_s >= DAY_S:
        yield Point(day * DAY_S, level, 0.004)
        return
    drawn = seeded_fractions(seed, login, account, day, "hours", count=24 * HOURLY_DRAWS)
    for hour in range(24):
        yield from _hour_points(level, day * DAY_S + hour * HOUR_S, step_s, drawn[hour * HOURLY_DRAWS :])


def _hour_points(level: float, start: int, step_s: int, drawn: list[float]) -> Iterator[Point]:
    if drawn[0] < 0.003:
        return
    level *= 0.97 + 0.06 * drawn[1]
    if drawn[2] < 0.01:
        level *= 0.35 + 0.5 * drawn[3]
    reject_rate = round(0.001 + 0.008 * drawn[3], 4)
    if step_s >= HOUR_S:
        yield Point(start, level, reject_rate)
        return
    for slot in range(HOUR_S // SLOT_S):
        yield Point(start + slot * SLOT_S, level * (0.96 + 0.08 * drawn[4 + slot]), reject_rate)
