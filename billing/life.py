"""A document's life after its issue: voided, written off, taken up again. The database allows no other step."""

from __future__ import annotations

from datetime import UTC, date, datetime

from django.db import connection, transaction

from billing import journal, settlement
from billing.journal import Leg, Name
from billing.models import Contract, Document, DocumentMove, DocumentOpen, DocumentStatus, DocumentType
from billing.words import btc_text
from customers import audit
from customers.errors import Refused
from customers.models import Customer
from customers.tenancy import Access


def lock(access: Access, *customer_ids: int) -> None:
    """What is owed between a provider and a customer changes by one act at a time, until the transaction ends: whoever
    acts locks the customer first, then the contracts, and the database what it settles after them."""
    customers = Customer.objects.visible_to(access).select_for_update(no_key=True)
    list(customers.filter(pk__in=customer_ids).order_by("pk"))
    contracts = Contract.objects.visible_to(access).select_for_update(no_key=True)
    list(contracts.filter(customer__in=customer_ids).order_by("pk"))


def void(access: Access, document: Document, *, reason: str, now: datetime) -> Document:
    """Take a document back as if it had not been issued: its number stays used, what it billed is billed anew by the
    next close. Only while nothing rests on it."""
    with transaction.atomic():
        # A close that runs meanwhile would take for billed what is not any more.
        settlement.lock_closing(access, shared=True)
        issued, opened = _claim(access, document, reason)
        _refuse_rested_on(issued, opened)
        journal.reverse_event(access, journal.issued_key(issued), effective_on=_day(now), now=now)
        _move(access, issued, DocumentStatus.VOIDED, opened.left, reason, now)
    return issued


def write_off(
    access: Access, document: Document, *, reason: str, now: datetime, seen_open: int | None = None
) -> Document:
    """Give up what is open of an invoice. `seen_open`: what whoever gives it up has read."""
    with transaction.atomic():
        invoice, opened = _claim(access, document, reason)
        _refuse_not_owed(invoice, opened)
        if seen_open is not None and seen_open != opened.left:
            raise Refused(
                "%(open)s BTC of %(number)s is open now. Nothing was changed. Look at it again.",
                code="document.open_changed",
                params={"open": btc_text(opened.left), "number": invoice.number},
            )
        move = _move(access, invoice, DocumentStatus.WRITTEN_OFF, opened.left, reason, now)
        legs = [Leg(Name.WRITE_OFF, opened.left), Leg(Name.RECEIVABLE, -opened.left)]
        journal.post(written_off_key(move), legs, document=invoice, effective_on=_day(now), now=now)
    return invoice


def take_up_again(access: Access, document: Document, *, reason: str, now: datetime) -> Document:
    """Ask for a written-off invoice again: what was open of it is open as before."""
    with transaction.atomic():
        lock(access, document.customer_id)
        invoice = Document.objects.visible_to(access).select_for_update(of=("self",)).get(pk=document.pk)
        _refuse_not_written_off(invoice)
        return reopen(access, invoice, reason=_said(reason), now=now)


def reopen(access: Access, invoice: Document, *, reason: str, now: datetime) -> Document:
    """Undo the write-off of an invoice that is locked: what a payment for it does before it settles anything."""
    given_up = invoice.moves.filter(to_status=DocumentStatus.WRITTEN_OFF).latest("pk")
    _move(access, invoice, DocumentStatus.ISSUED, given_up.amount, reason, now)
    journal.reverse_event(access, written_off_key(given_up), effective_on=_day(now), now=now)
    return invoice


def why_not_void(access: Access, document: Document) -> Refused | None:
    """What `void` would be refused with, for whoever asks before."""
    try:
        _refuse_not_issued(document)
        _refuse_rested_on(document, _opened(access, document))
    except Refused as refusal:
        return refusal
    return None


def why_not_write_off(access: Access, document: Document) -> Refused | None:
    try:
        _refuse_not_issued(document)
        _refuse_not_owed(document, _opened(access, document))
    except Refused as refusal:
        return refusal
    return None


def why_not_take_up_again(_access: Access, document: Document) -> Refused | None:
    try:
        _refuse_not_written_off(document)
    except Refused as refusal:
        return refusal
    return None


def written_off_key(move: DocumentMove) -> str:
    return f"document_move:{move.code}"


def _claim(access: Access, document: Document, reason: str) -> tuple[Document, DocumentOpen]:
    """The issued document as it is now, locked, and what is open of it."""
    _said(reason)
    lock(access, document.customer_id)
    rows = Document.objects.visible_to(access).select_for_update(of=("self",))
    locked = rows.select_related("customer", "contract").get(pk=document.pk)
    _refuse_not_issued(locked)
    return locked, _opened(access, locked)


def _opened(access: Access, document: Document) -> DocumentOpen:
    return DocumentOpen.objects.visible_to(access).get(document=document)


def _said(reason: str) -> str:
    if not reason:
        raise Refused("Say why: whoever looks at this document later reads it.", code="document.reason_missing")
    return reason


def _refuse_not_issued(document: Document) -> None:
    if document.status == DocumentStatus.ISSUED:
        return
    if document.status == DocumentStatus.VOIDED:
        raise Refused("%(number)s is voided, and stays so.", code="document.voided", params={"number": document.number})
    if document.status == DocumentStatus.WRITTEN_OFF:
        raise Refused(
            "%(number)s is written off. Take it up again first.",
            code="document.written_off",
            params={"number": document.number},
        )
    raise Refused("This document is not issued. A draft is discarded instead.", code="document.still_draft")


def _refuse_not_written_off(document: Document) -> None:
    if document.status != DocumentStatus.WRITTEN_OFF:
        raise Refused(
            "This document is not written off, so there is nothing to take up again.", code="document.not_written_off"
        )


def _refuse_not_owed(document: Document, opened: DocumentOpen) -> None:
    if document.type != DocumentType.INVOICE:
        raise Refused("Only an invoice can be written off: what you owe stays owed.", code="document.not_invoice")
    if not opened.left:
        raise Refused(
            "%(number)s is paid: nothing is left to write off.",
            code="document.nothing_open",
            params={"number": document.number},
        )


def _refuse_rested_on(document: Document, opened: DocumentOpen) -> None:
    if opened.settled:
        raise Refused(
            "%(settled)s BTC of %(number)s is settled. Take the payments back first.",
            code="document.has_payments",
            params={"settled": btc_text(opened.settled), "number": document.number},
        )
    with connection.cursor() as cursor:
        cursor.execute("SELECT billing_later_document(%s, %s)", [document.provider_id, document.pk])
        (later,) = cursor.fetchone()
    if later is not None:
        raise Refused(
            "%(later)s corrects what %(number)s billed, so it has to be voided first.",
            code="document.corrected_later",
            params={"later": later, "number": document.number},
        )


def _move(
    access: Access, document: Document, to_status: DocumentStatus, amount: int, reason: str, now: datetime
) -> DocumentMove:
    document.status = to_status
    document.save(update_fields=["status"])
    move = DocumentMove.objects.create(
        provider_id=document.provider_id,
        document=document,
        customer_id=document.customer_id,
        to_status=to_status,
        asset=document.asset,
        amount=amount,
        reason=reason,
        made_at=now,
        made_by=access.actor,
    )
    audit.record(access, f"document.{ACTS[to_status]}", document.code, now=now, amount=amount)
    return move


ACTS = {
    DocumentStatus.VOIDED: "voided",
    DocumentStatus.WRITTEN_OFF: "written_off",
    DocumentStatus.ISSUED: "taken_up_again",
}


def _day(now: datetime) -> date:
    return now.astimezone(UTC).date()
