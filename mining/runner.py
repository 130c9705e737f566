"""One run from claim to end: read a subject with the login's key, store it, and write down how it went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime

import structlog

from customers import tenancy
from mining import accounts, runs
from mining.errors import NoKey, RunLost
from mining.fleet import hashrate, workers
from mining.keys import health as key_health
from mining.keys import logins
from mining.keys import store as key_store
from mining.links import sync as link_sync
from mining.models import SyncRun
from mining.models.runs import Subject
from mining.payouts import agreements, drift
from mining.pool.errors import KeyRefused, PoolError
from mining.rewards import sync as reward_sync
from mining.sync.reading import Outcome, Reading

log = structlog.get_logger(__name__)

READERS: dict[Subject, Callable[[Reading], Outcome]] = {
    Subject.ACCOUNTS: accounts.sync,
    Subject.REWARDS: reward_sync.sync,
    Subject.HASHRATE: hashrate.sync,
    Subject.WORKERS: workers.sync,
    Subject.PAYOUTS: drift.sync,
    Subject.WATCHERS: link_sync.sync,
}
OUR_ERROR = "An error of ours stopped this run. What was stored is kept; the log tells more."


def sync_provider(provider_id: int, *, only: Subject | None = None, now: datetime) -> list[SyncRun]:
    """Read all logins now, in the foreground. Empty when there is no active key; runs of others are left to them."""
    watch = runs.Watch(now)
    with tenancy.provider_context(provider_id):
        runs.give_up_lost(provider_id, now=now)
        login_ids = logins.active_logins(provider_id)
    finished = []
    for login_id in login_ids:
        for subject in [only] if only else runs.SUBJECTS:
            with tenancy.provider_context(provider_id):
                run, _ = runs.open_run(provider_id, login_id, subject, now=watch.now())
            finished.append(_all_turns(run, watch))
    return finished


def _all_turns(run: SyncRun, watch: runs.Watch) -> SyncRun:
    while (performed := perform(run.provider_id, run.pk, now=watch.now())) is not None:
        run = performed
        if run.state != SyncRun.State.QUEUED:
            break
    return run


def perform(provider_id: int, run_id: int, *, turn: int | None = None, now: datetime) -> SyncRun | None:
    """Claim a queued run and do a turn of it; None when it is gone or somebody else's. Outside any transaction.

    `turn`: only this one; None: whichever is next. A run that is queued when it comes back has more to read, and
    wants another turn.
    """
    watch = runs.Watch(now)
    run = runs.claim(provider_id, run_id, watch, turn=turn)
    if run is None:
        return None
    try:
        key = key_store.open_key(provider_id, run.login_id)
    except NoKey as error:
        runs.finish(run, SyncRun.State.FAILED, error=str(error), watch=watch)
        return run
    try:
        _read(Reading(run, key, watch, in_foreground=turn is None))
    except RunLost:
        log.warning("sync.lost", run=run.code, subject=run.subject)
    except Exception:
        runs.finish(run, SyncRun.State.FAILED, error=OUR_ERROR, watch=watch)
        raise
    _log(run)
    return run


def _read(reading: Reading) -> None:
    run = reading.run
    outcome = Outcome()
    try:
        first = _accounts_first(reading)
        outcome = READERS[Subject(run.subject)](reading)
        outcome.add(first)
    except PoolError as error:
        outcome.failure = error
    run.rows_new += outcome.rows_new
    run.rows_changed += outcome.rows_changed
    run.quarantined += outcome.quarantined
    run.unread_fields = dict(Counter(run.unread_fields) + outcome.unread)
    if isinstance(outcome.failure, KeyRefused):
        key_health.note_refusal(reading.key, outcome.failure, now=reading.now())
    elif outcome.failure is None and outcome.answered:
        key_health.note_success(reading.key, now=reading.now())
    sentence = _sentence(run, outcome)
    if outcome.resume_after is not None and outcome.failure is None:
        runs.put_back(run, resume_after=outcome.resume_after, error=sentence)
    else:
        state = _state(outcome, sentence)
        runs.finish(run, state, error=sentence, watch=reading.watch, stopped_after=outcome.resume_after)
        if run.subject == Subject.PAYOUTS:
            agreements.read_once_more(run, now=reading.now())


def _accounts_first(reading: Reading) -> Outcome:
    """What all other subjects have to know first is read first, in the same run if need be: the login's accounts.

    Else a run of rewards would take each account for one that the pool does not list.
    """
    if reading.run.subject == Subject.ACCOUNTS:
        return Outcome()
    with reading.writing():
        if accounts.any_listed(reading):
            return Outcome()
    try:
        return accounts.sync(reading)
    except PoolError as error:
        return Outcome(problems=[f"The accounts could not be read first. {error.sentence}"])


def _state(outcome: Outcome, sentence: str) -> SyncRun.State:
    if outcome.failure is not None:
        return SyncRun.State.FAILED
    return SyncRun.State.PARTIAL if sentence else SyncRun.State.OK


def _sentence(run: SyncRun, outcome: Outcome) -> str:
    """What ended the run, then what was wrong in its turns so far."""
    news = dict.fromkeys(problem for problem in outcome.problems if problem not in run.error)
    wrong = " ".join([run.error, *news])
    if outcome.failure is not None:
        # The accounts that were not read name the same reason: once is enough.
        wrong = f"{outcome.failure.sentence} {wrong.replace(outcome.failure.sentence, '')}"
    return " ".join(wrong.split())


def _log(run: SyncRun) -> None:
    log.info(
        "sync.turn_over" if run.state == SyncRun.State.QUEUED else "sync.finished",
        run=run.code,
        subject=run.subject,
        state=run.state,
        depth=run.depth,
        calls=run.calls,
        rows_new=run.rows_new,
        rows_changed=run.rows_changed,
        quarantined=run.quarantined,
        unread=run.unread_fields,
        error=run.error,
    )
