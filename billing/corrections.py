"""Rewards of which an issued document says otherwise than the pool says now, and where that is put right.

Nothing issued changes: what is put right goes on a later document. The caller is in the access's context. A customer
sees no drafts, and is told the next document instead.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from billing.models import Document, DocumentLine, DocumentStatus
from billing.settlement import month_of
from billing.shares import RewardShare, shares_of
from customers.models import Customer
from customers.tenancy import Access, Kind
from mining.models import Reward
from mining.models.rewards import Destination, RewardStatus


@dataclass(frozen=True, slots=True)
class Amounts:
    """A reward's two parts, and what its customer is owed for it: below 0 where the pool paid the customer."""

    provider_sat: int
    customer_sat: int
    owed_sat: int

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(
            self.provider_sat + other.provider_sat,
            self.customer_sat + other.customer_sat,
            self.owed_sat + other.owed_sat,
        )


NOTHING = Amounts(0, 0, 0)
Billed = dict[Document, Amounts]


@dataclass(frozen=True, slots=True)
class Correction:
    """`document` said `was`; None: it did not know of the reward. `now` is None while nobody can say: nothing is taken
    back until it is final again, or canceled. `on`: the document that puts it right; None: the next one."""

    document: Document
    was: Amounts | None
    now: Amounts | None
    since: datetime
    on: Document | None

    @property
    def customer_sat(self) -> int:
        """By how much the customer's part differs from what the document said."""
        return (self.now or NOTHING).customer_sat - (self.was or NOTHING).customer_sat

    @property
    def moved_only(self) -> bool:
        """The parts are as they were: the pool paid it to another place."""
        return self.now is not None and not self.customer_sat


def corrections_of(
    access: Access, rewards: Iterable[Reward], shares: Mapping[int, RewardShare]
) -> dict[int, Correction]:
    """Those of these rewards that differ from what was issued, by primary key. Two queries, however many they are."""
    page = [reward for reward in rewards if reward.customer_id is not None]
    issued, billed = _issued_months(access, page), _billed(access, page)
    found = {
        reward.pk: _correction(
            reward,
            _now(reward, shares[reward.pk]),
            billed[reward.pk],
            issued.get((reward.customer_id, month_of(reward.day).lower)),
        )
        for reward in page
    }
    return {pk: correction for pk, correction in found.items() if correction is not None}


def _issued_months(access: Access, page: list[Reward]) -> dict[tuple[int | None, date], Document]:
    days = [reward.day for reward in page]
    if not days:
        return {}
    issued = Document.objects.visible_to(access).filter(
        status=DocumentStatus.ISSUED,
        customer__in={reward.customer_id for reward in page},
        period__overlap=(min(days), month_of(max(days)).upper),
    )
    return {(document.customer_id, document.first_day): document for document in issued}


def _billed(access: Access, page: list[Reward]) -> dict[int, Billed]:
    """By reward: what each document says of it, the earliest first."""
    seen = [DocumentStatus.ISSUED, *([] if access.kind == Kind.CUSTOMER else [DocumentStatus.DRAFT])]
    lines = (
        DocumentLine.objects.visible_to(access)
        .filter(reward__in=[reward.pk for reward in page], document__status__in=seen)
        .select_related("document")
        .order_by("document__period", "document_id")
    )
    billed: dict[int, Billed] = defaultdict(dict)
    for line in lines:
        said = billed[line.reward_id]
        amounts = Amounts(line.provider_share_sat, line.customer_share_sat, line.amount_sat)
        said[line.document] = said.get(line.document, NOTHING) + amounts
    return billed


def _now(reward: Reward, share: RewardShare) -> Amounts | None:
    """What a document would bill now, all in all."""
    if reward.status == RewardStatus.CANCELED:
        return NOTHING
    if not reward.is_final or share.provider_share_sat is None or share.customer_share_sat is None:
        return None
    if reward.payout_destination == Destination.UNKNOWN:
        return None
    to_us = reward.payout_destination == Destination.MAIN_BALANCE
    owed_sat = share.customer_share_sat if to_us else -share.provider_share_sat
    return Amounts(share.provider_share_sat, share.customer_share_sat, owed_sat)


def _correction(reward: Reward, now: Amounts | None, billed: Billed, of_month: Document | None) -> Correction | None:
    issued = {document: said for document, said in billed.items() if document.status == DocumentStatus.ISSUED}
    drafts = [document for document in billed if document.status == DocumentStatus.DRAFT]
    was = issued.get(of_month) if of_month is not None else None
    # Of a month that was carried, and so has no document of its own, the later one says it first.
    if of_month is None or was == now or (was is None and now in (None, NOTHING)):
        return None
    later = [document for document in issued if document != of_month]
    done = now is not None and sum(issued.values(), NOTHING) == now
    on = later[-1] if done else drafts[0] if drafts else None
    since = reward.first_seen_at if was is None else reward.missing_since or reward.changed_at
    return Correction(of_month, was, now, since, on)


class Corrected(NamedTuple):
    reward: Reward
    correction: Correction


@dataclass(frozen=True, slots=True)
class Difference:
    """Why a month's rewards come to something else now than its document said."""

    document: Document
    rewards: list[Corrected]  # the newest day first

    @property
    def customer_sat(self) -> int:
        """+ the customer's part is more than the document said."""
        return sum(correction.customer_sat for _, correction in self.rewards)


def difference_of(access: Access, customer: Customer, month: date) -> Difference | None:
    """None where no document of the month is issued, or nothing of it changed since. At most six queries."""
    period = month_of(month)
    document = Document.objects.visible_to(access).filter(
        customer=customer, period=period, status=DocumentStatus.ISSUED
    )
    issued = document.first()
    if issued is None:
        return None
    rewards = Reward.objects.visible_to(access).filter(customer=customer, day__gte=period.lower, day__lt=period.upper)
    of_month = list(rewards.order_by("-day", "-pk"))
    corrections = corrections_of(access, of_month, shares_of(of_month))
    changed = [Corrected(reward, corrections[reward.pk]) for reward in of_month if reward.pk in corrections]
    return Difference(issued, changed) if changed else None
