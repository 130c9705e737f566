"""What is told of an alert, in one sentence, and the page where a person sees to it: for mails, pages and the API."""

from django.urls import reverse

from mining.keys import ALARM_AFTER, WARN_AFTER
from mining.models import Alert, PoolIntent

Kind = Alert.Kind

ASKED = {
    PoolIntent.Kind.CREATE_ACCOUNT: "was the mining account created?",
    PoolIntent.Kind.ADOPT_ACCOUNT: "was the mining account found?",
    PoolIntent.Kind.CREATE_LINK: "was the watcher link made?",
    PoolIntent.Kind.EDIT_PAYOUT: "was the payout destination changed?",
}


def sentence(alert: Alert) -> str:
    """Without addresses: the page has them. Needs the alert's related rows."""
    if alert.credential is not None:
        label = alert.credential.label
        return {
            Kind.KEY_REFUSED: f"The pool refuses the key of {label}",
            Kind.KEY_QUIET: f"The pool has not answered the key of {label} for {WARN_AFTER.days} days",
            Kind.KEY_SILENT: f"The pool has not answered the key of {label} for {ALARM_AFTER.days} days",
        }[Kind(alert.kind)]
    whose = alert.customer.name if alert.customer else "No customer"
    if alert.intent is not None:
        return f"{whose}: {ASKED[PoolIntent.Kind(alert.intent.kind)]}"
    return f"{whose}: the pool pays the rewards elsewhere than was agreed"


def page_of(alert: Alert) -> str:
    if alert.customer is None:
        return reverse("staff:keys")
    part = {Kind.PAYOUT_DRIFT: "#payout"}.get(Kind(alert.kind), "")
    return reverse("staff:customer", args=[alert.customer.code]) + part
