"""How far back the rewards of each account were read.

Depth belongs to the account: one that is new, back or heard again is read from its beginning once, however deep its
login was read before; and again when that is asked for (rereading.py).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db.models import F, Q

from mining.models import MiningAccount
from mining.models.accounts import MiningAccountQuerySet
from mining.sync.reading import Reading

UNREAD = Q(rewards_read_in_full_at=None)
ASKED_AGAIN = Q(rewards_asked_again_at__gt=F("rewards_read_in_full_at"))


def next_account(reading: Reading, *, after: int) -> MiningAccount | None:
    """The next one that is to be read by its name."""
    return _accounts(reading).readable().filter(UNREAD | ASKED_AGAIN, pk__gt=after).order_by("pk").first()


def most_are_unread(reading: Reading) -> bool:
    """Then the whole login is read, for one call per 90 records instead of three per account. Also when there is no
    account yet."""
    read = _accounts(reading).exclude(UNREAD).count()
    return read == 0 or _accounts(reading).readable().filter(UNREAD).count() > read


def note_read_in_full(
    reading: Reading, *, begun_at: datetime, only: MiningAccount | None = None, but: Collection[str] = ()
) -> None:
    """Inside `reading.writing()`. Of an account that the pool does not answer for an empty list says nothing.

    `begun_at`: what the pool changed since then may not be in it.
    """
    rows = _accounts(reading).readable().exclude(name__in=but)
    (rows if only is None else rows.filter(pk=only.pk)).update(rewards_read_in_full_at=begun_at)


def _accounts(reading: Reading) -> MiningAccountQuerySet:
    rows = MiningAccount.objects.filter(provider=reading.provider_id, login=reading.login_id)
    # One that is being created is somebody's only when its intent is settled.
    return rows.exclude(state=MiningAccount.State.CREATING)
