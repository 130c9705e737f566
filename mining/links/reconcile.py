"""The pool's list of an account's watcher links against our rows. No calls here.

The list holds active links only, whoever made them, and may lag half a minute behind what was made.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import structlog
from django.db.models import Q

from customers import audit
from mining.models import LinkPermission, MiningAccount, PoolIntent, WatcherLink
from mining.models.links import UNKNOWN_WORDS
from mining.pool.answers.types import ListedLink, WatcherLinks
from mining.sync.reading import READ_AT_GRAIN, Outcome

log = structlog.get_logger(__name__)

State, Origin = WatcherLink.State, WatcherLink.Origin

MOST_ACTIVE = 3  # of one account, by the pool's rule, whoever made them
LIST_LAGS = timedelta(seconds=30)  # how long what was made may be missing in the pool's lists
LATEST = datetime.max.replace(tzinfo=UTC)
NOT_RENEWED = "It could not be renewed. "
VANISHED = "The pool no longer lists it, before its end."
# What the pool says of a link, and so what it can change.
SAID = ["state", "url", "permissions", "live_until", "shows_others", "problem", "missing_since", "ended_at"]
# Two lists that do not name a link prove that it is gone, when they are so far apart. One may be an empty answer of a
# pool in trouble; and a link that is there and taken for gone is made a second time.
MISSING_FOR = timedelta(minutes=1)


def oldest_first(listed: WatcherLinks) -> list[ListedLink]:
    """In one order for everybody: of two links with the same mark (there should never be two) the first is ours."""
    return sorted(listed.links, key=lambda link: (link.created_at or LATEST, link.id))


def reconcile(
    lists: Mapping[MiningAccount, WatcherLinks],
    *,
    refused: WatcherLink | None = None,
    asked_at: datetime,
    now: datetime,
) -> Outcome:
    """Make our rows agree with these lists, which were asked for at `asked_at` or later. Inside the context.

    `refused`: the pool has just refused this one more, so there are as many as it allows, whatever its list shows yet.
    """
    outcome = Outcome()
    # First, as whoever issues or renews a link does: a link that is found wants its account too.
    accounts = list(
        MiningAccount.objects.filter(
            provider__in={account.provider_id for account in lists}, pk__in=[account.pk for account in lists]
        )
        .order_by("pk")
        .select_for_update(no_key=True)
    )
    rows_of = _rows_by_account(lists)
    changed: list[WatcherLink] = []
    for account, listed in lists.items():
        rows = rows_of.get(account.pk, [])
        outcome.rows_new += _take_in(account, listed, rows, changed, now=now)
        if not listed.rejected:  # one that cannot be read may be any of ours
            outcome.problems += _mark_gone(account, listed, rows, changed, asked_at=asked_at, now=now)
    WatcherLink.objects.bulk_update(changed, SAID, batch_size=100)
    outcome.rows_changed = len(changed)
    _note_counts(accounts, lists, refused=refused, asked_at=asked_at, now=now)
    return outcome


def _note_counts(
    accounts: list[MiningAccount],
    lists: Mapping[MiningAccount, WatcherLinks],
    *,
    refused: WatcherLink | None,
    asked_at: datetime,
    now: datetime,
) -> None:
    """What takes room beside our rows, and as of when; to within READ_AT_GRAIN when nothing is new."""
    counted = []
    for account in accounts:
        unseen = len(lists[account].rejected)
        if refused is not None:
            # By our rows, not by the list: it may not show yet what we have just made.
            rows = WatcherLink.objects.filter(provider=account.provider_id, mining_account=account)
            ours = rows.exclude(pk=refused.pk).taking_room(now).count()
            unseen = max(unseen, MOST_ACTIVE - ours)
        read_at = account.links_read_at
        if read_at is not None and read_at > asked_at:
            continue  # a later list has told already
        is_news = refused is not None or unseen != account.links_unseen
        if is_news or read_at is None or asked_at - read_at >= READ_AT_GRAIN:
            account.links_unseen, account.links_read_at = unseen, asked_at
            counted.append(account)
    MiningAccount.objects.bulk_update(counted, ["links_unseen", "links_read_at"], batch_size=100)


def _rows_by_account(lists: Mapping[MiningAccount, WatcherLinks]) -> dict[int, list[WatcherLink]]:
    """Our rows of these accounts that a list can say something about; those long over are many."""
    every = [link for listed in lists.values() for link in listed.links]
    named = Q(pool_id__in=[link.id for link in every]) | Q(pool_id=None, name__in=[link.name for link in every])
    rows = WatcherLink.objects.filter(
        Q(state=State.ACTIVE) | named,
        provider__in={account.provider_id for account in lists},
        mining_account__in=list(lists),
    )
    rows_of: dict[int, list[WatcherLink]] = {}
    for row in rows.order_by("pk").select_for_update(no_key=True):
        rows_of.setdefault(row.mining_account_id, []).append(row)
    return rows_of


def _take_in(
    account: MiningAccount, listed: WatcherLinks, rows: list[WatcherLink], changed: list[WatcherLink], *, now: datetime
) -> int:
    """Write one account's list into our rows; how many rows are new."""
    by_id = {row.pool_id: row for row in rows if row.pool_id is not None}
    by_mark = {row.name: row for row in rows if row.pool_id is None and row.origin == Origin.PORTAL}
    new = 0
    for link in oldest_first(listed):
        row = by_id.get(link.id)
        if row is None and (row := by_mark.pop(link.name, None)) is not None:
            if row.state != State.FAILED:
                continue  # its intent fills it in
            _came_late(row, link, rows, now=now)
        elif row is None:
            _add_foreign(account, link, now=now)
            new += 1
        elif _follow(row, link, account, now=now):
            changed.append(row)
    return new


