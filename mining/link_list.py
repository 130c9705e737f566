"""The pool's list of an account's watcher links against our rows. No calls here.

The list holds active links only, whoever made them, and may lag half a minute behind what was made.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import structlog
from django.db.models import Q

from customers import audit
from customers.models import Provider
from customers.tenancy import Access, Kind
from mining.models import LinkPermission, MiningAccount, PoolIntent, WatcherLink
from mining.pool.types import ListedLink, WatcherLinks
from mining.reading import Outcome

log = structlog.get_logger(__name__)

State, Origin = WatcherLink.State, WatcherLink.Origin

MOST_ACTIVE = 3  # of one account, by the pool's rule, whoever made them
LIST_LAGS = timedelta(seconds=30)  # how long what was made may be missing in the pool's lists
LATEST = datetime.max.replace(tzinfo=UTC)
UNKNOWN_WORDS = "The pool names permissions that we do not know: "
VANISHED = "The pool no longer lists it, before its end."
# What the pool says of a link, and so what it can change.
SAID = ["state", "url", "permissions", "live_until", "shows_others", "problem", "ended_at"]


def oldest_first(listed: WatcherLinks) -> list[ListedLink]:
    """In one order for everybody: of two links with the same mark (there should never be two) the first is ours."""
    return sorted(listed.links, key=lambda link: (link.created_at or LATEST, link.id))


def reconcile(lists: Mapping[MiningAccount, WatcherLinks], *, asked_at: datetime, now: datetime) -> Outcome:
    """Make our rows agree with these lists, which were asked for at `asked_at` or later. Inside the context."""
    outcome = Outcome()
    known = _known(lists)
    changed: list[WatcherLink] = []
    for account, listed in lists.items():
        rows = known.get(account.pk, [])
        outcome.rows_new += _take_in(account, listed, rows, changed, now=now)
        if listed.rejected:
            outcome.problems.append(f"A watcher link of {account.name} could not be read.")
        else:
            _mark_gone(listed, rows, changed, asked_at=asked_at, now=now)
    WatcherLink.objects.bulk_update(changed, SAID, batch_size=100)
    outcome.rows_changed = len(changed)
    return outcome


def _known(lists: Mapping[MiningAccount, WatcherLinks]) -> dict[int, list[WatcherLink]]:
    """Our rows of these accounts that a list can say something about; those long over are many."""
    every = [link for listed in lists.values() for link in listed.links]
    named = Q(pool_id__in=[link.id for link in every]) | Q(pool_id=None, name__in=[link.name for link in every])
    rows = WatcherLink.objects.filter(
        Q(state=State.ACTIVE) | named,
        provider__in={account.provider_id for account in lists},
        mining_account__in=list(lists),
    )
    known: dict[int, list[WatcherLink]] = {}
    for row in rows.order_by("pk").select_for_update(no_key=True):
        known.setdefault(row.mining_account_id, []).append(row)
    return known


def _take_in(
    account: MiningAccount, listed: WatcherLinks, rows: list[WatcherLink], changed: list[WatcherLink], *, now: datetime
) -> int:
    """How many rows are new."""
    by_id = {row.pool_id: row for row in rows if row.pool_id is not None}
    by_mark = {row.name: row for row in rows if row.pool_id is None and row.origin == Origin.PORTAL}
    new = 0
    for link in oldest_first(listed):
        row = by_id.get(link.id)
        if row is None and (row := by_mark.pop(link.name, None)) is not None:
            if row.state != State.FAILED:
                continue  # its intent fills it in
            _came_late(row, link, now=now)
        elif row is None:
            _found(account, link, now=now)
            new += 1
        elif _follow(row, link, account, now=now):
            changed.append(row)
    return new


def _found(account: MiningAccount, link: ListedLink, *, now: datetime) -> None:
    """Made outside the portal."""
    row = WatcherLink(
        provider_id=account.provider_id,
        mining_account=account,
        customer_id=account.customer_id,
        origin=Origin.POOL,
        pool_id=link.id,
        name=link.name,
        created_at=link.created_at or now,
        seen_at=now,
        permissions=[],
    )
    _follow(row, link, account, now=now)
    row.save(force_insert=True)
    log.warning("link.found", account=account.code, link=row.code, shows_others=row.shows_others)
    _tell(row, "link.found", now=now, account=account.code, shows_others="yes" if row.shows_others else "no")


def _follow(row: WatcherLink, link: ListedLink, account: MiningAccount, *, now: datetime) -> bool:
    """Whether the pool says anything new of it."""
    before = [getattr(row, field) for field in SAID]
    row.url, row.live_until = link.url, link.live_until
    row.permissions = [word for word in LinkPermission.values if word in link.permissions]
    unknown = sorted(set(link.permissions) - set(LinkPermission.values))
    if unknown:
        # Never lost: a link that shows more than we have words for must not look as if it showed less.
        row.problem = f"{UNKNOWN_WORDS}{', '.join(unknown)}."[:500]
    elif row.problem.startswith((UNKNOWN_WORDS, VANISHED)):
        row.problem = ""  # what else stands there is not the list's to take away
    row.shows_others = any(name != account.name for name in link.accounts)
    row.state, row.ended_at = State.ACTIVE, None
    if link.live_until is not None and link.live_until <= now:
        row.state, row.ended_at = State.GONE, link.live_until
    return before != [getattr(row, field) for field in SAID]


def _came_late(row: WatcherLink, link: ListedLink, *, now: datetime) -> None:
    """Given up as not made, and there it is: the pool acted later than we reckon with. What is there counts."""
    row.state, row.pool_id, row.url, row.live_until = State.ACTIVE, link.id, link.url, link.live_until
    row.seen_at, row.ended_at, row.problem = now, None, ""
    row.save(update_fields=["state", "pool_id", "url", "live_until", "seen_at", "ended_at", "problem"])
    intents = PoolIntent.objects.filter(provider=row.provider_id, watcher_link=row, state=PoolIntent.State.FAILED)
    intents.update(state=PoolIntent.State.DONE, problem="", settled_at=now)
    log.warning("link.came_late", link=row.code)
    _tell(row, "link.came_late", now=now)


def _mark_gone(
    listed: WatcherLinks, rows: list[WatcherLink], changed: list[WatcherLink], *, asked_at: datetime, now: datetime
) -> None:
    there = {link.id for link in listed.links}
    for row in rows:
        if row.state != State.ACTIVE or row.pool_id in there or row.seen_at is None:
            continue
        if row.live_until is not None and row.live_until <= now:
            row.state, row.ended_at = State.GONE, row.live_until
        elif row.seen_at < asked_at - LIST_LAGS:
            row.state, row.ended_at = State.GONE, now
            row.problem = VANISHED
            log.warning("link.gone", link=row.code)
            _tell(row, "link.gone", now=now)
        else:
            continue
        changed.append(row)


def _tell(row: WatcherLink, action: str, *, now: datetime, **details: str) -> None:
    worker = Access(Kind.SYSTEM, Provider.objects.get(pk=row.provider_id), label="worker")
    audit.record(worker, action, row.code, now=now, **details)
