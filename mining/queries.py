"""Reads for pages and the API. What was not read is None, never 0; what is old says how old.

The caller is in the access's context; every function takes the access and sees what it sees.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Count, OuterRef, Q, Subquery, Sum
from django.db.models.functions import TruncHour

from customers.models import Customer
from customers.tenancy import Access, TenantQuerySet
from mining.keys import logins
from mining.models import HashratePoint, MiningAccount, PoolLogin, QuarantinedRecord, SyncRun
from mining.models.runs import Subject

HOUR = timedelta(hours=1)
WEEK_HOURS = 7 * 24
# The pool gives whole hours, stamped with their start: just before the next one is out the newest is two hours old, and
# it is read with the next turn (15 minutes). One lost turn more, and the number is no longer "now".
CURRENT_FOR = timedelta(hours=2, minutes=30)


@dataclass(frozen=True, slots=True)
class Hour:
    """`hashrate_ths` is None where no point is known. `accounts`: how many accounts are in it; `missing`: how many more
    should be, which nobody knows of: less hashrate for that is no fall."""

    at: datetime
    hashrate_ths: Decimal | None
    reject_rate: Decimal | None = None
    accounts: int = 0
    missing: int = 0


@dataclass(frozen=True, slots=True)
class CurrentHashrate:
    """`hashrate_ths` is None when nothing current is known; then the last known value and its age tell what was."""

    hashrate_ths: Decimal | None
    last_known_ths: Decimal | None
    last_known_at: datetime | None
    age: timedelta | None


@dataclass(frozen=True, slots=True)
class Workers:
    """Counts as of `read_at`; all None when they were never read."""

    online: int | None
    low: int | None
    offline: int | None
    read_at: datetime | None
    age: timedelta | None

    @property
    def total(self) -> int | None:
        if self.online is None or self.low is None or self.offline is None:
            return None
        return self.online + self.low + self.offline


@dataclass(frozen=True, slots=True)
class Subjects:
    """How the readings of one subject at one login go: the newest run, and the newest that brought something."""

    login: PoolLogin
    subject: str
    newest: SyncRun
    newest_done: SyncRun | None


UNKNOWN_HASHRATE = CurrentHashrate(None, None, None, None)


def account_of(access: Access, customer: Customer) -> MiningAccount | None:
    return MiningAccount.objects.visible_to(access).filter(customer=customer).first()


def unassigned_accounts(access: Access) -> list[MiningAccount]:
    """Accounts at the pool that belong to no customer yet: staff have to say whose they are."""
    return list(
        MiningAccount.objects.visible_to(access)
        .filter(customer=None)
        .select_related("login")
        .order_by("login__name", "name")
    )


# --- Hashrate


def hashrate_series(access: Access, account: MiningAccount, *, now: datetime, hours: int = WEEK_HOURS) -> list[Hour]:
    """One entry for each hour up to the running one, oldest first. Missing hours are there, with None."""
    first, last = _span(now, hours)
    points = HashratePoint.objects.visible_to(access).filter(mining_account=account, at__gte=first, at__lt=last + HOUR)
    # Two points inside one hour do not happen with hourly points; if they do, the later one is the better known.
    points_at = {_hour(point.at): point for point in points.order_by("at")}
    return [
        Hour(at, points_at[at].hashrate_ths, points_at[at].reject_rate, accounts=1)
        if at in points_at
        else Hour(at, None)
        for at in _hours(first, last)
    ]


def total_series(access: Access, *, now: datetime, hours: int = WEEK_HOURS) -> list[Hour]:
    """The sum over all accounts that the access sees, and how many of them are in it."""
    first, last = _span(now, hours)
    points = HashratePoint.objects.visible_to(access).filter(at__gte=first, at__lt=last + HOUR)
    accounts = MiningAccount.objects.visible_to(access).exclude(state=MiningAccount.State.CREATING)
    # Whoever left may have points yet, but nobody waits for them.
    left = list(accounts.filter(customer__status=Customer.Status.CLOSED).values_list("pk", flat=True))
    sums = (
        points.annotate(hour=TruncHour("at"))
        .values_list("hour")
        .annotate(
            ths=Sum("hashrate_ths"),
            accounts=Count("mining_account", distinct=True),
            awaited=Count("mining_account", distinct=True, filter=~Q(mining_account__in=left)),
        )
        .order_by()
    )
    known = {hour: (ths, count, awaited) for hour, ths, count, awaited in sums}
    began = _began(accounts.exclude(pk__in=left), points, first)
    series = []
    for at in _hours(first, last):
        ths, count, awaited = known.get(at, (None, 0, 0))
        series.append(Hour(at, ths, accounts=count, missing=bisect_right(began, at) - awaited))
    return series


def _began(
    accounts: TenantQuerySet[MiningAccount], points: TenantQuerySet[HashratePoint], first: datetime
) -> list[datetime]:
    """From which hour on each account is awaited, in order: when it was seen at the pool, or its first point."""
    before = accounts.filter(first_seen_at__lt=first + HOUR).count()
    earliest = points.filter(mining_account=OuterRef("pk")).order_by("at").values("at")[:1]
    later = accounts.filter(first_seen_at__gte=first + HOUR).annotate(earliest=Subquery(earliest))
    moments = later.values_list("first_seen_at", "earliest")
    return [first] * before + sorted(_hour(min(filter(None, pair))) for pair in moments)


@dataclass(frozen=True, slots=True)
class Total:
    """The newest current point of each of `known` accounts, summed; `accounts` says how many there should be."""

    hashrate_ths: Decimal | None
    known: int
    accounts: int
    oldest_at: datetime | None


def total_now(access: Access, *, now: datetime) -> Total:
    """All customers' accounts together. Not the last entry of total_series: that hour is read account by account."""
    newest = (
        HashratePoint.objects.visible_to(access)
        .filter(at__gte=now - CURRENT_FOR, at__lte=now + HOUR)
        .exclude(mining_account__customer=None)
        .order_by("mining_account", "-at")
        .distinct("mining_account")
        .values_list("hashrate_ths", "at")
    )
    points = list(newest)
    accounts = MiningAccount.objects.visible_to(access).exclude(customer=None)
    return Total(
        sum((ths for ths, _ in points), Decimal(0)) if points else None,
        len(points),
        accounts.exclude(state=MiningAccount.State.CREATING).count(),
        min((at for _, at in points), default=None),
    )


