"""The hourly hashrate points of each account. A missing point stays missing: unknown is not 0 TH/s."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import OuterRef, Subquery

from mining.models import HashratePoint, MiningAccount
from mining.models.runs import Subject
from mining.pool.answers.types import HashrateSeries
from mining.pool.client import PoolClient
from mining.sync.fanout import Answers, for_each_account
from mining.sync.reading import READ_AT_GRAIN, Outcome, Reading

FIRST_SPAN = timedelta(days=7)
# The running hour's point changes until the hour is over, and the pool fills gaps late.
OVERLAP = timedelta(hours=4)
# The pool stamps the start of an hour; one hour of grace for a clock of ours that is behind, or another stamp.
LATEST_AHEAD = timedelta(hours=1)

THS_STEP, RATE_STEP = Decimal("0.000001"), Decimal("0.000001")
# What the column holds, 100,000 times the network of 2026. Larger is another unit (H/s), not a hashrate.
MOST_THS = Decimal(10) ** 14


def sync(reading: Reading) -> Outcome:
    newest: dict[int, datetime | None] = {}
    return for_each_account(
        reading,
        lambda pool, account: _read(pool, account, newest[account.pk]),
        _store,
        look_up=lambda accounts: newest.update(_newest_points(reading, accounts)),
        # For a disabled account the pool lists no points, like for one that does not mine.
        is_sign_of_life=lambda series: bool(series.points or series.left_out),
    )


def _newest_points(reading: Reading, accounts: list[MiningAccount]) -> dict[int, datetime | None]:
    # One probe of the index for each account, where a GROUP BY would read every point there is.
    points = HashratePoint.objects.filter(provider=reading.provider_id, mining_account=OuterRef("pk"))
    rows = MiningAccount.objects.filter(provider=reading.provider_id, pk__in=[account.pk for account in accounts])
    newest = rows.annotate(newest=Subquery(points.order_by("-at").values("at")[:1]))
    return dict(newest.values_list("pk", "newest"))


def _read(pool: PoolClient, account: MiningAccount, newest: datetime | None) -> HashrateSeries:
    if newest is not None:
        return pool.hashrate(account.name, since=newest - OVERLAP)
    # The first time: the pool's own idea of a span tells where its clock stands, which need not be ours.
    series = pool.hashrate(account.name)
    if not series.points:
        return series
    since = max(point.at for point in series.points) - FIRST_SPAN
    if min(point.at for point in series.points) <= since + OVERLAP:
        return series
    longer = pool.hashrate(account.name, since=since)
    return replace(longer, points=(*series.points, *longer.points))


def _store(
    reading: Reading,
    accounts: list[MiningAccount],
    answers: Answers[HashrateSeries],
    now: datetime,
) -> Outcome:
    outcome = Outcome()
    points, odd = _plausible(accounts, answers, now)
    for account in accounts:
        outcome.note_unread(Subject.HASHRATE, answers.by_account[account.pk].unread)
    if odd:
        outcome.quarantined = odd
        outcome.problems.append(
            f"{odd} hashrate points were left out: unreadable, in the future, or of an impossible size."
        )
    stored = _stored(reading, points)
    new, changed = [], []
    for key in sorted(points):
        point = stored.get(key)
        ths, rate = points[key]
        if point is None:
            new.append(_row(reading, key, points[key]))
        elif (point.hashrate_ths, point.reject_rate) != (ths, rate):
            point.hashrate_ths, point.reject_rate = ths, rate
            changed.append(point)
    HashratePoint.objects.bulk_create(new, batch_size=5_000)
    # An upsert and not bulk_update, whose CASE grows with the square of the rows.
    HashratePoint.objects.bulk_create(
        [_row(reading, (p.mining_account_id, p.at), (p.hashrate_ths, p.reject_rate)) for p in changed],
        batch_size=5_000,
        update_conflicts=True,
        unique_fields=["provider", "mining_account", "at"],
        update_fields=["hashrate_ths", "reject_rate"],
    )
    outcome.rows_new, outcome.rows_changed = len(new), len(changed)
    _note_reading(reading, accounts, answers, now)
    return outcome


Key = tuple[int, datetime]
Value = tuple[Decimal, Decimal | None]


def _plausible(
    accounts: Iterable[MiningAccount], answers: Answers[HashrateSeries], now: datetime
) -> tuple[dict[Key, Value], int]:
    """Points by account and moment, a repeated one once; and how many cannot be true."""
    plausible: dict[Key, Value] = {}
    odd = 0
    for account in accounts:
        odd += answers.by_account[account.pk].left_out
        for point in answers.by_account[account.pk].points:
            if point.at > now + LATEST_AHEAD or not 0 <= point.hashrate_ths < MOST_THS:
                odd += 1
                continue
            rate = point.reject_rate if point.reject_rate is not None and point.reject_rate <= 1 else None
            plausible[account.pk, point.at] = (
                point.hashrate_ths.quantize(THS_STEP),
                None if rate is None else rate.quantize(RATE_STEP),
            )
    return plausible, odd


def _stored(reading: Reading, points: dict[Key, Value]) -> dict[Key, HashratePoint]:
    if not points:
        return {}
    moments = [at for _, at in points]
    rows = HashratePoint.objects.filter(
        provider=reading.provider_id,
        mining_account__in={account_id for account_id, _ in points},
        at__range=(min(moments), max(moments)),
    )
    return {(row.mining_account_id, row.at): row for row in rows}


def _row(reading: Reading, key: Key, value: Value) -> HashratePoint:
    return HashratePoint(
        provider_id=reading.provider_id,
        mining_account_id=key[0],
        at=key[1],
        hashrate_ths=value[0],
        reject_rate=value[1],
    )


def _note_reading(
    reading: Reading,
    accounts: list[MiningAccount],
    answers: Answers[HashrateSeries],
    now: datetime,
) -> None:
    """An empty answer is no reading: it may mean a disabled account, and the data must go on growing old."""
    read = [account.pk for account in accounts if answers.by_account[account.pk].points]
    MiningAccount.objects.filter(provider=reading.provider_id, pk__in=read).exclude(
        hashrate_read_at__gt=now - READ_AT_GRAIN
    ).update(hashrate_read_at=now)
