"""What is told of what needs a person, each in one sentence, and where it is seen to: for mails, pages and the API."""

from typing import NamedTuple

from django.urls import reverse

from customers.models import Customer
from mining import intents
from mining.keys.health import ALARM_AFTER, WARN_AFTER
from mining.models import Alert, MiningAccount, PoolIntent

Kind = Alert.Kind


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
    """Without addresses: the page has them. Needs the alert's related rows."""
    if alert.credential is not None:
        name = alert.credential.login.name
        return {
            Kind.KEY_REFUSED: key_is_refused(name),
            Kind.KEY_QUIET: f"The pool has not answered the key of {name} for {WARN_AFTER.days} days",
            Kind.KEY_SILENT: f"The pool has not answered the key of {name} for {ALARM_AFTER.days} days",
        }[Kind(alert.kind)]
    whose = alert.customer.name if alert.customer else "No customer"
    if alert.intent is not None:
        return act_in_doubt(whose, alert.intent)
    if alert.kind == Kind.BILLED_IN_DOUBT:
        return billed_in_doubt(whose)
    # One that has ended tells of then, and the account of today.
    return payout_drifts(whose, alert.mining_account if alert.is_open else None)


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
    """Needs the alert's related rows."""
    if alert.customer is None:
        return reverse("staff:keys")
    if alert.intent is not None:
        return page_of_act(alert.customer, alert.intent)
    part = "#payout" if alert.kind == Kind.PAYOUT_DRIFT else ""
    return reverse("staff:customer", args=[alert.customer.code]) + part


def page_of_act(customer: Customer, intent: PoolIntent) -> str:
    return reverse("staff:customer", args=[customer.code]) + PLACES[PoolIntent.Kind(intent.kind)].part
