"""What a state is called and how it looks: one table, so that no page says it differently.

The classes are those of components.css. Good news is quiet: what needs nobody's eye is a plain word.
"""

from datetime import date
from typing import NamedTuple

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from billing.models import Document, DocumentStatus
from customers.words import short_day

register = template.Library()


class Look(NamedTuple):
    css: str
    word: str


STATES: dict[str, dict[str, Look]] = {
    "account": {
        "creating": Look("is-info", "Being created"),
        "active": Look("is-up", "Active"),
        "unknown": Look("is-unknown", "Unknown account"),
        "disabled": Look("is-warn", "Disabled at the pool"),
    },
    "customer": {
        "active": Look("is-up", "Active"),
        "closed": Look("is-excluded", "Closed"),
    },
    "credential": {
        "checking": Look("is-info", "Being tried"),
        "active": Look("is-up", "Works"),
        "refused": Look("is-bad", "Refused by the pool"),
        "retired": Look("is-excluded", "Retired"),
    },
    "intent": {
        "planned": Look("is-info", "Planned"),
        "called": Look("is-info", "Asked of the pool"),
        "done": Look("is-up", "Done"),
        "failed": Look("is-bad", "Failed, without effect"),
        "unknown": Look("is-unknown", "Outcome unknown"),
    },
    "link": {
        "creating": Look("is-info", "Being made"),
        "active": Look("is-up", "Active"),
        "ended": Look("is-excluded", "Ended"),
        "gone": Look("is-excluded", "Ended"),
        "failed": Look("is-bad", "Not made"),
        "unknown": Look("is-unknown", "Outcome unknown"),
    },
    "alert": {
        "warning": Look("is-warn", "Warning"),
        "alarm": Look("is-bad", "Alarm"),
    },
    "machine": {
        "up": Look("is-up", "Up"),
        "low": Look("is-low", "Low"),
        "down": Look("is-down", "Down"),
        "excluded": Look("is-excluded", "Excluded"),
        "unknown": Look("is-unknown", "Unknown"),
        "retired": Look("", "Retired"),
    },
    "sync": {
        "queued": Look("is-info", "Waiting to run"),
        "running": Look("is-info", "Running"),
        "ok": Look("is-up", "Complete"),
        "partial": Look("is-warn", "Partial"),
        "failed": Look("is-bad", "Failed"),
    },
    "document": {
        "draft": Look("", "Draft"),
        "in_review": Look("is-info", "In review"),
        "issued": Look("is-ok", "Issued"),
        "carried": Look("is-excluded", "Carried"),
        "voided": Look("is-excluded", "Voided"),
        "written_off": Look("is-excluded", "Written off"),
        "discarded": Look("is-excluded", "Discarded"),
    },
    "reward": {
        "pending": Look("", "Not final"),
        "successful": Look("is-up", "Final"),
        "canceled": Look("is-warn", "Canceled by the pool"),
        "unknown": Look("is-unknown", "Unknown"),
    },
    "destination": {
        "main_balance": Look("", "Main balance"),
        "external_address": Look("", "External address"),
        "unknown": Look("is-unknown", "Unknown"),
    },
}
UNKNOWN = Look("is-unknown", "Unknown")


def look(kind: str, state: str | None) -> Look:
    """A state this table has not met is unknown, never green by accident; an unmet kind is our mistake."""
    return STATES[kind].get(str(state), UNKNOWN)


@register.filter
def state_class(state: str | None, kind: str) -> str:
    return look(kind, state).css


@register.filter
def state_word(state: str | None, kind: str) -> str:
    return look(kind, state).word


@register.simple_tag
def badge(kind: str, state: str | None) -> SafeString:
    """Shape and word: for what something IS (an account, a run, a key)."""
    css, word = look(kind, state)
    return format_html('<span class="{}">{}</span>', f"badge {css}" if css else "", word)


@register.simple_tag
def tag(kind: str, state: str | None) -> SafeString:
    """A framed word: for the stage of a document or reward."""
    css, word = look(kind, state)
    if css == "is-up":
        return format_html('<span class="muted">{}</span>', word)
    return format_html('<span class="{}">{}</span>', f"tag {css}".strip(), word)


@register.simple_tag
def paid(document: Document, today: date) -> SafeString:
    """Whether an issued document is paid, in words. It is read with what is settled of it."""
    css, word = _paid(document, today)
    return format_html('<span class="{}">{}</span>', f"tag {css}".strip(), word)


def _paid(document: Document, today: date) -> Look:
    settled: int = document.settled  # type: ignore[attr-defined]  # annotated
    if document.status != DocumentStatus.ISSUED:
        return look("document", document.status)
    if settled == document.total_sat:
        return Look("is-ok", "Paid")
    assert document.due_on is not None  # an issued document has a day
    if document.due_on < today:
        return Look("is-warn", f"Was due {short_day(document.due_on)}")
    return Look("is-info", f"{'Paid in part, due' if settled else 'Due'} {short_day(document.due_on)}")
