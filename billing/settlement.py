"""Target minus billed: what each customer's document of a month should say, written as drafts.

`expected_lines.sql` computes it for a whole provider at once, however many contracts there are. A close then makes the
drafts agree with it: a draft that says the same already is not touched, so closing again writes no row.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.db.backends.postgresql.psycopg_any import DateRange
from django.db.models import Count

from billing import minimum, rereading
from billing.holds.drafts import Hold, why_held
from billing.models import Document, DocumentStatus, DocumentType
from billing.models.documents import direction_of
from billing.planning import hash_joins
from customers import audit
from customers.codes import new_code
from customers.errors import Refused
from customers.models import Customer
from customers.tenancy import Access
from customers.words import day_in_words, month_in_words

EXPECTED_LINES = (Path(__file__).parent / "expected_lines.sql").read_text(encoding="utf-8")

# Contracts whose draft of the period differs from what is expected: new, changed, or to be emptied.
DIFFERENCES = """
SELECT DISTINCT coalesce(e.contract_id, l.contract_id)
FROM {expected} e
FULL JOIN (
    SELECT d.contract_id, l.* FROM billing_document d
    JOIN billing_documentline l ON l.provider_id = d.provider_id AND l.document_id = d.id
    WHERE d.provider_id = %(provider)s AND d.status = 'draft' AND d.period = %(period)s::daterange
        AND (%(contract)s::bigint IS NULL OR d.contract_id = %(contract)s)
) l ON l.contract_id = e.contract_id AND l.reward_id = e.reward_id AND l.component = e.component
WHERE (e.position, e.kind, e.day, e.version_id, e.reason, e.amount_sat,
        e.net_sat, e.provider_sat, e.customer_sat, e.facts)
    IS DISTINCT FROM
      (l.position, l.kind, l.day, l.version_id, l.reason, l.amount_sat,
        l.net_sat, l.provider_share_sat, l.customer_share_sat, l.facts)
    OR e.corrects_id IS DISTINCT FROM l.corrects_id
"""

# Temporary tables: all expected lines, and the contracts that need writing with the sum of their lines (null: none).
CHANGED = """
CREATE TEMP TABLE billing_changed ON COMMIT DROP AS
SELECT d.contract_id, s.customer_id, s.balance_sat, row_number() OVER (ORDER BY d.contract_id) AS n
FROM (DIFFERENCES) d (contract_id)
LEFT JOIN (
    SELECT contract_id, customer_id, sum(amount_sat)::bigint AS balance_sat FROM billing_expected
    GROUP BY contract_id, customer_id
) s ON s.contract_id = d.contract_id
""".replace("DIFFERENCES", DIFFERENCES.format(expected="billing_expected"))

ADD_DOCUMENTS = """
INSERT INTO billing_document (provider_id, code, customer_id, contract_id, period, asset, status, type, balance_sat,
    created_at, computed_at)
SELECT %(provider)s, codes.code, c.customer_id, c.contract_id, %(period)s::daterange, 'BTC', 'draft',
    CASE WHEN c.balance_sat < 0 THEN 'invoice' ELSE 'settlement' END, c.balance_sat, %(now)s, %(now)s
FROM billing_changed c
JOIN unnest(%(codes)s::text[]) WITH ORDINALITY AS codes (code, n) ON codes.n = c.n
WHERE c.balance_sat IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM billing_document d WHERE d.provider_id = %(provider)s AND d.contract_id = c.contract_id
        AND d.status = 'draft' AND d.period = %(period)s::daterange
)
ORDER BY c.n
"""

# A changed draft gets all its lines anew: their order is part of what it says.
REMOVE_LINES = """
DELETE FROM billing_documentline l USING billing_document d, billing_changed c
WHERE l.provider_id = %(provider)s AND d.provider_id = l.provider_id AND d.id = l.document_id
    AND d.status = 'draft' AND d.period = %(period)s::daterange
    AND c.contract_id = d.contract_id AND c.balance_sat IS NOT NULL
"""

UPDATE_DOCUMENTS = """
UPDATE billing_document d
SET balance_sat = c.balance_sat, type = CASE WHEN c.balance_sat < 0 THEN 'invoice' ELSE 'settlement' END,
    computed_at = %(now)s
FROM billing_changed c
WHERE d.provider_id = %(provider)s AND d.contract_id = c.contract_id AND d.status = 'draft'
    AND d.period = %(period)s::daterange AND c.balance_sat IS NOT NULL
    -- What was just added is as it should be.
    AND (d.balance_sat, d.computed_at) IS DISTINCT FROM (c.balance_sat, %(now)s::timestamptz)
"""

ADD_LINES = """
INSERT INTO billing_documentline (provider_id, document_id, customer_id, position, kind, component, reward_id,
    version_id, day, amount_sat, net_sat, provider_share_sat, customer_share_sat, reason, corrects_id, facts)
SELECT %(provider)s, d.id, e.customer_id, e.position, e.kind, e.component, e.reward_id, e.version_id,
    e.day, e.amount_sat, e.net_sat, e.provider_sat, e.customer_sat, e.reason, e.corrects_id, e.facts
FROM billing_expected e
JOIN billing_changed c ON c.contract_id = e.contract_id
JOIN billing_document d ON d.provider_id = %(provider)s AND d.contract_id = e.contract_id AND d.status = 'draft'
    AND d.period = %(period)s::daterange
