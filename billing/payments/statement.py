"""A customer's statement of account for a range of days: what was owed before, what happened, what is owed after."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from django.db import connection

from billing.evidence import text
from billing.models import LedgerAccount
from billing.words import btc_text
from customers.models import Customer
from customers.tenancy import Access


class Happened(StrEnum):
    ISSUED = "document_issued"
    VOIDED = "document_voided"
    WRITTEN_OFF = "document_written_off"
    TAKEN_UP_AGAIN = "document_taken_up_again"
    PAID = "payment"
    TAKEN_BACK = "payment_taken_back"


# By how the key of the posted event begins, and whether it is reversed by this one.
HAPPENED = {
    ("document", False): Happened.ISSUED,
    ("document", True): Happened.VOIDED,
    ("document_move", False): Happened.WRITTEN_OFF,
    ("document_move", True): Happened.TAKEN_UP_AGAIN,
    ("payment", False): Happened.PAID,
    ("payment", True): Happened.TAKEN_BACK,
}


@dataclass(frozen=True, slots=True)
class Entry:
    day: date
    what: Happened
    about: str  # the document's number, or the payment's reference
    code: str  # of the document or the payment
    amount: int  # + the provider owes more by it
    balance: int  # after it


@dataclass(frozen=True, slots=True)
class Statement:
    customer: Customer
    asset: str
    first_day: date
    last_day: date
    opening: int  # + the provider owes
    entries: list[Entry]

    @property
    def closing(self) -> int:
        return self.entries[-1].balance if self.entries else self.opening


# What moves between a customer's own accounts (a payment put to a document) changes nothing that is owed: it sums to 0.
POSTED = """
SELECT t.effective_on, coalesce(o.event_key, t.event_key), t.reverses_id IS NOT NULL,
    coalesce(d.number, f.ref), coalesce(d.code, f.code), (-sum(e.amount_sat))::bigint
FROM billing_ledgeraccount a
JOIN billing_journalentry e ON e.provider_id = a.provider_id AND e.account_id = a.id
JOIN billing_journaltx t ON t.provider_id = e.provider_id AND t.id = e.tx_id
LEFT JOIN billing_journaltx o ON o.provider_id = t.provider_id AND o.id = t.reverses_id
LEFT JOIN billing_document d ON d.provider_id = t.provider_id AND d.id = t.document_id
LEFT JOIN billing_fund f ON f.provider_id = t.provider_id AND f.id = t.fund_id
WHERE a.provider_id = %s AND a.customer_id = %s AND a.asset = %s AND a.name = ANY (%s) AND t.effective_on <= %s
GROUP BY t.id, o.id, d.id, f.id HAVING sum(e.amount_sat) <> 0
ORDER BY t.effective_on, t.id
"""
PER_CUSTOMER = [
    LedgerAccount.Name.PAYABLE.value,
    LedgerAccount.Name.RECEIVABLE.value,
    LedgerAccount.Name.CREDIT.value,
    LedgerAccount.Name.ADVANCE.value,
]


def statement(access: Access, customer: Customer, *, first_day: date, last_day: date, asset: str = "BTC") -> Statement:
    """Both days inclusive. A payment stands at the day it moved, all else at the day it was done. One query."""
    with connection.cursor() as cursor:
        cursor.execute(POSTED, [access.provider.pk, customer.pk, asset, PER_CUSTOMER, last_day])
        rows = cursor.fetchall()
    opening, balance = 0, 0
    entries = []
    for day, key, is_reversal, about, code, amount in rows:
        balance += amount
        if day < first_day:
            opening = balance
        else:
            what = HAPPENED[key.split(":")[0], is_reversal]
            entries.append(Entry(day, what, about, code, amount, balance))
    return Statement(customer, asset, first_day, last_day, opening, entries)


# Stable: names are added at the end, never changed.
COLUMNS = ("date", "entry", "reference", "id", "asset", "amount_sat", "amount_btc", "balance_sat", "balance_btc")


def csv_rows(statement: Statement) -> Iterator[bytes]:
    """The file piece by piece: the head, the balance before, the entries, the balance after."""
    yield _encoded(COLUMNS)
    yield _balance_row(statement, statement.first_day, "opening_balance", statement.opening)
    for entry in statement.entries:
        amounts = (entry.amount, btc_text(entry.amount), entry.balance, btc_text(entry.balance))
        yield _encoded((entry.day, entry.what, text(entry.about), entry.code, statement.asset, *amounts))
    yield _balance_row(statement, statement.last_day, "closing_balance", statement.closing)


def _balance_row(statement: Statement, day: date, name: str, balance: int) -> bytes:
    return _encoded((day, name, "", "", statement.asset, "", "", balance, btc_text(balance)))


def _encoded(cells: tuple[object, ...]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow(cells)
    return buffer.getvalue().encode()
