"""What is due, and asking for it. State is rows: whoever looks finds what is open, stale or lost, and takes it up."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import structlog
from django.db import connection
from django.db.models import Exists, OuterRef, Q

from customers import tenancy
from customers.tenancy import Access
from mining import dispatch, intents, runs
from mining.keys import logins
from mining.links import renewal
from mining.links.rules import RENEW_BEFORE
from mining.models import Credential, MiningAccount, SyncRun
from mining.models.runs import Subject
from mining.runs import CADENCE, SUBJECTS, newest_runs

log = structlog.get_logger(__name__)

EACH_ACCOUNT = (Subject.HASHRATE, Subject.WORKERS, Subject.PAYOUTS, Subject.WATCHERS)


ASKED_AGAIN_AFTER = timedelta(minutes=1)
# A run that has waited this long is dispatched again: the first was lost, or the workers are behind.
STALE_AFTER = timedelta(minutes=3)
# A refused key is tried again once a day: keys are often mended at the pool without anybody telling the portal.
PROBE_EVERY = timedelta(hours=24)
# The pool switches a key off that is not used: a call a day at least, tried each hour until one succeeds.
TOUCH_AFTER, TOUCH_AGAIN_AFTER = timedelta(hours=20), timedelta(hours=1)


def request_sync(access: Access, *, only: Subject | None, now: datetime) -> list[SyncRun]:
    """Queue runs for all logins ("sync now"), ahead of what is due. An open run is returned, not doubled."""
    login_ids = logins.active_logins(access.provider.pk)
    runs.give_up_lost(access.provider.pk, now=now)
    if not login_ids:
        raise logins.why_nothing_read(access)
    opened = [
        runs.open_run(access.provider.pk, login_id, subject, now=now)
        for login_id in login_ids
        for subject in ([only] if only else SUBJECTS)
    ]
    queued = [run for run, _ in opened]
    all_runs = SyncRun.objects.filter(provider=access.provider)
    # Before everybody else once in a while: a system that asks again and again waits like all others.
    lately = all_runs.filter(asked=True, queued_at__gt=now - ASKED_AGAIN_AFTER)
    first = not lately.exclude(pk__in=[run.pk for run in queued], state=SyncRun.State.QUEUED).exists()
    for run, is_new in opened:
        # What waits is dispatched already; only one that did not go first can do so now, and only before it has begun.
        not_begun = all_runs.filter(pk=run.pk, state=SyncRun.State.QUEUED, asked=False, turns=0)
        if first and not_begun.update(asked=True):
            dispatch.after_commit("mining.tasks.run_asked_sync", access.provider.pk, run.pk, run.turns)
        elif is_new:
            dispatch.after_commit("mining.tasks.run_sync", access.provider.pk, run.pk, run.turns)
    return queued


# --- Each minute


class Kind(StrEnum):
    """Of what is due."""

    RUNS = "runs"
    INTENTS = "intents"
    KEYS = "keys"
    LINKS = "links"


DUE = "SELECT provider_id, kind FROM mining_due(%s, %s, %s, %s, %s, %s, %s, %s, %s)"


def due(*, now: datetime) -> dict[int, set[Kind]]:
    """By provider, suspended ones too: what there may be to do for it. One query, however many providers there are
    (what_is_due.sql). Outside of any context."""
    subjects, each_account = [subject.value for subject in SUBJECTS], [subject.value for subject in EACH_ACCOUNT]
    cadences = [int(CADENCE[subject].total_seconds()) for subject in SUBJECTS]
    durations = [STALE_AFTER, PROBE_EVERY, TOUCH_AFTER, RENEW_BEFORE]
    values: list[Any] = [now, subjects, cadences, each_account, runs.LOST, *durations]
    kinds: dict[int, set[Kind]] = defaultdict(set)
    with connection.cursor() as cursor:
        cursor.execute(DUE, values)
        for provider_id, kind in cursor.fetchall():
            kinds[provider_id].add(Kind(kind))
    return dict(kinds)


def plan(provider_id: int, *, kinds: Collection[Kind] = tuple(Kind), now: datetime) -> int:
    """Queue runs that are due, dispatch stuck ones again; how many tasks were dispatched. Opens its own contexts."""
    dispatched = 0
    planned = {Kind.RUNS: _plan_runs, Kind.INTENTS: _plan_intents, Kind.KEYS: _plan_keys}
    if planned.keys() & set(kinds):
        with tenancy.provider_context(provider_id):
            dispatched = sum(plan_kind(provider_id, now=now) for kind, plan_kind in planned.items() if kind in kinds)
    if Kind.LINKS in kinds:
        renewal.renew_due(provider_id, now=now)
    if dispatched:
        log.info("plan.made", provider_id=provider_id, dispatched=dispatched)
    return dispatched


def _plan_runs(provider_id: int, *, now: datetime) -> int:
    if lost := runs.give_up_lost(provider_id, now=now):
        log.info("plan.lost", provider_id=provider_id, lost=lost)
    stale = list(
        SyncRun.objects.filter(
            provider=provider_id, state=SyncRun.State.QUEUED, queued_at__lt=now - STALE_AFTER
        ).exclude(subject=Subject.KEY)
    )
    # Queued at a minute of its own again and again, not each minute: a long queue must not grow by dispatches alone.
    wanted = [run for run in stale if _minutes(now - run.queued_at) % _minutes(STALE_AFTER) == 0]
    wanted += [runs.open_run(provider_id, *due, now=now)[0] for due in _due(provider_id, now=now)]
    for run in wanted:
        dispatch.after_commit("mining.tasks.run_sync", provider_id, run.pk, run.turns)
    return len(wanted)


def _due(provider_id: int, *, now: datetime) -> list[tuple[int, Subject]]:
    login_ids = logins.active_logins(provider_id)
    newest = newest_runs(provider_id, login_ids, now=now)
    with_accounts = set(
        MiningAccount.objects.filter(provider=provider_id, unlisted_since=None)
        .exclude(state=MiningAccount.State.CREATING)
        .values_list("login", flat=True)
        .distinct()
    )
    return [
        (login_id, subject)
        for login_id in login_ids
        for subject in SUBJECTS
        if (subject not in EACH_ACCOUNT or login_id in with_accounts)
        and _is_due(login_id, subject, newest.get((login_id, subject)), now=now)
    ]


def _is_due(login_id: int, subject: Subject, newest: SyncRun | None, *, now: datetime) -> bool:
    if newest is None:
        return True
    if newest.state in SyncRun.OPEN:
        return False
    if newest.error == runs.LOST:
        return True  # at once: nobody is reading it
    read_at = newest.started_at or newest.queued_at
    return slot(login_id, subject, now) > slot(login_id, subject, read_at)


def slot(login_id: int, subject: Subject, moment: datetime) -> int:
    """The number of the subject's turn. Turns are shifted by a hash, so that logins do not all start at :00."""
    cadence_s = int(CADENCE[subject].total_seconds())
    digest = hashlib.sha256(f"{login_id}|{subject}".encode()).digest()
    return (int(moment.timestamp()) + int.from_bytes(digest[:4], "big") % cadence_s) // cadence_s


