"""Each endpoint's answer → our types. A bad envelope is Unreadable; a bad record is quarantined and the others read.

Rewards, worker names and watcher links are read record by record: people outside write them or money hangs from
them, and one bad record must not hide the others. Points and accounts come from the pool alone.
"""

from __future__ import annotations

import decimal
import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from mining.pool.answers.strict_json import ExtraFields, Fields, Redact, Unreadable
from mining.pool.answers.types import (
    CreatedLink,
    DailyPrice,
    HashratePoint,
    ListedLink,
    MinersInfo,
    PayoutDestination,
    PoolAccount,
    PoolDay,
    PoolOverview,
    RejectedRecord,
    RewardRecord,
    RewardsPage,
    Stratum,
    WatcherLinks,
    WorkerNames,
    WorkerPoint,
)

Record = TypeVar("Record")

_LONGEST_ACCOUNT = 255
_LONGEST_WORD = 64
_LONGEST_CURRENCY = 16
_LONGEST_ADDRESS = 100
_LONGEST_HASH = 128
_LONGEST_URL = 255
_LONGEST_REJECTED = 4000
_LONGEST_WORKER = 255
_LONGEST_ID = 64
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
    records, rejected = _each(envelope.records("data"), lambda value: _reward(value, extra), redact)
    extra.note("rewards", envelope.extra())
    return RewardsPage(records, rejected, limit, offset)


def _each(
    values: list[object], parse: Callable[[object], Record], redact: Redact
) -> tuple[tuple[Record, ...], tuple[RejectedRecord, ...]]:
    """The records that can be read, and those that cannot: one bad record must not hide the others."""
    records: list[Record] = []
    rejected: list[RejectedRecord] = []
    for value in values:
        try:
            records.append(parse(value))
        except Unreadable as unreadable:
            rejected.append(RejectedRecord(str(unreadable), _rejected_text(value, redact)))
    return tuple(records), tuple(rejected)


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


def parse_worker_names(document: object, extra: ExtraFields, redact: Redact) -> WorkerNames:
    """Limit and offset stand beside `data` or inside it: both have been seen."""
    envelope = Fields(document)
    data = envelope.inner("data")
    names, rejected = _each(data.records("workers"), _worker_name, redact)
    paging = data if data.has("limit") else envelope
    page = WorkerNames(names, rejected, limit=paging.count("limit"), offset=paging.count("offset"))
    for fields in (envelope, data):
        fields.ignore("limit", "offset")
        extra.note("workers/names", fields.extra())
    return page


def _worker_name(value: object) -> str:
    return Fields({"name": value}, name="data.workers").text("name", longest=_LONGEST_WORKER)


def parse_worker_hashrate(document: object, extra: ExtraFields) -> tuple[WorkerPoint, ...]:
    """None for a worker that the pool does not know; in no promised order."""
    envelope = Fields(document)
    data = envelope.inner("data")
    points = []
    for value in data.records("hashrates"):
        fields = Fields(value, name="data.hashrates")
        points.append(WorkerPoint(at=fields.moment("time"), hashrate_ths=_ths(fields, "hashrate")))
        extra.note("workers/hashrate", fields.extra())
    for fields in (envelope, data):
        extra.note("workers/hashrate", fields.extra())
    return tuple(points)


def parse_created_link(document: object, extra: ExtraFields) -> CreatedLink:
    envelope = Fields(document)
    data = envelope.inner("data")
    link = CreatedLink(
        id=data.text("id", longest=_LONGEST_ID),
        url=data.web_address("link"),
        live_until=data.moment_or_none("liveUntil"),
        created_at=data.moment_or_none("createdAt"),
    )
    for fields in (envelope, data):
        extra.note("watcher-links/create", fields.extra())
    return link


def parse_links(document: object, extra: ExtraFields, redact: Redact) -> WatcherLinks:
    envelope = Fields(document)
    links, rejected = _each(envelope.records("data"), lambda value: _link(value, extra), redact)
    extra.note("watcher-links/list", envelope.extra())
    return WatcherLinks(links, rejected)


