"""What needs a person, worst first: one list for the overview, in sentences that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.db.models import Count, Exists, OuterRef, Q
from django.urls import reverse

from billing import queries as billing
from billing.holds import drafts as held_drafts
from billing.holds import misdirected
from customers.models import Customer
from customers.tenancy import Access
from customers.words import agreeing, counted, month_in_words
from mining import intents
from mining import queries as mining
from mining.keys import health as key_health
from mining.keys import logins
from mining.links import room as pool_links
from mining.models import (
    Credential,
    LinkLifetime,
    MiningAccount,
    PoolIntent,
    QuarantinedRecord,
    SyncRun,
    WatcherLink,
)
from mining.models.runs import Subject
from mining.payouts import agreements
from mining.payouts import views as payout_views
from mining.payouts import words as payout_words
from mining.sync.quarantine import UNMATCHED, records_quarantined
from portal.access import may
from portal.alerts import words as alert_words
from portal.templatetags.units import plain_date
from portal.views.watcher_links import SOON

# Nobody can settle a quarantined record in the portal yet, so one that was looked at must not stay in the headline
# for ever: the sync page keeps them all.
QUARANTINE_NEWS = timedelta(days=14)
# What is asked of the pool is asked within seconds, and looked up for a minute.
STUCK_AFTER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Need:
    state: str  # the class that says how bad it is
    word: str
    title: str
    text: str
    href: str
    act: str  # what the button says
    needs: str = "read"  # the act that the person must be allowed to do for the button to be of use


def needs_of(access: Access, *, now: datetime) -> list[Need]:
    """Constant queries, however many rows there are."""
    unread, drafted = logins.unread(access), misdirected.on_drafts(access)
    found = [
        *_keys(access, unread, now),
        *_payouts(access),
        *_misdirected(access, drafted, now),
        *_readings(access, unread),
        *_accounts(access),
        *_acts(access, now),
        *_links(access, now),
        *_records(access, now),
        *_money(access, drafted, now),
    ]
    return sorted(found, key=lambda need: ORDER.index(need.state))


ORDER = ("is-down", "is-unknown", "is-low", "is-info")


def allowed(access: Access, need: Need) -> bool:
    return may(access, need.needs)


def _keys(access: Access, unread: dict[str, str], now: datetime) -> Iterator[Need]:
    stored = list(Credential.objects.visible_to(access).exclude(state=Credential.State.RETIRED).order_by("label", "pk"))
    if not stored:
        text = "Without one nothing can be read from the pool and no customer can be onboarded."
        yield Need("is-unknown", "Key", "There is no pool key yet", text, _url("keys"), "Paste a key", "keys")
    stopping = logins.refusals_that_stop(access)
    for credential in stored:
        if credential.state == Credential.State.REFUSED and credential.pk not in stopping:
            title = f"A new key of {credential.label} was not accepted"
            yield Need("is-low", "Key", title, credential.problem, _url("keys"), "Pool keys", "keys")
        elif (found := _of_key(credential, key_health.health(credential, now))) is not None:
            state, title, text = found
            yield Need(state, "Key", title, text, _url("keys"), "Pool keys", "keys")
    labels = {credential.label for credential in stored}
    for label in (label for label in unread if stored and label not in labels):
        text = "Its key was thrown away. Paste another one for this WhiteBIT user."
        yield Need("is-down", "Key", f"No key reads the accounts of {label}", text, _url("keys"), "Paste a key", "keys")


def _of_key(credential: Credential, health: key_health.Health) -> tuple[str, str, str] | None:
    """State, title and text: one need for a key, however much is wrong with it."""
    label, problem = credential.label, credential.problem
    if credential.state == Credential.State.REFUSED:
        return "is-down", alert_words.key_is_refused(label), problem
    if health.level in (key_health.Level.WARN, key_health.Level.ALARM):
        state = "is-down" if health.level == key_health.Level.ALARM else "is-unknown"
        return state, f"The key of {label} is silent", f"{health.sentence} {problem}".strip()
    if credential.state == Credential.State.ACTIVE and problem:
        what = "lacks a right" if logins.told_to_lack(credential) else "works, and has a problem"
        return "is-low", f"The key of {label} {what}", problem
    return None


def _payouts(access: Access) -> Iterator[Need]:
    for account in payout_views.drifting(access):
        name = account.customer.name if account.customer else account.name
        title = alert_words.payout_drifts(name, account)
        until = "you end the alarm" if agreements.is_lost(account) else "you agree to that or have it put back"
        text = f"{_where_to(account)} Nothing is issued for {name} until {until}."
        yield Need("is-down", "Payout", title, text, f"{_customer(account.customer)}#payout", "Look", "read")


def _where_to(account: MiningAccount) -> str:
    begun, seen = account.payout_drift_since, account.payout_first_seen_at
    to, since = (
        payout_words.in_words(account.payout_destination, account.payout_address),
        plain_date(begun) if begun else "",
    )
    if agreements.is_lost(account):
        return f"Not as agreed since {since}; when the pool last answered for it they went to {to}."
    if seen and plain_date(seen) != since:
        return f"Not as agreed since {since}; since {plain_date(seen)} they go to {to}."
    return f"Since {since} they go to {to}."


def _misdirected(access: Access, drafted: list[misdirected.Found], now: datetime) -> Iterator[Need]:
    waiting = misdirected.of_all_customers(access, drafted, now=now)
    for customer in Customer.objects.visible_to(access).filter(pk__in=waiting).order_by("name", "pk"):
        count = waiting[customer.pk].count
        were, it = agreeing(count, "a reward was", "rewards were"), agreeing(count, "it", "them")
        title = f"{customer.name}: {were} paid where nobody had agreed to"
        text = f"{waiting[customer.pk]} No draft that bills {it} is issued until you approve {it}."
        yield Need("is-down", "Payout", title, text, f"{_customer(customer)}#misdirected", "Look", "read")


def _readings(access: Access, unread: dict[str, str]) -> Iterator[Need]:
    """But those that failed because of a key, which is a need of its own (_keys)."""
    not_allowed = logins.not_allowed(access)
    for reading in mining.subjects(access):
        run, subject = reading.newest, Subject(reading.subject)
        failed = run.state == SyncRun.State.FAILED
        if subject == Subject.KEY or not (failed or run.state == SyncRun.State.PARTIAL):
            continue
        if failed and (run.label in unread or (run.label, subject) in not_allowed):
            continue
        what = subject.label.lower()
        title = f"Reading {what} of {run.label} {'failed' if failed else 'is not complete'}"
        text = run.error or records_quarantined(run.quarantined)
        yield Need("is-unknown" if failed else "is-low", "Sync", title, text, _url("sync"), "Sync")


def _accounts(access: Access) -> Iterator[Need]:
    unassigned = mining.unassigned_accounts(access)
    if unassigned:
        belong = agreeing(len(unassigned), "belongs", "belong")
        title = f"{counted(len(unassigned), 'account')} at the pool {belong} to no customer"
        text = (
            f"{_listed([account.name for account in unassigned])}. The rewards are kept until you say whose they are."
        )
        yield Need("is-low", "Account", title, text, _url("customer_new"), "Take over", "onboard")
    lost = (
        MiningAccount.objects.visible_to(access)
        .exclude(customer=None)
        .filter(state__in=[MiningAccount.State.UNKNOWN, MiningAccount.State.DISABLED])
    )
    for account in lost.select_related("customer").order_by("name"):
        name = account.customer.name if account.customer else ""
        title = f"{name}: the pool does not answer for {account.name}"
        text = "Nothing is read for it now. What is missing is unknown, not zero."
        yield Need("is-unknown", "Account", title, text, _customer(account.customer), "Look")
    yield from _not_given(access)


def _not_given(access: Access) -> Iterator[Need]:
    has_account = MiningAccount.objects.visible_to(access).filter(customer=OuterRef("customer"))
    asked = PoolIntent.objects.visible_to(access).filter(kind__in=PoolIntent.ACCOUNT_KINDS)
    newest = asked.order_by("customer", "-pk").distinct("customer").values("pk")
    for intent in (
        PoolIntent.objects.visible_to(access)
        .filter(~Exists(has_account), pk__in=newest, state=PoolIntent.State.FAILED)
        .select_related("customer")
        .order_by("pk")
    ):
        title = f"{intent.customer.name} has no mining account"
        yield Need("is-low", "Account", title, intent.problem, _customer(intent.customer), "Give one", "onboard")


def _acts(access: Access, now: datetime) -> Iterator[Need]:
    """Those that do not go out, or of which nobody knows whether the pool did them."""
    stuck = Q(state__in=PoolIntent.OPEN, created_at__lte=now - STUCK_AFTER)
    wanting = PoolIntent.objects.visible_to(access).filter(Q(state=PoolIntent.State.UNKNOWN) | stuck)
    for intent in wanting.select_related("customer").order_by("pk"):
        act, whose = intents.ACTS[intent.kind], intent.customer.name
        place = alert_words.PLACES[PoolIntent.Kind(intent.kind)]
        lost = intent.state == PoolIntent.State.UNKNOWN
        title = alert_words.act_in_doubt(whose, intent) if lost else f"{whose}: {act.stuck}"
        text = intent.problem or "No worker has taken it up. Look whether the workers run."
        to = alert_words.page_of_act(intent.customer, intent)
        yield Need("is-unknown", place.word, title, text, to, "Decide", act.decided_by)


def _links(access: Access, now: datetime) -> Iterator[Need]:
    present = WatcherLink.objects.visible_to(access).live(now).select_related("customer")
    shared = present.filter(shows_others=True).aggregate(links=Count("pool_id", distinct=True))["links"]
    if shared:
        title = f"{counted(shared, 'watcher link')} {agreeing(shared, 'shows', 'show')} several accounts"
        text = "Made outside the portal: whoever has the address sees them all. Customers are not shown it here."
        yield Need("is-low", "Link", title, text, _url("links"), "Look")
    for link in (
        pool_links.not_renewed(WatcherLink.objects.visible_to(access), now=now)
        .select_related("customer")
        .order_by("live_until", "pk")
    ):
        title = f"{link.customer.name if link.customer else ''}: a watcher link was not renewed"
        text = link.problem or "Its new one has not been made yet."
        yield Need("is-low", "Link", title, text, f"{_customer(link.customer)}#links", "Look")
    # Those of an hour or a day are meant to end: told each time, nobody would read it.
    ending = list(
        present.filter(live_until__lte=now + SOON, renews=False, successor=None)
        .exclude(lifetime__in=[LinkLifetime.HOUR, LinkLifetime.DAY])
        .order_by("live_until", "pk")
    )
    if ending:
        title = f"{counted(len(ending), 'watcher link')} {agreeing(len(ending), 'ends', 'end')} within 2 days"
        names = _listed([link.customer.name if link.customer else "no customer" for link in ending])
        text = f"{names}. Whoever uses it needs a new address then."
        yield Need("is-info", "Link", title, text, _url("links"), "Look")


def _records(access: Access, now: datetime) -> Iterator[Need]:
    yield from _put_aside(access, now)
    unsure = billing.unsure(access)
    if unsure.missing:
        title = (
            f"{counted(unsure.missing, 'reward')} {agreeing(unsure.missing, 'is', 'are')} no longer listed by the pool"
        )
        text = "Missing is not canceled: nothing is taken back, and nothing new is billed for them."
        yield Need("is-low", "Rewards", title, text, _url("rewards"), "Rewards")
    if unsure.unknown:
        have = agreeing(unsure.unknown, "has", "have")
        title = f"{counted(unsure.unknown, 'reward')} {have} a status that we do not know"
        text = "They are kept as the pool told them, and are not billed."
        yield Need("is-low", "Rewards", title, text, f"{_url('rewards')}?{urlencode({'status': 'unknown'})}", "Rewards")


# What is told of quarantined records: they are of rewards or of watcher links.
PUT_ASIDE = (
    (
        "changes",
        "change of a reward could not be taken in",
        "changes of rewards could not be taken in",
        "What was read before counts, in sums and on documents. Compare with the pool.",
    ),
    (
        "rewards",
        "record of the pool was not taken in",
        "records of the pool were not taken in",
        "Of rewards: in no sum and on no document. Where one is a new version of a reward, what was read before counts."
        " Compare with the pool.",
    ),
    (
        "links",
        "watcher link of the pool was not taken in",
        "watcher links of the pool were not taken in",
        "Made outside the portal, and whoever has its address may see an account. It is in no list here, and takes one"
        " of the account's places. Look at it at the pool.",
    ),
)


def _put_aside(access: Access, now: datetime) -> Iterator[Need]:
    news = QuarantinedRecord.objects.visible_to(access).filter(seen_at__gte=now - QUARANTINE_NEWS)
    links = Count("pk", filter=Q(sync_run__subject=Subject.WATCHERS))
    changes = Count("pk", filter=Q(reason=UNMATCHED))
    counts = news.aggregate(links=links, changes=changes, rewards=Count("pk") - links - changes)
    for kind, one, many, text in PUT_ASIDE:
        if count := counts[kind]:
            title = f"{count:,} {agreeing(count, one, many)}"
            yield Need("is-low", "Records", title, text, f"{_url('sync')}#quarantine", "Look")


def _money(access: Access, drafted: list[misdirected.Found], now: datetime) -> Iterator[Need]:
    uncovered = billing.uncovered(access)
    if uncovered:
        rewards = sum(row.rewards for row in uncovered)
        title = f"{counted(rewards, 'reward')} {agreeing(rewards, 'is', 'are')} covered by no contract"
        names = _listed([row.customer.name for row in uncovered])
        text = f"{names}: the days before the first terms. They are on no document until terms cover them."
        one = _customer(uncovered[0].customer) if len(uncovered) == 1 else _url("contracts")
        yield Need("is-low", "Contract", title, text, one, "Look")
    known = {row.customer.pk for row in uncovered}
    bare = [customer for customer in billing.without_contract(access) if customer.pk not in known]
    if bare:
        title = f"{counted(len(bare), 'customer')} {agreeing(len(bare), 'has', 'have')} no contract"
        text = f"{_listed([customer.name for customer in bare])}. Rewards are shared out only once terms are agreed."
        yield Need("is-info", "Contract", title, text, _url("contract_new"), "Agree terms", "contracts")
    last_month = billing.month_before(now.date())
    if billing.month_waits(access, month=last_month, now=now):
        text = "The month has ended and its documents have not been worked out."
        yield Need(
            "is-info",
            "Close",
            f"{month_in_words(last_month)} is not closed",
            text,
            _url("documents"),
            "Close it",
            "issue",
        )
    drafts = billing.drafts_open(access).count
    if drafts:
        kept_back = len(held_drafts.held_drafts(access, drafted))
        does = agreeing(drafts, "waits", "wait") + " to be issued"
        text = "Customers see a document only once it is issued."
        if kept_back == drafts:
            does = agreeing(drafts, "is", "are") + " held"
            text = f"Because of where the pool pays or paid: {agreeing(drafts, 'it', 'each')} says what to do. {text}"
        elif kept_back:
            which = f"{kept_back:,} of them {agreeing(kept_back, 'is', 'are')} held"
            text = f"{which} because of where the pool pays or paid: each says what to do. {text}"
        title = f"{counted(drafts, 'draft')} {does}"
        yield Need("is-info", "Issue", title, text, f"{_url('documents')}?status=draft", "Documents", "issue")


def _url(name: str) -> str:
    return reverse(f"staff:{name}")


def _customer(customer: Customer | None) -> str:
    return reverse("staff:customer", args=[customer.code]) if customer else _url("customers")


def _listed(names: list[str], most: int = 4) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
