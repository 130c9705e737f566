"""What documents rest on is read from the pool again: once a week, and before a month is closed.

A close asks and does not wait, and nothing is held for it. What the month itself lacks holds its documents by other
rules; what is found to be wrong in an older one is a correction, on this document when it is closed again, else on the
next one.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from django.db.backends.postgresql.psycopg_any import DateRange

from billing.models import Contract
from customers import tenancy
from customers.tenancy import Access
from customers.words import agreeing, counted
from mining.models import MiningAccount
from mining.models.accounts import MiningAccountQuerySet
from mining.rewards import rereading

READ_AGAIN_AFTER = timedelta(days=7)


def ask_weekly(provider_id: int, *, now: datetime) -> int:
    """Of how many accounts the rewards are to be read again. Opens its own context."""
    with tenancy.provider_context(provider_id):
        billed = _billed_accounts(MiningAccount.objects.filter(provider=provider_id), provider_id)
        return rereading.ask(rereading.not_read_since(billed, now - READ_AGAIN_AFTER), now=now)


def ask_for_close(access: Access, period: DateRange, *, now: datetime) -> None:
    """Have read, at once, what was not read again since the month ended."""
    unread = not_read_again(access, period)
    if login_ids := set(unread.values_list("login", flat=True)):
        rereading.ask(unread, now=now)
        rereading.begin(access.provider.pk, login_ids, now=now)


def not_read_again(access: Access, period: DateRange) -> MiningAccountQuerySet:
    """Since the period ended. None of them: a close rests on all that the pool says."""
    ended_at = datetime.combine(period.upper, time(), UTC)
    billed = _billed_accounts(MiningAccount.objects.visible_to(access), access.provider.pk)
    return rereading.not_read_since(billed, ended_at)


def in_words(access: Access, period: DateRange) -> str:
    """What a close says of accounts that were not read again; empty: there are none."""
    if not (count := not_read_again(access, period).count()):
        return ""
    return (
        f"{counted(count, 'account')} {agreeing(count, 'was', 'were')} not read again since the month ended. That is"
        " asked for now: close the month again when it is done, and corrections of old rewards are on it."
    )


def _billed_accounts(accounts: MiningAccountQuerySet, provider_id: int) -> MiningAccountQuerySet:
    """Every document is one of a contract."""
    return accounts.filter(customer__in=Contract.objects.filter(provider=provider_id).values("customer"))
