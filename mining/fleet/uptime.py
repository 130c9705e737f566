"""Uptime in worker-seconds: of a day, of a month, with its bounds and the intervals it was computed from.

docs/uptime.md has the definitions. Days that are over are kept (UptimeDay); one whose row is missing is computed when
it is asked for and filled in by a worker, so whoever changes what a day rests on takes its row away (`forget_days`).
Inside the access's context; a constant number of queries, however many accounts and days.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

from django.db import connection

from customers import tenancy
from customers.tenancy import Access
from mining.models import Basis, FleetSettings, MiningAccount, UptimeDay

HERE = Path(__file__).parent
SEGMENTS = (HERE / "segments.sql").read_text(encoding="utf-8")
NAMES = (HERE / "names.sql").read_text(encoding="utf-8")
ONE_DAY = timedelta(days=1)
FOR_EVER = datetime(9999, 1, 1, tzinfo=UTC)
# When the last reading of a day has surely been followed by the one that says how far its span goes: 2.5 hours after
# the last names of the day.
SETTLED_AFTER = timedelta(hours=3)

BY_DAY = """
SELECT account_id, (from_at AT TIME ZONE 'UTC')::date AS day,
       sum(expected * seconds)::bigint, sum(up * seconds)::bigint, sum(low * seconds)::bigint,
       sum(down * seconds)::bigint, sum(excluded * seconds)::bigint, sum(unknown * seconds)::bigint,
       sum(up_least * seconds)::bigint, sum(up_most * seconds)::bigint,
       sum(hashing_least * seconds)::bigint, sum(hashing_most * seconds)::bigint
FROM segment, LATERAL (SELECT extract(epoch FROM until_at - from_at)) AS length (seconds)
GROUP BY account_id, day
"""

AS_INTERVALS = """
SELECT from_at, until_at, expected::int, up::int, low::int, down::int, excluded::int, unknown::int,
       is_excluded, is_covered
FROM segment ORDER BY from_at
"""


@dataclass(frozen=True, slots=True)
class Uptime:
    """Worker-seconds. `hashing`: up or low. The bounds are what the readings leave: the truth lies between them."""

    expected_s: int = 0
    up_s: int = 0
    low_s: int = 0
    down_s: int = 0
    excluded_s: int = 0
    unknown_s: int = 0
    up_least_s: int = 0
    up_most_s: int = 0
    hashing_least_s: int = 0
    hashing_most_s: int = 0

    @property
    def counted_s(self) -> int:
        return self.up_s + self.low_s + self.down_s

    def __add__(self, other: Uptime) -> Uptime:
        return Uptime(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(Uptime)))

    def share(self, *, low_counts: bool = False) -> Fraction | None:
        """Up of what counted, 0 to 1. None where nothing counted: that is unknown, not 100 %."""
        return self._share(self.up_s + self.low_s if low_counts else self.up_s)

    def bounds(self, *, low_counts: bool = False) -> tuple[Fraction, Fraction] | None:
        least = self._share(self.hashing_least_s if low_counts else self.up_least_s)
        most = self._share(self.hashing_most_s if low_counts else self.up_most_s)
        return None if least is None or most is None else (least, most)

    def _share(self, seconds: int) -> Fraction | None:
        return Fraction(seconds, self.counted_s) if self.counted_s else None


@dataclass(frozen=True, slots=True)
class Interval:
    """A time in which nothing changed, with how many workers were what. `reason`: of its exclusion."""

    from_at: datetime
    until_at: datetime
    expected: int
    up: int
    low: int
    down: int
    excluded: int
    unknown: int
    is_excluded: bool  # the whole account
    is_covered: bool

    @property
    def seconds(self) -> int:
        return int((self.until_at - self.from_at).total_seconds())


def days(
    access: Access,
    accounts: Sequence[MiningAccount],
    *,
    first: date,
    last: date,
    basis: Basis = Basis.COUNTS,
    now: datetime,
) -> dict[int, dict[date, Uptime]]:
    """By account's key and day (UTC), both ends inclusive; today as far as it has come. A day on which an account was
    not here yet has no entry."""
    keys = [account.pk for account in accounts]
    kept: dict[int, dict[date, Uptime]] = {key: {} for key in keys}
    rows = UptimeDay.objects.visible_to(access).filter(basis=basis, mining_account__in=keys, day__range=(first, last))
    names = [field.name for field in fields(Uptime)]
    for account_id, day, *seconds in rows.values_list("mining_account_id", "day", *names):
        kept[account_id][day] = Uptime(*seconds)
    missing = {
        account.pk: absent for account in accounts if (absent := _missing(account, kept[account.pk], first, last, now))
    }
    if missing:
        from_day = min(min(absent) for absent in missing.values())
        until_day = max(max(absent) for absent in missing.values())
        computed = compute(
            access.provider.pk,
            missing.keys(),
            basis=basis,
            from_at=midnight(from_day),
            until_at=min(midnight(until_day + ONE_DAY), now),
        )
        for (account_id, day), uptime in computed.items():
            kept[account_id].setdefault(day, uptime)
    return kept


def month(access: Access, account: MiningAccount, month: date, *, basis: Basis = Basis.COUNTS, now: datetime) -> Uptime:
    return months(access, [account], month, basis=basis, now=now)[account.pk]


def months(
    access: Access, accounts: Sequence[MiningAccount], month: date, *, basis: Basis = Basis.COUNTS, now: datetime
) -> dict[int, Uptime]:
    """The sum of a month's days, for each account; `month` is any day of it."""
    first = month.replace(day=1)
    last = (first + timedelta(days=31)).replace(day=1) - ONE_DAY
    by_account = days(access, accounts, first=first, last=last, basis=basis, now=now)
    return {account_id: total(by_day.values()) for account_id, by_day in by_account.items()}


