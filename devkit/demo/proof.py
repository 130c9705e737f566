"""The demo's oracle: every total once more from the sandbox's truth, in exact fractions and without billing's code."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

from billing.models import Document
from billing.models.documents import DocumentStatus
from customers import tenancy
from devkit.demo.story import Story, contract_terms
from mining.models import MiningAccount


@dataclass
class Expected:
    rewards: int = 0
    provider_sat: int = 0
    customer_sat: int = 0
    balance_sat: int = 0


def show(tell: Story) -> int:
    """Print the table of the last closed month; how many figures disagree with the sandbox's truth."""
    truth = tell.truth()
    with tenancy.access_context(tell.access):
        documents = list(
            Document.objects.visible_to(tell.access)
            .filter(status=DocumentStatus.ISSUED)
            .select_related("customer")
            .prefetch_related("lines")
            .order_by("customer__external_ref", "period")
        )
        terms = contract_terms(tell.access)
        names = dict(
            MiningAccount.objects.visible_to(tell.access).exclude(customer=None).values_list("customer__code", "name")
        )
    wrong, checked = [], 0
    _print_head(tell.last_month)
    for document in documents:
        code = document.customer.code
        month = document.period.lower
        expected = _expected([r for r in truth if _counts(r, names[code], month)], terms[code])
        found = _found(document)
        checked += 1
        if found != expected:
            wrong.append(f"{document.number} of {document.customer.name}: {found} instead of {expected}")
        if month == tell.last_month:
            _print_row(document, _on(terms[code], month), found)
    if not documents:
        wrong.append("no document was issued")
    for sentence in wrong:
        print(f"DISAGREES: {sentence}")
    if not wrong:
        print(
            f"\nAll {checked} documents of the closed months agree with the sandbox's truth, to the satoshi.",
            flush=True,
        )
    return len(wrong)


def _counts(reward: dict[str, Any], account: str, month: date) -> bool:
    moment = datetime.fromtimestamp(int(reward["date"]), UTC)
    in_month = (moment.year, moment.month) == (month.year, month.month)
    return reward["miningAccountName"] == account and reward["status"] == "successful" and in_month


def _expected(rewards: list[dict[str, Any]], versions: list[dict[str, Any]]) -> Expected:
    sums = Expected(rewards=len(rewards))
    for reward in rewards:
        terms = _on(versions, datetime.fromtimestamp(int(reward["date"]), UTC).date())
        total = _half_even(Fraction(reward["totalReward"]) * 10**8)
        net = _half_even(Fraction(reward["reward"]) * 10**8)
        customer = _customer_part(total, net, terms)
        sums.customer_sat += customer
        sums.provider_sat += net - customer
        sums.balance_sat += customer if reward["payoutDestination"] == "main_balance" else customer - net
    return sums


def _on(versions: list[dict[str, Any]], day: date) -> dict[str, Any]:
    return next(v for v in versions if v["valid"].lower <= day and (v["valid"].upper is None or day < v["valid"].upper))


def _customer_part(total: int, net: int, terms: dict[str, Any]) -> int:
    gross = terms["basis"] == "gross" and terms["pool_fee_borne_by"] != "shared"
    part = _half_even(Fraction((total if gross else net) * (1_000_000 - terms["share_ppm"]), 1_000_000))
    if gross and terms["pool_fee_borne_by"] == "customer":
        part -= total - net
    return max(part, 0)


def _half_even(value: Fraction) -> int:
    below, rest = divmod(value.numerator, value.denominator)
    double = 2 * rest
    return below + (double > value.denominator or (double == value.denominator and below % 2 == 1))


def _found(document: Document) -> Expected:
    lines = list(document.lines.all())
    return Expected(
        rewards=len(lines),
        provider_sat=sum(line.provider_share_sat for line in lines),
        customer_sat=sum(line.customer_share_sat for line in lines),
        balance_sat=document.balance_sat,
    )


COLUMNS = "{:<24} {:<7} {:<9} {:>9} {:>8} {:>14} {:>14} {:<15} {:>14} {}"


def _print_head(month: date) -> None:
    print(f"\n{month:%B %Y}, amounts in BTC")
    titles = (
        "customer",
        "basis",
        "pool fee",
        "share",
        "rewards",
        "provider",
        "customer",
        "direction",
        "total",
        "number",
    )
    print(COLUMNS.format(*titles))


def _print_row(document: Document, terms: dict[str, Any], found: Expected) -> None:
    direction = "provider owes" if document.balance_sat >= 0 else "customer owes"
    print(
        COLUMNS.format(
            document.customer.name,
            terms["basis"],
            terms["pool_fee_borne_by"],
            f"{terms['share_ppm'] / 10_000:.4f} %",
            found.rewards,
            _btc(found.provider_sat),
            _btc(found.customer_sat),
            direction,
            _btc(abs(document.balance_sat)),
            document.number,
        )
    )


def _btc(sat: int) -> str:
    sign = "-" if sat < 0 else ""
    return f"{sign}{abs(sat) // 10**8}.{abs(sat) % 10**8:08}"
