"""The lines of a document, as staff and the customer read them."""

from __future__ import annotations

from collections.abc import Sequence

from billing.models import DocumentLine


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