def total(uptimes: Iterable[Uptime]) -> Uptime:
    return sum(uptimes, Uptime())


def intervals(
    access: Access, account: MiningAccount, *, from_at: datetime, until_at: datetime, now: datetime
) -> list[Interval]:
    """The evidence: oldest first, without gaps, neighbours that say the same made one."""
    moment = _second(min(until_at, now))
    if moment <= from_at:
        return []
    parameters: dict[str, Any] = {
        "provider": access.provider.pk,
        "accounts": [account.pk],
        "from": _second(from_at),
        "until": moment,
    }
    with connection.cursor() as cursor:
        cursor.execute(SEGMENTS + AS_INTERVALS, parameters)
        rows = [Interval(*row) for row in cursor.fetchall()]
    joined: list[Interval] = []
    for row in rows:
        goes_on = bool(joined) and _says(joined[-1]) == _says(row)
        begins = joined.pop().from_at if goes_on else row.from_at
        joined.append(replace(row, from_at=begins))
    return joined


def _says(interval: Interval) -> tuple[Any, ...]:
    return tuple(getattr(interval, field.name) for field in fields(Interval)[2:])


def _missing(account: MiningAccount, kept: Collection[date], first: date, last: date, now: datetime) -> set[date]:
    begins = max(first, account.first_seen_at.astimezone(UTC).date())
    ends = min(last, now.astimezone(UTC).date())
    return {begins + ONE_DAY * number for number in range((ends - begins).days + 1)} - set(kept)


def compute(
    provider_id: int, account_ids: Collection[int] | None, *, basis: Basis, from_at: datetime, until_at: datetime
) -> dict[tuple[int, date], Uptime]:
    """From the readings themselves; None: all accounts. What is not kept of a day is not there to compute it from."""
    from_at, until_at = _second(from_at), _second(until_at)
    if from_at >= until_at:
        return {}
    parameters: dict[str, Any] = {
        "provider": provider_id,
        "accounts": None if account_ids is None else list(account_ids),
        "from": from_at,
        "until": until_at,
        "look_back": from_at - _longest_outage(provider_id),
    }
    with connection.cursor() as cursor:
        cursor.execute(NAMES if basis == Basis.NAMES else SEGMENTS + BY_DAY, parameters)
        return {(account_id, day): Uptime(*seconds) for account_id, day, *seconds in cursor.fetchall()}


