"""Alerts go out by mail, to people who do not look at the page: each once (a payout that goes on to another place once
more), what is new for a provider in one mail."""

from __future__ import annotations

from datetime import datetime
from smtplib import SMTPException

import structlog
from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse

from customers import tenancy
from customers.models import MemberKind, Membership, Provider, Role
from customers.tenancy import Access, Kind
from mining import alerts
from mining.models import Alert
from portal.alerts.words import page_of, sentence

Level = Alert.Level
log = structlog.get_logger(__name__)

MOST = 50  # sentences in one mail: should the pool garble every account at once, the mail still gets through
NOBODY = "There is no owner who could be mailed."
NOT_TAKEN = "The mail server did not take the mail."


def mail_alerts(provider_id: int, *, now: datetime) -> None:
    """Tell a provider's owners what is new. What cannot be mailed now is tried again: see take_untold.

    A worker that dies between the mail and the note of it leaves an alert that is mailed twice; none is lost.
    """
    new = alerts.take_untold(provider_id, now=now)
    if not new:
        return
    provider = Provider.objects.get(pk=provider_id)
    if (problem := _send(_owners(provider), *_written(provider, new))) is None:
        alerts.note_told(provider_id, new, now=now)
        log.info("alerts.mailed", provider_id=provider_id, alerts=len(new))
    else:
        alerts.note_not_told(provider_id, new, problem, now=now)


def _owners(provider: Provider) -> list[str]:
    """Only they may act on every kind of alert (STAFF_ACTS): one mail tells of several kinds."""
    access = Access(Kind.SYSTEM, provider, label="worker")
    with tenancy.access_context(access):
        owners = Membership.objects.visible_to(access).filter(kind=MemberKind.STAFF, role=Role.OWNER, is_active=True)
        return list(owners.filter(user__is_active=True).order_by("pk").values_list("user__email", flat=True))


def _written(provider: Provider, new: list[Alert]) -> tuple[str, str]:
    told = [
        {
            "level": alert.level,
            "sentence": _one_line(sentence(alert)),
            "opened_at": alert.opened_at,
            "url": settings.PORTAL_URL + page_of(alert),
        }
        for alert in sorted(new, key=lambda alert: (alert.level == Level.WARNING, alert.pk))[:MOST]
    ]
    words = {
        "provider_name": provider.name,
        "alerts": told,
        "others": len(new) - 1,
        "more": len(new) - len(told),
        "url": settings.PORTAL_URL + reverse("staff:alerts"),
    }
    return _one_line(render_to_string("email/alerts_subject.txt", words)), render_to_string("email/alerts.txt", words)


def _one_line(text: str) -> str:
    """A name may hold a line break: neither a subject nor an entry of the list may."""
    return " ".join(text.split())


def _send(to: list[str], subject: str, text: str) -> str | None:
    """Why it could not be sent, in a sentence; None: the mail server has it."""
    if not to:
        return NOBODY
    try:
        send_mail(subject, text, None, to)
    except (SMTPException, OSError) as error:
        # Its words may name people: the kind of error is enough.
        log.warning("alerts.not_mailed", why=type(error).__name__)
        return f"{NOT_TAKEN} ({type(error).__name__})"
    return None
