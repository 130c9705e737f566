"""Alerts go out by mail, to people who do not look at the page: what is new for a person in one mail, when that person
wants it. What is told, and when again, is decided below (mining/alerts/telling.py)."""

from __future__ import annotations

from datetime import datetime
from smtplib import SMTPDataError, SMTPException, SMTPRecipientsRefused

import structlog
from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse

from customers import audit, tenancy
from customers.models import Provider
from customers.tenancy import Access, Kind
from mining import alerts
from mining.alerts.rules import OF_FLEET
from mining.alerts.wishes import Person, people
from mining.models import Alert
from portal.alerts.words import page_of, sentence

Level = Alert.Level
log = structlog.get_logger(__name__)

MOST = 50  # sentences in one mail: should the pool garble every account at once, the mail still gets through
NOBODY = "There is nobody who wants to be mailed of it."
# Errors of one recipient; any other one is of the mail server.
ABOUT_ONE = (SMTPRecipientsRefused, SMTPDataError, ValueError)  # the last: an address that cannot be written down


def mail_alerts(provider_id: int, *, now: datetime) -> None:
    """Tell everybody who wants to know what is new to them. What cannot be mailed now is tried again: see take_untold.

    A worker that dies between a mail and the note of it leaves alerts that are mailed twice; none is lost.
    """
    new = alerts.take_untold(provider_id, now=now)
    if not new:
        return
    provider = Provider.objects.get(pk=provider_id)
    people = _people(provider)
    problems = _mail_each(provider, people, new, now=now)
    told: list[Alert] = []
    for alert in new:
        wanting = [person for person in people if _is_for(person, alert)]
        failed = {person.user_id: problems[person.user_id] for person in wanting if person.user_id in problems}
        sleeping = [person for person in wanting if _has_to_wait(person, alert, now)]
        if wanting and not failed and not sleeping:
            told.append(alert)
        elif failed or not wanting:
            alerts.note_not_told(provider_id, [alert], _in_words(failed, wanting), now=now)
        else:
            alerts.note_not_told(provider_id, [alert], "", now=now)
    alerts.note_told(provider_id, told, now=now)
    if told:
        log.info("alerts.mailed", provider_id=provider_id, alerts=len(told))


def _is_for(person: Person, alert: Alert) -> bool:
    """The end of an alert that not everybody was told of is for those who were."""
    was_told = alert.is_open or alert.told_at is not None or person.user_id in alert.mailed_to
    return person.wants(alert) and was_told


def _has_to_wait(person: Person, alert: Alert, now: datetime) -> bool:
    return person.user_id not in alerts.who_has(alert) and person.sleeps(alert, now)


def _mail_each(provider: Provider, people: list[Person], new: list[Alert], *, now: datetime) -> dict[int, str]:
    """A mail to each person of what they do not have yet; why not, by user, for those who could not be mailed."""
    problems: dict[int, str] = {}
    away: Exception | None = None
    for person in people:
        untold = [
            alert
            for alert in new
            if _is_for(person, alert)
            and person.user_id not in alerts.who_has(alert)
            and not _has_to_wait(person, alert, now)
        ]
        if not untold:
            continue
        if error := away or _error_of_sending(person.address, *_written(provider, person, untold)):
            # The kind of error: its words may name people.
            problems[person.user_id] = type(error).__name__
            # Nobody waits for a mail server that is away as often as there are people.
            away = None if isinstance(error, ABOUT_ONE) else error
        else:
            alerts.note_mailed(provider.pk, untold, person.user_id, now=now)
    return problems


def _error_of_sending(address: str, subject: str, text: str) -> Exception | None:
    """None: the mail server has the mail."""
    try:
        send_mail(subject, text, None, [address])
    except (SMTPException, OSError, ValueError) as error:
        log.warning("alerts.not_mailed", why=type(error).__name__)
        return error
    return None


def _in_words(problems: dict[int, str], wanting: list[Person]) -> str:
    if not wanting:
        return NOBODY
    kinds = ", ".join(sorted(set(problems.values())))
    addresses = [person.address for person in wanting if person.user_id in problems]
    whose = "" if len(addresses) == len(wanting) else f" to {', '.join(addresses)}"
    return _one_line(f"{alerts.COULD_NOT_SEND}{whose}. ({kinds})")


def _people(provider: Provider) -> list[Person]:
    access = Access(Kind.SYSTEM, provider, label=audit.WORKER)
    with tenancy.access_context(access):
        return people(access)


def _written(provider: Provider, person: Person, new: list[Alert]) -> tuple[str, str]:
    told = [
        {
            "word": "over" if not alert.is_open else alert.level,
            "sentence": _one_line(sentence(alert)),
            "again": alert.is_open and alert.told_at is not None and alert.kind in OF_FLEET,
            "opened_at": alert.opened_at,
            "ended_at": alert.ended_at,
            "url": settings.PORTAL_URL + page_of(alert),
        }
        for alert in sorted(new, key=_worst_first)[:MOST]
    ]
    words = {
        "provider_name": provider.name,
        "is_staff": person.customer_id is None,
        "alerts": told,
        "others": len(new) - 1,
        "more": len(new) - len(told),
        "stands": any(alert.is_open for alert in new),
        "url": settings.PORTAL_URL + reverse("staff:alerts" if person.customer_id is None else "customer:alerts"),
    }
    return _one_line(render_to_string("email/alerts_subject.txt", words)), render_to_string("email/alerts.txt", words)


def _worst_first(alert: Alert) -> tuple[bool, ...]:
    """What stands and was not told before comes first."""
    return (not alert.is_open, alert.told_at is not None, alert.level == Level.WARNING, not alert.is_group)


def _one_line(text: str) -> str:
    """A name may hold a line break: neither a subject nor an entry of the list may."""
    return " ".join(text.split())
