"""The workers' doors of the front of house. Ids only; every one may run twice, late or never."""

from celery import shared_task
from django.utils import timezone

from billing import notices
from customers import idempotency
from customers.providers import each_active, while_active
from mining import alerts, dispatch
from portal import sessions, terms_mails
from portal.alerts import mails as alert_mails


@shared_task(acks_late=True)
def mail_new_alerts() -> None:
    """Each minute (beat). A task for each provider: a mail server that does not answer must not hold up the others."""
    now = timezone.now()

    def queue_if_new(provider_id: int) -> None:
        if alerts.is_any_untold(provider_id, now=now):
            dispatch.after_commit("portal.tasks.mail_alerts", provider_id)

    each_active(queue_if_new, failed="alerts.not_queued")


@shared_task(acks_late=True)
@while_active
def mail_alerts(provider_id: int) -> None:
    alert_mails.mail_alerts(provider_id, now=timezone.now())


@shared_task(acks_late=True)
def mail_new_terms() -> None:
    """Each minute (beat): of terms that reached back. A task for each provider, as above."""
    now = timezone.now()

    def queue_if_any(provider_id: int) -> None:
        if notices.is_any_untold(provider_id, now=now):
            dispatch.after_commit("portal.tasks.mail_terms", provider_id)

    each_active(queue_if_any, failed="terms.not_queued")


@shared_task(acks_late=True)
@while_active
def mail_terms(provider_id: int) -> None:
    terms_mails.mail_terms(provider_id, now=timezone.now())


@shared_task(acks_late=True)
def forget_old_calls() -> None:
    """Each hour (beat): what was kept for callers that send a call twice."""
    now = timezone.now()
    each_active(lambda provider_id: idempotency.forget_old(provider_id, now=now), failed="api.calls_not_forgotten")


@shared_task(acks_late=True)
def forget_ended_sessions() -> None:
    """Each day (beat)."""
    sessions.forget_ended(now=timezone.now())
