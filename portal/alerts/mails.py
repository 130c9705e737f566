"""Alerts go out by mail, to people who do not look at the page: each once (a payout that goes on to another place once
more), what is new for an owner in one mail."""

from __future__ import annotations

from datetime import datetime
from smtplib import SMTPDataError, SMTPException, SMTPRecipientsRefused

import structlog
from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse

from customers import audit, tenancy
from customers.models import MemberKind, Membership, Provider, Role
from customers.tenancy import Access, Kind
from mining import alerts
from mining.models import Alert
from portal.alerts.words import page_of, sentence

Level = Alert.Level
log = structlog.get_logger(__name__)

MOST = 50  # sentences in one mail: should the pool garble every account at once, the mail still gets through
NOBODY = "There is no owner who could be mailed."
NOT_TAKEN = "The mail server did not take the mail"
# Errors of one recipient; any other one is of the mail server.
ABOUT_ONE = (SMTPRecipientsRefused, SMTPDataError, ValueError)  # the last: an address that cannot be written down


def mail_alerts(provider_id: int, *, now: datetime) -> None:
    """Tell each of a provider's owners what is new to them. What cannot be mailed now is tried again: see take_untold.

    A worker that dies between a mail and the note of it leaves alerts that are mailed twice; none is lost.
    """
    new = alerts.take_untold(provider_id, now=now)
    if not new:
        return
    provider = Provider.objects.get(pk=provider_id)
    owners = _owners(provider)
    problems = _mail_each(provider, owners, new, now=now)
    if owners and not problems:
        alerts.note_told(provider_id, new, now=now)
        log.info("alerts.mailed", provider_id=provider_id, alerts=len(new))
    else:
        alerts.note_not_told(provider_id, new, _in_words(problems, owners), now=now)


def _mail_each(provider: Provider, owners: dict[int, str], new: list[Alert], *, now: datetime) -> dict[int, str]:
    """A mail to each owner of what they do not have yet; why not, by user, for those who could not be mailed."""
    problems: dict[int, str] = {}
    away: Exception | None = None
    for user_id, address in owners.items():
        untold = [alert for alert in new if user_id not in alert.mailed_to]
        if not untold:
            continue
        if error := away or _error_of_sending(address, *_written(provider, untold)):
            # The kind of error: its words may name people.
            problems[user_id] = type(error).__name__
            # Nobody waits for a mail server that is away as often as there are owners.
            away = None if isinstance(error, ABOUT_ONE) else error
        else:
            alerts.note_mailed(provider.pk, untold, user_id, now=now)
    return problems


def _error_of_sending(address: str, subject: str, text: str) -> Exception | None:
    """None: the mail server has the mail."""
    try:
        send_mail(subject, text, None, [address])
    except (SMTPException, OSError, ValueError) as error:
        log.warning("alerts.not_mailed", why=type(error).__name__)
        return error
    return None


def _in_words(problems: dict[int, str], owners: dict[int, str]) -> str:
    if not owners:
        return NOBODY
    kinds = ", ".join(sorted(set(problems.values())))
    whose = "" if problems.keys() == owners.keys() else f" to {', '.join(owners[user_id] for user_id in problems)}"
    return _one_line(f"{NOT_TAKEN}{whose}. ({kinds})")


def _owners(provider: Provider) -> dict[int, str]:
    """Users and their addresses. Only owners may act on every kind of alert (STAFF_ACTS): one mail tells of several."""
    access = Access(Kind.SYSTEM, provider, label=audit.WORKER)
    with tenancy.access_context(access):
        owners = Membership.objects.visible_to(access).filter(kind=MemberKind.STAFF, role=Role.OWNER, is_active=True)
        return dict(owners.filter(user__is_active=True).order_by("pk").values_list("user_id", "user__email"))


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
