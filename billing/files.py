"""The files of an issued document: each is made once and kept, or has failed with its reason until it is tried again.

A try is written down before it begins: one that ends with its worker, without a word, waits its turn like any other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery

from billing.models import Document, DocumentFile, FileAttempt, FileKind
from customers import audit
from customers.errors import Refused
from customers.tenancy import Access
from mining import dispatch

FIRST_WAIT = timedelta(minutes=5)  # doubled with each try
LONGEST_WAIT = timedelta(days=1)
MOST_DOUBLINGS = 9
LONGEST_PROBLEM = 300
ENDED_SILENTLY = "The worker that made it ended without a word."


class FileState(StrEnum):
    MADE = "made"
    BEING_MADE = "being_made"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class FileStatus:
    kind: FileKind
    state: FileState
    problem: str = ""
    tried_at: datetime | None = None


def statuses(access: Access, documents: Iterable[Document]) -> dict[int, list[FileStatus]]:
    """Of each issued document, by its key: how its files are. Two queries, however many there are."""
    issued = [document.pk for document in documents if document.number is not None]
    if not issued:
        return {}
    made = set(DocumentFile.objects.visible_to(access).filter(document__in=issued).values_list("document", "kind"))
    attempts = FileAttempt.objects.visible_to(access).filter(document__in=issued).exclude(problem="")
    failed = {(attempt.document_id, attempt.kind): attempt for attempt in attempts}
    return {document: [_status(document, kind, made, failed) for kind in FileKind] for document in issued}


def _status(
    document: int, kind: FileKind, made: set[tuple[int, str]], failed: dict[tuple[int, str], FileAttempt]
) -> FileStatus:
    if (document, kind) in made:
        return FileStatus(kind, FileState.MADE)
    if attempt := failed.get((document, kind)):
        return FileStatus(kind, FileState.FAILED, attempt.problem, attempt.tried_at)
    return FileStatus(kind, FileState.BEING_MADE)


def with_failed(documents: QuerySet[Document]) -> QuerySet[Document]:
    attempts = FileAttempt.objects.filter(provider=OuterRef("provider"), document=OuterRef("pk"))
    return documents.filter(Exists(attempts.exclude(problem="")))


def due(provider_id: int, kind: FileKind, *, now: datetime, most: int) -> list[int]:
    """Documents whose file of this kind is to be made now: those never tried first, so that no failing one is in
    their way; then those whose wait is over, longest first."""
    of_document = {"provider": provider_id, "document": OuterRef("pk"), "kind": kind}
    return list(
        Document.objects.filter(provider=provider_id, number__isnull=False)
        .filter(~Exists(DocumentFile.objects.filter(**of_document)))
        .annotate(retry_at=Subquery(FileAttempt.objects.filter(**of_document).values("retry_at")))
        .filter(Q(retry_at=None) | Q(retry_at__lte=now))
        .order_by(F("retry_at").asc(nulls_first=True), "pk")
        .values_list("pk", flat=True)[:most]
    )


def claim(provider_id: int, document_id: int, kind: FileKind, *, now: datetime) -> Document | None:
    """The document, when its file is to be made now and nobody else is at it: the try begins with this."""
    document = Document.objects.filter(provider=provider_id, pk=document_id, number__isnull=False).first()
    if document is None or DocumentFile.objects.filter(provider=provider_id, document=document, kind=kind).exists():
        return None
    attempt, is_first = FileAttempt.objects.select_for_update().get_or_create(
        provider_id=provider_id,
        document=document,
        kind=kind,
        defaults={
            "customer_id": document.customer_id,
            "tries": 1,
            "tried_at": now,
            "retry_at": now + FIRST_WAIT,
        },
    )
    if is_first:
        return document
    if attempt.retry_at > now:
        return None
    attempt.problem = attempt.problem or ENDED_SILENTLY
    attempt.retry_at = now + min(FIRST_WAIT * 2 ** min(attempt.tries, MOST_DOUBLINGS), LONGEST_WAIT)
    attempt.tries, attempt.tried_at = attempt.tries + 1, now
    attempt.save(update_fields=["problem", "retry_at", "tries", "tried_at"])
    return document


def keep(document: Document, kind: FileKind, content: bytes, *, version: int, now: datetime) -> None:
    """Store the file, and forget what went wrong before. Two tasks at once: the first one's bytes stay."""
    DocumentFile.objects.bulk_create(
        [
            DocumentFile(
                provider_id=document.provider_id,
                document=document,
                customer_id=document.customer_id,
                kind=kind,
                content=content,
                sha256=hashlib.sha256(content).hexdigest(),
                version=version,
                created_at=now,
            )
        ],
        ignore_conflicts=True,
    )
    FileAttempt.objects.filter(provider=document.provider_id, document=document, kind=kind).delete()


def fail(document: Document, kind: FileKind, problem: str) -> None:
    readable = " ".join("".join(c if c.isprintable() else " " for c in problem).split())
    attempt = FileAttempt.objects.filter(provider=document.provider_id, document=document, kind=kind)
    attempt.update(problem=readable[:LONGEST_PROBLEM])


def retry(access: Access, document: Document, *, now: datetime) -> None:
    """A person, or a program of theirs, has the files that failed made now."""
    attempts = FileAttempt.objects.visible_to(access).filter(document=document).exclude(problem="")
    if not attempts.update(retry_at=now):
        raise Refused("No file of this document has failed.", code="document.no_file_failed")
    audit.record(access, "document.files_retried", document.code, now=now)
    dispatch.after_commit("billing.tasks.make_files", document.provider_id, document.pk)


def content_of(access: Access, document: Document, kind: FileKind) -> bytes:
    """The file's bytes; refused with the reason while it is not there."""
    stored = DocumentFile.objects.visible_to(access).filter(document=document, kind=kind).first()
    if stored is not None:
        return bytes(stored.content)
    if document.number is None:
        raise Refused("Only an issued document has files.", code="document.not_issued")
    if FileAttempt.objects.visible_to(access).filter(document=document, kind=kind).exclude(problem="").exists():
        raise Refused(
            "The %(file)s could not be made. The document itself is issued and stands.",
            code="document.file_failed",
            params={"file": kind.label},
        )
    raise Refused(
        "The %(file)s is being made. Try again in a minute.", code="document.file_not_made", params={"file": kind.label}
    )
