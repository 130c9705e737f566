"""What of the pool needs a person: decided here, once. The overview words it, and alerts are opened from its causes.

No sentence, address or button: those are the pages'. The caller is in the access's context; constant queries, however
many rows there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from django.db.models import Case, CharField, Count, Exists, OuterRef, Q, Value, When

from customers.attention import Attention as Attention
from customers.attention import Severity as Severity
from customers.tenancy import Access
from mining import queries
from mining.keys import logins
from mining.keys.health import ALARM_AFTER, WARN_AFTER
from mining.links.room import not_renewed
from mining.links.rules import ENDS_SOON
from mining.models import (
    Alert,
    AlertKind,
    Credential,
    LinkLifetime,
    MiningAccount,
    PoolIntent,
    PoolLogin,
    QuarantinedRecord,
    SyncRun,
    WatcherLink,
)
from mining.models.runs import Subject
from mining.payouts.views import DRIFTS, drifting
from mining.sync.quarantine import UNMATCHED

# What is asked of the pool is asked within seconds, and looked up for a minute.
STUCK_AFTER = timedelta(minutes=5)


class Code(StrEnum):
    NO_KEY = "key.none"
    KEY_REFUSED = "key.refused"  # one that had worked
    KEY_NOT_ACCEPTED = "key.not_accepted"  # one that never worked
    KEY_QUIET = "key.quiet"
    KEY_SILENT = "key.silent"
    KEY_LACKS_RIGHT = "key.lacks_right"
    KEY_HAS_PROBLEM = "key.has_problem"
    LOGIN_WITHOUT_KEY = "login.without_key"
    PAYOUT_DRIFT = "payout.drift"
    READING_FAILED = "reading.failed"
    READING_PARTIAL = "reading.partial"
    ACCOUNTS_UNASSIGNED = "account.unassigned"
    ACCOUNT_LOST = "account.lost"
    ACCOUNT_NOT_MADE = "account.not_made"
    ACT_STUCK = "act.stuck"
    ACT_IN_DOUBT = "act.in_doubt"
    LINKS_SHOW_OTHERS = "link.shows_others"
    LINK_NOT_RENEWED = "link.not_renewed"
    LINKS_END_SOON = "link.ends_soon"
    REWARD_CHANGES_QUARANTINED = "quarantine.reward_changes"
    REWARDS_QUARANTINED = "quarantine.rewards"
    LINKS_QUARANTINED = "quarantine.links"


@dataclass(frozen=True, kw_only=True)
class OfKey(Attention):
    credential: Credential


@dataclass(frozen=True, kw_only=True)
class OfLogin(Attention):
    login: PoolLogin


@dataclass(frozen=True, kw_only=True)
class OfAccount(Attention):
    account: MiningAccount


@dataclass(frozen=True, kw_only=True)
class OfAccounts(Attention):
    accounts: list[MiningAccount]


@dataclass(frozen=True, kw_only=True)
class OfReading(Attention):
    run: SyncRun


@dataclass(frozen=True, kw_only=True)
class OfIntent(Attention):
    intent: PoolIntent


@dataclass(frozen=True, kw_only=True)
class OfLink(Attention):
    link: WatcherLink


@dataclass(frozen=True, kw_only=True)
class OfLinks(Attention):
    links: list[WatcherLink]


@dataclass(frozen=True, kw_only=True)
class Counted(Attention):
    count: int


# --- Causes: what alerts are opened from too


class Cause(NamedTuple):
    """Three-valued: in which rows it surely stands, in which it is surely over; in the others nobody knows."""

    code: StrEnum
    alert: AlertKind
    stands: Q
    over: Q


PAYOUT_DRIFT = Cause(
    Code.PAYOUT_DRIFT,
    Alert.Kind.PAYOUT_DRIFT,
    stands=DRIFTS,
    over=~DRIFTS,
)
ACT_IN_DOUBT = Cause(
    Code.ACT_IN_DOUBT,
    Alert.Kind.ACT_IN_DOUBT,
    stands=Q(state=PoolIntent.State.UNKNOWN),
    over=Q(state__in=[PoolIntent.State.DONE, PoolIntent.State.FAILED]),
)


def key_causes(now: datetime) -> tuple[Cause, ...]:
    state = Credential.State
    in_use, not_in_use = Q(state=state.ACTIVE), Q(state__in=[state.REFUSED, state.RETIRED])
    silent = Q(last_success_at__lte=now - ALARM_AFTER)
    quiet = Q(last_success_at__lte=now - WARN_AFTER, last_success_at__gt=now - ALARM_AFTER)
    answered, answered_lately = Q(last_success_at__gt=now - ALARM_AFTER), Q(last_success_at__gt=now - WARN_AFTER)
    # One that never worked was refused before the eyes of whoever pasted it.
    refused = Q(state=state.REFUSED, verified_at__isnull=False)
    kind = Alert.Kind
    return (
        Cause(Code.KEY_REFUSED, kind.KEY_REFUSED, stands=refused, over=Q(state__in=[state.ACTIVE, state.RETIRED])),
        # The warning ends where the alarm begins: one silence is told of by one alert at a time.
        Cause(Code.KEY_QUIET, kind.KEY_QUIET, stands=in_use & quiet, over=not_in_use | answered_lately | silent),
        Cause(Code.KEY_SILENT, kind.KEY_SILENT, stands=in_use & silent, over=not_in_use | answered),
    )


# --- What needs a person now


def attention(access: Access, *, now: datetime) -> Iterator[Attention]:
    unread = logins.unread(access)
    yield from _keys(access, list(unread), now)
    yield from _payouts(access)
    yield from _readings(access, set(unread))
    yield from _accounts(access)
    yield from _acts(access, now)
    yield from _links(access, now)
    yield from _quarantine(access)


def _keys(access: Access, unread: list[PoolLogin], now: datetime) -> Iterator[Attention]:
    causes = [When(cause.stands, then=Value(cause.code.value)) for cause in key_causes(now)]
    cause_of = Case(*causes, default=Value(""), output_field=CharField())
    kept = Credential.objects.visible_to(access).exclude(state=Credential.State.RETIRED).annotate(cause=cause_of)
    stored = list(kept.select_related("login").order_by("login__name", "pk"))
    if not stored:
        yield Attention(code=Code.NO_KEY, severity=Severity.UNKNOWN)
        return
    stopping = logins.refusals_that_stop(access)
    for credential in stored:
        yield from _of_key(credential, stops=credential.pk in stopping)
    with_key = {credential.login_id for credential in stored}
    for login in unread:
        if login.pk not in with_key:
            yield OfLogin(code=Code.LOGIN_WITHOUT_KEY, severity=Severity.DOWN, login=login)


SEVERITY_OF_CAUSE = {
    Code.KEY_REFUSED: Severity.DOWN,
    Code.KEY_SILENT: Severity.DOWN,
    Code.KEY_QUIET: Severity.UNKNOWN,
}


def _of_key(credential: Credential, *, stops: bool) -> Iterator[OfKey]:
    """At most one: there is one thing to do for a key, however much is wrong with it. `stops`: refused, and something
    came to a stop with that."""
    cause, state = str(getattr(credential, "cause", "")), Credential.State
    if cause:
        code, is_refused = Code(cause), credential.state == state.REFUSED
        since = credential.checked_at if is_refused else credential.last_success_at
        yield OfKey(code=code, severity=SEVERITY_OF_CAUSE[code], since=since, credential=credential)
    elif credential.state == state.REFUSED:
        severity = Severity.DOWN if stops else Severity.LOW
        yield OfKey(code=Code.KEY_NOT_ACCEPTED, severity=severity, since=credential.checked_at, credential=credential)
    elif credential.state == state.ACTIVE and credential.problem:
        code = Code.KEY_LACKS_RIGHT if logins.told_to_lack(credential) else Code.KEY_HAS_PROBLEM
        yield OfKey(code=code, severity=Severity.LOW, credential=credential)


def _payouts(access: Access) -> Iterator[Attention]:
    for account in drifting(access):
        yield OfAccount(
            code=PAYOUT_DRIFT.code, severity=Severity.DOWN, since=account.payout_drift_since, account=account
        )


def _readings(access: Access, unread: set[PoolLogin]) -> Iterator[Attention]:
    """But those that failed because of a key, which needs a person by itself (_keys)."""
    not_allowed = logins.not_allowed(access)
    for reading in queries.subjects(access):
        run, subject = reading.newest, Subject(reading.subject)
        if subject == Subject.KEY:
            continue
        if run.state == SyncRun.State.PARTIAL:
            yield OfReading(code=Code.READING_PARTIAL, severity=Severity.LOW, since=run.finished_at, run=run)
        elif run.state == SyncRun.State.FAILED:
            because_of_a_key = reading.login in unread or (reading.login.pk, subject) in not_allowed
            if not because_of_a_key:
                yield OfReading(code=Code.READING_FAILED, severity=Severity.UNKNOWN, since=run.finished_at, run=run)


def _accounts(access: Access) -> Iterator[Attention]:
    unassigned = queries.unassigned_accounts(access)
    if unassigned:
        since = min(account.first_seen_at for account in unassigned)
        yield OfAccounts(code=Code.ACCOUNTS_UNASSIGNED, severity=Severity.LOW, since=since, accounts=unassigned)
    of_customers = MiningAccount.objects.visible_to(access).exclude(customer=None).select_related("customer")
    lost = of_customers.filter(state__in=[MiningAccount.State.UNKNOWN, MiningAccount.State.DISABLED])
    for account in lost.order_by("name"):
        yield OfAccount(
            code=Code.ACCOUNT_LOST, severity=Severity.UNKNOWN, since=account.unlisted_since, account=account
        )
    for intent in _not_made(access):
        yield OfIntent(code=Code.ACCOUNT_NOT_MADE, severity=Severity.LOW, since=intent.created_at, intent=intent)


def _not_made(access: Access) -> Iterator[PoolIntent]:
    """Of customers without an account: the newest act that was to give them one, where it failed."""
    has_account = MiningAccount.objects.visible_to(access).filter(customer=OuterRef("customer"))
    asked = PoolIntent.objects.visible_to(access).filter(kind__in=PoolIntent.ACCOUNT_KINDS)
    newest = asked.order_by("customer", "-pk").distinct("customer").values("pk")
    failed = PoolIntent.objects.visible_to(access).filter(pk__in=newest, state=PoolIntent.State.FAILED)
    yield from failed.filter(~Exists(has_account)).select_related("customer").order_by("pk")


def _acts(access: Access, now: datetime) -> Iterator[Attention]:
    """Those that do not go out, or of which nobody knows whether the pool did them."""
    stuck = Q(state__in=PoolIntent.OPEN, created_at__lte=now - STUCK_AFTER)
    doubted = Case(When(ACT_IN_DOUBT.stands, then=Value(Code.ACT_IN_DOUBT.value)), default=Value(Code.ACT_STUCK.value))
    intents = PoolIntent.objects.visible_to(access).filter(ACT_IN_DOUBT.stands | stuck).annotate(cause=doubted)
    for intent in intents.select_related("customer").order_by("pk"):
        yield OfIntent(code=Code(intent.cause), severity=Severity.UNKNOWN, since=intent.created_at, intent=intent)


def _links(access: Access, now: datetime) -> Iterator[Attention]:
    present = WatcherLink.objects.visible_to(access).live(now).select_related("customer")
    shared = present.filter(shows_others=True).aggregate(links=Count("pool_id", distinct=True))["links"]
    if shared:
        yield Counted(code=Code.LINKS_SHOW_OTHERS, severity=Severity.LOW, count=shared)
    late = not_renewed(WatcherLink.objects.visible_to(access), now=now).select_related("customer")
    for link in late.order_by("live_until", "pk"):
        yield OfLink(code=Code.LINK_NOT_RENEWED, severity=Severity.LOW, since=link.live_until, link=link)
    # Those of an hour or a day are meant to end: told each time, nobody would read it.
    ending = (
        present.filter(live_until__lte=now + ENDS_SOON, renews=False, successor=None)
        .exclude(lifetime__in=[LinkLifetime.HOUR, LinkLifetime.DAY])
        .order_by("live_until", "pk")
    )
    if links := list(ending):
        yield OfLinks(code=Code.LINKS_END_SOON, severity=Severity.INFO, links=links)


def _quarantine(access: Access) -> Iterator[Attention]:
    waiting = QuarantinedRecord.objects.visible_to(access).filter(settled_at=None)
    of_links = Q(sync_run__subject=Subject.WATCHERS)
    kinds = {
        Code.REWARD_CHANGES_QUARANTINED: Q(reason=UNMATCHED),
        Code.REWARDS_QUARANTINED: ~Q(reason=UNMATCHED) & ~of_links,
        Code.LINKS_QUARANTINED: of_links,
    }
    counts = waiting.aggregate(**{code.name: Count("pk", filter=kind) for code, kind in kinds.items()})
    for code in kinds:
        if counts[code.name]:
            yield Counted(code=code, severity=Severity.LOW, count=counts[code.name])
