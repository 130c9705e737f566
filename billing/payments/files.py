"""Payments from a CSV file: looked at first, then recorded, all or none. One sentence for each row that cannot be."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar

from django.db import transaction

from billing import life
from billing.models import Document, Fund, PaidBy, Source
from billing.payments.allocation import Plan, Share
from billing.payments.recording import Payment, record
from customers.errors import Refused
from customers.models import Customer
from customers.tenancy import Access
from customers.words import counted

REQUIRED = ("date", "amount_btc", "reference")
COLUMNS = (*REQUIRED, "customer", "documents", "paid_by", "source", "note")
MOST_ROWS = 1000
MOST_TOLD = 20
AMOUNT = re.compile(r"(0|[1-9][0-9]{0,7})(\.[0-9]{1,8})?")


Chosen = TypeVar("Chosen", PaidBy, Source)


@dataclass(frozen=True, slots=True)
class Row:
    """Of the file: what it would record, or why it cannot be."""

    line: int  # of the file, the head is 1
    fund: Fund | None = None
    plan: Plan | None = None
    problem: str = ""


def look_at(access: Access, file: str, *, now: datetime) -> list[Row]:
    """What `record_file` would do, by doing it and rolling back."""
    with transaction.atomic():
        rows = _record_rows(access, file, now)
        transaction.set_rollback(True)
    return rows


def record_file(access: Access, file: str, *, now: datetime) -> list[Row]:
    """Record every row. Where one cannot be, none is, and each such row is told."""
    with transaction.atomic():
        rows = _record_rows(access, file, now)
        problems = [f"Line {row.line}: {row.problem}" for row in rows if row.problem]
        if problems:
            more = f" And {counted(len(problems) - MOST_TOLD, 'more row')}." if len(problems) > MOST_TOLD else ""
            raise Refused(
                "Nothing was recorded. %(problems)s%(more)s",
                code="payment.file_rows",
                params={"problems": " ".join(problems[:MOST_TOLD]), "more": more},
            )
    return rows


def _record_rows(access: Access, file: str, now: datetime) -> list[Row]:
    read = [(line, cells) for line, cells in _cells(file)]
    payments = [(line, _payment(access, cells)) for line, cells in read]
    # All customers before the first payment: two files at once could else wait for each other in a circle.
    life.lock(access, *(payment.customer.pk for _, payment in payments if isinstance(payment, Payment)))
    return [_recorded(access, line, payment, now) for line, payment in payments]


def _recorded(access: Access, line: int, payment: Payment | str, now: datetime) -> Row:
    if isinstance(payment, str):
        return Row(line, problem=payment)
    try:
        with transaction.atomic():
            fund = record(access, payment, now=now)
    except Refused as refusal:
        return Row(line, problem=str(refusal))
    made = fund.allocations.select_related("document").order_by("pk")
    shares = [Share(made_.document, made_.amount, made_.amount) for made_ in made if made_.document is not None]
    return Row(line, fund, Plan(shares, fund.amount_left))


def _cells(file: str) -> Iterable[tuple[int, dict[str, str]]]:
    if "\x00" in file:  # no text to PostgreSQL, and none that a person writes
        raise Refused("The file is no text. Save it as CSV UTF-8.", code="payment.file_no_text")
    head, _, _ = file.lstrip("\ufeff").partition("\n")
    separator = ";" if ";" in head and "," not in head else ","
    reader = csv.reader(io.StringIO(file.lstrip("\ufeff"), newline=""), delimiter=separator, strict=True)
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        _check_head(names)
        rows = [(reader.line_num, row) for row in reader if any(map(str.strip, row))]
    except csv.Error as error:
        raise Refused(
            "The file is no CSV that can be read: %(why)s, line %(line)s.",
            code="payment.file_unreadable",
            params={"why": error, "line": reader.line_num},
        ) from error
    if not 0 < len(rows) <= MOST_ROWS:
        raise Refused(
            "The file has %(count)s payments. Give 1 to %(most)s at once.",
            code="payment.file_size",
            params={"count": len(rows), "most": MOST_ROWS},
        )
    return [(line, dict(zip(names, map(str.strip, row), strict=False))) for line, row in rows]


def _check_head(names: list[str]) -> None:
    missing = [name for name in REQUIRED if name not in names]
    unknown = [name for name in names if name not in COLUMNS]
    if missing or unknown or len(set(names)) != len(names) or not {"customer", "documents"} & set(names):
        raise Refused(
            "The first line names the columns: %(required)s, then customer or documents or both, and if you like"
            " %(others)s; each once, and no others.",
            code="payment.file_head",
            params={"required": ", ".join(REQUIRED), "others": "paid_by, source and note"},
        )


def _payment(access: Access, cells: dict[str, str]) -> Payment | str:
    """The row's payment, or the sentence why it is none."""
    try:
        documents = _documents(access, cells.get("documents", ""))
        return Payment(
            customer=_customer(access, cells.get("customer", ""), documents),
            paid_by=_choice(cells.get("paid_by", ""), PaidBy.CUSTOMER, "paid_by"),
            amount=_amount(cells.get("amount_btc", "")),
            ref=cells.get("reference", ""),
            received_on=_day(cells.get("date", "")),
            source=_choice(cells.get("source", ""), Source.BITCOIN, "source"),
            note=cells.get("note", ""),
            documents=documents or None,
        )
    except Unreadable as why:
        return str(why)


class Unreadable(Exception):
    """A cell that cannot be read; str() says what to write."""


def _documents(access: Access, cell: str) -> list[Document]:
    numbers = cell.split()
    rows = Document.objects.visible_to(access).filter(number__in=numbers).select_related("customer")
    found = {row.number: row for row in rows}
    if unknown := [number for number in numbers if number not in found]:
        raise Unreadable(f"There is no document {unknown[0][:40]}. Write numbers as INV-2026-000001, spaces between.")
    return [found[number] for number in numbers]


def _customer(access: Access, cell: str, documents: list[Document]) -> Customer:
    if not cell:
        if not documents:
            raise Unreadable("Say whose payment it is: the customer, or a document.")
        return documents[0].customer
    customers = Customer.objects.visible_to(access)
    found = (
        list(customers.filter(code=cell))
        or list(customers.filter(external_ref=cell))
        or list(customers.filter(name=cell)[:2])
    )
    if len(found) != 1:
        raise Unreadable(
            f"{'There are several customers' if found else 'There is no customer'} {cell[:60]}."
            " Write the customer's id, reference or whole name."
        )
    return found[0]


def _amount(cell: str) -> int:
    """Satoshi. A comma may be a decimal sign or group digits, so it is not guessed."""
    if not AMOUNT.fullmatch(cell):
        raise Unreadable("Write the amount in BTC as 0.01250000: a point, 8 decimals at most, no commas or signs.")
    whole, _, part = cell.partition(".")
    return int(whole) * 10**8 + int(part.ljust(8, "0"))


def _day(cell: str) -> date:
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", cell):
            return date.fromisoformat(cell)
    except ValueError:
        pass
    raise Unreadable("Write the day as 2026-10-31.")


def _choice(cell: str, default: Chosen, column: str) -> Chosen:
    if not cell:
        return default
    choices = [choice.value for choice in type(default)]
    if cell not in choices:
        raise Unreadable(f"In {column} write {' or '.join(choices)}.")
    return type(default)(cell)
