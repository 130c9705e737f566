"""Reads each account's watcher links from the pool and holds our rows against its list."""

from __future__ import annotations

from datetime import datetime

from mining.links import reconcile as link_reconcile
from mining.models import MiningAccount
from mining.models.runs import Subject
from mining.pool.answers.types import WatcherLinks
from mining.pool.client import PoolClient
from mining.sync.fanout import Answers, for_each_account
from mining.sync.quarantine import Quarantined, quarantine
from mining.sync.reading import Outcome, Reading


def sync(reading: Reading) -> Outcome:
    """One call for each account. Links that were made outside the portal appear, and what is gone is marked."""

    def ask(pool: PoolClient, account: MiningAccount) -> tuple[WatcherLinks, datetime]:
        asked_at = reading.now()
        return pool.watcher_links(account.name), asked_at

    return for_each_account(reading, ask, _store)


def _store(
    reading: Reading,
    accounts: list[MiningAccount],
    answers: Answers[tuple[WatcherLinks, datetime]],
    now: datetime,
) -> Outcome:
    if not accounts:
        return Outcome()
    lists = {account: answers.by_account[account.pk][0] for account in accounts}
    asked_at = min(answers.by_account[account.pk][1] for account in accounts)
    outcome = link_reconcile.reconcile(lists, asked_at=asked_at, now=now)
    for listed in lists.values():
        outcome.note_unread(Subject.WATCHERS, (name for link in listed.links for name in link.unread))
    unread = [Quarantined.unreadable(link, account.name) for account in lists for link in lists[account].rejected]
    # Told once: what somebody made outside stays as it is, and no reading after this one is the worse for it.
    for record in quarantine(reading, outcome, unread):
        outcome.problems.append(f"A watcher link of {record.account_name} could not be read.")
    return outcome
