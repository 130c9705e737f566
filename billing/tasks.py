"""The PDFs of issued documents, made after the commit, and what documents rest on, read again. Ids only; each database
step has its own short context."""

from __future__ import annotations

from functools import partial

import structlog
from celery import shared_task
from django.utils import timezone

from billing import pdf, rereading
from billing.models import Document, DocumentStatus
from customers import tenancy
from customers.providers import each_active, while_active

log = structlog.get_logger(__name__)
SWEEP = 200  # documents of one provider in one sweep; the next one goes on


@shared_task(ignore_result=True)
@while_active
def render(provider_id: int, document_id: int) -> None:
    """Make and keep the PDF of one issued document. Does nothing when it is there already."""
    with tenancy.provider_context(provider_id):
        document = Document.objects.filter(
            provider=provider_id, pk=document_id, status=DocumentStatus.ISSUED, files=None
        ).first()
        if document is None:
            return
        content = pdf.content_of(document)
    # Typst works outside the transaction: a long statement takes a second.
    made = pdf.typeset(content)
    with tenancy.provider_context(provider_id):
        pdf.keep(document, made, now=timezone.now())


@shared_task(ignore_result=True)
def read_again() -> None:
    """Each hour (beat): ask for what documents rest on and was not read for a week."""
    each_active(partial(rereading.ask_weekly, now=timezone.now()), failed="rereading.failed")


@shared_task(ignore_result=True)
def render_missing() -> None:
    """Render issued documents that have no file, because their task was lost."""
    each_active(_render_missing_of, failed="pdf.sweep_failed")


def _render_missing_of(provider_id: int) -> None:
    with tenancy.provider_context(provider_id):
        missing = list(
            Document.objects.filter(provider=provider_id, status=DocumentStatus.ISSUED, files=None)
            .order_by("pk")
            .values_list("pk", flat=True)[:SWEEP]
        )
    for document_id in missing:
        try:
            render(provider_id, document_id)
        except Exception:  # one that cannot be made, for whatever reason, keeps no other from being made
            log.exception("pdf.not_made", provider_id=provider_id, document_id=document_id)
