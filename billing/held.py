"""Drafts that are not issued because of where the pool pays or paid, and the person who lets them pass.

Whoever changed a payout destination may be after the money, and what is owed to whom follows from it. The caller is in
the access's context. The database refuses the same (held_while_paid_elsewhere.sql).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Literal

from django.db import connection, transaction
from django.db.models import Q

from billing.contracts import in_words
from billing.errors import Refused
from billing.models import Document, DocumentStatus, RewardRelease
from customers import audit
from customers.models import Customer
from customers.tenancy import Access
from mining import payout
from mining.models import MiningAccount, Reward


@dataclass(frozen=True, slots=True)
class Hold:
    """Of one draft. `part`: of the customer's page, where a person settles it."""

    document: Document
    reason: str  # a sentence that begins small and names nobody
    what_to_do: str
    part: Literal["payout", "strays"]

    def __str__(self) -> str:
        return f"{self.document.customer.name} is held: {self.reason} {self.what_to_do}"


def why_held(access: Access, documents: Iterable[Document]) -> dict[int, Hold]:
    """Those of these documents that are held, by primary key. Four queries."""
    shown = list(documents)
    before = _drafts_before(access, shown)
    drifting = _drifting(access, shown)
    strays = strays_on(access, [*shown, *(draft for drafts in before.values() for draft in drafts)])
    found = {}
    for document in shown:
        if (account := drifting.get(document.customer_id)) is not None:
            found[document.pk] = _drifts(document, account)
        elif document.pk in strays:
            found[document.pk] = _went_astray(document, strays[document.pk])
        elif (first := next((draft for draft in before[document.pk] if draft.pk in strays), None)) is not None:
            found[document.pk] = _comes_later(document, _went_astray(first, strays[first.pk]))
    return found


def held_drafts(access: Access) -> dict[int, Hold]:
    """All drafts that are held, by primary key, the earliest month first. Eight queries, and few rows."""
    drafts = Document.objects.visible_to(access).filter(status=DocumentStatus.DRAFT)
    astray = {document for document, _ in _stray_pairs(access, list(drafts.values_list("pk", flat=True)))}
    drifting = MiningAccount.objects.visible_to(access).filter(payout_drift_since__isnull=False)
    contracts = drafts.filter(Q(customer__in=drifting.values("customer")) | Q(pk__in=astray)).values("contract")
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


def strays_on(access: Access, documents: Iterable[Document]) -> dict[int, list[Reward]]:
    """Rewards that each document would bill though nobody had agreed, at any time, to where the pool paid them.

    Looked up reward by reward, since a change that is undone between two readings of the destination is never seen.
    Two queries.
    """
    pairs = _stray_pairs(access, [document.pk for document in documents])
    rewards = Reward.objects.visible_to(access).in_bulk({reward for _, reward in pairs})
    found: dict[int, list[Reward]] = {}
    for document, reward in pairs:
        found.setdefault(document, []).append(rewards[reward])
    return {document: sorted(strays, key=_in_time) for document, strays in found.items()}


def _stray_pairs(access: Access, documents: list[int]) -> list[tuple[int, int]]:
    """Primary keys: of a document, and of a reward that it would bill."""
    with connection.cursor() as cursor:
        query = "SELECT document_id, reward_id FROM billing_strays(%s, %s)"
        cursor.execute(query, [access.provider.pk, documents])
        pairs: list[tuple[int, int]] = cursor.fetchall()
        return pairs


def _in_time(reward: Reward) -> tuple[datetime, int]:
    return reward.reward_at, reward.pk


def _drifts(document: Document, account: MiningAccount) -> Hold:
    since = in_words(account.payout_drift_since.date()) if account.payout_drift_since else "now"
    what_to_do = (
        "The pool does not answer for the account any more: end the alarm on the customer's page, then issue."
        if payout.is_lost(account)
        else "Agree to that or have it put back at the pool, then issue."
    )
    return Hold(document, f"since {since} the pool pays its rewards elsewhere than was agreed.", what_to_do, "payout")


def _went_astray(document: Document, strays: list[Reward]) -> Hold:
    what_to_do = "Ask the customer, and let them pass, then issue."
    return Hold(document, what_went_astray(strays), what_to_do, "strays")


def _comes_later(document: Document, first: Hold) -> Hold:
    month = f"{first.document.first_day:%B %Y}"
    return Hold(document, f"its draft of {month} comes first, and on that {first.reason}", first.what_to_do, first.part)


def what_went_astray(strays: list[Reward]) -> str:
    """One sentence about at least one reward, the first of them first."""
    places = sorted({payout.in_words(reward.payout_destination, reward.payout_address) for reward in strays})
    more = f" and {len(places) - 1} more" if len(places) > 1 else ""
    counted = "1 reward was" if len(strays) == 1 else f"{len(strays)} rewards were"
    day = in_words(strays[0].day)
    return f"{counted} paid to {places[0]}{more}, to which nobody had agreed, the first for {day}."


# --- Letting them pass


@dataclass(frozen=True, slots=True)
class Strays:
    """What waits for a person. `seen_as` stands for exactly these rewards at these places."""

    rewards: list[Reward]
    seen_as: str


def all_strays(access: Access, **of: Customer) -> dict[int, list[Reward]]:
    """By customer: what went astray on any of its drafts, each reward once, the first one first. Three queries."""
    drafts = Document.objects.visible_to(access).filter(status=DocumentStatus.DRAFT, **of)
    rewards = {reward for strays in strays_on(access, drafts).values() for reward in strays}
    found: dict[int, list[Reward]] = {}
    for reward in sorted(rewards, key=_in_time):
        if reward.customer_id is not None:
            found.setdefault(reward.customer_id, []).append(reward)
    return found


def strays_of(access: Access, customer: Customer) -> Strays:
    """On all drafts of a customer. Three queries."""
    rewards = all_strays(access, customer=customer).get(customer.pk, [])
    said = [f"{reward.code} {reward.payout_destination} {reward.payout_address} {reward.net_sat}" for reward in rewards]
    return Strays(rewards, sha256("\n".join(said).encode()).hexdigest())


def release(access: Access, customer: Customer, *, seen_as: str, now: datetime) -> int:
    """A person says that these rewards, as they were shown, are billed all the same; how many. Raises Refused when
    they are others by now, and for the second of two clicks."""
    with transaction.atomic():
        Customer.objects.visible_to(access).select_for_update(no_key=True).get(pk=customer.pk)
        strays = strays_of(access, customer)
        if not strays.rewards:
            raise Refused("No draft bills a reward that was paid where nobody had agreed to.")
        if strays.seen_as != seen_as:
            raise Refused("The rewards are not what you looked at any more. Nothing was done. Look at them again.")
        by = access.actor
        RewardRelease.objects.bulk_create([_released(reward, customer, by=by, now=now) for reward in strays.rewards])
        for reward in strays.rewards:
            to = payout.in_words(reward.payout_destination, reward.payout_address)
            audit.record(access, "reward.released", reward.code, now=now, customer=customer.code, paid_to=to)
    return len(strays.rewards)


def _released(reward: Reward, customer: Customer, *, by: str, now: datetime) -> RewardRelease:
    return RewardRelease(
        provider_id=reward.provider_id,
        customer=customer,
        reward=reward,
        destination=reward.payout_destination,
        address=reward.payout_address,
        released_by=by,
        released_at=now,
    )
