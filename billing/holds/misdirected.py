"""Rewards that the pool paid where nobody had agreed to, and the person who approves them.

The rule is one function of the database (billing_misdirected, held_documents.sql). The caller is in the access's
context.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

from django.db import connection, transaction

from billing.models import Document, RewardApproval
from billing.planning import hash_joins
from customers import audit
from customers.errors import Refused
from customers.models import Customer
from customers.tenancy import Access
from customers.words import agreeing, counted, day_in_words
from mining.models import Reward
from mining.models.rewards import Destination
from mining.payouts import words as payout_words


@dataclass(frozen=True, slots=True)
class Misdirection:
    """At least one reward that was paid where nobody had agreed to."""

    count: int
    places: list[str]
    first_day: date

    @classmethod
    def of(cls, misdirected: Iterable[tuple[str, str | None, date]]) -> Misdirection:
        """`misdirected`: each reward's payout destination, address and day."""
        destinations, addresses, days = zip(*misdirected, strict=True)
        return cls(len(days), sorted(set(map(payout_words.in_words, destinations, addresses))), min(days))

    def __str__(self) -> str:
        more = f" and {len(self.places) - 1} more" if len(self.places) > 1 else ""
        rewards = f"{counted(self.count, 'reward')} {agreeing(self.count, 'was', 'were')}"
        day = f"{agreeing(self.count, '', 'the first ')}for {day_in_words(self.first_day)}"
        return f"{rewards} paid to {self.places[0]}{more}, to which nobody had agreed, {day}."


def among(rewards: Iterable[Reward]) -> set[int]:
    """Those of these rewards that were paid where nobody had agreed to, by primary key. One query."""
    page = [(reward.provider_id, reward.pk) for reward in rewards]
    misdirected: set[int] = set()
    for provider in {provider for provider, _ in page}:  # a page is of one
        with connection.cursor() as cursor:
            query = "SELECT id FROM billing_misdirected(%s) WHERE id = ANY(%s)"
            cursor.execute(query, [provider, [pk for _, pk in page]])
            misdirected.update(pk for (pk,) in cursor.fetchall())
    return misdirected


def on_documents(access: Access, documents: Iterable[Document]) -> dict[int, list[Reward]]:
    """Rewards that each document would bill though nobody had agreed, at any time, to where the pool paid them.

    Looked up reward by reward, since a change that is undone between two readings of the destination is never seen.
    Two queries.
    """
    with connection.cursor() as cursor:
        query = "SELECT document_id, reward_id FROM billing_misdirected_on(%s, %s)"
        cursor.execute(query, [access.provider.pk, [document.pk for document in documents]])
        pairs: list[tuple[int, int]] = cursor.fetchall()
    rewards = Reward.objects.visible_to(access).in_bulk({reward for _, reward in pairs})
    by_document: dict[int, list[Reward]] = {}
    for document, reward in pairs:
        by_document.setdefault(document, []).append(rewards[reward])
    return {document: sorted(misdirected, key=_in_time) for document, misdirected in by_document.items()}


def _in_time(reward: Reward) -> tuple[datetime, int]:
    return reward.reward_at, reward.pk


# --- Letting them pass

ON_DRAFTS = """
SELECT DISTINCT r.id, r.customer_id, r.day, r.payout_destination, r.payout_address, d.id
FROM billing_document d
JOIN billing_documentline l ON l.provider_id = d.provider_id AND l.document_id = d.id
JOIN billing_misdirected(%(provider)s) r ON r.id = l.reward_id
WHERE d.provider_id = %(provider)s AND d.status = 'draft'
    AND (%(customer)s::bigint IS NULL OR d.customer_id = %(customer)s)
"""
# What the next documents will bill: days of terms after the last document, in this month and the one before. To look
# for older ones that come late costs all rewards of all years: they are told once a draft bills them.
NOT_YET_BILLED = """
SELECT r.id, r.customer_id, r.day, r.payout_destination, r.payout_address, NULL
FROM billing_misdirected(%(provider)s) r
JOIN billing_contractversion v ON v.provider_id = r.provider_id AND v.customer_id = r.customer_id AND v.valid @> r.day
    AND v.withdrawn_at IS NULL
LEFT JOIN (
    SELECT contract_id, max(upper(period)) AS after FROM billing_document
    WHERE provider_id = %(provider)s AND (counts OR status = 'draft')
    GROUP BY contract_id
) billed ON billed.contract_id = v.contract_id
WHERE r.day >= %(since)s AND (billed.after IS NULL OR r.day >= billed.after)
    AND r.status <> 'canceled'
    AND (%(customer)s::bigint IS NULL OR r.customer_id = %(customer)s)
"""


