"""Which stored reward is which listed record. The pool gives no id, so it is worked out, inside one place:
(account, exact moment, currency). Pure: no database, no network.

Equal records pair; then those that agree in what a reward is (destination, amounts, hashrate), whatever became of their
status; then, if one is left on each side, that record changed. What is still in doubt is quarantined, never guessed.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from mining.models import Reward
from mining.models.rewards import Destination, RewardStatus
from mining.pool.answers.decimals import EXACT, to_sat
from mining.pool.answers.types import RewardRecord
from mining.pool.listings.rewards import Listed

RATE_STEP, HS_STEP = Decimal(1).scaleb(-18), Decimal(1).scaleb(-6)

Core = tuple[object, ...]


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
    def core(self) -> Core:
        return tuple(self.columns[name] for name in CORE)


CORE = ("payout_destination", "total_amount", "net_amount", "fee_amount", "hashrate_hs")


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
    return Candidate(listed, hashlib.sha256(listed.text.encode()).hexdigest(), columns)


def _step(number: Decimal | None, step: Decimal) -> Decimal | None:
    return None if number is None else EXACT.quantize(number, step)


@dataclass
class Match:
    pairs: list[tuple[Reward, Candidate]] = field(default_factory=list)
    new: list[Candidate] = field(default_factory=list)
    twins: list[Candidate] = field(default_factory=list)  # as another one of this place: the first counts
    unmatched: list[Candidate] = field(default_factory=list)  # nobody can say which stored reward each one is
    missing: list[Reward] = field(default_factory=list)


def match(stored: Sequence[Reward], listed: Sequence[Candidate], *, doubtful: bool = False) -> Match:
    """Both of one place; the order of neither matters to the result, but for which of two equal ones is the first.

    `doubtful`: the pool lists something more here that could not be read, so the one left may be it.
    """
    result = Match()
    rows = sorted(stored, key=lambda row: row.occurrence)
    left = sorted(listed, key=lambda candidate: candidate.listed.text)
    rows, left = _pair(result, rows, left, lambda row: row.fingerprint, lambda one: one.fingerprint)
    rows, left = _pair(result, rows, left, _core_of, lambda one: one.core)
    left = _without_twins(result, left)
    if len(rows) == len(left) == 1 and not doubtful:
        result.pairs.append((rows[0], left[0]))
    elif not rows:
        result.new = left
    elif not left:
        result.missing = rows
    else:
        # The stored ones are in doubt as well, so they are not called missing.
        result.unmatched = left
    return result


def _core_of(row: Reward) -> Core:
    return tuple(getattr(row, name) for name in CORE)


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
    for one in left:
        mine = one.record.transaction_hash
        alike = [other for core, other in seen if core == one.core]
        if any(mine is None or other is None or mine == other for other in alike):
            result.twins.append(one)
        else:
            kept.append(one)
            seen.append((one.core, mine))
    return kept


def twin_fingerprint(twin: Candidate, ordinal: int) -> str:
    """The same for one twin whatever becomes of its status, so that it is reported once."""
    place = "|".join(map(str, (*twin.listed.place, *twin.core, ordinal)))
    return hashlib.sha256(f"twin|{place}".encode()).hexdigest()
