"""Drafts that are not issued: because of where the pool pays or paid, or because of what they leave out.

Whoever changed a payout destination may be after the money, and what is owed to whom follows from it. The caller is in
the access's context. The database refuses the same (held_documents.sql, omissions.sql).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db.models import Q

from billing.holds import misdirected, omissions
from billing.holds.misdirected import MisdirectedReward, Misdirection, on_drafts
from billing.holds.omissions import Omission
from billing.models import Document, DocumentStatus
from customers.errors import Refused
from customers.tenancy import Access
from customers.words import agreeing, day_in_words, month_in_words
from mining.models import MiningAccount, Reward
from mining.models.rewards import Destination
from mining.payouts import agreements


@dataclass(frozen=True, slots=True)
class Hold:
    """Of one draft: the code says what for. As in a refusal, the parameters stand apart from the messages."""

    document: Document
    code: str
    reason_message: str  # begins small and names nobody
    what_to_do_message: str
    params: Mapping[str, object]
    first: Hold | None = None  # of the earlier draft that this one waits for

    @property
    def reason(self) -> str:
        return self.reason_message % self.params

    @property
    def what_to_do(self) -> str:
        return self.what_to_do_message % self.params

    def refusal(self) -> Refused:
        held = {"customer": self.document.customer.name, "reason": self.reason, "what_to_do": self.what_to_do}
        return Refused("%(customer)s is held: %(reason)s %(what_to_do)s", code=self.code, params=held)

    def __str__(self) -> str:
        return str(self.refusal())


def why_held(access: Access, documents: Iterable[Document]) -> dict[int, Hold]:
    """Those of these documents that are held, by primary key. Five queries."""
    shown = list(documents)
    before = _drafts_before(access, shown)
    drifting = _drifting(access, shown)
    looked_at = {draft.pk: draft for drafts in (shown, *before.values()) for draft in drafts}
    own = _own_holds(access, looked_at.values())
    holds = {}
    for document in shown:
        if (account := drifting.get(document.customer_id)) is not None:
            holds[document.pk] = _drifts(document, account)
        elif document.pk in own:
            holds[document.pk] = own[document.pk]
        elif (first := next((own[draft.pk] for draft in before[document.pk] if draft.pk in own), None)) is not None:
            holds[document.pk] = _comes_later(document, first)
    return holds


def _own_holds(access: Access, documents: Iterable[Document]) -> dict[int, Hold]:
    """Those that something on them, or left out of them, holds."""
    documents = list(documents)
    waiting = misdirected.on_documents(access, documents)
    left_out = omissions.on_documents(access, documents)
    holds = {}
    for document in documents:
        if document.pk in waiting:
            holds[document.pk] = _misdirected(document, waiting[document.pk])
        elif held_by := omissions.holding(left_out.get(document.pk, [])):
            holds[document.pk] = _incomplete(document, held_by)
    return holds


def held_drafts(access: Access, drafted: list[MisdirectedReward] | None = None) -> dict[int, Hold]:
    """All drafts that are held, by primary key, the earliest month first. Eight queries, and few rows.

    `drafted`: what on_drafts has found already.
    """
    misdirected_drafts = {misdirected.draft for misdirected in (on_drafts(access) if drafted is None else drafted)}
    drafts = Document.objects.visible_to(access).filter(status=DocumentStatus.DRAFT)
    drifting = MiningAccount.objects.visible_to(access).filter(payout_drift_since__isnull=False)
    incomplete = {draft for draft, left_out in omissions.on_drafts(access).items() if omissions.holding(left_out)}
    contracts = drafts.filter(
        Q(customer__in=drifting.values("customer")) | Q(pk__in=misdirected_drafts | incomplete)
    ).values("contract")
    suspects = drafts.filter(contract__in=contracts).select_related("customer")
    return why_held(access, suspects.order_by("period", "customer__name", "pk"))


def _drafts_before(access: Access, documents: list[Document]) -> dict[int, list[Document]]:
    """By document: earlier drafts of its contract, which have to be issued before it."""
    contracts = {document.contract_id for document in documents}
    drafts = Document.objects.visible_to(access).filter(status=DocumentStatus.DRAFT, contract__in=contracts)
    of_contract: dict[int, list[Document]] = {}
    for draft in drafts.order_by("period", "pk"):
        of_contract.setdefault(draft.contract_id, []).append(draft)
    return {
        document.pk: [d for d in of_contract.get(document.contract_id, []) if d.first_day < document.first_day]
        for document in documents
    }


def _drifting(access: Access, documents: list[Document]) -> dict[int | None, MiningAccount]:
    """By customer: the account whose rewards the pool pays elsewhere than was agreed."""
    customers = [document.customer_id for document in documents]
    accounts = MiningAccount.objects.visible_to(access).filter(customer__in=customers, payout_drift_since__isnull=False)
    return {account.customer_id: account for account in accounts.order_by("-payout_drift_since", "pk")}


def _drifts(document: Document, account: MiningAccount) -> Hold:
    params = {"since": day_in_words(account.payout_drift_since.date()) if account.payout_drift_since else "now"}
    if agreements.is_lost(account):
        return Hold(
            document,
            "hold.payout_drifting",
            "since %(since)s the pool pays its rewards elsewhere than was agreed.",
            "The pool does not answer for the account any more: end the alarm, then issue.",
            params,
        )
    return Hold(
        document,
        "hold.payout_drifting",
        "since %(since)s the pool pays its rewards elsewhere than was agreed.",
        "Agree to that or have it put back at the pool, then issue.",
        params,
    )


def _misdirected(document: Document, rewards: list[Reward]) -> Hold:
    approvable = [reward for reward in rewards if reward.payout_destination != Destination.UNKNOWN]
    if approvable:
        places = [(reward.payout_destination, reward.payout_address, reward.day) for reward in approvable]
        return Hold(
            document,
            "hold.misdirected",
            "%(misdirected)s",
            "Ask the customer, and approve them, then issue.",
            {"misdirected": Misdirection.of(places)},
        )
    # The draft is older than what the pool says now. Nobody can approve what nobody knows the place of.
    return Hold(
        document,
        "hold.destination_unknown",
        "where %(rewards)s paid the pool says in a word that we do not know, %(day)s.",
        "Close %(month)s again: they are left out until it is known.",
        {
            "rewards": agreeing(len(rewards), "a reward on it was", f"{len(rewards):,} rewards on it were"),
            "day": f"{agreeing(len(rewards), '', 'the first ')}for {day_in_words(rewards[0].day)}",
            "month": month_in_words(document.first_day),
        },
    )


def _incomplete(document: Document, held_by: list[Omission]) -> Hold:
    return Hold(
        document,
        "hold.incomplete",
        "%(omitted)s",
        "Settle that, or let it pass by name: the document then says that it leaves it out.",
        {"omitted": omissions.in_words(held_by)},
    )


def computed_without(document: Document, carried: Document) -> Hold:
    """An earlier draft of its contract has just been carried."""
    return Hold(
        document,
        "hold.earlier_carried",
        "what its draft of %(earlier)s carried comes onto the one of %(month)s, which was computed without that.",
        "Close %(month)s again, then issue.",
        {"earlier": month_in_words(carried.first_day), "month": month_in_words(document.first_day)},
    )


def _comes_later(document: Document, first: Hold) -> Hold:
    return Hold(
        document,
        "hold.earlier_document",
        "its draft of %(month)s comes first, and on that %(reason)s",
        "%(what_to_do)s",
        {
            "month": month_in_words(first.document.first_day),
            "reason": first.reason,
            "what_to_do": first.what_to_do,
        },
        first,
    )
