"""Each account's payout destination as the pool says it, held against what was agreed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog

from customers import audit
from mining.models import MiningAccount, PayoutAgreement, PoolIntent
from mining.models.rewards import Destination
from mining.payouts.agreements import (
    SAID,
    IntentState,
    Source,
    add_agreement,
    agrees_with,
    end_drift,
    locked_accounts,
    newest_agreements,
    says_anew,
    tell,
    why_not_acceptable,
)
from mining.payouts.words import agreed_words, in_words
from mining.pool.client import PoolClient
from mining.sync.fanout import Answers, for_each_account
from mining.sync.reading import READ_AT_GRAIN, Outcome, Reading

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Paid:
    destination: str
    address: str | None
    asked_at: datetime


def sync(reading: Reading) -> Outcome:
    def ask(pool: PoolClient, account: MiningAccount) -> _Paid:
        asked_at = reading.now()
        payout = pool.payout_destination(account.name)
        is_documented = payout.destination in Destination.values
        return _Paid(payout.destination if is_documented else Destination.UNKNOWN, payout.address, asked_at)

    return for_each_account(reading, ask, _store)


def _store(reading: Reading, accounts: list[MiningAccount], answers: Answers[_Paid], now: datetime) -> Outcome:
    """Held against the newest agreements, with the rows locked: a person may agree at this very moment."""
    locked = locked_accounts(reading.provider_id, [account.pk for account in accounts])
    pks = [account.pk for account in locked]
    agreed, being_changed = newest_agreements(reading.provider_id, pks), _being_changed(reading.provider_id, pks)
    changed: list[MiningAccount] = []
    as_before: list[int] = []
    for account in locked:
        paid, agreement = answers.by_account[account.pk], agreed.get(account.pk)
        if account.pk in being_changed or (agreement is not None and agreement.agreed_at >= paid.asked_at):
            continue  # the answer may be older than our own change, or younger than it is agreed: the next one tells
        if _take_in(account, paid, agreement, now=now):
            changed.append(account)
        else:
            as_before.append(account.pk)
    MiningAccount.objects.bulk_update(changed, SAID, batch_size=100)
    MiningAccount.objects.filter(provider=reading.provider_id, pk__in=as_before).exclude(
        payout_read_at__gt=now - READ_AT_GRAIN
    ).update(payout_read_at=now)
    return Outcome(rows_changed=len(changed))


def _being_changed(provider_id: int, accounts: list[int]) -> set[int | None]:
    calls = PoolIntent.objects.filter(kind=PoolIntent.Kind.EDIT_PAYOUT, state=IntentState.CALLED)
    return set(calls.filter(provider=provider_id, mining_account__in=accounts).values_list("mining_account", flat=True))


def _take_in(account: MiningAccount, paid: _Paid, agreement: PayoutAgreement | None, *, now: datetime) -> bool:
    """Whether anything is new: then the account's fields say it, and have to be written."""
    drift_since = account.payout_drift_since
    # Once the pool said what nobody could agree to, or the account drifts, what it says next is for a person to judge.
    is_first = account.payout_destination is None or why_not_acceptable(account) is None
    is_first = is_first and agreement is None and drift_since is None
    was_read = account.payout_destination is not None
    is_new = says_anew(account, paid.destination, paid.address, now=now)
    if is_new and was_read:
        log.warning("payout.changed", account=account.code)
    account.payout_read_at = now
    if account.customer_id is not None:
        if is_first and why_not_acceptable(account) is None:
            add_agreement(account, paid.destination, paid.address, source=Source.FOUND, by=audit.WORKER, now=now)
        elif agreement is None or not agrees_with(agreement, paid.destination, paid.address):
            _drift(account, agreement, is_new=is_new, now=now)
        else:
            end_drift(account, now=now)
    return is_new or drift_since != account.payout_drift_since


def _drift(account: MiningAccount, agreement: PayoutAgreement | None, *, is_new: bool, now: datetime) -> None:
    """The drift begins once; each place that it goes on to is told again, so that none is without a trace."""
    begins = account.payout_drift_since is None
    account.payout_drift_since = account.payout_drift_since or now
    if begins or is_new:
        log.warning("payout.drifts", account=account.code, since=account.payout_drift_since)
        at_pool = in_words(account.payout_destination, account.payout_address)
        tell(account, "payout.drifts", now=now, agreed=agreed_words(agreement), at_pool=at_pool)
