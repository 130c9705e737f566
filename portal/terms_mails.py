"""Terms that reach back over days already mined are told to their customer by mail: to each of its people once."""

from __future__ import annotations

from datetime import datetime
from smtplib import SMTPException

import structlog
from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse

from billing import notices
from billing.contracts import terms_of
from billing.models import TermsNotice
from billing.words import btc_text
from customers import audit, tenancy
from customers.models import Customer, MemberKind, Membership, Provider
from customers.profile import profile_of
from customers.tenancy import Access, Kind

log = structlog.get_logger(__name__)


def mail_terms(provider_id: int, *, now: datetime) -> None:
    """What cannot be mailed now is tried again. A worker that dies between a mail and the note of it leaves one person
    who is mailed twice; nobody is left out."""
    untold = notices.take_untold(provider_id, now=now)
    if not untold:
        return
    provider = Provider.objects.get(pk=provider_id)
    for notice in untold:
        _mail(provider, notice, now=now)


def _mail(provider: Provider, notice: TermsNotice, *, now: datetime) -> None:
    addresses, subject, text = _written(provider, notice)
    problem = ""
    for address in addresses:
        if address in notice.mailed_to:
            continue
        try:
            send_mail(subject, text, None, [address])
        except (SMTPException, OSError, ValueError) as error:
            # The kind of error: its words may name people.
            log.warning("terms.not_mailed", why=type(error).__name__)
            problem = f"The mail server did not take the mail to {address}. ({type(error).__name__})"
        else:
            notices.note_mailed(notice, address)
    if problem:
        notices.note_not_told(notice, problem)
    else:
        notices.note_told(notice, now=now)
        log.info("terms.mailed", provider_id=provider.pk, people=len(addresses))


def _written(provider: Provider, notice: TermsNotice) -> tuple[list[str], str, str]:
    access = Access(Kind.SYSTEM, provider, label=audit.WORKER)
    with tenancy.access_context(access):
        version, profile = notice.version, profile_of(access)
        words = {
            "provider_name": provider.name,
            "customer_name": notice.customer.name,
            "valid_from": version.valid.lower,
            "agreed_at": notice.created_at,
            "words_before": notice.words_before,
            "words_now": terms_of(version).words,
            "rewards": notice.rewards,
            "difference_sat": notice.difference_sat,
            "difference": btc_text(abs(notice.difference_sat)),
            "url": settings.PORTAL_URL + reverse("customer:rewards"),
            "support_email": profile.support_email if profile else "",
        }
        addresses = _addresses(access, notice.customer)
    subject = render_to_string("email/terms_changed_subject.txt", words)
    return addresses, " ".join(subject.split()), render_to_string("email/terms_changed.txt", words)


def _addresses(access: Access, customer: Customer) -> list[str]:
    """Its people; while nobody of it has access, the address by which it is reached."""
    people = Membership.objects.visible_to(access).filter(
        kind=MemberKind.CUSTOMER, customer=customer, is_active=True, user__is_active=True
    )
    return list(people.order_by("pk").values_list("user__email", flat=True)) or [customer.email]
