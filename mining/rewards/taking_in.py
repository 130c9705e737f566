"""How a listed record becomes a row of ours: by a reading, and by a person who settles a quarantined one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from django.db.models import Max

from mining.models import MiningAccount, Reward, RewardObservation, SyncRun
from mining.rewards.matching import Candidate


def new_row(provider_id: int, one: Candidate, account: MiningAccount, *, now: datetime) -> Reward:
    """Not saved, and without its number."""
    return Reward(
        provider_id=provider_id,
        mining_account=account,
        **_stand(one),
        currency=one.record.currency,
        fingerprint=one.fingerprint,
        first_seen_at=now,
        changed_at=now,
        **one.columns,
    )


def alter(row: Reward, one: Candidate, *, now: datetime) -> tuple[datetime | None, bool]:
    """Make the row say what the record says; where it stood before, if elsewhere, and whether its day is another now:
    then it needs another number. Not saved."""
    stand = _stand(one)
    before = None if row.reward_at == stand["reward_at"] else row.reward_at
    changes_day = row.day != stand["day"]
    for name, value in {**one.columns, **stand}.items():
        setattr(row, name, value)
    row.fingerprint, row.changed_at, row.missing_since = one.fingerprint, now, None
    return before, changes_day


def number(provider_id: int, rows: Sequence[Reward]) -> None:
    """The next free numbers of their dates, in this order."""
    if not rows:
        return
    days = [row.day for row in rows]
    taken = dict[tuple[int, date, str], int]()
    known = Reward.objects.filter(
        provider=provider_id,
        mining_account__in={row.mining_account_id for row in rows},
        day__range=(min(days), max(days)),
    )
    for *place, occurrence in known.values_list("mining_account", "day", "currency").annotate(Max("occurrence")):
        taken[tuple(place)] = occurrence
    for row in rows:
        key = row.mining_account_id, row.day, row.currency
        row.occurrence = taken[key] = taken.get(key, 0) + 1


def observation(
    row: Reward, one: Candidate, *, run: SyncRun, moved_from: datetime | None, now: datetime
) -> RewardObservation:
    return RewardObservation(
        provider_id=row.provider_id,
        reward_id=row.pk,
        sync_run=run,
        seen_at=now,
        fingerprint=one.fingerprint,
        raw=one.listed.text,
        moved_from=moved_from,
    )


def _stand(one: Candidate) -> dict[str, Any]:
    moment = one.record.reward_at
    return {"reward_at": moment, "day": moment.astimezone(UTC).date()}
