"""Payments, in either direction: recorded with what they settle, used later, taken back. Never edited, never deleted.

One path for exact, under, over, late and twice: the money is first the payer's (credit of a customer, advance to one),
then what settles a document is taken from that. What no document takes stays there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from django.db import IntegrityError, transaction

from billing import journal, life
from billing.journal import Leg, Name
from billing.models import Allocation, Document, DocumentStatus, Fund, PaidBy, Source
from billing.payments.allocation import Plan, Share, plan, to_settle
from billing.words import btc_text
from customers import audit
from customers.errors import Refused
from customers.models import Customer
from customers.tenancy import Access
from customers.text import normal
from customers.words import YEARS, day_in_words

ASSETS = ("BTC",)  # that documents are in
MOST = 21_000_000 * 10**8
OUTPUT = re.compile(r"[0-9a-f]{64}:(0|[1-9][0-9]{0,9})")
LONGEST_REF = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """Money that moved, as a person or a file says it."""

    customer: Customer
    paid_by: PaidBy
    amount: int  # in the asset's smallest unit
    ref: str  # txid:output, or the reference of a bank or an exchange
    received_on: date
    source: Source = Source.BITCOIN
    asset: str = "BTC"
    note: str = ""
    documents: Sequence[Document] | None = None  # what it settles, in this order; None: what is open, the oldest first


def preview(access: Access, payment: Payment, *, now: datetime) -> Plan:
    """What `record` would settle now, or its refusal."""
    return _plan(access, _checked(access, payment, now))


def record(access: Access, payment: Payment, *, now: datetime, seen: Sequence[tuple[str, int]] | None = None) -> Fund:
    """Record a payment and settle with it. `seen`: the plan that whoever records it has looked at."""
    with transaction.atomic():
        life.lock(access, payment.customer.pk)
        payment = _checked(access, payment, now)
        planned = _plan(access, payment)
        if seen is not None and list(seen) != planned.seen_as:
            raise Refused(
                "What is open has changed since you looked. Nothing was recorded. Look at it again.",
                code="payment.open_changed",
            )
        fund = _keep(access, payment, now)
        _settle(access, fund, planned.shares, now)
        audit.record(
            access, "payment.recorded", fund.code, now=now, paid_by=fund.paid_by, amount=fund.amount, ref=fund.ref
        )
    return _anew(fund)


def use(access: Access, fund: Fund, *, now: datetime, documents: Sequence[Document] | None = None) -> Fund:
    """Settle with what a payment has left: the chosen documents, or what is open, the oldest first."""
    with transaction.atomic():
        life.lock(access, fund.customer_id)
        fund = _anew(fund)
        opens = to_settle(access, fund.customer, PaidBy(fund.paid_by), fund.asset, documents)
        planned = plan(opens, fund.amount_left)
        if not planned.shares:
            raise Refused(
                "Nothing is left of this payment, or nothing is open that it could settle.", code="payment.no_use"
            )
        _settle(access, fund, planned.shares, now)
        audit.record(access, "payment.used", fund.code, now=now, amount=planned.settled)
    return _anew(fund)


def take_back(access: Access, fund: Fund, *, reason: str, now: datetime) -> Fund:
    """A payment that was recorded wrongly, or did not last: what it settled is open again, by entries that reverse it.
    Its reference may be recorded anew."""
    if not reason:
        raise Refused("Say why the payment is taken back.", code="payment.reason_missing")
    with transaction.atomic():
        life.lock(access, fund.customer_id)
        fund = _anew(fund)
        if fund.taken_back:
            raise Refused("This payment is taken back already.", code="payment.taken_back")
        made = Allocation.objects.visible_to(access).filter(fund=fund, reverses=None, reversed_by=None)
        for allocation in made.select_related("document").order_by("-pk"):
            _undo(access, allocation, reason, now)
        _allocate(access, fund, None, fund.amount, now, reason=reason)
        journal.reverse_event(access, recorded_key(fund), effective_on=_day(now), now=now)
        audit.record(access, "payment.taken_back", fund.code, now=now, amount=fund.amount)
    return _anew(fund)


def recorded_key(fund: Fund) -> str:
    return f"payment:{fund.code}"


def allocated_key(allocation: Allocation) -> str:
    return f"allocation:{allocation.code}"


def _plan(access: Access, payment: Payment) -> Plan:
    opens = to_settle(access, payment.customer, payment.paid_by, payment.asset, payment.documents)
    return plan(opens, payment.amount)


def _keep(access: Access, payment: Payment, now: datetime) -> Fund:
    fund = Fund(
        provider=access.provider,
        customer=payment.customer,
        paid_by=payment.paid_by,
        asset=payment.asset,
        amount=payment.amount,
        amount_left=payment.amount,
        source=payment.source,
        ref=payment.ref,
        received_on=payment.received_on,
        note=payment.note,
        recorded_at=now,
        recorded_by=access.actor,
    )
    try:
        with transaction.atomic():
            fund.save(force_insert=True)
    except IntegrityError:
        _refuse_known(access, payment)  # recorded by somebody else since it was looked for
        raise
    # By hand money goes out of the balance at the pool, where settlements' rewards are.
    legs = {
        PaidBy.CUSTOMER: [Leg(Name.BANK, fund.amount), Leg(Name.CREDIT, -fund.amount)],
        PaidBy.PROVIDER: [Leg(Name.ADVANCE, fund.amount), Leg(Name.CUSTODY, -fund.amount)],
    }[payment.paid_by]
    journal.post(recorded_key(fund), legs, fund=fund, effective_on=fund.received_on, now=now)
    return fund


def _settle(access: Access, fund: Fund, shares: Sequence[Share], now: datetime) -> None:
    for share in shares:
        if share.document.status == DocumentStatus.WRITTEN_OFF:
            invoice = Document.objects.visible_to(access).select_for_update(of=("self",)).get(pk=share.document.pk)
            life.reopen(access, invoice, reason=f"A payment came: {fund.ref}", now=now)
        allocation = _allocate(access, fund, share.document, share.amount, now)
        legs = {
            PaidBy.CUSTOMER: [Leg(Name.CREDIT, share.amount), Leg(Name.RECEIVABLE, -share.amount)],
            PaidBy.PROVIDER: [Leg(Name.PAYABLE, share.amount), Leg(Name.ADVANCE, -share.amount)],
        }[PaidBy(fund.paid_by)]
        journal.post(
            allocated_key(allocation), legs, fund=fund, document=share.document, effective_on=_day(now), now=now
        )


def _undo(access: Access, allocation: Allocation, reason: str, now: datetime) -> None:
    document = allocation.document
    assert document is not None  # what ends a payment is its last allocation
    if document.status == DocumentStatus.WRITTEN_OFF:
        # Only the rest was given up. Now the whole is owed again, and a person decides about it anew.
        invoice = Document.objects.visible_to(access).select_for_update(of=("self",)).get(pk=document.pk)
        life.reopen(access, invoice, reason=f"A payment was taken back: {reason}"[:200], now=now)
    _allocate(access, allocation.fund, document, -allocation.amount, now, reason=reason, reverses=allocation)
    journal.reverse_event(access, allocated_key(allocation), effective_on=_day(now), now=now)


def _allocate(
    access: Access,
    fund: Fund,
    document: Document | None,
    amount: int,
    now: datetime,
    *,
    reason: str = "",
    reverses: Allocation | None = None,
) -> Allocation:
    return Allocation.objects.create(
        provider=access.provider,
        fund=fund,
        document=document,
        customer_id=fund.customer_id,
        asset=fund.asset,
        amount=amount,
        reverses=reverses,
        reason=reason,
        made_at=now,
        made_by=access.actor,
    )


def _anew(fund: Fund) -> Fund:
    """As its allocations left it."""
    return Fund.objects.select_related("customer").get(provider=fund.provider_id, pk=fund.pk)


# --- What can be recorded


def _checked(access: Access, payment: Payment, now: datetime) -> Payment:
    """The payment in its one spelling, or a refusal."""
    if payment.asset not in ASSETS:
        raise Refused(
            "Documents are in %(assets)s: a payment in %(asset)s settles none of them.",
            code="payment.asset",
            params={"assets": ", ".join(ASSETS), "asset": payment.asset},
        )
    if not 0 < payment.amount <= MOST:
        raise Refused("A payment is at least 1 satoshi, and no more than there is.", code="payment.amount")
    if payment.received_on > _day(now):
        raise Refused(
            "%(day)s is in the future. Record a payment when it has arrived.",
            code="payment.in_future",
            params={"day": day_in_words(payment.received_on)},
        )
    if payment.received_on.year not in YEARS:
        raise Refused("Check the year of the payment.", code="payment.year")
    spelled = replace(payment, ref=_spelled(payment), note=normal(payment.note)[:200])
    _refuse_known(access, spelled)
    return spelled


def _spelled(payment: Payment) -> str:
    if payment.source == Source.BITCOIN:
        ref = payment.ref.strip().lower()
        if not OUTPUT.fullmatch(ref):
            raise Refused(
                "Write the transaction as its id of 64 characters, a colon and the number of the output: …:0",
                code="payment.ref_invalid",
            )
        return ref
    ref = normal(payment.ref)
    if not 0 < len(ref) <= LONGEST_REF:
        raise Refused(
            "Write the reference that the bank or the exchange gave the payment, 100 characters at most.",
            code="payment.ref_missing",
        )
    return ref


def _refuse_known(access: Access, payment: Payment) -> None:
    known = (
        Fund.objects.visible_to(access)
        .filter(source=payment.source, ref=payment.ref, taken_back=False)
        .select_related("customer")
        .first()
    )
    if known is not None:
        raise Refused(
            "%(ref)s is recorded already: %(amount)s %(asset)s, %(customer)s, %(day)s.",
            code="payment.exists",
            params={
                "ref": known.ref,
                "amount": btc_text(known.amount),
                "asset": known.asset,
                "customer": known.customer.name,
                "day": day_in_words(known.received_on),
            },
        )


def _day(now: datetime) -> date:
    return now.astimezone(UTC).date()
