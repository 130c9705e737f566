"""Records of the pool that are not taken in: each is kept once, for a person to look at."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Self

from customers import audit
from customers.words import agreeing, counted
from mining.models import QuarantinedRecord
from mining.models.rewards import Settlement
from mining.pool.answers.types import RejectedRecord
from mining.sync.reading import Outcome, Reading

LONGEST_REASON = 64
TWIN, UNMATCHED, MOVED_OR_NEW = "twin", "unmatched", "moved_or_new"


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A record that is not taken in, and why. `account_name` is empty when not even that can be told."""

    reason: str
    account_name: str
    fingerprint: str
    raw: str
    day: date | None = None  # the UTC date of a reward; None: not even that can be told, or it is none

    @classmethod
    def unreadable(cls, record: RejectedRecord, account_name: str, day: date | None = None) -> Self:
        fingerprint = hashlib.sha256(record.raw.encode()).hexdigest()
        return cls(record.reason[:LONGEST_REASON], account_name, fingerprint, record.raw, day)


def records_quarantined(count: int) -> str:
    return f"{counted(count, 'record')} {agreeing(count, 'was', 'were')} quarantined."


def quarantine(reading: Reading, outcome: Outcome, records: Iterable[Quarantined]) -> list[Quarantined]:
    """Those that are new: each record once for ever, however often it is read. The outcome counts all that this
    reading met and nobody has settled. Inside `reading.writing()`."""
    met = {(record.fingerprint, record.reason): record for record in records}
    rows = QuarantinedRecord.objects.filter(
        provider=reading.provider_id,
        login=reading.login_id,
        fingerprint__in={fingerprint for fingerprint, _ in met},
    ).values_list("fingerprint", "reason", "settled_at")
    stored = {(fingerprint, reason): settled_at for fingerprint, reason, settled_at in rows}
    new = [record for key, record in sorted(met.items()) if key not in stored]
    QuarantinedRecord.objects.bulk_create(
        QuarantinedRecord(
            provider_id=reading.provider_id,
            login_id=reading.login_id,
            account_name=record.account_name,
            day=record.day,
            sync_run=reading.run,
            reason=record.reason,
            fingerprint=record.fingerprint,
            raw=record.raw,
            seen_at=reading.now(),
        )
        for record in new
    )
    outcome.quarantined += sum(stored.get(key) is None for key in met)
    return new


def settle_taken_in(reading: Reading, fingerprints: set[str]) -> None:
    """What was in doubt, and this reading knew where it belongs, is no question any more.

    Inside `reading.writing()`.
    """
    QuarantinedRecord.objects.filter(
        provider=reading.provider_id,
        login=reading.login_id,
        fingerprint__in=fingerprints,
        reason__in=(UNMATCHED, MOVED_OR_NEW),
        settled_at=None,
    ).update(settled_as=Settlement.TAKEN_IN, settled_at=reading.now(), settled_by=audit.WORKER)
