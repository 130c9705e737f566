"""What is told of what needs a person, each in one sentence, and where it is seen to: for mails, pages and the API."""

from decimal import ROUND_DOWN, Decimal
from typing import NamedTuple

from django.urls import reverse

from customers.models import Customer
from customers.words import counted
from mining import intents
from mining.alerts.rules import OF_FLEET
from mining.keys.health import ALARM_AFTER, WARN_AFTER
from mining.models import Alert, MiningAccount, PoolIntent

Kind = Alert.Kind
NAMED = 3  # of many that fell together


class Place(NamedTuple):
    """Where a kind of act at the pool is decided."""

    word: str  # what the overview files it under
    part: str  # of the customer's page


PLACES = {
    PoolIntent.Kind.CREATE_ACCOUNT: Place("Account", "#account"),
    PoolIntent.Kind.ADOPT_ACCOUNT: Place("Account", "#account"),
    PoolIntent.Kind.CREATE_LINK: Place("Link", "#links"),
    PoolIntent.Kind.EDIT_PAYOUT: Place("Payout", ""),  # at its head
}


def sentence(alert: Alert) -> str:
    """Without addresses: the page has them. Needs the alert's related rows, and of a group its members' customers."""
    if alert.credential is not None:
        name = alert.credential.login.name
        return {
            Kind.KEY_REFUSED: key_is_refused(name),
            Kind.KEY_QUIET: f"The pool has not answered the key of {name} for {WARN_AFTER.days} days",
            Kind.KEY_SILENT: f"The pool has not answered the key of {name} for {ALARM_AFTER.days} days",
        }[Kind(alert.kind)]
    if alert.is_group:
        return _together(alert)
    whose = alert.customer.name if alert.customer else "No customer"
    if alert.intent is not None:
        return act_in_doubt(whose, alert.intent)
    if alert.kind == Kind.BILLED_IN_DOUBT:
        return billed_in_doubt(whose)
    if alert.kind == Kind.PAYOUT_DRIFT:
        # One that has ended tells of then, and the account of today.
        return payout_drifts(whose, alert.mining_account if alert.is_open else None)
    told = _of_machines(alert)
    return f"{told[0].upper()}{told[1:]}" if alert.for_customer_id else f"{whose}: {told}"


def _of_machines(alert: Alert) -> str:
    if alert.worker is not None:
        return f"machine {alert.worker.name} has been down since {alert.stood_at:%-d %B, %H:%M} UTC"
    if alert.kind == Kind.WORKERS_OFFLINE:
        return f"{_whole(alert.value)} of {counted(int(alert.base or 0), 'machine')} down"
    if alert.kind == Kind.HASHRATE_LOW:
        if alert.value is None or not alert.base:
            return f"hashrate {_whole(alert.value)} TH/s, under the limit"
        return f"hashrate at {_whole(alert.value / alert.base * 100)} % of its usual {_whole(alert.base)} TH/s"
    if alert.kind == Kind.REJECT_RATE:
        return f"{(alert.value or Decimal(0)) * 100:.1f} % of its shares are rejected"
    if alert.kind == Kind.DATA_OLD:
        return "not read for too long; what its machines do is unknown"
    return f"no reward for {alert.day:%-d %B} yet"


def _whole(number: Decimal | None) -> str:
    """Cut, not rounded: 69.9 % is under 70 %."""
    return f"{(number or Decimal(0)).to_integral_value(ROUND_DOWN):,}"


def _together(alert: Alert) -> str:
    members = list(alert.members.all())
    names = sorted({member.customer.name for member in members if member.customer})
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    customers = counted(len(names), "customer") + (f" in {alert.site}" if alert.site else "")
    down = counted(sum(int(member.value or 0) for member in members), "machine")
    told = {
        Kind.WORKERS_OFFLINE: f"{down} of {customers} went down together",
        Kind.HASHRATE_LOW: f"Hashrate fell at {customers} together",
        Kind.REJECT_RATE: f"Rejected shares rose at {customers} together",
        Kind.DATA_OLD: f"{customers} have not been read for too long; what their machines do is unknown",
        Kind.REWARD_MISSING: f"No reward yet for {customers}",
    }[Kind(alert.kind)]
    return f"{told}: {', '.join(names[:NAMED])}{more}"


def key_is_refused(login_name: str) -> str:
    return f"The pool refuses the key of {login_name}"


def act_in_doubt(whose: str, intent: PoolIntent) -> str:
    return f"{whose}: {intents.ACTS[intent.kind].in_doubt}"


def billed_in_doubt(whose: str) -> str:
    return f"{whose}: rewards that were billed are missing at the pool, pending again or unknown"


def payout_drifts(whose: str, account: MiningAccount | None) -> str:
    begun, seen = (account.payout_drift_since, account.payout_first_seen_at) if account else (None, None)
    went_on = ", now to yet another place" if begun and seen and seen > begun else ""
    return f"{whose}: the pool pays the rewards elsewhere than was agreed{went_on}"


def page_of(alert: Alert) -> str:
    """Where it is seen to. Needs the alert's related rows."""
    if alert.for_customer_id:
        return reverse("customer:alerts")
    if alert.credential is not None:
        return reverse("staff:keys")
    if alert.customer is None or alert.kind in OF_FLEET:
        return reverse("staff:alert", args=[alert.code])
    if alert.intent is not None:
        return page_of_act(alert.customer, alert.intent)
    part = "#payout" if alert.kind == Kind.PAYOUT_DRIFT else ""
    return reverse("staff:customer", args=[alert.customer.code]) + part


def page_of_act(customer: Customer, intent: PoolIntent) -> str:
    return reverse("staff:customer", args=[customer.code]) + PLACES[PoolIntent.Kind(intent.kind)].part
