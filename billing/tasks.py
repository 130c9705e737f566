"""The PDFs of issued documents, made after the commit. Ids only; each database step has its own short context."""

from __future__ import annotations

import logging

from celery import shared_task
from django.utils import timezone

from billing import pdf
from billing.models import Document, DocumentStatus
from customers import tenancy
from customers.models import Provider

log = logging.getLogger(__name__)
SWEEP = 200  # documents of one provider in one sweep; the next one goes on


@shared_task(ignore_result=True)
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
def render_missing() -> None:
    """Whatever was lost between a commit and its task: issued documents without a file."""
    for provider_id in Provider.objects.order_by("pk").values_list("pk", flat=True):
        with tenancy.provider_context(provider_id):
            missing = list(
                Document.objects.filter(provider=provider_id, status=DocumentStatus.ISSUED, files=None)
                .order_by("pk")
                .values_list("pk", flat=True)[:SWEEP]
            )
        for document_id in missing:
            _render_or_report(provider_id, document_id)


def _render_or_report(provider_id: int, document_id: int) -> None:
    try:
        render(provider_id, document_id)
    except Exception:
        log.exception("the PDF of document %s can not be made", document_id)
