"""What the pool says of an account's workers at one moment: its counts, and the names that can be believed beside them.

The pool lists online workers only, page by page, while the list moves, and nobody says whether "low" ones are in it. So
a list is believed when it is as long as the counts of the same minute say. No database here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from mining.pool.answers.types import MinersInfo
from mining.pool.client import LARGEST_OFFSET, PoolClient
from mining.pool.errors import PoolError

# Counts and names that were read so far apart say nothing about each other.
SAME_MOMENT = timedelta(seconds=60)


class Missing(StrEnum):
    """What follows for a worker that the list leaves out."""

    DOWN = "down"
    HASHING = "hashing"  # low ones are not listed, and none is offline
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Listing:
    """`at`: before the first call for it went out. `unread`: names that no text can hold."""

    at: datetime
    names: frozenset[str]
    missing: Missing
    unread: int = 0


@dataclass(frozen=True, slots=True)
class AccountAnswer:
    """`at`: before the call for the counts went out. `listing`: None when no names were read, or none worth it."""

    at: datetime
    info: MinersInfo
    listing: Listing | None = None
    names_failed: PoolError | None = None


def read_account(
    pool: PoolClient, name: str, *, now: Callable[[], datetime], wants_names: Callable[[MinersInfo], bool]
) -> AccountAnswer:
    at = now()
    info = pool.miners_info(name)
    if not wants_names(info):
        return AccountAnswer(at, info)
    if nobody_mines(info):
        return AccountAnswer(at, info, Listing(at, frozenset(), Missing.DOWN))
    try:
        listing = _list(pool, name, now)
        if missing(info, listing) == Missing.UNKNOWN or listing.at - at > SAME_MOMENT:
            # One of the two may have moved in between: both once more.
            again = now()
            info_again = pool.miners_info(name)
            at, info, listing = again, info_again, _list(pool, name, now)
    except PoolError as error:
        return AccountAnswer(at, info, names_failed=error)
    if not listing.names:
        # With some online that is no list; with none the first answer had said so.
        empty = Listing(listing.at, frozenset(), Missing.DOWN) if nobody_mines(info) else None
        return AccountAnswer(at, info, empty)
    return AccountAnswer(at, info, Listing(listing.at, listing.names, missing(info, listing), listing.unread))


def nobody_mines(info: MinersInfo) -> bool:
    return info.online == 0 and info.low == 0


def missing(info: MinersInfo, listing: Listing) -> Missing:
    listed = len(listing.names) + listing.unread
    if listed == info.online + info.low:
        return Missing.DOWN
    if listed != info.online:
        return Missing.UNKNOWN
    # Low ones are not in it: who is missing is low or offline.
    return Missing.HASHING if info.offline == 0 else Missing.UNKNOWN


def _list(pool: PoolClient, name: str, now: Callable[[], datetime]) -> Listing:
    """Of several pages twice: a worker is missing when two lists agree in it, and since the first of them."""
    at = now()
    names, unread, pages = _pages(pool, name)
    if pages > 1:
        more, unread_again, _ = _pages(pool, name)
        names, unread = names | more, max(unread, unread_again)
    return Listing(at, frozenset(names), Missing.UNKNOWN, unread)


def _pages(pool: PoolClient, name: str) -> tuple[set[str], int, int]:
    names: set[str] = set()
    unread = offset = pages = 0
    while offset <= LARGEST_OFFSET:
        page = pool.worker_names_page(name, offset=offset)
        entries = len(page.names) + len(page.rejected)
        brings_news = bool(page.rejected) or not names.issuperset(page.names)
        if not entries or not brings_news:
            break
        names.update(page.names)
        unread += len(page.rejected)
        pages += 1
        if page.limit < 1 or entries < page.limit:
            break
        offset += page.limit
    return names, unread, pages
