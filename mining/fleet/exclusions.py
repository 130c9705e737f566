"""Times that count for and against nobody: entered, ended and extended by staff, for the past or the future, audited.

An exclusion changes the figures of the days that it covers, so their kept rows go; they are computed again. In the
caller's transaction and the access's context.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NotRequired, TypedDict, Unpack

from django.db import transaction
from django.db.models import Q, QuerySet

from customers import audit
from customers.errors import Refused
from customers.models import Customer
from customers.tenancy import Access
from mining.fleet import uptime
from mining.fleet.uptime import Uptime
from mining.models import Exclusion, MiningAccount, Worker

LONGEST_NOTE, LONGEST_SITE = 500, 64
# Days of accounts that are worked out while somebody waits: some three seconds.
MOST_DAYS = 30_000
FURTHEST_AHEAD, FURTHEST_BACK = timedelta(days=366), timedelta(days=uptime.LOOKED_BACK_AT_NIGHT_DAYS)


class Window(TypedDict):
    """`until_at` None: until it is ended."""

    customer: NotRequired[Customer | None]
    worker: NotRequired[Worker | None]
    site: NotRequired[str]
    from_at: datetime
    until_at: datetime | None
    reason: str
    note: NotRequired[str]


def enter(access: Access, *, now: datetime, **window: Unpack[Window]) -> Exclusion:
    """Of one worker, one customer or one site; of none of them: of everything the provider hosts."""
    exclusion = _checked(access, now=now, **window)
    _put(access, exclusion, now)
    audit.record(access, "exclusion.entered", exclusion.code, now=now, reason=exclusion.reason, **_told(exclusion))
    return exclusion


def _put(access: Access, exclusion: Exclusion, now: datetime) -> None:
    _forget(access, exclusion, exclusion.from_at, exclusion.until_at, now)
    exclusion.save(force_insert=True)


def _checked(
    access: Access,
    *,
    customer: Customer | None = None,
    worker: Worker | None = None,
    site: str = "",
    from_at: datetime,
    until_at: datetime | None,
    reason: str,
    note: str = "",
    now: datetime,
) -> Exclusion:
    """Not stored yet."""
    site, note = site.strip(), note.strip()
    if sum((customer is not None, worker is not None, bool(site))) > 1:
        raise Refused(
            "An exclusion is for one machine, one customer or one site, or for all.", code="exclusion.scope_unclear"
        )
    if worker is not None and worker.customer_id is None:
        raise Refused(
            "The machine %(worker)s belongs to no customer yet.",
            code="exclusion.worker_unassigned",
            params={"worker": worker.name},
        )
    if reason not in Exclusion.Reason.values:
        raise Refused("Choose a reason.", code="exclusion.reason_unknown")
    if len(note) > LONGEST_NOTE or len(site) > LONGEST_SITE:
        raise Refused("A note has at most 500 characters, and a site's name 64.", code="exclusion.text_too_long")
    from_at, until_at = _second(from_at), None if until_at is None else _second(until_at)
    _check_window(from_at, until_at, now)
    return Exclusion(
        provider=access.provider,
        customer_id=worker.customer_id if worker is not None else customer.pk if customer is not None else None,
        worker=worker,
        site=site,
        from_at=from_at,
        until_at=until_at,
        reason=reason,
        note=note,
        entered_by=access.actor,
        entered_at=now,
    )


@dataclass(frozen=True, slots=True)
class Change:
    """Uptime of an account in a month without the window, and with it."""

    account: MiningAccount
    month: date
    before: Uptime
    after: Uptime


@dataclass(frozen=True, slots=True)
class Effect:
    """`changes`: those that are not nothing, the largest first; None: too many to work out while somebody waits."""

    accounts: int
    workers: int
    length: timedelta | None  # None: its end is open
    changes: list[Change] | None

    @property
    def taken_out_s(self) -> int:
        """Worker-seconds that counted so far and would no longer."""
        return sum(change.before.counted_s - change.after.counted_s for change in self.changes or [])


def effect(access: Access, *, now: datetime, **window: Unpack[Window]) -> Effect:
    """What entering it would change, by putting it there and taking that back."""
    exclusion = _checked(access, now=now, **window)
    accounts = list(_accounts(access, exclusion).select_related("customer"))
    workers, months = _workers(access, exclusion, accounts), _months(exclusion, now)
    length = None if exclusion.until_at is None else exclusion.until_at - exclusion.from_at
    if len(accounts) * sum(_days(month, exclusion, now) for month in months) > MOST_DAYS:
        return Effect(len(accounts), workers, length, None)
    before = _uptimes(access, accounts, months, now)
    with transaction.atomic():
        _put(access, exclusion, now)
        after = _uptimes(access, accounts, months, now)
        transaction.set_rollback(True)
    changes = [
        Change(account, month, before[month][account.pk], after[month][account.pk])
        for month in months
        for account in accounts
        if before[month][account.pk] != after[month][account.pk]
    ]
    changes.sort(key=lambda change: change.after.excluded_s - change.before.excluded_s, reverse=True)
    return Effect(len(accounts), workers, length, changes)


def _workers(access: Access, exclusion: Exclusion, accounts: list[MiningAccount]) -> int:
    if exclusion.worker is not None:
        return 1
    workers = Worker.objects.visible_to(access).filter(mining_account__in=accounts, retired_at=None)
    if exclusion.site:
        workers = workers.filter(Q(site=exclusion.site) | Q(mining_account__site=exclusion.site))
    return workers.count()


def _months(exclusion: Exclusion, now: datetime) -> list[date]:
    """The months of its days that have begun."""
    ends = min(exclusion.until_at or now, now)
    month, months = exclusion.from_at.astimezone(UTC).date().replace(day=1), []
    while uptime.midnight(month) < ends and exclusion.from_at < now:
        months.append(month)
        month = (month + timedelta(days=31)).replace(day=1)
    return months


def _days(month: date, exclusion: Exclusion, now: datetime) -> int:
    """How many of its days the exclusion touches so far."""
    last = (month + timedelta(days=31)).replace(day=1) - uptime.ONE_DAY
    until = min(exclusion.until_at or now, now)
    first = max(month, exclusion.from_at.astimezone(UTC).date())
    return (min(last, until.astimezone(UTC).date()) - first).days + 1


def _uptimes(
    access: Access, accounts: list[MiningAccount], months: list[date], now: datetime
) -> dict[date, dict[int, Uptime]]:
    return {month: uptime.months(access, accounts, month, now=now) for month in months}


def change_end(access: Access, exclusion: Exclusion, *, until_at: datetime | None, now: datetime) -> Exclusion:
    """End it earlier, extend it, or (None) leave its end open. Its beginning as its end: it never was."""
    until_at = None if until_at is None else _second(until_at)
    locked = Exclusion.objects.visible_to(access).select_for_update(of=("self",)).get(pk=exclusion.pk)
    if until_at == locked.until_at:
        return locked
    _check_window(locked.from_at, until_at, now, withdraw=True)
    ends = [end for end in (locked.until_at, until_at) if end is not None]
    # The days between its old end and its new one.
    _forget(access, locked, min(ends), max(ends) if len(ends) == 2 else None, now)
    before = locked.until_at
    locked.until_at = until_at
    locked.save(update_fields=["until_at"])
    audit.record(access, "exclusion.end_changed", locked.code, now=now, before=_iso(before), **_told(locked))
    return locked


def end(access: Access, exclusion: Exclusion, *, now: datetime) -> Exclusion:
    """It is over now; one that has not begun never was."""
    moment = _second(now)
    if exclusion.until_at is not None and exclusion.until_at <= moment:
        raise Refused("This exclusion is over already.", code="exclusion.over")
    return change_end(access, exclusion, until_at=max(moment, exclusion.from_at), now=now)


def _check_window(from_at: datetime, until_at: datetime | None, now: datetime, *, withdraw: bool = False) -> None:
    if until_at is not None and (until_at < from_at or (until_at == from_at and not withdraw)):
        raise Refused("An exclusion ends after it begins.", code="exclusion.ends_before_it_begins")
    if from_at < now - FURTHEST_BACK or max(from_at, until_at or from_at) > now + FURTHEST_AHEAD:
        raise Refused(
            "An exclusion begins at most two years ago and ends at most a year from now.", code="exclusion.out_of_reach"
        )


def _forget(access: Access, exclusion: Exclusion, from_at: datetime, until_at: datetime | None, now: datetime) -> None:
    of_all = exclusion.worker is None and exclusion.customer_id is None and not exclusion.site
    account_ids = None if of_all else set(_accounts(access, exclusion).values_list("pk", flat=True))
    uptime.forget_days(access.provider.pk, account_ids, from_at=from_at, until_at=until_at, now=now)


def _accounts(access: Access, exclusion: Exclusion) -> QuerySet[MiningAccount]:
    """Those with a machine that it is about."""
    accounts = MiningAccount.objects.visible_to(access)
    if exclusion.worker is not None:
        return accounts.filter(pk=exclusion.worker.mining_account_id)
    if exclusion.customer_id is not None:
        return accounts.filter(customer=exclusion.customer_id)
    return accounts.filter(_of_site(access, exclusion.site)) if exclusion.site else accounts


def _of_site(access: Access, site: str) -> Q:
    of_workers = Worker.objects.visible_to(access).filter(site=site)
    return Q(site=site) | Q(pk__in=of_workers.values("mining_account"))


def _told(exclusion: Exclusion) -> dict[str, str | None]:
    return {
        "worker": exclusion.worker.code if exclusion.worker is not None else None,
        "customer": exclusion.customer.code if exclusion.customer is not None else None,
        "site": exclusion.site or None,
        "from": _iso(exclusion.from_at),
        "until": _iso(exclusion.until_at),
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)
