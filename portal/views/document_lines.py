"""The lines of a document, as staff and the customer read them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from billing.models import DocumentLine


def with_absent_days(
    regular: Sequence[DocumentLine], days: Sequence[date]
) -> list[tuple[DocumentLine | None, date | None]]:
    """The lines of the month, and among them the days without a reward, in order: each is one or the other."""
    rows: list[tuple[DocumentLine | None, date | None]] = [(line, None) for line in regular]
    rows += [(None, day) for day in days]
    return sorted(rows, key=lambda row: row[1] or row[0].day)  # type: ignore[union-attr]  # one of them is there


def sums(lines: Sequence[DocumentLine]) -> dict[str, int]:
    """Sums of rounded lines: never rounded again."""
    return {
        "count": len(lines),
        "total_sat": sum(line.facts["total_sat"] for line in lines),
        "fee_sat": sum(line.facts["fee_sat"] for line in lines),
        "net_sat": sum(line.net_sat for line in lines),
        "provider_sat": sum(line.provider_share_sat for line in lines),
        "customer_sat": sum(line.customer_share_sat for line in lines),
        "amount_sat": sum(line.amount_sat for line in lines),
    }
