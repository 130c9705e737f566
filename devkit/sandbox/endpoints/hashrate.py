"""hashrate and workers/hashrate: points on their interval, inside the window."""

from collections.abc import Callable, Iterable
from functools import lru_cache

from .. import mined
from ..answers import Answer, encode, invalid
from ..call import Call
from ..mined import DAY_S, HOUR_S, SLOT_S
from ..workers import Fleet

INTERVALS_S = {"5m": SLOT_S, "1h": HOUR_S, "24h": DAY_S}
# How far back an interval reaches when no `from` is given. Undocumented: a screenful of points each.
DEFAULT_SPAN_S = {"5m": DAY_S, "1h": 7 * DAY_S, "24h": 30 * DAY_S}

# One day's points: the start of each interval, and its JSON.
WrittenDay = Iterable[tuple[int, bytes]]


def account_hashrate(call: Call) -> Answer:
    account = call.account("account", "account")
    interval = _interval(call)
    start, end = _span(call, interval, *call.span())
    fleet = call.fleet(account)
    points = [] if account.disabled else _points(fleet, _written_day, start, end, INTERVALS_S[interval])
    head = encode({"data": {"account": account.name, "hashrate": []}})[:-3]
    return Answer(200, head + b",".join(points) + b"]}}")


def worker_hashrate(call: Call) -> Answer:
    """An unknown worker has no points, which looks the same as one that never ran."""
    account = call.enabled_account("account")
    worker = call.needed_text("worker")
    interval = _interval(call)
    since, until = call.span(latest=call.now)
    start, end = _span(call, interval, since, until)

    def written(fleet: Fleet, day: int, step_s: int) -> WrittenDay:
        return _written_worker_day(fleet, worker, day, step_s)

    points = _points(call.fleet(account), written, start, end, INTERVALS_S[interval])
    return Answer(200, b'{"data":{"hashrates":[' + b",".join(points) + b"]}}")


def _interval(call: Call) -> str:
    interval = call.text("interval")
    if interval is None:
        return "1h"
    if interval not in INTERVALS_S:
        raise invalid(400, "interval", "The selected interval is invalid.")
    return interval


def _span(call: Call, interval: str, since: int | None, until: int | None) -> tuple[int, int]:
    end = call.now if until is None else min(until, call.now)
    return end - DEFAULT_SPAN_S[interval] if since is None else since, end


def _points(
    fleet: Fleet, written: Callable[[Fleet, int, int], WrittenDay], start: int, end: int, step_s: int
) -> list[bytes]:
    """Points whose whole interval lies between start and end and after the miners were switched on."""
    if fleet.hashrate_ths is None:
        return []
    start = max(start, fleet.first_day * DAY_S)
    return [
        text
        for day in range(start // DAY_S, (end - 1) // DAY_S + 1)
        for at, text in written(fleet, day, step_s)
        if start <= at and at + step_s <= end
    ]


@lru_cache(maxsize=4_096)  # enough for a week of 500 accounts
def _written_day(fleet: Fleet, day: int, step_s: int) -> WrittenDay:
    points = mined.day_points(
        fleet.seed, fleet.login, fleet.account, day, hashrate_ths=fleet.hashrate_ths or 0, step_s=step_s
    )
    return tuple(
        (p.at, encode({"timestamp": p.at, "hashrate": f"{p.hashrate_ths:.8f}", "rejectRate": p.reject_rate}))
        for p in points
    )


@lru_cache(maxsize=16_384)  # enough for a week of 2,000 workers
def _written_worker_day(fleet: Fleet, worker: str, day: int, step_s: int) -> WrittenDay:
    return tuple(
        (at, encode({"time": at, "hashrate": f"{hashrate_ths:.8f}"}))
        for at, hashrate_ths in fleet.points(worker, day, step_s)
    )
