"""What a document's PDF says: plain data for the template, taken from the frozen document and its lines alone.

Texts go to the template as data, never as markup. Amounts go as plain strings; the template only groups their digits.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from datetime import date
from typing import Any

from billing.holds.omissions import split_absent
from billing.models import (
    Basis,
    ContractComponent,
    Document,
    DocumentLine,
    FeeBearer,
    LineComponent,
    LineKind,
    LineReason,
)
from billing.split import SAT_PER_BTC, WHOLE_PPM
from billing.words import btc_text, percent
from customers.brand import brand_of
from customers.models import ProviderLogo
from customers.words import agreeing, counted, day_in_words, month_in_words, short_day

Content = dict[str, Any]
LONGEST_WORD, PIECE = 36, 20  # a longer word may break after each piece, or it would run out of its column
INVISIBLE = {"Cc", "Cf", "Co", "Cn", "Cs"}
JOINERS = "\u200c\u200d"  # they say how Persian and Indian letters join
FIRST_STRONG_ISOLATE, POP_ISOLATE = "\u2068", "\u2069"
PAID_TO = {"main_balance": "balance", "external_address": "address", "unknown": "unknown"}
STATUS = {"successful": "final", "canceled": "canceled", "pending": "not final", "unknown": "unknown"}


def content_of(document: Document) -> Content:
    """Everything the template prints of an issued document."""
    snapshot, issued_on = document.snapshot, document.issued_on
    if snapshot is None or issued_on is None:
        raise ValueError(f"document {document.code} is {document.status}: only issued documents are typeset")
    lines = list(
        DocumentLine.objects.filter(provider=document.provider_id, document=document)
        .select_related("corrects__document")
        .order_by("position")
    )
    regular = [line for line in lines if line.kind == LineKind.REGULAR]
    corrections = [line for line in lines if line.kind == LineKind.CORRECTION]
    absent_days, left_out = split_absent(snapshot["left_out"])
    largest = max((abs(fact) for line in lines for fact in (line.facts["total_sat"], line.amount_sat)), default=0)
    return {
        **_head(document, snapshot, issued_on),
        # Amounts of hundreds of bitcoin need a smaller type for nine columns.
        "wide": largest * len(lines) >= 100 * SAT_PER_BTC,
        "summary": _summary(snapshot, regular, corrections),
        "rows": _rows(regular, absent_days),
        "sums": _sums(regular),
        "corrections": [_correction(line) for line in corrections],
        "correction_sums": _correction_sums(corrections),
        "worked": _worked(document, lines),
        "pending": _pending(snapshot["pending"]),
        "left_out": _left_out(left_out),
    }


def _head(document: Document, snapshot: dict[str, Any], issued_on: date) -> Content:
    provider, customer = snapshot["provider"], snapshot["customer"]
    payer, payee = ("provider", "customer") if document.balance_sat >= 0 else ("customer", "provider")
    names = {"provider": clean(provider["name"]), "customer": clean(customer["name"])}
    return {
        "title": snapshot["title"],
        "number": document.number,
        "issued_on": day_in_words(issued_on),
        "date": [issued_on.year, issued_on.month, issued_on.day],
        "month": month_in_words(document.first_day),
        "period": f"{document.first_day.day} to {day_in_words(document.last_day)} (UTC)",
        "provider_name": names["provider"],
        "customer_name": names["customer"],
        "payer": names[payer],
        "payee": names[payee],
        "total": btc_text(document.total_sat),
        "nothing_owed": document.balance_sat == 0,
        # Documents of before have no phone, page, colour and logo.
        "from": _party(
            provider["legal_name"],
            provider["address"],
            _tax(provider["tax_id"]),
            provider["support_email"],
            provider.get("support_phone", ""),
            provider.get("support_url", "").removeprefix("https://"),
        ),
        "ink": brand_of(colour).ink if (colour := provider.get("brand_colour")) else None,
        "logo": _logo(document, provider.get("logo_sha256", "")),
        "to": _party(customer["name"], "", _reference(customer["external_ref"]), customer["email"]),
        "contract": snapshot["contract"],
        "accounts": [clean(account["name"]) for account in snapshot["mining_accounts"]],
        "terms": [_terms(terms, len(snapshot["terms"]) > 1) for terms in snapshot["terms"]],
    }


def _logo(document: Document, sha256: str) -> Content | None:
    """The picture as numbers, for the template takes data only."""
    if not sha256:
        return None
    logo = ProviderLogo.objects.get(provider=document.provider_id, sha256=sha256)
    return {"png": list(bytes(logo.content)), "width": logo.width, "is_word": logo.is_word}


def _party(name: str, address: str, *more: str) -> list[str]:
    return [line for line in (clean(text) for text in (name, *address.splitlines(), *more)) if line]


def _tax(tax_id: str) -> str:
    return f"Tax no. {tax_id}" if tax_id else ""


def _reference(external_ref: str) -> str:
    return f"Customer no. {external_ref}" if external_ref else ""


def _terms(terms: dict[str, Any], several: bool) -> str:
    since = f"From {day_in_words(date.fromisoformat(terms['valid_from']))}: " if several else ""
    words: str = terms["words"]
    return since + words


def _summary(snapshot: dict[str, Any], regular: list[DocumentLine], corrections: list[DocumentLine]) -> list[Content]:
    main = [line for line in regular if line.component == LineComponent.PAY_CUSTOMER]
    external = [line for line in regular if line.component == LineComponent.BILL_CUSTOMER]
    names = {key: clean(snapshot[key]["name"]) for key in ("provider", "customer")}
    carried = [line for line in corrections if line.reason == LineReason.CARRIED]
    corrected = [line for line in corrections if line.reason != LineReason.CARRIED]
    rows = [
        (main, f"{counted(len(main), 'reward')} paid to {names['provider']}: the part of {names['customer']}"),
        (external, f"{counted(len(external), 'reward')} paid to {names['customer']}: the part of {names['provider']}"),
        *((lines, f"{carried_in(month)}, {counted(len(lines), 'line')}") for month, lines in by_month(carried)),
        (corrected, f"Corrections to earlier periods, {counted(len(corrected), 'line')}"),
    ]
    return [{"text": text, "amount": btc_text(sum(line.amount_sat for line in lines))} for lines, text in rows if lines]


def by_month(lines: Iterable[DocumentLine]) -> list[tuple[date, list[DocumentLine]]]:
    months: dict[date, list[DocumentLine]] = {}
    for line in lines:
        months.setdefault(line.day.replace(day=1), []).append(line)
    return sorted(months.items())


def carried_in(month: date) -> str:
    return f"Carried in from {month_in_words(month)}, which was below the minimum"


def _rows(regular: list[DocumentLine], absent_days: list[date]) -> list[Content]:
    """Day by day, also those of which the pool lists no reward."""
    rows = [(line.day, _row(line)) for line in regular]
    rows += [
        (day, {"day": short_day(day, year=False), "absent": "No reward: the pool lists none (unknown, not zero)"})
        for day in absent_days
    ]
    return [row for _, row in sorted(rows, key=lambda row: row[0])]


def _row(line: DocumentLine) -> Content:
    facts = line.facts
    return {
        "day": short_day(line.day, year=False),
        "status": STATUS[facts["status"]],
        "total": btc_text(facts["total_sat"]),
        "fee": btc_text(facts["fee_sat"]),
        "net": btc_text(line.net_sat),
        "paid_to": PAID_TO[facts["destination"]],
        "provider": btc_text(line.provider_share_sat),
        "customer": btc_text(line.customer_share_sat) + ("*" if facts.get("share_capped") else ""),
        "owed": btc_text(line.amount_sat),
    }


def _sums(regular: list[DocumentLine]) -> list[Content]:
    by_destination = [
        ("to balance", [line for line in regular if line.component == LineComponent.PAY_CUSTOMER]),
        ("to address", [line for line in regular if line.component == LineComponent.BILL_CUSTOMER]),
    ]
    parts = [_sum(name, lines) for name, lines in by_destination if lines]
    return [*(parts if len(parts) > 1 else []), _sum("Sum", regular)] if regular else []


def _sum(name: str, lines: list[DocumentLine]) -> Content:
    return {
        "name": name,
        "total": btc_text(sum(line.facts["total_sat"] for line in lines)),
        "fee": btc_text(sum(line.facts["fee_sat"] for line in lines)),
        **_part_sums(lines),
    }


def _part_sums(lines: Iterable[DocumentLine]) -> Content:
    lines = list(lines)
    return {
        "net": btc_text(sum(line.net_sat for line in lines)),
        "provider": btc_text(sum(line.provider_share_sat for line in lines)),
        "customer": btc_text(sum(line.customer_share_sat for line in lines)),
        "owed": btc_text(sum(line.amount_sat for line in lines)),
    }


def _correction(line: DocumentLine) -> Content:
    was_sat = line.facts.get("was_sat")
    return {
        "day": f"{short_day(line.day, year=False)} {line.day.year}",
        "why": why(line),
        "corrects": line.corrects.document.number if line.corrects else "–",
        "net": btc_text(line.net_sat),
        "provider": btc_text(line.provider_share_sat),
        "customer": btc_text(line.customer_share_sat),
        "was": "–" if was_sat is None else btc_text(was_sat),
        "is": btc_text((was_sat or 0) + line.amount_sat),
        "owed": btc_text(line.amount_sat),
    }


def _correction_sums(corrections: list[DocumentLine]) -> Content | None:
    return _part_sums(corrections) if corrections else None


def why(line: DocumentLine) -> str:
    """The reason of a correction in words."""
    facts = line.facts
    match line.reason:
        case LineReason.LATE:
            return "Came after the close of its month"
        case LineReason.CARRIED:
            return "Carried in: its month was below the minimum"
        case LineReason.STATUS_CHANGED:
            return "The pool canceled it" if facts["status"] == "canceled" else "Final again at the pool"
        case LineReason.DESTINATION_CHANGED:
            return f"Paid to the {PAID_TO[facts['destination']]}, not the {PAID_TO[facts['was_destination']]}"
        case LineReason.CONTRACT_CHANGED:
            return "Other terms hold on this day"
    return "The pool changed the amount"


def _worked(document: Document, lines: list[DocumentLine]) -> str | None:
    """One line of this document worked out in words: the first whole one (not a difference)."""
    whole = next((line for line in lines if line.corrects_id is None), None)
    if whole is None:
        return None
    terms = ContractComponent.objects.get(provider=document.provider_id, version=whole.version_id)
    customer_ppm = percent(WHOLE_PPM - terms.share_ppm)
    facts = whole.facts
    day = day_in_words(whole.day, year=False)
    customer, net = minus(btc_text(whole.customer_share_sat)), btc_text(whole.net_sat)
    total, fee = btc_text(facts["total_sat"]), btc_text(facts["fee_sat"])
    gross = terms.basis == Basis.GROSS and terms.pool_fee_borne_by != FeeBearer.SHARED
    if facts.get("share_capped"):
        product = f"{day}: the pool's fee is larger than the customer's part, which is set to 0."
    elif not gross:
        product = f"{day}: net {net} × {customer_ppm} = {customer} for the customer."
    elif terms.pool_fee_borne_by == FeeBearer.CUSTOMER:
        product = f"{day}: before fee {total} × {customer_ppm} − fee {fee} = {customer} for the customer."
    else:
        product = f"{day}: before fee {total} × {customer_ppm} = {customer} for the customer."
    provider = minus(btc_text(whole.provider_share_sat))
    return f"{product} The rest is the provider's: net {net} − {customer} = {provider}."


def _pending(pending: list[dict[str, Any]]) -> str | None:
    if not pending:
        return None
    days = [short_day(date.fromisoformat(row["day"]), year=False) for row in pending]
    listed = ", ".join(days[:12]) + (" and more" if len(days) > 12 else "")
    rewards = f"{counted(len(days), 'reward')} that {agreeing(len(days), 'is', 'are')}"
    return f"Not part of this document: {rewards} not final at the pool yet ({listed})."


LEFT_OUT_LISTED = 12


def _left_out(omissions: list[dict[str, Any]]) -> str | None:
    """What the document was issued without: a person let that pass."""
    if not omissions:
        return None
    listed = "; ".join(clean(omission["words"]) for omission in omissions[:LEFT_OUT_LISTED])
    more = len(omissions) - LEFT_OUT_LISTED
    rest = f"; and {more:,} more, all of them in the CSV file" if more > 0 else ""
    return f"Issued without knowing: {listed}{rest}. What comes of it goes on a later document."


def minus(amount: str) -> str:
    return amount.replace("-", "−")


def clean(text: str) -> str:
    """A name as one line of visible text: no control or direction characters, and long words that may break.

    One that is written from the right is kept apart from the words around it, which go on from the left.
    """
    visible = "".join(c if c in JOINERS or unicodedata.category(c) not in INVISIBLE else " " for c in text)
    line = " ".join(_breakable(word) for word in visible.split())
    from_right = any(unicodedata.bidirectional(c) in {"R", "AL"} for c in line)
    return f"{FIRST_STRONG_ISOLATE}{line}{POP_ISOLATE}" if from_right else line


def _breakable(word: str) -> str:
    if len(word) <= LONGEST_WORD:
        return word
    return "\u200b".join(word[at : at + PIECE] for at in range(0, len(word), PIECE))
