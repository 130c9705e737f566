"""Read all rewards of a window out of a list that may move while it is read.

The pool pages by offset, newest first, without a total; records of one date come in no promised order, and a new
record shifts every later page. So pages overlap: where two of them do not agree on the overlap, or the first page has
changed at the end, the list moved, and it is read again. What never holds still is taken together as a set, and
accounts that may be missing from it are asked for by name. No database here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
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
    """`consistent`: the list held still, so what is not in it is not listed, and what is in it twice is there twice.

    Else it is a set, and only `settled` accounts (asked for by name, and held still) are known to be whole.
    """

    records: list[Listed]
    rejected: list[RejectedRecord]
    consistent: bool
    settled: set[str] = field(default_factory=set)

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
    """What is asked for. `since` may be read as inclusive or not: it is sent a second early."""

    pool: PoolClient
    alive: Callable[[], None]
    since: datetime | None = None
    account: str | None = None

    def page(self, offset: int, until: datetime | None) -> _Page:
        self.alive()
        since = None if self.since is None else self.since - SECOND
        return _Page.of(self.pool.rewards_page(account=self.account, since=since, until=until, offset=offset))


def read_login(
    pool: PoolClient,
    *,
    since: datetime | None,
    expected: Callable[[Listing], Iterable[str]],
    alive: Callable[[], None],
) -> Listing:
    """All rewards of the key's user from `since` on, for one call per 90 records when the list holds still.

    `expected` names the accounts that should be asked for by name after it did not.
    """
    listing = read_window(Window(pool, alive, since))
    if listing.consistent:
        return listing
    for account in sorted({*expected(listing), *_ambiguous(listing.records)}):
        own = read_window(Window(pool, alive, since, account))
        _settle(listing, account, own)
    return listing


def read_window(window: Window) -> Listing:
    union: dict[str, Listed] = {}
    rejected: dict[RejectedRecord, None] = {}
    for _ in range(MOST_PASSES):
        one = _read_pass(window)
        records = [listed for listed in one.records if window.since is None or listed.record.reward_at >= window.since]
        if one.agrees:
            return Listing(records, one.rejected, consistent=True)
        for listed in records:
            union.pop(listed.text, None)  # to the end: the latest reading of a record comes last
            union[listed.text] = listed
        rejected |= dict.fromkeys(one.rejected)
    return Listing(_latest(union.values()), list(rejected), consistent=False)


# --- One pass


@dataclass(frozen=True, slots=True)
class _Page:
    records: list[Listed]
    rejected: list[RejectedRecord]

    @classmethod
    def of(cls, page: RewardsPage) -> _Page:
        return cls([Listed(record, record.canonical()) for record in page.records], list(page.rejected))

    def __len__(self) -> int:
        return len(self.records) + len(self.rejected)

    def texts(self) -> list[str]:
        return [listed.text for listed in self.records]

    def content(self) -> Counter[str | RejectedRecord]:
        return Counter([*self.texts(), *self.rejected])


@dataclass
class _Pass:
    records: list[Listed] = field(default_factory=list)
    rejected: list[RejectedRecord] = field(default_factory=list)
    agrees: bool = True


@dataclass
class _Stretch(_Pass):
    """What offsets can reach of a window: at most LARGEST_OFFSET and a page."""

    first: _Page = field(default_factory=lambda: _Page([], []))
    pages: int = 0
    cut: bool = False  # there is more behind the largest offset


def _read_pass(window: Window) -> _Pass:
    whole = _Pass()
    head = stretch = _read_stretch(window, None)
    tail: list[str] = []  # texts of the moment at which the former stretch was cut
    moment: datetime | None = None
    while True:
        fresh = stretch.records
        if moment is not None:
            fresh = [listed for listed in fresh if listed.record.reward_at <= moment]
            whole.agrees &= [listed.text for listed in fresh[: len(tail)]] == tail
        whole.rejected += [record for record in stretch.rejected if record not in whole.rejected]
        whole.agrees &= stretch.agrees
        if not stretch.cut:
            whole.records += fresh
            break
        moment, tail, kept = _cut_at_moment(fresh)
        whole.records += kept
        if kept:
            until = moment + SECOND  # the whole moment again, whether `to` is read as inclusive or not
        else:
            # More records on one moment than offsets reach: no window can part them. By name is the only way.
            whole.agrees = False
            whole.records += fresh[len(kept) :]
            moment, tail = moment - SECOND, []
            until = moment
        stretch = _read_stretch(window, until)
    if whole.agrees and head.pages > 1:
        again = window.page(0, None)
        whole.agrees = again.texts() == head.first.texts() and again.content() == head.first.content()
    return whole


def _cut_at_moment(records: list[Listed]) -> tuple[datetime, list[str], list[Listed]]:
    moment = min(listed.record.reward_at for listed in records)
    kept = [listed for listed in records if listed.record.reward_at > moment]
    return moment, [listed.text for listed in records if listed.record.reward_at == moment], kept


def _read_stretch(window: Window, until: datetime | None) -> _Stretch:
    first = window.page(0, until)
    stretch = _Stretch(list(first.records), list(first.rejected), first=first, pages=1)
    if not first:
        # Nothing, twice, before it is believed: an empty answer looks like so many other things.
        stretch.agrees = not window.page(0, until)
        return stretch
    reached = len(first)
    last = first
    while True:
        overlap = min(OVERLAP, reached)
        if reached - overlap > LARGEST_OFFSET:
            stretch.cut = True
            return stretch
        page = window.page(reached - overlap, until)
        if reached == len(first) and len(page) <= overlap:
            return _end_of_single_page(window, until, stretch, page, overlap)
        if len(page) < overlap:
            # Less than what we know to stand there. A short page is not the end: look right behind what we have.
            stretch.agrees = False
            _add_as_set(stretch, page)
            page, overlap = window.page(reached, until), 0
            if not page:
                return stretch
        before = len(stretch.records) + len(stretch.rejected)
        _add(stretch, last, page, overlap)
        if len(stretch.records) + len(stretch.rejected) == before:
            return stretch
        reached += len(page) - overlap
        stretch.pages += 1
        last = page


def _end_of_single_page(
    window: Window, until: datetime | None, stretch: _Stretch, page: _Page, overlap: int
) -> _Stretch:
    """All came in one answer, which cannot contradict itself: the order of its records does not matter."""
    whole_again = page if overlap == len(stretch.first) else window.page(0, until)
    stretch.agrees = len(page) == overlap and whole_again.content() == stretch.first.content()
    if not stretch.agrees:
        _add_as_set(stretch, page)
        _add_as_set(stretch, whole_again)
        # The short page may have hidden more: what is right behind is asked for until there is nothing.
        while (reached := len(stretch.records) + len(stretch.rejected)) <= LARGEST_OFFSET:
            more = window.page(reached, until)
            _add_as_set(stretch, more)
            if len(stretch.records) + len(stretch.rejected) == reached:
                break
    return stretch


def _add(stretch: _Stretch, last: _Page, page: _Page, overlap: int) -> None:
    """Join a page to what was read, when both agree on the overlap; else take from it what is new."""
    # Records that could not be read have no place in the order: those that both pages hold stand in the overlap.
    common = Counter(last.rejected) & Counter(page.rejected)
    shared = overlap - common.total()
    known = [listed.text for listed in stretch.records[-shared:]] if shared > 0 else []
    if overlap and shared >= 0 and page.texts()[: max(shared, 0)] == known:
        stretch.records += page.records[max(shared, 0) :]
        stretch.rejected += list((Counter(page.rejected) - common).elements())
        return
    stretch.agrees = False
    _add_as_set(stretch, page)


def _add_as_set(stretch: _Stretch, page: _Page) -> None:
    seen = {listed.text for listed in stretch.records}
    stretch.records += [listed for listed in page.records if listed.text not in seen]
    stretch.rejected += [record for record in page.rejected if record not in stretch.rejected]


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
    if own.consistent and not seen:
        listing.settled.add(account)
