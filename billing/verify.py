"""The books checked against themselves, in few queries: each finding is one sentence, none means all is well."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import connection
from django.db.models import Count, F, Max, Min, Sum

from billing import journal
from billing.models import Document, DocumentSeries, JournalEntry, JournalTx, LedgerAccount
from billing.payments import balances
from billing.planning import hash_joins
from billing.words import btc_text
from customers.models import Customer
from customers.tenancy import Access
from mining.models import Reward

WRONG_BALANCES = """
SELECT d.code, d.number, d.balance_sat, coalesce(sum(l.amount_sat), 0), count(l.id)
FROM billing_document d
LEFT JOIN billing_documentline l ON l.provider_id = d.provider_id AND l.document_id = d.id
WHERE d.provider_id = %(provider)s
GROUP BY d.id HAVING coalesce(sum(l.amount_sat), 0) <> d.balance_sat OR count(l.id) = 0
"""

# By reward over its lines that count: what was billed in all must be the split of the record as the latest line knew
# it, in one component only, or nothing.
WRONG_PARTS = """
SELECT r.code FROM billing_document d
JOIN billing_documentline l ON l.provider_id = d.provider_id AND l.document_id = d.id
JOIN mining_reward r ON r.provider_id = l.provider_id AND r.id = l.reward_id
WHERE d.provider_id = %(provider)s AND d.counts
GROUP BY r.id
HAVING sum(l.net_sat) <> sum(l.provider_share_sat) + sum(l.customer_share_sat)
    OR sum(l.net_sat) NOT IN (0, (array_agg((l.facts ->> 'net_sat')::bigint ORDER BY l.id DESC))[1])
    OR sum(l.customer_share_sat) < 0
"""

ISSUED_WITHOUT_POSTING = """
SELECT d.number FROM billing_document d
LEFT JOIN billing_journaltx t ON t.provider_id = d.provider_id AND t.event_key = 'document:' || d.code || ':issued'
WHERE d.provider_id = %(provider)s AND d.number IS NOT NULL AND t.id IS NULL
    AND EXISTS (SELECT 1 FROM billing_documentline l WHERE l.provider_id = d.provider_id AND l.document_id = d.id
        GROUP BY l.component HAVING sum(l.net_sat) <> 0 AND (l.component = 'pay_customer' OR sum(l.amount_sat) <> 0))
ORDER BY d.id
"""


WRONG_SETTLED = """
SELECT d.number, abs(d.balance_sat), coalesce(a.amount, 0), o.total, o.settled FROM billing_document d
LEFT JOIN billing_documentopen o ON o.provider_id = d.provider_id AND o.document_id = d.id
LEFT JOIN (
    SELECT provider_id, document_id, sum(amount) AS amount FROM billing_allocation GROUP BY provider_id, document_id
) a ON a.provider_id = d.provider_id AND a.document_id = d.id
WHERE d.provider_id = %(provider)s AND d.number IS NOT NULL
    AND (o.settled IS DISTINCT FROM coalesce(a.amount, 0) OR o.total <> abs(d.balance_sat)
        OR (d.status = 'voided' AND o.settled <> 0))
ORDER BY d.id
"""

WRONG_LEFT = """
SELECT f.code, f.amount_left, f.amount - coalesce(sum(a.amount), 0) FROM billing_fund f
LEFT JOIN billing_allocation a ON a.provider_id = f.provider_id AND a.fund_id = f.id
WHERE f.provider_id = %(provider)s
GROUP BY f.id HAVING f.amount_left <> f.amount - coalesce(sum(a.amount), 0)
    OR f.taken_back <> coalesce(bool_or(a.document_id IS NULL AND a.id IS NOT NULL), false)
