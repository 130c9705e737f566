"""The hashrate of each account, as the pool says it: five minutes, hours and days are each asked for, and none is made
up from another. A missing point stays missing: unknown is not 0 TH/s."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import OuterRef, Subquery

from mining.fleet import coverage
from mining.fleet.coverage import Read, Span, most_apart
from mining.fleet.idle import is_due
from mining.models import Covered, HashratePoint, HashratePoint5m, HashratePoint24h, MiningAccount
from mining.models.fleet import Point
from mining.models.runs import Subject
from mining.pool.answers.types import HashrateSeries
from mining.pool.client import Interval, PoolClient
from mining.sync.fanout import Answers, for_each_account
from mining.sync.reading import READ_AT_GRAIN, Outcome, Reading


@dataclass(frozen=True, slots=True)
class Kind:
    """`overlap`: what is asked for again, because the pool fills gaps late and changes the interval that runs.
    `first_span`: how far back the first reading goes. `kept`: older ones are not stored, there is no table for them."""

    interval: Interval
    subject: Covered
    model: type[Point]
    step: timedelta
    overlap: timedelta
    first_span: timedelta
    kept: timedelta


DAY = timedelta(days=1)
FINE = Kind("5m", Covered.POINTS_5M, HashratePoint5m, timedelta(minutes=5), timedelta(minutes=30), DAY, 30 * DAY)
HOURLY = Kind("1h", Covered.POINTS_1H, HashratePoint, timedelta(hours=1), timedelta(hours=4), 7 * DAY, 395 * DAY)
DAILY = Kind("24h", Covered.POINTS_24H, HashratePoint24h, DAY, 2 * DAY, 365 * DAY, 36_500 * DAY)
KINDS = (FINE, HOURLY, DAILY)
# A day's point may come hours after its day: it is looked for once an hour until it is there.
LOOK_AGAIN_AFTER = {HOURLY: timedelta(0), DAILY: timedelta(hours=1)}
# The pool stamps the start of an interval; one hour of grace for a clock of ours that is behind, or another stamp.
LATEST_AHEAD = timedelta(hours=1)

THS_STEP, RATE_STEP = Decimal("0.000001"), Decimal("0.000001")
# What the column holds, 1,000 times the network of 2026. Larger is another unit (H/s), not a hashrate.
MOST_THS = Decimal(10) ** 12


@dataclass(frozen=True, slots=True)
class Answered:
    """`at`: before the first call went out. Which intervals were asked for, and what came."""

    at: datetime
    series: dict[Kind, HashrateSeries]

    @property
    def is_sign_of_life(self) -> bool:
        return any(series.points or series.left_out for series in self.series.values())


@dataclass
class _Turn:
    reading: Reading

    def __post_init__(self) -> None:
        self.newest: dict[Kind, dict[int, datetime | None]] = {kind: {} for kind in KINDS}
        self.spans: dict[tuple[int, str], Span] = {}

    def look_up(self, accounts: list[MiningAccount]) -> None:
        self.spans = coverage.open_spans(self.reading.provider_id, [account.pk for account in accounts])
        for kind in KINDS:
            self.newest[kind] = _newest_points(self.reading, kind, accounts)

    def read(self, pool: PoolClient, account: MiningAccount) -> Answered:
        at = self.reading.now().replace(microsecond=0)
        series = {FINE: _read(pool, account, FINE, self.newest[FINE][account.pk])}
        for kind in (HOURLY, DAILY):
            if self._is_behind(kind, account, series[FINE], at):
                series[kind] = _read(pool, account, kind, self.newest[kind][account.pk])
        return Answered(at, series)

    def _is_behind(self, kind: Kind, account: MiningAccount, fine: HashrateSeries, at: datetime) -> bool:
        """Whether an interval is over, by the pool's own clock, that has no point yet."""
        newest, span = self.newest[kind][account.pk], self.spans.get((account.pk, kind.subject))
        if newest is None:
            return True
        if span is not None and at - span.until_at < LOOK_AGAIN_AFTER[kind]:
            return False
        read_until = max((point.at for point in fine.points), default=None)
        return read_until is not None and newest + 2 * kind.step <= read_until + FINE.step

    def store(
        self, reading: Reading, accounts: list[MiningAccount], answers: Answers[Answered], now: datetime
    ) -> Outcome:
        outcome, odd = Outcome(), 0
        for kind in KINDS:
            asked = {
                account.pk: answers.by_account[account.pk].series[kind]
                for account in accounts
                if kind in answers.by_account[account.pk].series
            }
            for series in asked.values():
                outcome.note_unread(Subject.HASHRATE, series.unread)
            points, impossible = _plausible(asked, now)
            odd += impossible
            oldest = now - kind.kept
            young = {key: value for key, value in points.items() if key[1] > oldest}
            outcome.add(_store_points(reading, kind, young, {account.pk: account.customer_id for account in accounts}))
            self._note_coverage(kind, accounts, answers)
        if odd:
            outcome.quarantined = odd
            outcome.problems.append(
                f"{odd} hashrate points were left out: unreadable, in the future, or of an impossible size."
            )
        _note_reading(reading, accounts, answers, now)
        return outcome

    def _note_coverage(self, kind: Kind, accounts: list[MiningAccount], answers: Answers[Answered]) -> None:
        known: list[Read] = []
        new: list[Read] = []
        for account in accounts:
            answered = answers.by_account[account.pk]
            if kind not in answered.series or not answered.series[kind].points:
                continue  # an empty answer is no reading
            span = self.spans.get((account.pk, kind.subject))
            before = None if span is None else span.until_at
            apart = most_apart(kind.subject, idle_since=account.idle_since, before=before)
            (new if span is None else known).append(Read(account.pk, account.customer_id, answered.at, apart))
        coverage.note(self.reading.provider_id, kind.subject, known, new=new)


