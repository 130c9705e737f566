"""Where the pool pays each account's rewards to, as the pool says now: it can be changed behind our back."""

from __future__ import annotations

from datetime import datetime

import structlog

from mining.fanout import Answers, for_each_account
from mining.models import MiningAccount
from mining.models.rewards import Destination
from mining.pool.types import PayoutDestination
from mining.reading import READ_AT_GRAIN, Outcome, Reading

log = structlog.get_logger(__name__)

FIELDS = ("payout_destination", "payout_address")


def sync(reading: Reading) -> Outcome:
    return for_each_account(reading, lambda pool, account: pool.payout_destination(account.name), _store)


def _store(
    reading: Reading, accounts: list[MiningAccount], answers: Answers[PayoutDestination], now: datetime
) -> Outcome:
    outcome = Outcome()
    changed, as_before = [], []
    for account in accounts:
        payout = answers.by_account[account.pk]
        destination = payout.destination if payout.destination in Destination.values else Destination.UNKNOWN
        if (account.payout_destination, account.payout_address) == (destination, payout.address):
            as_before.append(account.pk)
            continue
        if account.payout_destination is not None:
            log.warning("payout.changed", account=account.code, run=reading.run.code)
        account.payout_destination, account.payout_address = destination, payout.address
        account.payout_read_at = now
        changed.append(account)
    MiningAccount.objects.bulk_update(changed, [*FIELDS, "payout_read_at"], batch_size=100)
    MiningAccount.objects.filter(provider=reading.provider_id, pk__in=as_before).exclude(
        payout_read_at__gt=now - READ_AT_GRAIN
    ).update(payout_read_at=now)
    outcome.rows_changed = len(changed)
    return outcome