def current_hashrate(access: Access, account: MiningAccount, *, now: datetime) -> CurrentHashrate:
    return current_hashrates(access, [account], now=now)[account.pk]


def current_hashrates(
    access: Access, accounts: Iterable[MiningAccount], *, now: datetime
) -> dict[int, CurrentHashrate]:
    """By account's primary key, in one query for a whole list."""
    wanted = [account.pk for account in accounts]
    # Probes of the index for each account: DISTINCT ON would read all the points they ever had.
    newest = HashratePoint.objects.visible_to(access).filter(mining_account=OuterRef("pk")).order_by("-at")
    points = (
        MiningAccount.objects.visible_to(access)
        .filter(pk__in=wanted)
        .annotate(at=Subquery(newest.values("at")[:1]), ths=Subquery(newest.values("hashrate_ths")[:1]))
        .exclude(at=None)
        .values_list("pk", "at", "ths")
    )
    return dict.fromkeys(wanted, UNKNOWN_HASHRATE) | {pk: _current(at, ths, now) for pk, at, ths in points}


def _current(at: datetime, hashrate_ths: Decimal, now: datetime) -> CurrentHashrate:
    age = now - at
    # A point carries the start of its hour, so the running hour's is up to an hour old by its nature.
    return CurrentHashrate(hashrate_ths if age <= CURRENT_FOR else None, hashrate_ths, at, age)


def workers(account: MiningAccount, *, now: datetime) -> Workers:
    read_at = account.workers_read_at
    return Workers(
        account.workers_online,
        account.workers_low,
        account.workers_offline,
        read_at,
        None if read_at is None else now - read_at,
    )


# --- How fresh everything is


def account_age(account: MiningAccount, *, now: datetime) -> timedelta | None:
    """How old the oldest part of what a customer sees is; None while a part was never read."""
    read_at = (account.rewards_read_at, account.workers_read_at, account.hashrate_read_at)
    moments = [moment for moment in read_at if moment is not None]
    return now - min(moments) if len(moments) == len(read_at) else None


def subjects(access: Access) -> list[Subjects]:
    """For staff: how each login's readings go, but of those that were given up. Two queries, however many runs there
    are: one probe for each pair."""
    rows = logins.not_given_up(access).order_by("name")
    for subject in Subject.values:
        runs = SyncRun.objects.visible_to(access).filter(login=OuterRef("pk"), subject=subject).order_by("-pk")
        done = runs.filter(state__in=SyncRun.DONE)
        rows = rows.annotate(
            **{f"newest_{subject}": Subquery(runs.values("pk")[:1]), f"done_{subject}": Subquery(done.values("pk")[:1])}
        )
    names = [f"{which}_{subject}" for subject in Subject.values for which in ("newest", "done")]
    read = list(rows)
    wanted = {getattr(login, name) for login in read for name in names}
    by_pk = SyncRun.objects.visible_to(access).select_related("login").in_bulk(wanted - {None})
    return [
        Subjects(login, subject, by_pk[newest], by_pk.get(getattr(login, f"done_{subject}")))
        for login in read
        for subject in sorted(Subject.values)
        if (newest := getattr(login, f"newest_{subject}")) is not None
    ]


def provider_age(access: Access, *, now: datetime) -> timedelta | None:
    """How old the oldest reading of any subject is; None when nothing, or not everything, was ever read."""
    entries = [entry for entry in subjects(access) if entry.subject != "key"]
    started = [entry.newest_done.started_at for entry in entries if entry.newest_done is not None]
    moments = [moment for moment in started if moment is not None]
    return now - min(moments) if moments and len(moments) == len(entries) else None


def quarantine(access: Access) -> list[QuarantinedRecord]:
    """What waits for a person, the newest first."""
    waiting = QuarantinedRecord.objects.visible_to(access).filter(settled_at=None)
    return list(waiting.select_related("login").order_by("-pk")[:200])


def _span(now: datetime, hours: int) -> tuple[datetime, datetime]:
    last = _hour(now)
    return last - (hours - 1) * HOUR, last


def _hours(first: datetime, last: datetime) -> list[datetime]:
    return [first + number * HOUR for number in range((last - first) // HOUR + 1)]


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
