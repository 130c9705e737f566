"""Rewards are read from an account's first one on again: the pool corrects even old ones, and money rests on them.

Which accounts, and when, is for those to say who know what rests on them. Asking is a mark on the account; the runs of
its login's rewards read those that are marked, one after the other (sync.py).
Path not taken: to read from the first day that a document names. It spares a few calls for each account, and is one
more thing that has to be right.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Min, Q

from customers.tenancy import Access
from mining import dispatch, runs
from mining.keys import logins
from mining.models import MiningAccount
from mining.models.accounts import MiningAccountQuerySet
from mining.models.runs import Subject
from mining.rewards.depths import ASKED_AGAIN, UNREAD


@dataclass(frozen=True, slots=True)
class Progress:
    """Of the accounts that are read again now: how many are done."""

    done: int
    accounts: int


def not_read_since(accounts: MiningAccountQuerySet, moment: datetime) -> MiningAccountQuerySet:
    """Those whose rewards were not read from the first one on since then. Of one that the pool does not answer for
    nothing can be read."""
    return accounts.readable().filter(UNREAD | Q(rewards_read_in_full_at__lt=moment))


def ask(accounts: MiningAccountQuerySet, *, now: datetime) -> int:
    """How many had not been asked for. Inside the provider's context."""
    return accounts.exclude(UNREAD).exclude(ASKED_AGAIN).update(rewards_asked_again_at=now)


def begin(provider_id: int, login_ids: set[int], *, now: datetime) -> None:
    """Do not wait for the next turn of these logins. Inside the provider's context."""
    for login_id in sorted(login_ids.intersection(logins.active_logins(provider_id))):
        run, is_new = runs.open_run(provider_id, login_id, Subject.REWARDS, now=now)
        if is_new:
            dispatch.after_commit("mining.tasks.run_sync", provider_id, run.pk, run.turns)


def progress(access: Access) -> Progress | None:
    """None: no account waits. Two queries."""
    accounts = MiningAccount.objects.visible_to(access).readable()
    waiting = accounts.filter(ASKED_AGAIN).aggregate(since=Min("rewards_asked_again_at"))["since"]
    if waiting is None:
        return None
    asked = accounts.filter(rewards_asked_again_at__gte=waiting)
    count = asked.count()
    return Progress(count - asked.filter(ASKED_AGAIN).count(), count)
