"""What a document does not know: no document is issued in ignorance, and none hides what it leaves out.

The rule is one function of the database (billing_omissions, omissions.sql). A person may let what is known of now pass,
by name and with a note: the document then says on its face what it leaves out. The caller is in the access's context.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

from django.db import connection, transaction

from billing.models import Document, DocumentStatus, OmissionPass
from customers import audit
from customers.errors import Refused
from customers.tenancy import Access
from customers.words import agreeing, day_in_words

LONGEST_NOTE = 500


class Kind(StrEnum):
    """Those of what was billed first: nothing of it is taken back while it is in doubt."""

    BILLED_MISSING = "billed_missing"
    BILLED_PENDING = "billed_pending"
    BILLED_UNKNOWN = "billed_unknown"
    MISSING = "missing"
    UNKNOWN = "unknown"
    QUARANTINED = "quarantined"
    NOT_READ = "not_read"
    NO_REWARD = "no_reward"  # holds nothing: nobody may ever know more


# One, and several; without the number.
WORDS = {
    Kind.BILLED_MISSING: ("billed reward is not listed by the pool any more", "billed rewards are not listed any more"),
    Kind.BILLED_PENDING: ("billed reward is pending again", "billed rewards are pending again"),
    Kind.BILLED_UNKNOWN: ("billed reward has a status that is not known", "billed rewards have a status not known"),
    Kind.MISSING: ("reward is not listed by the pool any more", "rewards are not listed by the pool any more"),
    Kind.UNKNOWN: (
        "reward has a status, place or currency that is not known",
        "rewards have a status, place or currency that is not known",
    ),
    Kind.QUARANTINED: ("record of the pool was not taken in", "records of the pool were not taken in"),
    Kind.NO_REWARD: ("day without a reward, which is unknown", "days without a reward, which are unknown"),
    Kind.NOT_READ: ("account was not read for all of its days", "accounts were not read for all of their days"),
}


@dataclass(frozen=True, slots=True)
class Omission:
    kind: Kind
    subject: str  # the code of the reward, record or account
    day: date | None  # None: nobody can tell
    amount_sat: int | None  # of a reward: its net; None: nobody can tell
    cause: str  # stands for the doubt as it is now: another one is another cause
    passed: bool

    @property
    def words(self) -> str:
        day = f"{day_in_words(self.day)}: " if self.day else ""
        one, _ = WORDS[self.kind]
        return f"{day}{'an' if one.startswith('account') else 'a'} {one} ({self.subject})"

    def as_frozen(self) -> dict[str, Any]:
        """As the snapshot of an issued document keeps it."""
        return {
            "kind": self.kind.value,
            "subject": self.subject,
            "day": self.day.isoformat() if self.day else None,
            "amount_sat": self.amount_sat,
            "words": self.words,
        }


OF_DOCUMENTS = """
SELECT document_id, kind, subject, day, amount_sat, cause, passed FROM billing_omissions(%s, %s)
ORDER BY document_id, day NULLS LAST, cause
"""


def on_documents(access: Access, documents: Iterable[Document]) -> dict[int, list[Omission]]:
    """By document: what it leaves out, also what a person let pass. One query."""
    return _of(access.provider.pk, [document.pk for document in documents])


def on_drafts(access: Access) -> dict[int, list[Omission]]:
    """The same for all drafts that leave something out. One query."""
    return _of(access.provider.pk, None)


def of_document(document: Document) -> list[dict[str, Any]]:
    """As the document says it: of a draft what it would leave out now, of an issued one what it was issued without, of
    any other nothing. At most one query. Inside the reader's context."""
    if document.status != DocumentStatus.DRAFT:
        frozen: list[dict[str, Any]] = (document.snapshot or {}).get("left_out", [])
        return frozen
    return [omission.as_frozen() for omission in _of(document.provider_id, [document.pk]).get(document.pk, [])]


def _of(provider_id: int, documents: list[int] | None) -> dict[int, list[Omission]]:
    with connection.cursor() as cursor:
        cursor.execute(OF_DOCUMENTS, [provider_id, documents])
        by_document: dict[int, list[Omission]] = {}
        for document, kind, *rest in cursor.fetchall():
            by_document.setdefault(document, []).append(Omission(Kind(kind), *rest))
    return by_document


def split_absent(left_out: Iterable[dict[str, Any]]) -> tuple[list[date], list[dict[str, Any]]]:
    """The days without a reward, which stand among the rewards of a document, and the rest."""
    rest = [omission for omission in left_out if omission["kind"] != Kind.NO_REWARD]
    days = [omission["day"] for omission in left_out if omission["kind"] == Kind.NO_REWARD]
    return sorted({date.fromisoformat(day) for day in days}), rest


def holding(omissions: Iterable[Omission]) -> list[Omission]:
    return [omission for omission in omissions if not omission.passed]


def in_words(omissions: Iterable[Omission]) -> str:
    """1 billed reward is pending again and 2 records of the pool were not taken in, the first for 18 October 2026."""
    omissions = list(omissions)
    counts = Counter(omission.kind for omission in omissions)
    parts = [f"{counts[kind]:,} {agreeing(counts[kind], *WORDS[kind])}" for kind in Kind if counts[kind]]
    days = [omission.day for omission in omissions if omission.day]
    first = f", {agreeing(len(omissions), '', 'the first ')}for {day_in_words(min(days))}" if days else ""
    return f"{' and '.join(parts)}{first}."


def digest_of(omissions: Iterable[Omission]) -> str:
    """Stands for exactly these causes."""
    return sha256("\n".join(sorted(omission.cause for omission in holding(omissions))).encode()).hexdigest()


def let_pass(access: Access, document: Document, *, seen_as: str, note: str, now: datetime) -> int:
    """A person says that the draft may be issued though it leaves this out; how many causes. Raises Refused when they
    are others than those that were shown, and for the second of two clicks."""
    if not note.strip():
        raise Refused("Say in a note why it may be issued all the same.", code="omission.note_missing")
    with transaction.atomic():
        # The row serialises two people who let pass at once, and one who issues meanwhile.
        rows = Document.objects.visible_to(access).select_for_update(of=("self",), no_key=True)
        draft = rows.get(pk=document.pk)
        if draft.status != DocumentStatus.DRAFT:
            raise Refused("Only of a draft can something be let pass.", code="omission.not_draft")
        omissions = holding(on_documents(access, [draft]).get(draft.pk, []))
        if not omissions:
            raise Refused("The draft leaves nothing out that holds it.", code="omission.none")
        if digest_of(omissions) != seen_as:
            raise Refused(
                "What the draft leaves out is not what you looked at any more. Nothing was done. Look at it again.",
                code="omission.changed_meanwhile",
            )
        OmissionPass.objects.bulk_create(
            OmissionPass(
                provider_id=draft.provider_id,
                document=draft,
                customer_id=draft.customer_id,
                cause=omission.cause,
                note=note.strip()[:LONGEST_NOTE],
                passed_by=access.actor,
                passed_at=now,
            )
            for omission in omissions
        )
        audit.record(
            access,
            "document.let_pass",
            draft.code,
            now=now,
            causes=len(omissions),
            seen_as=seen_as,
            note=note.strip()[:LONGEST_NOTE],
        )
    return len(omissions)