class MisdirectedReward(NamedTuple):
    reward: int
    customer: int
    day: date
    destination: str
    address: str | None
    draft: int | None  # the primary key of one that would bill it; None: no document does yet


@dataclass(frozen=True, slots=True)
class MisdirectedRewards:
    """What waits for a person, the first one first. `seen_as` stands for exactly these rewards at these places."""

    rewards: list[Reward]
    seen_as: str


def on_drafts(access: Access, customer: Customer | None = None) -> list[MisdirectedReward]:
    """What drafts would bill, of one customer or of all, each draft by itself. One query, by nested loops: drafts are
    few of all documents that there are."""
    with connection.cursor() as cursor:
        cursor.execute(ON_DRAFTS, {"provider": access.provider.pk, "customer": customer.pk if customer else None})
        return [MisdirectedReward(*row) for row in cursor.fetchall()]


def _not_yet_billed(access: Access, customer: Customer | None, now: datetime) -> list[MisdirectedReward]:
    first: date = now.astimezone(UTC).date().replace(day=1)
    since = (first - timedelta(days=1)).replace(day=1)
    values = {"provider": access.provider.pk, "customer": customer.pk if customer else None, "since": since}
    with nullcontext() if customer else hash_joins(), connection.cursor() as cursor:
        cursor.execute(NOT_YET_BILLED, values)
        return [MisdirectedReward(*row) for row in cursor.fetchall()]


def of_all_customers(access: Access, drafted: list[MisdirectedReward], *, now: datetime) -> dict[int, Misdirection]:
    """By customer: what waits for a person, on drafts (what `on_drafts` found) and not yet. One query."""
    of_customer: dict[int, set[MisdirectedReward]] = {}
    for reward in [*drafted, *_not_yet_billed(access, None, now)]:
        if reward.destination != Destination.UNKNOWN:  # nobody can approve that
            of_customer.setdefault(reward.customer, set()).add(reward._replace(draft=None))  # each reward once
    return {
        customer: Misdirection.of((reward.destination, reward.address, reward.day) for reward in misdirected)
        for customer, misdirected in of_customer.items()
    }


def of_customer(access: Access, customer: Customer, *, now: datetime) -> MisdirectedRewards:
    """The rewards of one customer that wait for an approval. Three queries."""
    pks = {
        misdirected.reward for misdirected in [*on_drafts(access, customer), *_not_yet_billed(access, customer, now)]
    }
    approvable = Reward.objects.visible_to(access).filter(pk__in=pks).exclude(payout_destination=Destination.UNKNOWN)
    rewards = sorted(approvable, key=_in_time)
    shown = [
        f"{reward.code} {reward.payout_destination} {reward.payout_address} {reward.net_sat}" for reward in rewards
    ]
    return MisdirectedRewards(rewards, sha256("\n".join(shown).encode()).hexdigest())


def approve(access: Access, customer: Customer, *, seen_as: str, now: datetime) -> int:
    """A person says that these rewards, as they were shown, are billed all the same; how many. Raises Refused when
    they are others by now, and for the second of two clicks."""
    with transaction.atomic():
        Customer.objects.visible_to(access).select_for_update(no_key=True).get(pk=customer.pk)
        misdirected = of_customer(access, customer, now=now)
        if not misdirected.rewards:
            raise nothing_misdirected()
        if misdirected.seen_as != seen_as:
            raise Refused(
                "The rewards are not what you looked at any more. Nothing was done. Look at them again.",
                code="reward.changed_meanwhile",
            )
        by = access.actor
        RewardApproval.objects.bulk_create(
            [_approval(reward, customer, by=by, now=now) for reward in misdirected.rewards]
        )
        for reward in misdirected.rewards:
            to = payout_words.in_words(reward.payout_destination, reward.payout_address)
            audit.record(access, "reward.approved", reward.code, now=now, customer=customer.code, paid_to=to)
    return len(misdirected.rewards)


def nothing_misdirected() -> Refused:
    return Refused("No reward waits that was paid where nobody had agreed to.", code="reward.not_misdirected")


def _approval(reward: Reward, customer: Customer, *, by: str, now: datetime) -> RewardApproval:
    return RewardApproval(
        provider_id=reward.provider_id,
        customer=customer,
        reward=reward,
        destination=reward.payout_destination,
        address=reward.payout_address,
        approved_by=by,
        approved_at=now,
    )
