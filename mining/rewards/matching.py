"""Which stored reward is which listed record. The pool gives no id, so it is worked out. Pure: no database, no network.

Inside one place (account, exact moment, currency) equal records pair; then those that agree in what a reward is,
whatever became of their status. What is left at the places of one account is looked at together: a record that
vanished and one that appeared with equal amounts and a date within 36 hours are one that moved. Then, if one is left
on each side of a place, that record changed. What is still in doubt is quarantined, never guessed.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from mining.models import Reward
from mining.models.rewards import Destination, RewardStatus
from mining.pool.answers.decimals import EXACT, to_sat
from mining.pool.answers.types import RewardRecord
from mining.pool.listings.rewards import Listed

RATE_STEP, HS_STEP = Decimal(1).scaleb(-18), Decimal(1).scaleb(-6)

Core = tuple[object, ...]
Place = tuple[str, datetime, str]  # account, moment, currency


@dataclass(frozen=True)
class Candidate:
    """A listed record in the form of our columns."""

    listed: Listed
    fingerprint: str
    columns: dict[str, Any]

    @property
    def record(self) -> RewardRecord:
        return self.listed.record

    @property
    def day(self) -> date:
        return self.record.reward_at.astimezone(UTC).date()

    @property
    def core(self) -> Core:
        return tuple(self.columns[name] for name in CORE)

    @property
    def money(self) -> Core:
        return tuple(self.columns[name] for name in MONEY)

    @property
    def amounts(self) -> Core:
        return tuple(self.columns[name] for name in AMOUNTS)


AMOUNTS = ("total_amount", "net_amount", "fee_amount")
MONEY = ("payout_destination", *AMOUNTS)
CORE = (*MONEY, "hashrate_hs")
# Two days of the pool lie 24 hours apart: what is dated anew by a day at most is the same reward.
MOVES_WITHIN = timedelta(hours=36)


def candidate(listed: Listed) -> Candidate:
    record = listed.record
    total_sat, net_sat = to_sat(record.total), to_sat(record.net)
    columns = {
        "total_raw": record.total_raw,
        "net_raw": record.net_raw,
        "fee_raw": record.fee_raw,
        "total_amount": record.total,
        "net_amount": record.net,
        "fee_amount": record.fee,
        "total_sat": total_sat,
        "net_sat": net_sat,
        "fee_sat": total_sat - net_sat,  # never rounded by itself: provider + customer + fee must be the total
        "fpps_rate": _step(record.fpps_rate, RATE_STEP),
        "hashrate_hs": _step(record.hashrate_hs, HS_STEP),
        "status": record.status if record.status in RewardStatus.values else RewardStatus.UNKNOWN,
        "status_raw": record.status,
        "payout_destination": record.destination if record.destination in Destination.values else Destination.UNKNOWN,
        "payout_address": record.address,
        "transaction_hash": record.transaction_hash,
        "paid_at": record.paid_at,
    }
    return Candidate(listed, fingerprint(listed.text), columns)


def fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _step(number: Decimal | None, step: Decimal) -> Decimal | None:
    return None if number is None else EXACT.quantize(number, step)


class Twin(NamedTuple):
    candidate: Candidate
    ordinal: int  # which one of those that are alike at this place: 2, 3 …


@dataclass
class Match:
    pairs: list[tuple[Reward, Candidate]] = field(default_factory=list)
    moved: list[tuple[Reward, Candidate]] = field(default_factory=list)
    new: list[Candidate] = field(default_factory=list)
    twins: list[Twin] = field(default_factory=list)  # as another one of this place: the first counts
    unmatched: list[Candidate] = field(default_factory=list)  # nobody can say which stored reward each one is
    moved_or_new: list[tuple[Leftover, Candidate]] = field(default_factory=list)  # was it listed elsewhere before?
    missing: list[Reward] = field(default_factory=list)


@dataclass(frozen=True)
class Leftover:
    """What is not paired at one place: rows that are not listed there, and records that are not stored there.

    `doubtful`: the pool lists something more here that could not be read, so the one left may be it. `whole`: the list
    is; where it is and nothing is doubtful, what is not listed has vanished.
    """

    place: Place
    rows: list[Reward]
    listed: list[Candidate]
    doubtful: bool = False
    whole: bool = True

    @property
    def proven(self) -> bool:
        return self.whole and not self.doubtful

    @property
    def moment(self) -> datetime:
        return self.place[1]


def match(whole: Match, stored: Sequence[Reward], listed: Sequence[Candidate]) -> tuple[list[Reward], list[Candidate]]:
    """Pair what is surely the same inside one place; what is left of both. The order of neither matters to the result,
    but for which of two equal ones is the first."""
    result = Match()
    rows = sorted(stored, key=lambda row: row.occurrence)
    left = sorted(listed, key=lambda candidate: candidate.listed.text)
    rows, left = _pair(result, rows, left, lambda row: row.fingerprint, lambda one: one.fingerprint)
    rows, left = _pair(result, rows, left, _core_of, lambda one: one.core)
    left = _without_twins(result, left)
    # The hashrate only decorates. After the twins, which differ in nothing else from what they are twins of.
    rows, left = _pair(result, rows, left, _money_of, lambda one: one.money)
    whole.pairs += result.pairs
    whole.twins += result.twins
    return rows, left


def groups(leftovers: Iterable[Leftover]) -> list[list[Leftover]]:
    """Leftovers that have to be looked at together, because a record may have moved from one place to another."""
    leftovers = list(leftovers)
    vanished: dict[object, list[int]] = defaultdict(list)
    for number, leftover in enumerate(leftovers):
        for row in leftover.rows:
            vanished[_moving_key(leftover.place, _amounts_of(row))].append(number)
    leader = list(range(len(leftovers)))

    def lead(number: int) -> int:
        while leader[number] != number:
            number = leader[number] = leader[leader[number]]
        return number

    for number, leftover in enumerate(leftovers):
        for one in leftover.listed:
            for other in vanished.get(_moving_key(leftover.place, one.amounts), ()):
                if abs(leftovers[other].moment - leftover.moment) <= MOVES_WITHIN:
                    leader[lead(number)] = lead(other)
    together: dict[int, list[Leftover]] = defaultdict(list)
    for number, leftover in enumerate(leftovers):
        together[lead(number)].append(leftover)
    return list(together.values())


def settle(result: Match, group: Sequence[Leftover]) -> None:
    """What became of a group: first what moved between its places, then what is left at each."""
    moves = _Moves(group)
    result.moved += moves.certain
    result.moved_or_new += moves.in_doubt
    for leftover in group:
        rows = [row for row in leftover.rows if row.pk not in moves.gone]
        left = [one for one in leftover.listed if id(one) not in moves.taken]
        if len(rows) == len(left) == 1 and not leftover.doubtful:
            result.pairs.append((rows[0], left[0]))
        elif not rows:
            result.new += left
        elif not left:
            # Those that may have moved are in doubt, and so not called missing.
            result.missing += [row for row in rows if leftover.proven and row.pk not in moves.doubted]
        else:
            # As here, where the stored ones are in doubt too.
            result.unmatched += left


class _Moves:
    """Which records of a group moved: those with one partner, which has no other one either."""

    def __init__(self, group: Sequence[Leftover]) -> None:
        self.certain: list[tuple[Reward, Candidate]] = []
        self.in_doubt: list[tuple[Leftover, Candidate]] = []
        self.gone: set[int] = set()  # rows that moved away, by primary key
        self.doubted: set[int] = set()
        self.taken: set[int] = set()  # records that are settled here, by id()
        vanished = [(leftover, row) for leftover in group for row in leftover.rows]
        appeared = [(leftover, one) for leftover in group for one in leftover.listed]
        if len(group) == 1:
            return
        partners: dict[int, list[tuple[Leftover, Reward]]] = {}
        suitors: dict[int, int] = defaultdict(int)
        for here, one in appeared:
            partners[id(one)] = [(there, row) for there, row in vanished if _may_have_moved(there, row, here, one)]
            for _, row in partners[id(one)]:
                suitors[row.pk] += 1
        for here, one in appeared:
            found = partners[id(one)]
            if not found:
                continue
            self.taken.add(id(one))
            there, row = found[0]
            if len(found) == 1 and suitors[row.pk] == 1 and there.proven and here.proven:
                self.certain.append((row, one))
                self.gone.add(row.pk)
            else:
                self.in_doubt.append((here, one))
                self.doubted |= {row.pk for _, row in found}


def _may_have_moved(there: Leftover, row: Reward, here: Leftover, one: Candidate) -> bool:
    key = _moving_key(here.place, one.amounts)
    if there.place == here.place or _moving_key(there.place, _amounts_of(row)) != key:
        return False
    # One that only changed its destination stays at its place, whatever else vanished nearby.
    if any(_amounts_of(other) == one.amounts for other in here.rows):
        return False
    return abs(there.moment - here.moment) <= MOVES_WITHIN


def has_moved_to(one: Candidate, row: Reward) -> bool:
    """Whether a record that appeared may be this reward of the same account, if that is not listed where it stood."""
    there = Leftover((one.record.account, row.reward_at, row.currency), [row], [])
    return _may_have_moved(there, row, Leftover(one.listed.place, [], [one]), one)


def _moving_key(place: Place, amounts: Core) -> object:
    # A reward of nothing is like every other one: what it was before says nothing, and costs nothing.
    return (place, None) if not any(amounts) else (place[0], place[2], amounts)


def _core_of(row: Reward) -> Core:
    return tuple(getattr(row, name) for name in CORE)


def _money_of(row: Reward) -> Core:
    return tuple(getattr(row, name) for name in MONEY)


def _amounts_of(row: Reward) -> Core:
    return tuple(getattr(row, name) for name in AMOUNTS)


def _pair(
    result: Match,
    rows: Iterable[Reward],
    listed: Iterable[Candidate],
    key_of_row: Any,
    key_of_listed: Any,
) -> tuple[list[Reward], list[Candidate]]:
    """Pair those of one key, in order; return what is left of both."""
    waiting: dict[object, list[Candidate]] = defaultdict(list)
    for one in listed:
        waiting[key_of_listed(one)].append(one)
    rows_left = []
    for row in rows:
        alike = waiting[key_of_row(row)]
        if alike:
            result.pairs.append((row, alike.pop(0)))
        else:
            rows_left.append(row)
    return rows_left, [one for alike in waiting.values() for one in alike]


def _without_twins(result: Match, left: list[Candidate]) -> list[Candidate]:
    """Quarantine what is as another record of this place in all that makes a reward.

    Status and payment do not tell two rewards apart: a record that is listed twice while it is being paid shows both.
    Two payments do: two different transaction hashes are two payouts.
    """
    seen = [(one.core, one.record.transaction_hash) for _, one in result.pairs]
    kept = []
    alike_here = Counter(core for core, _ in seen)
    for one in left:
        alike_here[one.core] += 1
        mine = one.record.transaction_hash
        alike = [other for core, other in seen if core == one.core]
        if any(mine is None or other is None or mine == other for other in alike):
            # Those that are stored count too: once a person has taken a twin in, the next one is the third.
            result.twins.append(Twin(one, alike_here[one.core]))
        else:
            kept.append(one)
            seen.append((one.core, mine))
    return kept


# The same for one record whatever becomes of its status, so that it is asked about once.


def twin_fingerprint(twin: Candidate, ordinal: int) -> str:
    return _fingerprint("twin", twin, ordinal)


def doubt_fingerprint(one: Candidate, ordinal: int = 1) -> str:
    """`ordinal`: of those in doubt that are alike at one place, for two payments of one amount."""
    return _fingerprint("doubt", one, ordinal)


def _fingerprint(kind: str, one: Candidate, ordinal: int) -> str:
    place = "|".join(map(str, (*one.listed.place, *one.core, ordinal)))
    return hashlib.sha256(f"{kind}|{place}".encode()).hexdigest()
