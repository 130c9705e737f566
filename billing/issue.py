"""Draft to issued: checked against the facts of this moment, frozen, posted and numbered in one transaction.

Or carried to the next month, below the contract's minimum.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from billing import journal, minimum, numbering, settlement
from billing.holds import drafts as held_drafts
from billing.holds import omissions
from billing.holds.drafts import Hold
from billing.holds.omissions import Omission
from billing.models import (
    Contract,
    ContractComponent,
    Document,
    DocumentLine,
    DocumentStatus,
    DocumentType,
)
from billing.payments.terms import due_days
from billing.words import terms_in_words
from customers import audit
from customers.errors import Refused
from customers.models import Customer
from customers.profile import face
from customers.tenancy import Access
from customers.words import month_in_words
from mining import dispatch
from mining.models import MiningAccount, Reward
from mining.models.rewards import RewardStatus

TITLES = {DocumentType.SETTLEMENT: "Settlement statement", DocumentType.INVOICE: "Invoice"}


def issue(access: Access, document: Document, *, final: bool = False, now: datetime) -> Document:
    """Issue a draft, or refuse with a sentence. `final`: also one below the contract's minimum, which is carried else.

    A draft that the facts have left behind is refused, not silently computed anew: whoever issues has looked at these
    numbers. The other way, recomputing inside, would put a number on amounts that nobody has seen.
    """
    with transaction.atomic():
        settlement.lock_closing(access, shared=True)
        (draft,) = _claim(access, [document])
        _refuse_held(access, draft)
        if draft.pk in (below := {} if final else minimum.below(access, [draft])):
            return _carry(access, draft, minimum_sat=below[draft.pk], now=now)
        left_out = omissions.on_documents(access, [draft]).get(draft.pk, [])
        return _issue(access, draft, provider=face(access), left_out=left_out, due=due_days(access), now=now)


@dataclass(frozen=True, slots=True)
class Issued:
    documents: list[Document]
    held: list[Hold]  # left out: they wait until a person has settled why
    carried: list[Document]  # below their minimum: the next month bills what is on them


def issue_all(access: Access, documents: Iterable[Document], *, final: bool = False, now: datetime) -> Issued:
    """Issue several drafts, earlier months first. One that is held keeps nobody else waiting; of the others all are
    issued or none: what was confirmed together happens together."""
    with transaction.atomic():
        settlement.lock_closing(access, shared=True)
        drafts = _claim(access, documents)
        # Asked once for all. What comes to be held after this is seen by the database, when the number is taken.
        holds = held_drafts.why_held(access, drafts)
        provider, due = face(access), due_days(access)
        left_out = omissions.on_documents(access, drafts)
        below = {} if final else minimum.below(access, drafts)
        issued: list[Document] = []
        carried: dict[int, Document] = {}
        for draft in drafts:
            if draft.pk in holds:
                continue
            if (first := carried.get(draft.contract_id)) is not None:
                holds[draft.pk] = held_drafts.computed_without(draft, first)
            elif draft.pk in below:
                carried[draft.contract_id] = _carry(access, draft, minimum_sat=below[draft.pk], now=now)
            else:
                omitted = left_out.get(draft.pk, [])
                issued.append(_issue(access, draft, provider=provider, left_out=omitted, due=due, now=now))
        return Issued(issued, list(holds.values()), list(carried.values()))


def _claim(access: Access, documents: Iterable[Document]) -> list[Document]:
    """These drafts, earlier months first, locked until the transaction ends. Refuses what is none, and what says
    another amount by now than the caller has read: a close may have been under way."""
    asked = {document.pk: document for document in documents}
    # The contracts first: the documents of one are issued one after the other, so that none bills what another just
    # billed. And all of them before the first number is taken, or two such acts could wait for each other in a circle.
    contracts = Contract.objects.visible_to(access).filter(pk__in={draft.contract_id for draft in asked.values()})
    list(contracts.select_for_update(no_key=True).order_by("pk"))
    rows = Document.objects.visible_to(access).filter(pk__in=asked).select_for_update(of=("self",))
    drafts = list(rows.select_related("contract", "customer").order_by("period", "pk"))
    if len(drafts) != len(asked):
        raise Document.DoesNotExist
    for draft in drafts:
        _refuse_no_draft(draft)
        if draft.balance_sat != asked[draft.pk].balance_sat:
            raise changed_meanwhile()
    return drafts


def changed_meanwhile() -> Refused:
    return Refused(
        "What was to be issued is not what you looked at any more. Nothing was issued. Look at it again.",
        code="document.changed_meanwhile",
    )


def _refuse_no_draft(document: Document) -> None:
    if document.number is not None:
        raise Refused(
            "%(number)s is issued already. An issued document does not change.",
            code="document.issued",
            params={"number": document.number},
        )
    if document.status == DocumentStatus.CARRIED:
        raise Refused("This draft was carried to the next month.", code="document.carried")
    if document.status != DocumentStatus.DRAFT:
        raise Refused("This draft was discarded. Close its month again to get a new one.", code="document.discarded")


def _issue(
    access: Access, draft: Document, *, provider: dict[str, str], left_out: list[Omission], due: int, now: datetime
) -> Document:
    """Issue a draft that is claimed and not held."""
    _refuse_unfit(access, draft)
    issued_on = now.astimezone(UTC).date()
    draft.snapshot = snapshot(draft, provider, left_out)
    journal.post_document(draft, effective_on=issued_on, now=now)
    audit.record(access, "document.issued", draft.code, now=now, type=draft.type, balance_sat=draft.balance_sat)
    try:
        with transaction.atomic():
            _number(draft, due, now)
    except IntegrityError:
        _refuse_held(access, draft)  # held since it was looked at: the database saw it
        raise
    dispatch.after_commit("billing.tasks.make_files", draft.provider_id, draft.pk)
    return draft


def _carry(access: Access, draft: Document, *, minimum_sat: int, now: datetime) -> Document:
    """Close a draft that is claimed, not held and below its minimum: no number, nothing posted."""
    _refuse_unfit(access, draft)
    draft.status = DocumentStatus.CARRIED
    draft.save(update_fields=["status"])
    audit.record(
        access, "document.carried", draft.code, now=now, balance_sat=draft.balance_sat, minimum_sat=minimum_sat
    )
    return draft


def _refuse_unfit(access: Access, draft: Document) -> None:
    earlier = (
        Document.objects.visible_to(access)
        .filter(contract=draft.contract_id, status=DocumentStatus.DRAFT, period__fully_lt=draft.period)
        .order_by("period")
        .first()
    )
    if earlier is not None:
        raise Refused(
            "The draft of %(earlier)s comes first: issue or discard it, then close %(month)s again.",
            code="document.earlier_draft",
            params={"earlier": month_in_words(earlier.first_day), "month": month_in_words(draft.first_day)},
        )
    if settlement.is_stale(draft):
        raise Refused(
            "Rewards or terms changed after this draft was computed. Close %(month)s again and look at it once more.",
            code="document.stale",
            params={"month": month_in_words(draft.first_day)},
        )


def _refuse_held(access: Access, draft: Document) -> None:
    if (why := held_drafts.why_held(access, [draft]).get(draft.pk)) is not None:
        raise why.refusal()


def _number(draft: Document, due: int, now: datetime) -> None:
    issued_on = now.astimezone(UTC).date()
    number = numbering.take(draft, issued_on=issued_on)
    draft.series, draft.sequence, draft.number = number.series, number.sequence, str(number)
    draft.status, draft.issued_at, draft.issued_on = DocumentStatus.ISSUED, now, issued_on
    draft.due_on = issued_on + timedelta(days=due)
    draft.save(update_fields=["series", "sequence", "number", "status", "issued_at", "issued_on", "due_on", "snapshot"])


def snapshot(draft: Document, provider: dict[str, str], left_out: list[Omission]) -> dict[str, Any]:
    """Parties, terms in words and dates as they stand at issue: the document can be read for ever from it."""
    return {
        "title": TITLES[DocumentType(draft.type)],
        "provider": provider,
        "customer": _customer(draft.customer),
        "mining_accounts": _accounts(draft),
        "contract": draft.contract.code,
        "terms": _terms(draft),
        "period": {
            "first_day": str(draft.first_day),
            "last_day": str(draft.last_day),
            "from": f"{draft.first_day}T00:00:00Z",
            "to": f"{draft.period.upper}T00:00:00Z",
        },
        "rounding": "half-even, once per reward; the provider takes the residue",
        "pending": _pending(draft),
        "left_out": [omission.as_frozen() for omission in left_out],
    }


def _customer(customer: Customer) -> dict[str, str]:
    return {
        "code": customer.code,
        "name": customer.name,
        "email": customer.email,
        "external_ref": customer.external_ref or "",
    }


def _accounts(draft: Document) -> list[dict[str, str]]:
    accounts = MiningAccount.objects.filter(provider=draft.provider_id, customer=draft.customer_id)
    accounts = accounts.select_related("login").order_by("name")
    return [{"name": account.name, "login": account.login.name} for account in accounts]


def _terms(draft: Document) -> list[dict[str, Any]]:
    """The versions that the lines were computed by, in the order of their days."""
    used = DocumentLine.objects.filter(provider=draft.provider_id, document=draft).values("version")
    components = (
        ContractComponent.objects.filter(provider=draft.provider_id, version__in=used)
        .select_related("version")
        .order_by("version__valid")
    )
    return [
        {
            "version": component.version.code,
            "valid_from": str(component.version.valid.lower),
            "share_ppm": component.share_ppm,
            "basis": component.basis,
            "pool_fee_borne_by": component.pool_fee_borne_by,
            "words": terms_in_words(component.share_ppm, component.basis, component.pool_fee_borne_by),
        }
        for component in components
    ]


def _pending(draft: Document) -> list[dict[str, str | int]]:
    """Rewards that were not final at issue: told as information, billed by a later document."""
    pending = Reward.objects.filter(
        provider=draft.provider_id,
        customer=draft.customer_id,
        status=RewardStatus.PENDING,
        day__lt=draft.period.upper,
        lines=None,
    )
    return [{"day": str(reward.day), "net_sat": reward.net_sat} for reward in pending.order_by("day", "pk")]
