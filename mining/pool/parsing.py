"""Each endpoint's answer → our types. A bad envelope is Unreadable; a bad reward is put aside and the others read.

Only rewards are read record by record: they are money, and one bad record must not stop a login's whole listing.
"""

from __future__ import annotations

import decimal
import json
from decimal import Decimal

from mining.pool.reading import ExtraFields, Fields, Redact, Unreadable
from mining.pool.types import (
    HashratePoint,
    MinersInfo,
    PayoutDestination,
    PoolAccount,
    RejectedRecord,
    RewardRecord,
    RewardsPage,
    Stratum,
)

_LONGEST_ACCOUNT = 255
_LONGEST_WORD = 64
_LONGEST_CURRENCY = 16
_LONGEST_ADDRESS = 100
_LONGEST_HASH = 128
_LONGEST_URL = 255
_LONGEST_REJECTED = 4000
# More than the digits of any two amounts together, so the sum is exact.
_EXACT = decimal.Context(prec=100, traps=[decimal.InvalidOperation])


def parse_accounts(document: object, extra: ExtraFields) -> tuple[PoolAccount, ...]:
    envelope = Fields(document)
    envelope.count("limit")
    envelope.count("offset")
    accounts = tuple(_account(value, "accounts", extra) for value in envelope.records("data"))
    extra.note("accounts", envelope.extra())
    return accounts


def parse_created_account(document: object, extra: ExtraFields, *, name: str) -> PoolAccount:
    envelope = Fields(document)
    account = _account(envelope.value("data"), "accounts/create", extra)
    if account.name != name:
        raise Unreadable("data.name: another_account")
    extra.note("accounts/create", envelope.extra())
    return account


def _account(value: object, endpoint: str, extra: ExtraFields) -> PoolAccount:
    fields = Fields(value, name="data")
    account = PoolAccount(
        name=fields.text("name", longest=_LONGEST_ACCOUNT), created_at=fields.moment_or_none("createdAt")
    )
    extra.note(endpoint, fields.extra())
    return account


def parse_rewards(document: object, extra: ExtraFields, redact: Redact) -> RewardsPage:
    envelope = Fields(document)
    limit, offset = envelope.count("limit"), envelope.count("offset")
    records: list[RewardRecord] = []
    rejected: list[RejectedRecord] = []
    for value in envelope.records("data"):
        try:
            records.append(_reward(value, extra))
        except Unreadable as unreadable:
            rejected.append(RejectedRecord(str(unreadable), _rejected_text(value, redact)))
    extra.note("rewards", envelope.extra())
    return RewardsPage(tuple(records), tuple(rejected), limit, offset)


def _reward(value: object, extra: ExtraFields) -> RewardRecord:
    fields = Fields(value)
    total, total_raw = fields.amount("totalReward")
    net, net_raw = fields.amount("reward")
    fee, fee_raw = fields.amount("fee")
    record = RewardRecord(
        account=fields.text("miningAccountName", longest=_LONGEST_ACCOUNT),
        reward_at=fields.moment("date"),
        currency=fields.text("rewardCurrency", longest=_LONGEST_CURRENCY),
        total=total,
        net=net,
        fee=fee,
        total_raw=total_raw,
        net_raw=net_raw,
        fee_raw=fee_raw,
        fpps_rate=fields.quantity_or_none("fppsRate"),
        hashrate_hs=_hs(fields, "hashRate"),
        status=fields.text("status", longest=_LONGEST_WORD),
        destination=fields.text("payoutDestination", longest=_LONGEST_WORD),
        address=fields.text_or_none("payoutAddress", longest=_LONGEST_ADDRESS),
        transaction_hash=fields.text_or_none("payoutTransactionHash", longest=_LONGEST_HASH),
        paid_at=fields.moment_or_none("payoutTime"),
        raw=fields.plain(),
    )
    if _EXACT.add(net, fee) != total:
        raise Unreadable("amount_identity")
    extra.note("rewards", fields.extra())
    return record


def _rejected_text(value: object, redact: Redact) -> str:
    # Lone surrogates and NUL leave json.dumps as plain ASCII escapes, which any column can hold.
    return redact(json.dumps(value, default=str, separators=(",", ":")), _LONGEST_REJECTED)


def parse_hashrate(document: object, extra: ExtraFields, *, account: str) -> tuple[HashratePoint, ...]:
    """Points as they came: gaps, repeats and disorder are for the reader. A disabled account has none."""
    envelope = Fields(document)
    data = envelope.value("data")
    extra.note("hashrate", envelope.extra())
    if isinstance(data, list) and not data:
        return ()
    series = Fields(data, name="data")
    if series.text("account", longest=_LONGEST_ACCOUNT) != account:
        raise Unreadable("data.account: another_account")
    points = tuple(_point(value, extra) for value in series.records("hashrate"))
    extra.note("hashrate", series.extra())
    return points


def _point(value: object, extra: ExtraFields) -> HashratePoint:
    fields = Fields(value, name="data.hashrate")
    point = HashratePoint(
        at=fields.moment("timestamp"),
        hashrate_ths=_ths(fields, "hashrate"),
        reject_rate=fields.quantity_or_none("rejectRate"),
    )
    extra.note("hashrate", fields.extra())
    return point


# The one place that decides in which unit a hashrate came. The pool states H/s for rewards and TH/s for
# workers/hashrate; for the endpoint hashrate it states nothing, and the magnitudes are those of TH/s.
def _hs(fields: Fields, name: str) -> Decimal | None:
    return fields.quantity_or_none(name)


def _ths(fields: Fields, name: str) -> Decimal:
    return fields.quantity(name)


def parse_miners_info(document: object, extra: ExtraFields) -> MinersInfo:
    envelope = Fields(document)
    data = envelope.inner("data")
    workers = data.inner("workers")
    info = MinersInfo(
        fee_percent=data.quantity("fee"),
        online=workers.count("online"),
        offline=workers.count("offline"),
        low=workers.count("low"),
        stratum=tuple(_stratum(value, extra) for value in data.records("stratum")),
    )
    for fields in (envelope, data, workers):
        extra.note("miners/info", fields.extra())
    return info


def _stratum(value: object, extra: ExtraFields) -> Stratum:
    fields = Fields(value, name="data.stratum")
    stratum = Stratum(url=fields.text("url", longest=_LONGEST_URL), workers=fields.count("workersCount"))
    extra.note("miners/info", fields.extra())
    return stratum


def parse_payout_destination(document: object, extra: ExtraFields) -> PayoutDestination:
    # Here the pool wraps nothing in `data`.
    fields = Fields(document)
    payout = PayoutDestination(
        destination=fields.text("payoutDestination", longest=_LONGEST_WORD),
        address=fields.text_or_none("externalAddress", longest=_LONGEST_ADDRESS),
    )
    extra.note("payout-destination", fields.extra())
    return payout


def parse_time(document: object, extra: ExtraFields) -> int:
    """The pool's clock in Unix seconds."""
    fields = Fields(document)
    seconds = int(fields.moment("time").timestamp())
    extra.note("public/time", fields.extra())
    return seconds
