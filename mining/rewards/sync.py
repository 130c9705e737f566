"""Make our rewards agree with the pool's: read a whole login at once, match, and write only what is new or changed."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, time, timedelta

from django.db.models import Min, Subquery
from django.db.models.functions import Coalesce

from customers.tenancy import TenantQuerySet
from mining.models import MiningAccount, Reward, SyncRun
from mining.models.runs import Depth, Subject
from mining.pool.client import MOST_RECORDS_PER_PAGE
from mining.pool.errors import BadAnswer, PoolError, RequestRefused
from mining.pool.limits.rate_limit import Priority
from mining.pool.listings import rewards as listings
from mining.pool.listings.rewards import Listing
from mining.rewards import depths
from mining.rewards.matching import fingerprint
from mining.rewards.store import Store, in_window, note_reading
from mining.sync.reading import Outcome, Reading

# A reward becomes successful within hours; the pool corrects for days. Whatever comes later is found once a day.
DAYS_BACK = {Depth.RECENT: 3, Depth.DEEP: 45}
DEEP_EVERY = timedelta(hours=24)
# Between two readings of the window a long list is read on only when its newest page says something new: of 10,000
# accounts the window is 450 pages. A little less than an hour, so that each fourth turn reads it.
WINDOW_EVERY = timedelta(minutes=50)
# So long a run goes on with accounts by name, and leaves the others to the next: what was earned today is read every
# 15 minutes, whatever waits to be read again.
BY_NAME_FOR = timedelta(minutes=10)
# Our clock only ever makes a window longer: one record dated 2099 must not end all reading, so it is not "the newest".
LATEST_AHEAD = timedelta(days=1)


def sync(reading: Reading) -> Outcome:
    """First what all accounts earned lately; then, turn by turn, accounts whose history was not read to its end."""
    outcome = Outcome()
    try:
        if reading.run.turns == 0:
            outcome.add(_read_login(reading))
        if reading.run.depth:  # else the list did not hold still, and would not for one account after the other either
            _read_accounts(reading, outcome)
    except PoolError as error:
        outcome.failure = error
    return outcome


def _read_login(reading: Reading) -> Outcome:
    reading.run.depth, since = _window(reading)
    begun_at = reading.now()
    with reading.writing():
        # At once: a run that is lost with its worker writes nothing down.
        reading.run.reads_from = since
        reading.run.save(update_fields=["reads_from"])
    if reading.run.depth == Depth.NEWEST and since is not None:
        if not _newest_page_has_news(reading, since):
            with reading.writing():
                note_reading(reading)
            return Outcome()
        reading.run.depth = Depth.RECENT
    store = Store(reading)
    torn: set[str] = set()

    def expected(part: Listing) -> set[str]:
        return _expected(reading, part, whole_history=since is None)

    with reading.pool() as pool:
        for part in listings.read_login(pool, since=since, expected=expected, alive=reading.alive):
            store.take(part)
            if since is None and not part.consistent:
                torn |= expected(part) - part.settled
    outcome = store.finish()
    if since is None:
        with reading.writing():
            depths.note_read_in_full(reading, begun_at=begun_at, but=torn)
    if torn:
        reading.run.depth = ""  # not to be taken for the reading that it was to be
        outcome.problems.append(
            f"The pool's list did not hold still for {len(torn)} accounts; the next run reads again."
        )
    return outcome


def _read_accounts(reading: Reading, outcome: Outcome) -> None:
    """By name, one after the other, until the turn is over, or the run has done its part of them."""
    run = reading.run
    done_up_to = run.begins_after if run.resume_after is None else run.resume_after
    with reading.writing():
        if depths.most_are_unread(reading):
            return  # the next run reads the whole login
    while True:
        with reading.writing():
            account = depths.next_account(reading, after=done_up_to)
        if account is None or _has_done_its_part(reading):
            return
        if reading.watch.turn_is_over():
            outcome.resume_after = done_up_to
            return
        # Also when it fails: the next run begins behind it, so that one account does not keep the others unread.
        done_up_to = account.pk
        try:
            outcome.add(_read_account(reading, account))
        except (BadAnswer, RequestRefused) as error:
            outcome.problems.append(f"The rewards of {account.name} were not read again. {error.sentence}")
        except PoolError:
            outcome.resume_after = done_up_to
            raise


def _has_done_its_part(reading: Reading) -> bool:
    started_at = reading.run.started_at
    return started_at is not None and reading.now() - started_at > BY_NAME_FOR


def _read_account(reading: Reading, account: MiningAccount) -> Outcome:
    store = Store(reading, only=account)
    whole, begun_at = True, reading.now()
    with reading.pool(Priority.BACKFILL) as pool:
        for part in listings.read_account(pool, account.name, since=None, alive=reading.alive):
            store.take(part)
            whole &= part.consistent
    outcome = store.finish()
    if whole:
        with reading.writing():
            depths.note_read_in_full(reading, begun_at=begun_at, only=account)
    else:
        outcome.problems.append(f"The pool's list of {account.name} did not hold still; the next run reads it again.")
    return outcome


# --- What to read


def _window(reading: Reading) -> tuple[Depth, datetime | None]:
    """How deep this time, and from when on (None: everything). Counted from the newest reward known, not from now; and
    from where a run before this one was to begin, that did not come to its end."""
    with reading.writing():
        depth = _depth(reading)
        newest = _newest_day(reading) if depth != Depth.FULL else None
        unfinished = _unfinished(reading).aggregate(Min("reads_from"))["reads_from__min"]
        if newest is None:
            return depth, None
        since = datetime.combine(newest - timedelta(days=DAYS_BACK[depth]), time(), UTC)
        if unfinished is not None:
            return depth, min(since, unfinished)
        return Depth.NEWEST if depth == Depth.RECENT and _newest_may_do(reading, since) else depth, since


def _depth(reading: Reading) -> Depth:
    if depths.most_are_unread(reading):
        return Depth.FULL
    lately = _whole_runs(reading).filter(depth__in=[Depth.FULL, Depth.DEEP], started_at__gt=reading.now() - DEEP_EVERY)
    return Depth.RECENT if lately.exists() else Depth.DEEP


def _newest_may_do(reading: Reading, since: datetime) -> bool:
    """Nobody waits for this run, the window was read lately, and today, and it is longer than a page."""
    now = reading.now()
    # When a month has ended its documents rest on what was read since: not on a page that said nothing new.
    lately = max(now - WINDOW_EVERY, datetime.combine(now.astimezone(UTC), time(), UTC))
    if reading.is_waited_for or not _whole_runs(reading).filter(started_at__gte=lately).exists():
        return False
    return in_window(reading, since, None)[MOST_RECORDS_PER_PAGE:].exists()


def _newest_page_has_news(reading: Reading, since: datetime) -> bool:
    with reading.pool() as pool:
        page = listings.newest_page(pool, since=since, alive=reading.alive)
    if page.rejected or not page.records:
        return True  # neither is as it should be: the whole window tells more
    listed = Counter((*one.place, fingerprint(one.text)) for one in page.records)
    oldest = min(one.record.reward_at for one in page.records)
    with reading.writing():
        rows = in_window(reading, oldest, None).filter(
            missing_since=None, mining_account__name__in={one.record.account for one in page.records}
        )
        stored = Counter(rows.values_list("mining_account__name", "reward_at", "currency", "fingerprint"))
    return bool(listed - stored)


def _runs(reading: Reading) -> TenantQuerySet[SyncRun]:
    return SyncRun.objects.filter(provider=reading.provider_id, login=reading.login_id, subject=Subject.REWARDS)


def _whole_runs(reading: Reading) -> TenantQuerySet[SyncRun]:
    """Those that read all of their window."""
    return _runs(reading).filter(state__in=SyncRun.DONE).exclude(depth=Depth.NEWEST)


def _unfinished(reading: Reading) -> TenantQuerySet[SyncRun]:
    """The runs since the last one that was done: what they were to read may be read in part only."""
    runs = _runs(reading).exclude(pk=reading.run.pk).exclude(state__in=SyncRun.DONE)
    last_done = _whole_runs(reading).order_by("-pk").values("pk")[:1]
    return runs.filter(pk__gt=Coalesce(Subquery(last_done), 0))


def _newest_day(reading: Reading) -> date | None:
    latest = (reading.now() + LATEST_AHEAD).date()
    known = Reward.objects.filter(provider=reading.provider_id, mining_account__login=reading.login_id, day__lte=latest)
    return known.order_by("-day", "-pk").values_list("day", flat=True).first()


def _expected(reading: Reading, part: Listing, *, whole_history: bool) -> set[str]:
    """Accounts that a list which did not hold still may have lost on some day, by what the other days say."""
    with reading.writing():
        accounts = list(MiningAccount.objects.filter(provider=reading.provider_id, login=reading.login_id))
        known = in_window(reading, part.since, part.until).values_list("mining_account__name", "day")
        stored: dict[str, set[date]] = defaultdict(set)
        for name, day in known.distinct():
            stored[name].add(day)
    listed = part.days()
    if whole_history:  # a reading of everything is made once: each account is asked for by name
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
