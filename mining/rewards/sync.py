"""Make our rewards agree with the pool's: read a whole login at once, match, and write only what is new or changed."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta

import structlog

from mining.models import MiningAccount, Reward, SyncRun
from mining.models.runs import Depth, Subject
from mining.pool.listings import rewards as listings
from mining.pool.listings.rewards import Listing
from mining.rewards.store import Store, in_window
from mining.sync.reading import Outcome, Reading

log = structlog.get_logger(__name__)

# A reward becomes successful within hours; the pool corrects for days. Whatever comes later is found once a day.
DAYS_BACK = {Depth.RECENT: 3, Depth.DEEP: 45}
DEEP_EVERY = timedelta(hours=24)
# Our clock only ever makes a window longer: one record dated 2099 must not end all reading, so it is not "the newest".
LATEST_AHEAD = timedelta(days=1)


def sync(reading: Reading) -> Outcome:
    depth, since = _window(reading)
    reading.run.depth = depth
    with reading.pool() as pool:
        listing = listings.read_login(
            pool,
            since=since,
            expected=lambda listing: _expected(reading, listing, since),
            alive=reading.alive,
        )
        torn = _torn(reading, listing, since)
    outcome = Store(reading, listing, since).everything()
    if torn:
        # Not to be taken for the reading of everything that it was to be: the next one goes as deep again.
        reading.run.depth = ""
        outcome.problems.append(
            f"The pool's list did not hold still for {len(torn)} accounts; the next run reads again."
        )
    return outcome


def _torn(reading: Reading, listing: Listing, since: datetime | None) -> set[str]:
    """Accounts of whose whole history nobody can be sure: neither the list held still, nor their own."""
    if listing.consistent or since is not None:
        return set()
    return _expected(reading, listing, since) - listing.settled


# --- What to read


def _window(reading: Reading) -> tuple[Depth, datetime | None]:
    """How deep this time, and from when on (None: everything). Counted from the newest reward known, not from now."""
    with reading.writing():
        depth = _depth(reading)
        newest = _newest_day(reading) if depth != Depth.FULL else None
    if newest is None:
        return depth, None
    return depth, datetime.combine(newest - timedelta(days=DAYS_BACK[depth]), time(), UTC)


def _depth(reading: Reading) -> Depth:
    done = SyncRun.objects.filter(
        provider=reading.provider_id, login=reading.login_id, subject=Subject.REWARDS, state__in=SyncRun.DONE
    )
    if not done.filter(depth=Depth.FULL).exists():
        return Depth.FULL
    lately = done.filter(depth__in=[Depth.FULL, Depth.DEEP], started_at__gt=reading.now() - DEEP_EVERY)
    return Depth.RECENT if lately.exists() else Depth.DEEP


def _newest_day(reading: Reading) -> date | None:
    latest = (reading.now() + LATEST_AHEAD).date()
    known = Reward.objects.filter(provider=reading.provider_id, mining_account__login=reading.login_id, day__lte=latest)
    return known.order_by("-day", "-pk").values_list("day", flat=True).first()


def _expected(reading: Reading, listing: Listing, since: datetime | None) -> set[str]:
    """Accounts that a list which did not hold still may have lost on some day, by what the other days say."""
    with reading.writing():
        accounts = list(MiningAccount.objects.filter(provider=reading.provider_id, login=reading.login_id))
        known = in_window(reading, since).values_list("mining_account__name", "day")
        stored: dict[str, set[date]] = defaultdict(set)
        for name, day in known.distinct():
            stored[name].add(day)
    listed = listing.days()
    if since is None:  # a reading of everything is made once: each account is asked for by name
        return {account.name for account in accounts} | listed.keys() | stored.keys()
    every_day = set().union(*listed.values(), *stored.values())
    mining = {account.name: account for account in accounts if account.state == MiningAccount.State.ACTIVE}
    return {
        name
        for name in {*mining, *listed, *stored}
        if any(
            day not in listed.get(name, set())
            and (
                _mines_on(mining.get(name), day) or _is_between(day, listed.get(name, set()) | stored.get(name, set()))
            )
            for day in every_day
        )
    }


def _mines_on(account: MiningAccount | None, day: date) -> bool:
    return account is not None and (account.created_at_pool is None or day >= account.created_at_pool.date())


def _is_between(day: date, days: set[date]) -> bool:
    one = timedelta(days=1)
    return day in days or day - one in days or day + one in days