ORDER BY d.id, e.position
"""

# A draft that has become empty is discarded with the lines it had: no lines, no document.
DISCARD_EMPTY = """
UPDATE billing_document d SET status = 'discarded'
FROM billing_changed c
WHERE d.provider_id = %(provider)s AND d.status = 'draft' AND d.period = %(period)s::daterange
    AND c.contract_id = d.contract_id AND c.balance_sat IS NULL
"""


def close_period(access: Access, *, month: date, now: datetime) -> list[Document]:
    """The month's drafts, computed anew where facts changed. An issued period is left alone: what changed since goes
    on the next document. Repeatable; a month that has not ended in UTC is refused.

    Asks for what was not read again since the month ended (rereading.py); whoever closes says so."""
    period = ended_month(month, now)
    with transaction.atomic():
        lock_closing(access)
        changed = _agree_drafts(access, period, now)
        if changed:
            audit.record(access, "period.closed", f"{period.lower:%Y-%m}", now=now, documents_changed=changed)
        # Last: it locks the accounts, and every reading waits for that.
        rereading.ask_for_close(access, period, now=now)
        return list(drafts_of(access, period.lower))


def _agree_drafts(access: Access, period: DateRange, now: datetime) -> int:
    """Make the period's drafts say what is expected; the number of contracts whose draft changed."""
    values: dict[str, Any] = {"provider": access.provider.pk, "contract": None, "period": period, "now": now}
    with hash_joins(), connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.billing_expected, pg_temp.billing_changed")
        cursor.execute(f"CREATE TEMP TABLE billing_expected ON COMMIT DROP AS {EXPECTED_LINES}", values)
        # Without statistics the joins below are planned for a handful of rows.
        cursor.execute("ANALYZE billing_expected")
        cursor.execute(CHANGED, values)
        changed: int = cursor.rowcount
        if changed:
            cursor.execute("ANALYZE billing_changed")
            values["codes"] = [new_code("doc") for _ in range(changed)]
            for statement in (ADD_DOCUMENTS, REMOVE_LINES, UPDATE_DOCUMENTS, ADD_LINES, DISCARD_EMPTY):
                cursor.execute(statement, values)
        cursor.execute("DROP TABLE pg_temp.billing_expected, pg_temp.billing_changed")
    return changed


def drafts_of(access: Access, month: date) -> Any:
    return (
        Document.objects.visible_to(access)
        .filter(status=DocumentStatus.DRAFT, period=month_of(month))
        .select_related("customer", "contract")
        .order_by("pk")
    )


@dataclass(frozen=True, slots=True)
class Preview:
    """What a close would make of one contract."""

    customer: Customer
    contract_id: int
    type: DocumentType
    balance_sat: int
    line_count: int
    hold: Hold | None  # as the draft would be held
    below_sat: int | None  # the minimum that it is below: it would be carried to the next month

    @property
    def total_sat(self) -> int:
        return abs(self.balance_sat)

    @property
    def direction(self) -> str:
        return direction_of(self.balance_sat)


def preview(access: Access, *, month: date, now: datetime) -> list[Preview]:
    """What close_period would draft now, by doing it and rolling back."""
    period = ended_month(month, now)
    with transaction.atomic():
        lock_closing(access)
        _agree_drafts(access, period, now)
        drafts = list(drafts_of(access, month).annotate(line_count=Count("lines")))
        holds, below = why_held(access, drafts), minimum.below(access, drafts)
        previews = [
            Preview(
                draft.customer,
                draft.contract_id,
                DocumentType(draft.type),
                draft.balance_sat,
                draft.line_count,
                holds.get(draft.pk),
                below.get(draft.pk),
            )
            for draft in drafts
        ]
        transaction.set_rollback(True)
    return previews


def discard(access: Access, document: Document, *, now: datetime) -> None:
    """Discard a draft, for ever. The next close of its month makes a new one if there is something to bill."""
    with transaction.atomic():
        claimed = (
            Document.objects.visible_to(access)
            .filter(pk=document.pk, status=DocumentStatus.DRAFT)
            .update(status=DocumentStatus.DISCARDED)
        )
        if not claimed:
            raise Refused(
                "Only a draft can be discarded. An issued document stays; what changes goes on the next one.",
                code="document.not_draft",
            )
        audit.record(access, "document.discarded", document.code, now=now)
    document.status = DocumentStatus.DISCARDED


def is_stale(document: Document) -> bool:
    """Whether a close now would write this draft differently."""
    values = {"provider": document.provider_id, "contract": document.contract_id, "period": document.period}
    with connection.cursor() as cursor:
        cursor.execute(DIFFERENCES.format(expected=f"({EXPECTED_LINES})"), values)
        return cursor.fetchone() is not None


def lock_closing(access: Access, *, shared: bool = False) -> None:
    """Held until the transaction ends. Closes of a provider go one after the other, and none while a document of it
    is issued; issues (shared) go beside each other."""
    function = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(hashtextextended('billing.close', %s))", [access.provider.pk])


def month_of(day: date) -> DateRange:
    first = day.replace(day=1)
    return DateRange(first, (first + timedelta(days=31)).replace(day=1))


def ended_month(day: date, now: datetime) -> DateRange:
    period = month_of(day)
    if period.upper > now.astimezone(UTC).date():
        raise Refused(
            "%(month)s has not ended in UTC. It can be closed from %(first_day)s on.",
            code="period.not_ended",
            params={"month": month_in_words(period.lower), "first_day": day_in_words(period.upper)},
        )
    return period
