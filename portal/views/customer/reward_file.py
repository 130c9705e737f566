"""A customer's rewards as CSV: the numbers of the page, and the pool's own words beside them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import islice

from django.db.models import QuerySet

from billing.corrections import Correction
from billing.evidence import text
from customers.tenancy import Access
from mining.models import Reward
from mining.pool.answers.decimals import plain
from portal.views.customer.reward_rows import RewardRow, reward_rows

# Stable: names are added at the end, never changed. They are those of the API.
COLUMNS = (
    "reward",
    "mining_account",
    "date",
    "occurrence",
    "status",
    "payout_destination",
    "payout_address",
    "transaction_hash",
    "paid_at",
    "currency",
    "total_reward",
    "pool_fee",
    "net_reward",
    "hashrate_hs",
    "total_sat",
    "fee_sat",
    "net_sat",
    "provider_share_sat",
    "customer_share_sat",
    "flags",
    "statement",
    "statement_customer_share_sat",
    "put_right_on",
)
ROWS_AT_ONCE = 1000


def csv_rows(access: Access, rewards: QuerySet[Reward]) -> Iterator[bytes]:
    """The file piece by piece, newest first. Must run inside the reader's context (customers.tenancy.stream)."""
    yield _encoded(COLUMNS)
    newest_first = rewards.order_by("-day", "-pk").iterator(chunk_size=ROWS_AT_ONCE)
    while some := list(islice(newest_first, ROWS_AT_ONCE)):
        for row in reward_rows(access, some):
            yield _encoded(_cells(row))


def _cells(row: RewardRow) -> tuple[str, ...]:
    reward, share = row.reward, row.share
    return (
        reward.code,
        text(reward.mining_account.name),
        reward.day.isoformat(),
        str(reward.occurrence),
        reward.status,
        reward.payout_destination,
        text(reward.payout_address or ""),
        text(reward.transaction_hash or ""),
        reward.paid_at.strftime("%Y-%m-%dT%H:%M:%SZ") if reward.paid_at else "",
        text(reward.currency),
        plain(reward.total_raw),
        plain(reward.fee_raw),
        plain(reward.net_raw),
        "" if reward.hashrate_hs is None else f"{reward.hashrate_hs.normalize():f}",
        str(reward.total_sat),
        str(reward.fee_sat),
        str(reward.net_sat),
        _sat_or_empty(share.provider_share_sat),
        _sat_or_empty(share.customer_share_sat),
        " ".join(share.flags),
        *_corrected(row.correction),
    )


def _corrected(correction: Correction | None) -> tuple[str, str, str]:
    """What a statement says otherwise, and the one that puts it right: empty where there is none yet."""
    if correction is None:
        return "", "", ""
    was = correction.was.customer_sat if correction.was is not None else None
    return correction.document.number or "", _sat_or_empty(was), (correction.on and correction.on.number) or ""


def _sat_or_empty(amount_sat: int | None) -> str:
    return "" if amount_sat is None else str(amount_sat)


def _encoded(cells: tuple[str, ...]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow(cells)
    return buffer.getvalue().encode()
