"""Each account's counts of workers, and its pool fee, as the pool says now."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from mining.models import MiningAccount
from mining.models.runs import Subject
from mining.pool.answers.types import MinersInfo
from mining.sync.fanout import Answers, for_each_account
from mining.sync.reading import READ_AT_GRAIN, Outcome, Reading

FIELDS = ("workers_online", "workers_low", "workers_offline", "pool_fee_percent")
FEE_STEP = Decimal("0.0001")
MOST_PERCENT = 100


def sync(reading: Reading) -> Outcome:
    return for_each_account(reading, lambda pool, account: pool.miners_info(account.name), _store)


def _store(reading: Reading, accounts: list[MiningAccount], answers: Answers[MinersInfo], now: datetime) -> Outcome:
    outcome = Outcome()
    changed, as_before = [], []
    for account in accounts:
        info = answers.by_account[account.pk]
        outcome.note_unread(Subject.WORKERS, info.unread)
        fee = info.fee_percent
        if fee is not None and fee > MOST_PERCENT:
            outcome.problems.append(f"The pool names a fee of {fee:.3g} % for {account.name}.")
            fee = None
        fee = None if fee is None else fee.quantize(FEE_STEP)
        counts = dict(zip(FIELDS, (info.online, info.low, info.offline, fee), strict=True))
        if all(getattr(account, name) == value for name, value in counts.items()):
            as_before.append(account.pk)
            continue
        for name, value in counts.items():
            setattr(account, name, value)
        account.workers_read_at = now
        changed.append(account)
    MiningAccount.objects.bulk_update(changed, [*FIELDS, "workers_read_at"], batch_size=100)
    MiningAccount.objects.filter(provider=reading.provider_id, pk__in=as_before).exclude(
        workers_read_at__gt=now - READ_AT_GRAIN
    ).update(workers_read_at=now)
    outcome.rows_changed = len(changed)
    return outcome