def _longest_outage(provider_id: int) -> timedelta:
    """The row names no customer, so a customer's context does not show it: it is opened for this one read."""
    settings = FleetSettings.objects.filter(provider=provider_id).values_list("retire_longest_days", flat=True)
    if tenancy.current().customer == tenancy.EVERY_CUSTOMER:
        longest = settings.first()
    else:
        with tenancy.provider_context(provider_id):
            longest = settings.first()
    return timedelta(days=longest or FleetSettings._meta.get_field("retire_longest_days").default) + ONE_DAY


# --- Days that are kept

# How far back a day whose row is missing is looked for each time, and once a day: as far as readings are kept.
LOOKED_BACK_DAYS, LOOKED_BACK_AT_NIGHT_DAYS = 62, 730
BATCH = 2_000

MISSING_DAYS = """
SELECT calendar.day::date, array_agg(account.id ORDER BY account.id)
FROM mining_miningaccount AS account
CROSS JOIN generate_series(greatest(%(first)s::date, (account.first_seen_at AT TIME ZONE 'UTC')::date)::timestamp,
                           %(last)s::date::timestamp, interval '1 day') AS calendar (day)
WHERE account.provider_id = %(provider)s AND account.counts_since IS NOT NULL AND NOT EXISTS (
    SELECT FROM mining_uptimeday AS kept
    WHERE kept.provider_id = account.provider_id AND kept.mining_account_id = account.id AND kept.basis = %(basis)s
      AND kept.day = calendar.day::date)
GROUP BY calendar.day ORDER BY calendar.day DESC
"""

LOCK = "SELECT pg_advisory_xact_lock(hashtext('mining_uptimeday'), %s::int)"


def fill(provider_id: int, *, now: datetime) -> int:
    """Keep the days that are over and have no row; how many rows were written. Opens its own contexts."""
    last = (now - SETTLED_AFTER).astimezone(UTC).date() - ONE_DAY
    at_night = now.astimezone(UTC).hour == SETTLED_AFTER // timedelta(hours=1)
    first = last - ONE_DAY * (LOOKED_BACK_AT_NIGHT_DAYS if at_night else LOOKED_BACK_DAYS)
    written = 0
    for basis in Basis:
        with tenancy.provider_context(provider_id), connection.cursor() as cursor:
            cursor.execute(MISSING_DAYS, {"provider": provider_id, "first": first, "last": last, "basis": basis.value})
            missing = cursor.fetchall()
        for day, account_ids in missing:
            for begin in range(0, len(account_ids), BATCH):
                written += _keep(provider_id, account_ids[begin : begin + BATCH], basis, day)
    return written


def _keep(provider_id: int, account_ids: list[int], basis: Basis, day: date) -> int:
    with tenancy.provider_context(provider_id):
        _hold_days(provider_id)
        computed = compute(
            provider_id, account_ids, basis=basis, from_at=midnight(day), until_at=midnight(day + ONE_DAY)
        )
        rows = [
            UptimeDay(
                provider_id=provider_id,
                mining_account_id=account_id,
                basis=basis,
                day=day,
                **{field.name: getattr(uptime, field.name) for field in fields(Uptime)},
            )
            for (account_id, day), uptime in computed.items()
        ]
        UptimeDay.objects.bulk_create(rows, batch_size=5_000, ignore_conflicts=True)
    return len(rows)


def forget_days(
    provider_id: int,
    account_ids: Collection[int] | None,
    *,
    from_at: datetime,
    until_at: datetime | None,
    now: datetime,
) -> None:
    """What these days rest on is about to change, in this transaction: call it before the change is written. Days whose
    readings are kept no more stay as they are."""
    _hold_days(provider_id)
    oldest = now - ONE_DAY * LOOKED_BACK_AT_NIGHT_DAYS
    rows = UptimeDay.objects.filter(provider=provider_id, day__gte=max(from_at, oldest).astimezone(UTC).date())
    if until_at is not None:
        rows = rows.filter(day__lte=until_at.astimezone(UTC).date())
    if account_ids is not None:
        rows = rows.filter(mining_account__in=account_ids)
    rows.delete()


def _hold_days(provider_id: int) -> None:
    """Until the end of the transaction: no day is kept that was computed from what somebody is changing meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute(LOCK, [provider_id])


def midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


def _second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)
