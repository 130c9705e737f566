"""What needs a person, worst first: one list for the overview, in sentences that say what to do and where.

What it is, is decided below (mining/attention.py, billing/attention.py); here are words, addresses and buttons.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import urlencode

from django.urls import reverse

from billing import attention as of_money
from customers import attention as of_access
from customers.models import ApiToken, Customer
from customers.tenancy import Access
from customers.words import agreeing, counted, day_in_words, month_in_words
from mining import attention as of_pool
from mining import intents
from mining.attention import Attention, Severity
from mining.attention import Code as Pool
from mining.keys.health import health
from mining.links.rules import ENDS_SOON
from mining.models import MiningAccount, PoolIntent, WatcherLink
from mining.models.runs import Subject
from mining.payouts import agreements
from mining.payouts import words as payout_words
from mining.sync.quarantine import records_quarantined
from portal.access import may
from portal.alerts import words as alert_words
from portal.templatetags.units import plain_date

Money = of_money.Code
ORDER = list(Severity)


@dataclass(frozen=True, slots=True)
class Need:
    state: str  # the class that says how bad it is
    word: str
    title: str
    text: str
    href: str
    act: str  # what the button says
    needs: str  # the act that the person must be allowed to do for the button to be of use


class Words(NamedTuple):
    """Of a need, all but how bad it is."""

    word: str
    title: str
    text: str
    href: str
    act: str
    needs: str = "read"


def needs_of(access: Access, *, now: datetime) -> list[Need]:
    """Constant queries, however many rows there are."""
    rows = [
        *of_pool.attention(access, now=now),
        *of_money.attention(access, now=now),
        *of_access.attention(access, now=now),
    ]
    return [Need(f"is-{row.severity}", *_words(row, now)) for row in sorted(rows, key=_rank)]


def _rank(row: Attention) -> int:
    return ORDER.index(row.severity)


def allowed(access: Access, need: Need) -> bool:
    return may(access, need.needs)


def _words(row: Attention, now: datetime) -> Words:
    match row:
        case of_pool.OfKey():
            return _of_key(row, now)
        case of_pool.OfLogin():
            text = "Its key was thrown away. Paste another one for this WhiteBIT user."
            title = f"No key reads the accounts of {row.login.name}"
            return Words("Key", title, text, _url("keys"), "Paste a key", "keys")
        case of_pool.OfAccount(code=Pool.PAYOUT_DRIFT):
            return _of_drift(row.account)
        case of_pool.OfAccount():
            title = f"{_name(row.account.customer, '')}: the pool does not answer for {row.account.name}"
            text = "Nothing is read for it now. What is missing is unknown, not zero."
            return Words("Account", title, text, _customer(row.account.customer), "Look")
        case of_pool.OfAccounts():
            return _of_unassigned(row.accounts)
        case of_pool.OfReading():
            return _of_reading(row)
        case of_pool.OfIntent():
            return _of_intent(row)
        case of_pool.OfLink():
            title = f"{_name(row.link.customer, '')}: a watcher link was not renewed"
            text = row.link.problem or "Its new one has not been made yet."
            return Words("Link", title, text, f"{_customer(row.link.customer)}#links", "Look")
        case of_pool.OfLinks():
            return _of_ending(row.links)
        case of_pool.Counted():
            return _of_count(row)
        case of_money.OfMisdirected():
            return _of_misdirected(row)
        case of_money.OfCustomers():
            return _of_customers(row)
        case of_money.OfMonth():
            text = "The month has ended and its documents have not been worked out."
            title = f"{month_in_words(row.month)} is not closed"
            return Words("Close", title, text, _url("documents"), "Close it", "issue")
        case of_money.OfFiles():
            return _of_files(row)
        case of_money.OfDrafts():
            return _of_drafts(row)
        case of_access.OfToken():
            return _of_token(row.token, now)
        case Attention(code=Pool.NO_KEY):
            text = "Without one nothing can be read from the pool and no customer can be onboarded."
            return Words("Key", "There is no pool key yet", text, _url("keys"), "Paste a key", "keys")
    raise LookupError(f"{row.code} has no words here")


# --- The pool


def _of_key(row: of_pool.OfKey, now: datetime) -> Words:
    name, text = row.credential.login.name, row.credential.problem
    refused = alert_words.key_is_refused(name)
    titles = {
        Pool.KEY_REFUSED: refused,
        Pool.KEY_NOT_ACCEPTED: (refused if row.severity == Severity.DOWN else f"A new key of {name} was not accepted"),
        Pool.KEY_SILENT: f"The key of {name} is silent",
        Pool.KEY_QUIET: f"The key of {name} is silent",
        Pool.KEY_LACKS_RIGHT: f"The key of {name} lacks a right",
        Pool.KEY_HAS_PROBLEM: f"The key of {name} works, and has a problem",
    }
    code = Pool(row.code)
    if code in (Pool.KEY_SILENT, Pool.KEY_QUIET):
        text = f"{health(row.credential, now).sentence} {text}".strip()
    return Words("Key", titles[code], text, _url("keys"), "Pool keys", "keys")


def _of_drift(account: MiningAccount) -> Words:
    name = _name(account.customer, account.name)
    until = "you end the alarm" if agreements.is_lost(account) else "you agree to that or have it put back"
    text = f"{_where_to(account)} Nothing is issued for {name} until {until}."
    title = alert_words.payout_drifts(name, account)
    return Words("Payout", title, text, f"{_customer(account.customer)}#payout", "Look")


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


def _of_unassigned(accounts: list[MiningAccount]) -> Words:
    belong = agreeing(len(accounts), "belongs", "belong")
    title = f"{counted(len(accounts), 'account')} at the pool {belong} to no customer"
    text = f"{_listed([account.name for account in accounts])}. The rewards are kept until you say whose they are."
    return Words("Account", title, text, _url("customer_new"), "Take over", "onboard")


def _of_reading(row: of_pool.OfReading) -> Words:
    what, run = Subject(row.run.subject).label.lower(), row.run
    came_out = "failed" if row.code == Pool.READING_FAILED else "is not complete"
    text = run.error or records_quarantined(run.quarantined)
    return Words("Sync", f"Reading {what} of {run.login.name} {came_out}", text, _url("sync"), "Sync")


def _of_intent(row: of_pool.OfIntent) -> Words:
    intent, whose = row.intent, row.intent.customer.name
    if row.code == Pool.ACCOUNT_NOT_MADE:
        title = f"{whose} has no mining account"
        return Words("Account", title, intent.problem, _customer(intent.customer), "Give one", "onboard")
    act, place = intents.ACTS[intent.kind], alert_words.PLACES[PoolIntent.Kind(intent.kind)]
    lost = row.code == Pool.ACT_IN_DOUBT
    title = alert_words.act_in_doubt(whose, intent) if lost else f"{whose}: {act.stuck}"
    text = intent.problem or "No worker has taken it up. Look whether the workers run."
    return Words(place.word, title, text, alert_words.page_of_act(intent.customer, intent), "Decide", act.decided_by)


def _of_ending(links: list[WatcherLink]) -> Words:
    title = f"{counted(len(links), 'watcher link')} {agreeing(len(links), 'ends', 'end')} within {ENDS_SOON.days} days"
    names = _listed([_name(link.customer, "no customer") for link in links])
    return Words("Link", title, f"{names}. Whoever uses it needs a new address then.", _url("links"), "Look")


class Told(NamedTuple):
    """Of rows that are only counted."""

    word: str
    one: str
    many: str
    text: str
    page: str
    act: str


COUNTED: dict[StrEnum, Told] = {
    Pool.LINKS_SHOW_OTHERS: Told(
        "Link",
        "watcher link shows several accounts",
        "watcher links show several accounts",
        "Made outside the portal: whoever has the address sees them all. Customers are not shown it here.",
        "links",
        "Look",
    ),
    Pool.REWARD_CHANGES_QUARANTINED: Told(
        "Records",
        "change of a reward could not be taken in",
        "changes of rewards could not be taken in",
        "What was read before counts, in sums and on documents. Compare with the pool.",
        "sync",
        "Look",
    ),
    Pool.REWARDS_QUARANTINED: Told(
        "Records",
        "record of the pool was not taken in",
        "records of the pool were not taken in",
        "Of rewards: in no sum and on no document. Where one is a new version of a reward, what was read before counts."
        " Compare with the pool.",
        "sync",
        "Look",
    ),
    Pool.LINKS_QUARANTINED: Told(
        "Records",
        "watcher link of the pool was not taken in",
        "watcher links of the pool were not taken in",
        "Made outside the portal, and whoever has its address may see an account. It is in no list here, and takes one"
        " of the account's places. Look at it at the pool.",
        "sync",
        "Look",
    ),
    Money.REWARDS_MISSING: Told(
        "Rewards",
        "reward is no longer listed by the pool",
        "rewards are no longer listed by the pool",
        "Missing is not canceled: nothing is taken back, and nothing new is billed for them.",
        "rewards",
        "Rewards",
    ),
    Money.REWARDS_UNKNOWN: Told(
        "Rewards",
        "reward has a status that we do not know",
        "rewards have a status that we do not know",
        "They are kept as the pool told them, and are not billed.",
        "rewards",
        "Rewards",
    ),
}
PARTS = {"sync": "#quarantine"}
FILTERS: dict[StrEnum, str] = {Money.REWARDS_UNKNOWN: f"?{urlencode({'status': 'unknown'})}"}


def _of_count(row: of_pool.Counted) -> Words:
    told = COUNTED[row.code]
    title = f"{row.count:,} {agreeing(row.count, told.one, told.many)}"
    href = f"{_url(told.page)}{FILTERS.get(row.code, '')}{PARTS.get(told.page, '')}"
    return Words(told.word, title, told.text, href, told.act)


# --- The money


def _of_misdirected(row: of_money.OfMisdirected) -> Words:
    count = row.misdirection.count
    were, it = agreeing(count, "a reward was", "rewards were"), agreeing(count, "it", "them")
    title = f"{row.customer.name}: {were} paid where nobody had agreed to"
    text = f"{row.misdirection} No draft that bills {it} is issued until you approve {it}."
    return Words("Payout", title, text, f"{_customer(row.customer)}#misdirected", "Look")


def _of_customers(row: of_money.OfCustomers) -> Words:
    names = _listed([customer.name for customer in row.customers])
    if row.code == Money.BILLED_IN_DOUBT:
        title = f"{names}: rewards that were billed are missing at the pool, pending again or unknown"
        text = "Nothing is taken back. The next documents are held until that is over, or a person lets it pass."
        href = _customer(row.customers[0]) if len(row.customers) == 1 else f"{_url('documents')}?status=draft"
        return Words("Held", title, text, href, "Look")
    if row.code == Money.REWARDS_UNCOVERED:
        title = f"{counted(row.rewards, 'reward')} {agreeing(row.rewards, 'is', 'are')} covered by no contract"
        text = f"{names}: the days before the first terms. They are on no document until terms cover them."
        href = _customer(row.customers[0]) if len(row.customers) == 1 else _url("contracts")
        return Words("Contract", title, text, href, "Look")
    title = f"{counted(len(row.customers), 'customer')} {agreeing(len(row.customers), 'has', 'have')} no contract"
    text = f"{names}. Rewards are shared out only once terms are agreed."
    return Words("Contract", title, text, _url("contract_new"), "Agree terms", "contracts")


def _of_drafts(row: of_money.OfDrafts) -> Words:
    count, held = row.count, row.held
    does = f"{agreeing(count, 'waits', 'wait')} to be issued"
    text = "Customers see a document only once it is issued."
    if held == count:
        does = f"{agreeing(count, 'is', 'are')} held"
        text = f"{agreeing(count, 'It', 'Each')} says why, and what to do. {text}"
    elif held:
        which = f"{held:,} of them {agreeing(held, 'is', 'are')} held"
        text = f"{which}: each says why, and what to do. {text}"
    return Words(
        "Issue", f"{counted(count, 'draft')} {does}", text, f"{_url('documents')}?status=draft", "Documents", "issue"
    )


def _of_token(token: ApiToken, now: datetime) -> Words:
    assert token.ends_on is not None  # or it would need nobody
    ended = token.has_ended(now)
    title = f"The API token {token.name} {'ended' if ended else 'ends'} on {day_in_words(token.ends_on)}"
    text = "Its program is refused. Make another one, or revoke it." if ended else "Its program needs another one then."
    return Words("Token", title, text, _url("tokens"), "API tokens", "tokens")


def _url(name: str) -> str:
    return reverse(f"staff:{name}")


def _name(customer: Customer | None, otherwise: str) -> str:
    return customer.name if customer else otherwise


def _customer(customer: Customer | None) -> str:
    return reverse("staff:customer", args=[customer.code]) if customer else _url("customers")


def _listed(names: list[str], most: int = 4) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def _of_files(row: of_money.OfFiles) -> Words:
    first = row.attempt.document
    title = f"{counted(row.documents, 'document')} {agreeing(row.documents, 'lacks', 'lack')} a file"
    text = f"The {row.attempt.get_kind_display()} of {first.number} for {row.attempt.customer.name} could not be made."
    href = f"{_url('documents')}?status=file_failed"
    if row.documents == 1:
        href = reverse("staff:document", args=[first.code])
    return Words("File", title, text, href, "Look")
