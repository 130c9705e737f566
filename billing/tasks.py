"""The files of issued documents, made after the commit, and what documents rest on, read again. Ids only; each database
step has its own short context."""

from __future__ import annotations

from functools import partial

import structlog
from celery import shared_task
from django.utils import timezone

from billing import attention, evidence, files, pdf, rereading
from billing.models import Document, FileKind
from customers import tenancy
from customers.providers import each_active, while_active

log = structlog.get_logger(__name__)
SWEEP = 200  # files of one kind of one provider in one sweep; the next one goes on


@shared_task(ignore_result=True)
@while_active
def make_files(provider_id: int, document_id: int) -> None:
    """Make and keep the files of one issued document that are not there, or write down why that failed."""
    for kind in FileKind:
        _make(provider_id, document_id, kind)


def _make(provider_id: int, document_id: int, kind: FileKind) -> None:
    now = timezone.now()
    with tenancy.provider_context(provider_id):
        document = files.claim(provider_id, document_id, kind, now=now)
    if document is None:
        return
    try:
        content, version = _pdf(document) if kind == FileKind.PDF else _csv(document)
    except Exception as error:  # for whatever reason: a person reads it on the document, and no other one waits for it
        log.exception("file.not_made", provider_id=provider_id, document_id=document_id, kind=kind)
        with tenancy.provider_context(provider_id):
            files.fail(document, kind, f"{type(error).__name__}: {error}")
        return
    with tenancy.provider_context(provider_id):
        files.keep(document, kind, content, version=version, now=timezone.now())


def _pdf(document: Document) -> tuple[bytes, int]:
    with tenancy.provider_context(document.provider_id):
        content = pdf.content_of(document)
    # Typst works outside the transaction: a long statement takes a second.
    return pdf.typeset(content), pdf.TEMPLATE_VERSION


def _csv(document: Document) -> tuple[bytes, int]:
    with tenancy.provider_context(document.provider_id):
        return b"".join(evidence.csv_rows(document)), evidence.FORMAT_VERSION


@shared_task(ignore_result=True)
def read_again() -> None:
    """Each hour (beat): ask for what documents rest on and was not read for a week."""
    each_active(partial(rereading.ask_weekly, now=timezone.now()), failed="rereading.failed")


@shared_task(ignore_result=True)
def make_missing_files() -> None:
    """Make the files that issued documents lack: their task was lost, or they failed and it is time to try again."""
    each_active(_make_missing_of, failed="file.sweep_failed")


def _make_missing_of(provider_id: int) -> None:
    now = timezone.now()
    for kind in FileKind:
        with tenancy.provider_context(provider_id):
            documents = files.due(provider_id, kind, now=now, most=SWEEP)
        for document_id in documents:
            _make(provider_id, document_id, kind)


@shared_task(acks_late=True)
def refresh_alerts() -> None:
    """Each minute (beat): open and end alerts about the money."""
    each_active(partial(attention.refresh_alerts, now=timezone.now()), failed="alerts.failed")