ORDER BY f.id
"""

WRONG_LIFE = """
SELECT d.number, d.status FROM billing_document d
LEFT JOIN LATERAL (
    SELECT m.to_status FROM billing_documentmove m WHERE m.provider_id = d.provider_id AND m.document_id = d.id
    ORDER BY m.id DESC LIMIT 1
) m ON true
WHERE d.provider_id = %(provider)s AND d.number IS NOT NULL AND d.status <> coalesce(m.to_status, 'issued')
ORDER BY d.id
"""

# Each event by the key that its posting should have; a reversal by the code of what it reverses.
UNPOSTED = """
WITH events (key, reverses) AS (
    SELECT 'payment:' || code, NULL FROM billing_fund WHERE provider_id = %(provider)s
    UNION ALL
    SELECT NULL, 'payment:' || code FROM billing_fund WHERE provider_id = %(provider)s AND taken_back
    UNION ALL
    SELECT 'allocation:' || code, NULL FROM billing_allocation
    WHERE provider_id = %(provider)s AND document_id IS NOT NULL AND reverses_id IS NULL
    UNION ALL
    SELECT NULL, 'allocation:' || o.code FROM billing_allocation a
    JOIN billing_allocation o ON o.provider_id = a.provider_id AND o.id = a.reverses_id
    WHERE a.provider_id = %(provider)s
    UNION ALL
    SELECT 'document_move:' || code, NULL FROM billing_documentmove
    WHERE provider_id = %(provider)s AND to_status = 'written_off'
)
SELECT coalesce(e.key, 'the reversal of ' || e.reverses) FROM events e
LEFT JOIN billing_journaltx t ON t.provider_id = %(provider)s AND t.event_key = coalesce(e.key, e.reverses)
LEFT JOIN billing_journaltx r ON r.provider_id = %(provider)s AND r.reverses_id = t.id
WHERE t.id IS NULL OR (e.reverses IS NOT NULL AND r.id IS NULL)
ORDER BY 1
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
            *_sums(access),
            *_balances(access),
            *_rewards_of_others(access),
        ]


def _numbers(access: Access) -> Iterator[str]:
    issued = (
        Document.objects.visible_to(access)
        .filter(number__isnull=False)
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
        .filter(number__isnull=False)
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


def _sums(access: Access) -> Iterator[str]:
    """What is cached beside the allocations, and what each act should have posted."""
    for number, asked, allocated, total, settled in _rows(access, WRONG_SETTLED):
        yield (
            f"{number} asks {asked} and its allocations sum to {allocated}, but {settled} of {total} counts as settled."
        )
    for code, left, unused in _rows(access, WRONG_LEFT):
        yield f"Payment {code} has {left} left, its allocations leave {unused}."
    for number, status in _rows(access, WRONG_LIFE):
        yield f"{number} is {status}, its last step says otherwise."
    for key in _rows(access, UNPOSTED):
        yield f"The journal has no transaction of {key[0]}."


def _balances(access: Access) -> Iterator[str]:
    """Customer by customer: what the books say is what documents less payments come to."""
    names = dict(Customer.objects.visible_to(access).values_list("pk", "code"))
    for asset in LedgerAccount.objects.visible_to(access).order_by("asset").values_list("asset", flat=True).distinct():
        books = journal.customer_balances(access, asset=asset)
        should_be = balances.of_documents(access, asset=asset)
        for customer in sorted(should_be.keys() | books.keys()):
            booked = books.get(customer, journal.CustomerBalance())
            expected = should_be.get(customer, journal.CustomerBalance())
            if booked != expected:
                yield (
                    f"Customer {names.get(customer, customer)}: documents and payments come to"
                    f" {_told(expected, asset)}, the books say {_told(booked, asset)}."
                )


def _told(balance: journal.CustomerBalance, asset: str) -> str:
    amounts = {
        "payable": balance.payable_sat,
        "receivable": balance.receivable_sat,
        "credit": balance.credit_sat,
        "advance": balance.advance_sat,
    }
    return ", ".join(f"{name} {btc_text(sat)} {asset}" for name, sat in amounts.items() if sat) or "nothing"


def _rows(access: Access, query: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, {"provider": access.provider.pk})
        return list(cursor.fetchall())


def _rewards_of_others(access: Access) -> Iterator[str]:
    """Rewards that do not carry their account's customer would be billed to nobody."""
    wrong = Reward.objects.visible_to(access).exclude(mining_account__customer=F("customer"))
    count = wrong.filter(mining_account__customer__isnull=False).count()
    if count:
        yield f"{count} rewards do not carry the customer of their mining account."