def sync(reading: Reading) -> Outcome:
    turn = _Turn(reading)
    return for_each_account(
        reading,
        turn.read,
        turn.store,
        look_up=turn.look_up,
        # For a disabled account the pool lists no points, like for one that does not mine.
        is_sign_of_life=lambda answered: answered.is_sign_of_life,
        due=is_due(Covered.POINTS_5M, now=reading.now()),
    )


def _newest_points(reading: Reading, kind: Kind, accounts: list[MiningAccount]) -> dict[int, datetime | None]:
    # One probe of the index for each account, where a GROUP BY would read every point there is.
    points = kind.model.objects.filter(provider=reading.provider_id, mining_account=OuterRef("pk"))
    rows = MiningAccount.objects.filter(provider=reading.provider_id, pk__in=[account.pk for account in accounts])
    newest = rows.annotate(newest=Subquery(points.order_by("-at").values("at")[:1]))
    return dict(newest.values_list("pk", "newest"))


def _read(pool: PoolClient, account: MiningAccount, kind: Kind, newest: datetime | None) -> HashrateSeries:
    if newest is not None:
        return pool.hashrate(account.name, since=newest - kind.overlap, interval=kind.interval)
    # The first time: the pool's own idea of a span tells where its clock stands, which need not be ours.
    series = pool.hashrate(account.name, interval=kind.interval)
    if not series.points:
        return series
    since = max(point.at for point in series.points) - kind.first_span
    if min(point.at for point in series.points) <= since + kind.overlap:
        return series
    longer = pool.hashrate(account.name, since=since, interval=kind.interval)
    return replace(longer, points=(*series.points, *longer.points))


def _store_points(
    reading: Reading, kind: Kind, points: dict[Key, Value], customer_of: dict[int, int | None]
) -> Outcome:
    """Writes only what differs from what is there."""

    def row(key: Key) -> Point:
        account_id, at = key
        hashrate_ths, reject_rate = points[key]
        return kind.model(
            provider_id=reading.provider_id,
            mining_account_id=account_id,
            customer_id=customer_of[account_id],
            at=at,
            hashrate_ths=hashrate_ths,
            reject_rate=reject_rate,
        )

    stored = _stored(reading, kind, points)
    new = [row(key) for key in sorted(points.keys() - stored.keys())]
    changed = [row(key) for key in sorted(points.keys() & stored.keys()) if stored[key] != points[key]]
    kind.model.objects.bulk_create(new, batch_size=5_000)
    # An upsert and not bulk_update, whose CASE grows with the square of the rows.
    kind.model.objects.bulk_create(
        changed,
        batch_size=5_000,
        update_conflicts=True,
        unique_fields=["provider", "mining_account", "at"],
        update_fields=["hashrate_ths", "reject_rate"],
    )
    return Outcome(rows_new=len(new), rows_changed=len(changed))


Key = tuple[int, datetime]
Value = tuple[Decimal, Decimal | None]


def _plausible(asked: dict[int, HashrateSeries], now: datetime) -> tuple[dict[Key, Value], int]:
    """Points by account and moment, a repeated one once; and how many cannot be true."""
    plausible: dict[Key, Value] = {}
    odd = 0
    for account_id, series in asked.items():
        odd += series.left_out
        for point in series.points:
            if point.at > now + LATEST_AHEAD or not 0 <= point.hashrate_ths < MOST_THS:
                odd += 1
                continue
            rate = point.reject_rate if point.reject_rate is not None and point.reject_rate <= 1 else None
            plausible[account_id, point.at] = (
                point.hashrate_ths.quantize(THS_STEP),
                None if rate is None else rate.quantize(RATE_STEP),
            )
    return plausible, odd


def _stored(reading: Reading, kind: Kind, points: Iterable[Key]) -> dict[Key, Value]:
    moments = [at for _, at in points]
    if not moments:
        return {}
    rows = kind.model.objects.filter(
        provider=reading.provider_id,
        mining_account__in={account_id for account_id, _ in points},
        at__range=(min(moments), max(moments)),
    )
    return {(row.mining_account_id, row.at): (row.hashrate_ths, row.reject_rate) for row in rows}


def _note_reading(
    reading: Reading,
    accounts: list[MiningAccount],
    answers: Answers[Answered],
    now: datetime,
) -> None:
    """An empty answer is no reading: it may mean a disabled account, and the data must go on growing old."""
    read = [
        account.pk
        for account in accounts
        if any(series.points for series in answers.by_account[account.pk].series.values())
    ]
    MiningAccount.objects.filter(provider=reading.provider_id, pk__in=read).exclude(
        hashrate_read_at__gt=now - READ_AT_GRAIN
    ).update(hashrate_read_at=now)