def _plan_intents(provider_id: int, *, now: datetime) -> int:
    intents.give_up_waiting(provider_id, now=now)
    due = intents.due_for_a_look(provider_id, now=now)
    for intent_id in due:
        dispatch.after_commit("mining.tasks.settle_intent", provider_id, intent_id)
    return len(due)


def _plan_keys(provider_id: int, *, now: datetime) -> int:
    not_lately = Q(checked_at=None) | Q(checked_at__lt=now - STALE_AFTER)
    waiting = Q(state=Credential.State.CHECKING, created_at__lt=now - timedelta(minutes=1)) & not_lately
    # A worker that cannot open a key counts as no try of it, but must not try again each minute.
    lately = SyncRun.objects.filter(
        provider=provider_id, login=OuterRef("login"), subject=Subject.KEY, queued_at__gt=now - TOUCH_AGAIN_AFTER
    )
    mended = Q(state=Credential.State.REFUSED, checked_at__lt=now - PROBE_EVERY) & ~Exists(lately)
    due = Credential.objects.filter(waiting | mended, provider=provider_id).values_list("pk", flat=True)
    for credential_id in due:
        dispatch.after_commit("mining.tasks.verify_credential", provider_id, credential_id)
    return len(due) + _plan_touches(provider_id, now=now)


def _plan_touches(provider_id: int, *, now: datetime) -> int:
    """Keys in use whose readings bring no success, for whatever reason: a call of their own keeps them alive."""
    silent = Q(state=Credential.State.ACTIVE, last_success_at__lt=now - TOUCH_AFTER)
    not_lately = Q(checked_at=None) | Q(checked_at__lt=now - TOUCH_AGAIN_AFTER)
    due = Credential.objects.filter(silent & not_lately, provider=provider_id).values_list("pk", flat=True)
    for credential_id in due:
        dispatch.after_commit("mining.tasks.touch_key", provider_id, credential_id)
    return len(due)


def _minutes(duration: timedelta) -> int:
    return int(duration.total_seconds()) // 60
