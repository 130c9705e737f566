"""Times that count for and against nobody: entered, ended and extended by staff, for the past or the future, audited.

An exclusion changes the figures of the days that it covers, so their kept rows go; they are computed again. In the
caller's transaction and the access's context.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from customers import audit
from customers.errors import Refused
from customers.models import Customer
from customers.tenancy import Access
from mining.fleet import uptime
from mining.models import Exclusion, MiningAccount, Worker

LONGEST_NOTE, LONGEST_SITE = 500, 64
FURTHEST_AHEAD, FURTHEST_BACK = timedelta(days=366), timedelta(days=uptime.LOOKED_BACK_AT_NIGHT_DAYS)


def enter(
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
    """Of one worker, one customer or one site; of none of them: of everything the provider hosts. `until_at` None:
    until it is ended."""
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
    exclusion = Exclusion(
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
    _forget(access, exclusion, from_at, until_at, now)
    exclusion.save(force_insert=True)
    audit.record(access, "exclusion.entered", exclusion.code, now=now, reason=reason, **_told(exclusion))
    return exclusion


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
    accounts = MiningAccount.objects.filter(provider=access.provider)
    account_ids: set[int] | None = None
    if exclusion.worker is not None:
        account_ids = {exclusion.worker.mining_account_id}
    elif exclusion.customer_id is not None:
        account_ids = set(accounts.filter(customer=exclusion.customer_id).values_list("pk", flat=True))
    elif exclusion.site:
        of_workers = Worker.objects.filter(provider=access.provider, site=exclusion.site)
        account_ids = set(accounts.filter(site=exclusion.site).values_list("pk", flat=True))
        account_ids |= set(of_workers.values_list("mining_account_id", flat=True))
    uptime.forget_days(access.provider.pk, account_ids, from_at=from_at, until_at=until_at, now=now)


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
