"""The lines of a document as CSV: the same numbers as its PDF, for a spreadsheet or another program."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from billing.holds import omissions
from billing.models import Document, DocumentLine
from billing.words import btc_text
from mining.pool.answers.decimals import plain

# Stable: names are added at the end, never changed.
COLUMNS = (
    "document",
    "line",
    "kind",
    "component",
    "date",
    "occurrence",
    "reward",
    "status",
    "payout_destination",
    "payout_address",
    "transaction_hash",
    "total_reward_btc",
    "pool_fee_btc",
    "net_reward_btc",
    "total_sat",
    "fee_sat",
    "net_sat",
    "share_ppm",
    "basis",
    "pool_fee_borne_by",
    "provider_share_sat",
    "customer_share_sat",
    "amount_sat",
    "amount_btc",
    "reason",
    "corrects_document",
    "corrects_line",
    "was_sat",
    "is_sat",
    "flags",
    "left_out",
)
FORMAT_VERSION = 2  # raise it with any change of the columns
LEFT_OUT = "left_out"  # the kind of a row that is no line: what the document does not know, in words
ROWS_AT_ONCE = 2000
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def csv_rows(document: Document) -> Iterator[bytes]:
    """The file piece by piece, head first. Must run inside the reader's context (customers.tenancy.stream)."""
    yield _encoded(COLUMNS)
    lines = (
        DocumentLine.objects.filter(provider=document.provider_id, document=document)
        .select_related("reward", "corrects__document")
        .prefetch_related("version__components")
        .order_by("position")
    )
    for line in lines.iterator(chunk_size=ROWS_AT_ONCE):
        yield _encoded(_row(document, line))
    yield from (_encoded(_left_out(document, omission)) for omission in omissions.of_document(document))


def _row(document: Document, line: DocumentLine) -> tuple[str, ...]:
    facts = line.facts
    (terms,) = line.version.components.all()
    corrected = line.corrects
    return (
        text(document.number or ""),
        str(line.position),
        line.kind,
        line.component,
        line.day.isoformat(),
        str(facts["occurrence"]),
        line.reward.code,
        facts["status"],
        facts["destination"],
        text(facts.get("address", "")),
        text(facts.get("transaction", "")),
        plain(facts["total"]),
        plain(facts["fee"]),
        plain(facts["net"]),
        str(facts["total_sat"]),
        str(facts["fee_sat"]),
        str(facts["net_sat"]),
        str(terms.share_ppm),
        terms.basis,
        terms.pool_fee_borne_by,
        str(line.provider_share_sat),
        str(line.customer_share_sat),
        str(line.amount_sat),
        btc_text(line.amount_sat),
        line.reason,
        text((corrected.document.number or "") if corrected else ""),
        str(corrected.position) if corrected else "",
        *_was_and_is(facts, line.amount_sat),
        "share_capped" if facts.get("share_capped") else "",
        "",
    )


def _left_out(document: Document, omission: dict[str, Any]) -> tuple[str, ...]:
    """Without an amount: it is in no sum."""
    cells = dict.fromkeys(COLUMNS, "") | {
        "document": text(document.number or ""),
        "kind": LEFT_OUT,
        "date": omission["day"] or "",
        "reason": omission["kind"],
        "left_out": text(omission["words"]),
    }
    return tuple(cells.values())


def _was_and_is(facts: dict[str, Any], amount_sat: int) -> tuple[str, str]:
    if "was_sat" not in facts:
        return "", ""
    return str(facts["was_sat"]), str(facts["was_sat"] + amount_sat)


def text(cell: str) -> str:
    """A cell that somebody else wrote: a spreadsheet must not run it as a formula. Our own numbers keep their minus."""
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell


def _encoded(cells: tuple[str, ...]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow(cells)
    return buffer.getvalue().encode()
