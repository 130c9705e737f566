"""The books checked against themselves, in few queries: each finding is one sentence, none means all is well."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import connection
from django.db.models import Count, F, Max, Min, Sum

from billing import journal
from billing.models import Document, DocumentSeries, DocumentStatus, JournalEntry, JournalTx
from billing.planning import hash_joins
from billing.words import btc_text
from customers.models import Customer
from customers.tenancy import Access
from mining.models import Reward

WRONG_BALANCES = """
SELECT d.code, d.number, d.balance_sat, coalesce(sum(l.amount_sat), 0), count(l.id)
FROM billing_document d
LEFT JOIN billing_documentline l ON l.provider_id = d.provider_id AND l.document_id = d.id
WHERE d.provider_id = %s
GROUP BY d.id HAVING coalesce(sum(l.amount_sat), 0) <> d.balance_sat OR count(l.id) = 0
"""

# By reward over its issued lines: what was billed in all must be the split of the record as the latest line knew it,
# in one component only, or nothing.
WRONG_PARTS = """
SELECT r.code FROM billing_document d
JOIN billing_documentline l ON l.provider_id = d.provider_id AND l.document_id = d.id
JOIN mining_reward r ON r.provider_id = l.provider_id AND r.id = l.reward_id
WHERE d.provider_id = %s AND d.status = 'issued'
GROUP BY r.id
HAVING sum(l.net_sat) <> sum(l.provider_share_sat) + sum(l.customer_share_sat)
    OR sum(l.net_sat) NOT IN (0, (array_agg((l.facts ->> 'net_sat')::bigint ORDER BY l.id DESC))[1])
    OR sum(l.customer_share_sat) < 0
"""

ISSUED_WITHOUT_POSTING = """
SELECT d.number FROM billing_document d
LEFT JOIN billing_journaltx t ON t.provider_id = d.provider_id AND t.event_key = 'document:' || d.code || ':issued'
WHERE d.provider_id = %s AND d.status = 'issued' AND t.id IS NULL
    AND EXISTS (SELECT 1 FROM billing_documentline l WHERE l.provider_id = d.provider_id AND l.document_id = d.id
        GROUP BY l.component HAVING sum(l.net_sat) <> 0 AND (l.component = 'pay_customer' OR sum(l.amount_sat) <> 0))
ORDER BY d.id
"""


def problems(access: Access) -> list[str]:
    """Everything that does not hold for this provider."""
    with hash_joins():
        return [
            *_numbers(access),
            *_documents(access),
            *_parts(access),
            *_journal(access),
            *_postings(access),
            *_balances(access),
            *_rewards_of_others(access),
        ]


def _numbers(access: Access) -> Iterator[str]:
    issued = (
        Document.objects.visible_to(access)
        .filter(status=DocumentStatus.ISSUED)
        .values("series")
        .annotate(count=Count("pk"), first=Min("sequence"), last=Max("sequence"), newest=Max("issued_on"))
    )
    numbers: dict[str, Any] = {str(row["series"]): row for row in issued}
    for series in DocumentSeries.objects.visible_to(access).order_by("series"):
        row = numbers.pop(series.series, {"count": 0, "first": 1, "last": 0, "newest": None})
        if not (row["count"] == row["last"] == series.last_sequence and (row["first"] == 1 or not row["count"])):
            yield (
                f"Series {series.series} gave out {series.last_sequence} numbers, but {row['count']} documents have"
                f" one, the last {row['last']}."
            )
        if row["newest"] != series.last_issued_on:
            yield (
                f"Series {series.series} was last used on {series.last_issued_on},"
                f" its newest document is of {row['newest']}."
            )
    yield from (f"Documents carry numbers of the series {series}, which does not exist." for series in sorted(numbers))
    yield from _dates(access)


def _dates(access: Access) -> Iterator[str]:
    previous: dict[str | None, Any] = {}
    rows = (
        Document.objects.visible_to(access)
        .filter(status=DocumentStatus.ISSUED)
        .order_by("series", "sequence")
        .values_list("series", "number", "issued_on")
    )
    for series, number, issued_on in rows:
        if series in previous and issued_on < previous[series]:
            yield f"{number} is dated {issued_on}, before the number that precedes it."
        previous[series] = issued_on


def _documents(access: Access) -> Iterator[str]:
    for code, number, balance_sat, lines_sat, count in _rows(access, WRONG_BALANCES):
        yield (
            f"Document {number or code} says {btc_text(balance_sat)} BTC, its {count} lines sum to"
            f" {btc_text(int(lines_sat))} BTC."
        )


def _parts(access: Access) -> Iterator[str]:
    for (reward,) in _rows(access, WRONG_PARTS):
        yield f"Reward {reward}: what issued lines billed in all is not the reward as they knew it."


def _journal(access: Access) -> Iterator[str]:
    unbalanced = (
        JournalEntry.objects.visible_to(access)
        .values("tx__code", "asset")
        .annotate(sat=Sum("amount_sat"))
        .exclude(sat=0)
    )
    yield from (f"Transaction {row['tx__code']} sums to {row['sat']} and not to zero." for row in unbalanced)
    counted = JournalTx.objects.visible_to(access).annotate(there=Count("entries")).exclude(there=F("legs"))
    yield from (f"Transaction {tx.code} has {tx.there} of its {tx.legs} legs." for tx in counted)
    wrong = JournalEntry.objects.visible_to(access).exclude(asset=F("account__asset"))
    yield from (f"Leg {leg.pk} is in {leg.asset}, its account is not." for leg in wrong)


def _postings(access: Access) -> Iterator[str]:
    for (number,) in _rows(access, ISSUED_WITHOUT_POSTING):
        yield f"{number} is issued, but the journal has no transaction of it."


def _balances(access: Access) -> Iterator[str]:
    documents = dict(
        Document.objects.visible_to(access)
        .filter(status=DocumentStatus.ISSUED)
        .values_list("customer_id")
        .annotate(sat=Sum("balance_sat"))
    )
    books = journal.customer_balances(access)
    names = dict(Customer.objects.visible_to(access).values_list("pk", "code"))
    for customer in sorted(documents.keys() | books.keys()):
        owed = books.get(customer, journal.CustomerBalance()).net_sat
        if owed != documents.get(customer, 0):
            yield (
                f"Customer {names.get(customer, customer)}: issued documents sum to"
                f" {btc_text(int(documents.get(customer, 0)))} BTC, the books say {btc_text(owed)} BTC."
            )


def _rows(access: Access, query: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, [access.provider.pk])
        return list(cursor.fetchall())


def _rewards_of_others(access: Access) -> Iterator[str]:
    """Rewards that do not carry their account's customer would be billed to nobody."""
    wrong = Reward.objects.visible_to(access).exclude(mining_account__customer=F("customer"))
    count = wrong.filter(mining_account__customer__isnull=False).count()
    if count:
        yield f"{count} rewards do not carry the customer of their mining account."