def _add_foreign(account: MiningAccount, link: ListedLink, *, now: datetime) -> None:
    """Add a row for a link that was made outside the portal."""
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
    """Write what the pool says of a link on its row; whether anything is new."""
    before = [getattr(row, field) for field in SAID]
    row.url, row.live_until = link.url, link.live_until
    row.permissions = [word for word in LinkPermission.values if word in link.permissions]
    unknown = sorted(set(link.permissions) - set(LinkPermission.values))
    if unknown:
        # Never lost: a link that shows more than we have words for must not look as if it showed less.
        row.problem = f"{UNKNOWN_WORDS}{', '.join(unknown)}."[:500]
    elif row.problem.startswith((UNKNOWN_WORDS, VANISHED)):
        row.problem = ""  # what else stands there is not the list's to take away
    row.shows_others = set(link.accounts) != {account.name}
    row.state, row.ended_at, row.missing_since = State.ACTIVE, None, None
    if link.live_until is not None and link.live_until <= now:
        row.state, row.ended_at = State.GONE, link.live_until
    return before != [getattr(row, field) for field in SAID]


def _came_late(row: WatcherLink, link: ListedLink, rows: list[WatcherLink], *, now: datetime) -> None:
    """Given up as not made, and there it is: the pool acted later than we reckon with. What is there counts."""
    row.state, row.pool_id, row.url, row.live_until = State.ACTIVE, link.id, link.url, link.live_until
    row.seen_at, row.ended_at, row.problem = now, None, ""
    row.save(update_fields=["state", "pool_id", "url", "live_until", "seen_at", "ended_at", "problem"])
    intents = PoolIntent.objects.filter(provider=row.provider_id, watcher_link=row, state=PoolIntent.State.FAILED)
    intents.update(state=PoolIntent.State.DONE, problem="", settled_at=now)
    _renewed_after_all(row, rows)
    log.warning("link.came_late", link=row.code)
    _tell(row, "link.came_late", now=now)


def _renewed_after_all(successor: WatcherLink, rows: list[WatcherLink]) -> None:
    """The one before it says no more that it was not renewed. Among `rows` too, which are written as they stand."""
    before = WatcherLink.objects.filter(provider=successor.provider_id, successor=successor)
    before.update(renewals_failed=0)
    before.filter(problem__startswith=NOT_RENEWED).update(problem="")
    for row in rows:
        if row.successor_id == successor.pk and row.problem.startswith(NOT_RENEWED):
            row.problem = ""


def _mark_gone(
    account: MiningAccount,
    listed: WatcherLinks,
    rows: list[WatcherLink],
    changed: list[WatcherLink],
    *,
    asked_at: datetime,
    now: datetime,
) -> list[str]:
    """What people have to be told of a list that holds none of the links that should be there."""
    there = {link.id for link in listed.links}
    absent = [row for row in rows if row.state == State.ACTIVE and row.pool_id not in there]
    over = [row for row in absent if row.live_until is not None and row.live_until <= now]
    late = asked_at - LIST_LAGS  # what was seen for the first time since then may be missing still
    vanished = [row for row in absent if row not in over and row.seen_at is not None and row.seen_at < late]
    for row in over:
        row.state, row.ended_at, row.missing_since = State.GONE, row.live_until, None
    changed += over
    for row in vanished:
        if row.missing_since is None:
            row.missing_since = asked_at
        elif asked_at - row.missing_since >= MISSING_FOR:
            _vanish(row, now=now)
        else:
            continue  # the same list again, too soon to say more
        changed.append(row)
    if there or not any(row.state == State.ACTIVE for row in vanished):
        return []
    return [f"The pool lists no watcher link of {account.name} any more. The next reading tells whether that is so."]


def _vanish(row: WatcherLink, *, now: datetime) -> None:
    row.state, row.ended_at, row.problem, row.missing_since = State.GONE, now, VANISHED, None
    log.warning("link.gone", link=row.code)
    _tell(row, "link.gone", now=now)


def _tell(row: WatcherLink, action: str, *, now: datetime, **details: str) -> None:
    audit.record_by_worker(row.provider_id, action, row.code, now=now, **details)