def _link(value: object, extra: ExtraFields) -> ListedLink:
    fields = Fields(value, name="data")
    link = ListedLink(
        id=fields.text("id", longest=_LONGEST_ID),
        name=fields.text("name", longest=_LONGEST_ACCOUNT),
        accounts=fields.texts("accounts", longest=_LONGEST_ACCOUNT),
        permissions=fields.texts("permissions", longest=_LONGEST_WORD),
        url=fields.web_address("link"),
        live_until=fields.moment_or_none("liveUntil"),
        created_at=fields.moment_or_none("createdAt"),
    )
    extra.note("watcher-links/list", fields.extra())
    return link


def parse_payout_destination(
    document: object, extra: ExtraFields, *, endpoint: str = "payout-destination"
) -> PayoutDestination:
    # Here the pool wraps nothing in `data`.
    fields = Fields(document)
    payout = PayoutDestination(
        destination=fields.text("payoutDestination", longest=_LONGEST_WORD),
        address=fields.text_or_none("externalAddress", longest=_LONGEST_ADDRESS),
    )
    extra.note(endpoint, fields.extra())
    return payout


def parse_time(document: object, extra: ExtraFields) -> int:
    """The pool's clock in Unix seconds."""
    fields = Fields(document)
    seconds = int(fields.moment("time").timestamp())
    extra.note("public/time", fields.extra())
    return seconds


def parse_overview(document: object, extra: ExtraFields) -> PoolOverview:
    """Documented twice: as an object with snake_case names, and as a list of such with camelCase names."""
    envelope = Fields(document)
    data = envelope.value("data")
    # One entry for each location; the first is the one that miners everywhere use.
    fields = Fields(data[0] if isinstance(data, list) and data else data, name="data")
    newest = max((_block(value) for value in fields.records("blocks")), default=None)
    overview = PoolOverview(
        location=fields.text("location", longest=_LONGEST_WORD),
        workers=fields.count("workers"),
        hashrate_hs=fields.quantity(fields.either("current_hash_rate", "currentHashRate")),
        last_days=tuple(
            _pool_day(value) for value in fields.records(fields.either("last7days_hash_rate", "last7daysHashRate"))
        ),
        stratum_urls=fields.texts(fields.either("connection_links", "connectionLinks"), longest=_LONGEST_URL),
        newest_block_height=newest[0] if newest else None,
        newest_block_at=newest[1] if newest else None,
    )
    fields.ignore("assets", fields.either("reward_schemes", "rewardSchemes"))
    extra.note("public/mining-pool", fields.extra() | envelope.extra())
    return overview


def _block(value: object) -> tuple[int, datetime]:
    block = Fields(value, name="data.blocks")
    return (
        block.count(block.either("block_height", "blockHeight")),
        block.moment(block.either("block_found_at", "blockFoundAt")),
    )


def _pool_day(value: object) -> PoolDay:
    day = Fields(value, name="data.last7days")
    return PoolDay(at=day.moment("timestamp"), hashrate_hs=day.quantity("hashrate"))


def parse_last_price(document: object, market: str) -> Decimal:
    """Of the market, from the list of all of them: hundreds of others are not counted as extra fields."""
    return Fields(document).inner(market).quantity("last_price")


def parse_daily_prices(document: object) -> tuple[DailyPrice, ...]:
    """Errors come as 200 with `success: false` here."""
    envelope = Fields(document)
    if envelope.value("success") is not True:
        raise Unreadable("success: false")
    return tuple(_daily_price(value) for value in envelope.records("result"))


def _daily_price(value: object) -> DailyPrice:
    if not isinstance(value, list) or len(value) != len(_CANDLE):
        raise Unreadable("result: not_a_candle")
    fields = Fields(dict(zip(_CANDLE, value, strict=True)), name="result")
    return DailyPrice(
        day=fields.moment("time").date(),
        open=fields.quantity("open"),
        close=fields.quantity("close"),
        high=fields.quantity("high"),
        low=fields.quantity("low"),
        volume_btc=fields.quantity("volume"),
    )


_CANDLE = ("time", "open", "close", "high", "low", "volume", "money_volume")
