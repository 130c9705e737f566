"""Read all rewards of a window out of a list that may move while it is read.

The pool pages by offset, newest first, without a total; records of one date come in no promised order, and a new
record shifts every later page. So pages overlap: where two of them do not agree on the overlap, or the first page has
changed at the end, the list moved, and it is read again. What never holds still is taken together as a set, and
accounts that may be missing from it are asked for by name.

A window comes in parts, the newest first, each as long as offsets reach: what a login has earned in years is never in
memory at once. No database here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

from mining.pool.answers.types import RejectedRecord, RewardRecord, RewardsPage
from mining.pool.client import LARGEST_OFFSET, PoolClient

OVERLAP = 10
MOST_PASSES = 3
SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Listed:
    """A record and its canonical text: two records are the same when their texts are."""

    record: RewardRecord
    text: str

    @property
    def place(self) -> tuple[str, datetime, str]:
        return self.record.account, self.record.reward_at, self.record.currency


@dataclass
class Listing:
    """A part of a window: from `since` on (None: from the beginning), before `until` (None: until now), of one account
    or of all of the login.

    `consistent`: the list held still, so what is not in it is not listed, and what is in it twice is there twice. Else
    it is a set, and only `settled` accounts (asked for by name, and held still) are known to be whole.
    """

    records: list[Listed]
    rejected: list[RejectedRecord]
    consistent: bool
    settled: set[str] = field(default_factory=set)
    since: datetime | None = None
    until: datetime | None = None
    account: str | None = None
    is_last: bool = True  # of its window: nothing older was asked for

    def is_whole_for(self, account: str) -> bool:
        return self.consistent or account in self.settled

    def days(self) -> dict[str, set[date]]:
        """The UTC dates on which each account is listed."""
        days: dict[str, set[date]] = defaultdict(set)
        for listed in self.records:
            days[listed.record.account].add(listed.record.reward_at.astimezone(UTC).date())
        return days


@dataclass(frozen=True, slots=True)
class Window:
    """What is asked for: from `since` on, before `until`. Either may be read as inclusive or not, so what is asked for
    is a second wider, and what lies outside is left out. Dates are whole seconds."""

    pool: PoolClient
    alive: Callable[[], None]
    since: datetime | None = None
    until: datetime | None = None
    account: str | None = None

    def page(self, offset: int) -> RecordsPage:
        self.alive()
        since = None if self.since is None else self.since - SECOND
        return RecordsPage.of(
            self.pool.rewards_page(account=self.account, since=since, until=self.until, offset=offset)
        )

    def holds(self, listed: Listed) -> bool:
        moment = listed.record.reward_at
        return (self.since is None or moment >= self.since) and (self.until is None or moment < self.until)


def read_login(
    pool: PoolClient,
    *,
    since: datetime | None,
    expected: Callable[[Listing], Iterable[str]],
    alive: Callable[[], None],
) -> Iterator[Listing]:
    """All rewards of the key's user from `since` on, for one call per 90 records when the list holds still.

    `expected` names the accounts that should be asked for by name after a part did not.
    """
    window = Window(pool, alive, since)
    while True:
        part, too_dense = _read_part(window)
        if too_dense:
            # More records on one moment than offsets reach: no window can part them. By name is the only way.
            for account in sorted({*expected(part), *(listed.record.account for listed in part.records)}):
                yield from read_account(pool, account, since=since, until=window.until, alive=alive)
            return
        if not part.consistent:
            for account in sorted({*expected(part), *_ambiguous(part.records)}):
                own, _ = _read_part(replace(window, since=part.since, account=account))  # one part, or not settled
                _settle(part, account, own)
        yield part
        if part.is_last:
            return
        window = replace(window, until=part.since)


def newest_page(pool: PoolClient, *, since: datetime, alive: Callable[[], None]) -> RecordsPage:
    """What a reading of the window would begin with."""
    return Window(pool, alive, since).page(0)


def read_account(
    pool: PoolClient,
    account: str,
    *,
    since: datetime | None,
    until: datetime | None = None,
    alive: Callable[[], None],
) -> Iterator[Listing]:
    """The rewards of one account, asked for by its name."""
    window = Window(pool, alive, since, until, account)
    while True:
        part, too_dense = _read_part(window)
        if too_dense:
            # Nobody earns ten thousand rewards in one second: what was seen is taken, and nothing is called missing.
            part.since = min(listed.record.reward_at for listed in part.records)
        yield part
        if part.is_last:
            return
        window = replace(window, until=part.since)


def _read_part(window: Window) -> tuple[Listing, bool]:
    """The newest part of the window; and whether there is none, because one moment fills all that offsets reach."""
    union: dict[str, Listed] = {}
    rejected: dict[RejectedRecord, None] = {}
    floors: list[datetime] = []
    for _ in range(MOST_PASSES):
        one = _read_pass(window)
        records = [listed for listed in one.records if window.holds(listed)]
        if one.cut:
            # The oldest moment may be cut through: it belongs to the next part.
            floors.append(min(listed.record.reward_at for listed in one.records) + SECOND)
        if one.agrees:
            floors = floors[-1:] if one.cut else []
            break
        for listed in records:
            union.pop(listed.text, None)  # to the end: the latest reading of a record comes last
            union[listed.text] = listed
        rejected |= dict.fromkeys(one.rejected)
    floor = max(floors, default=None)
    read = records if one.agrees else _latest(union.values())
    kept = [listed for listed in read if floor is None or listed.record.reward_at >= floor]
    too_dense = floor is not None and not kept
    part = Listing(
        read if too_dense else kept,
        # As they came: two that cannot be read may be alike.
        one.rejected if one.agrees else list(rejected),
        consistent=one.agrees and not too_dense,
        since=window.since if floor is None or too_dense else floor,
        until=window.until,
        account=window.account,
        is_last=floor is None,
    )
    return part, too_dense


# --- One pass


@dataclass(frozen=True, slots=True)
class RecordsPage:
    records: list[Listed]
    rejected: list[RejectedRecord]

    @classmethod
    def of(cls, page: RewardsPage) -> RecordsPage:
        return cls([Listed(record, record.canonical()) for record in page.records], list(page.rejected))

    def __len__(self) -> int:
        return len(self.records) + len(self.rejected)

    def texts(self) -> list[str]:
        return [listed.text for listed in self.records]

    def content(self) -> Counter[str | RejectedRecord]:
        return Counter([*self.texts(), *self.rejected])


@dataclass
class _Pass:
    """What offsets can reach of a window: at most LARGEST_OFFSET and a page."""

    records: list[Listed]
    rejected: list[RejectedRecord]
    first: RecordsPage
    agrees: bool = True
    pages: int = 1
    cut: bool = False  # there is more behind the largest offset


def _read_pass(window: Window) -> _Pass:
    one = _read_pages(window)
    if one.agrees and one.pages > 1:
        again = window.page(0)
        one.agrees = again.texts() == one.first.texts() and again.content() == one.first.content()
    return one


def _read_pages(window: Window) -> _Pass:
    first = window.page(0)
    one = _Pass(list(first.records), list(first.rejected), first)
    if not first:
        # Nothing, twice, before it is believed: an empty answer looks like so many other things.
        one.agrees = not window.page(0)
        return one
    reached = len(first)
    last = first
    while True:
        overlap = min(OVERLAP, reached)
        if reached - overlap > LARGEST_OFFSET:
            one.cut = bool(one.records)
            one.agrees &= one.cut  # nothing of so many could be read: nobody knows where to go on
            return one
        page = window.page(reached - overlap)
        if reached == len(first) and len(page) <= overlap:
            return _end_of_single_page(window, one, page, overlap)
        if len(page) < overlap:
            # Less than what we know to stand there. A short page is not the end: look right behind what we have.
            one.agrees = False
            _add_as_set(one, page)
            page, overlap = window.page(reached), 0
            if not page:
                return one
        before = len(one.records) + len(one.rejected)
        _add(one, last, page, overlap)
        if len(one.records) + len(one.rejected) == before:
            return one
        reached += len(page) - overlap
        one.pages += 1
        last = page


def _end_of_single_page(window: Window, one: _Pass, page: RecordsPage, overlap: int) -> _Pass:
    """All came in one answer, which cannot contradict itself: the order of its records does not matter."""
    whole_again = page if overlap == len(one.first) else window.page(0)
    one.agrees = len(page) == overlap and whole_again.content() == one.first.content()
    if not one.agrees:
        _add_as_set(one, page)
        _add_as_set(one, whole_again)
        # The short page may have hidden more: what is right behind is asked for until there is nothing.
        while (reached := len(one.records) + len(one.rejected)) <= LARGEST_OFFSET:
            more = window.page(reached)
            _add_as_set(one, more)
            if len(one.records) + len(one.rejected) == reached:
                break
    return one


def _add(one: _Pass, last: RecordsPage, page: RecordsPage, overlap: int) -> None:
    """Join a page to what was read, when both agree on the overlap; else take from it what is new."""
    # Records that could not be read have no place in the order: those that both pages hold stand in the overlap.
    common = Counter(last.rejected) & Counter(page.rejected)
    shared = overlap - common.total()
    known = [listed.text for listed in one.records[-shared:]] if shared > 0 else []
    if overlap and shared >= 0 and page.texts()[: max(shared, 0)] == known:
        one.records += page.records[max(shared, 0) :]
        one.rejected += list((Counter(page.rejected) - common).elements())
        return
    one.agrees = False
    _add_as_set(one, page)


def _add_as_set(one: _Pass, page: RecordsPage) -> None:
    seen = {listed.text for listed in one.records}
    one.records += [listed for listed in page.records if listed.text not in seen]
    one.rejected += [record for record in page.rejected if record not in one.rejected]


# --- When the list would not hold still


def _core(listed: Listed) -> tuple[object, ...]:
    record = listed.record
    return *listed.place, record.destination, record.total, record.net, record.hashrate_hs


def _latest(records: Iterable[Listed]) -> list[Listed]:
    """One record read in two states (pending, then successful) is one record: the latest reading counts."""
    return list({_core(listed): listed for listed in records}.values())


def _ambiguous(records: Iterable[Listed]) -> set[str]:
    """Accounts with several records at one place: a set cannot tell two of them from one that changed meanwhile."""
    places = Counter(listed.place for listed in records)
    return {account for (account, _, _), count in places.items() if count > 1}


def _settle(listing: Listing, account: str, own: Listing) -> None:
    """What the pool says when asked by name stands for the account; but it does not take away what was just seen."""
    told = {_core(listed) for listed in own.records}
    seen = [listed for listed in listing.records if listed.record.account == account and _core(listed) not in told]
    listing.records = [listed for listed in listing.records if listed.record.account != account]
    listing.records += [*own.records, *seen]
    listing.rejected += [record for record in own.rejected if record not in listing.rejected]
    if own.consistent and own.is_last and not seen:
        listing.settled.add(account)
