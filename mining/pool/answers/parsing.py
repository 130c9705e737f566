"""Each endpoint's answer → our types. One bad entry never costs its neighbours, nor a bad decoration its record.

A bad envelope is Unreadable. A record whose identity or money cannot be read is rejected, and the others are read. What
only decorates (times of payment and creation, rates, hashes, hashrate) becomes None and is named in `unread`.
"""

from __future__ import annotations

import decimal
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from mining.pool.answers.strict_json import ExtraFields, Fields, Redact, Unreadable, read_json
from mining.pool.answers.types import (
    NOTHING,
    AccountsPage,
    CreatedLink,
    DailyPrice,
    HashratePoint,
    HashrateSeries,
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
    WorkerSeries,
)

Record = TypeVar("Record")

_LONGEST_ACCOUNT = 255
_LONGEST_WORD = 64
_LONGEST_CURRENCY = 16
_LONGEST_ADDRESS = 100
_LONGEST_HASH = 128
_LONGEST_URL = 255
_LONGEST_REJECTED = 4000
_LONGEST_UNREAD = 200
_LONGEST_WORKER = 255
_LONGEST_ID = 64
_LARGEST_RATE = Decimal(10) ** 20  # of a column; no reward has such a rate
# More than the digits of any two amounts together, so the sum is exact.
_EXACT = decimal.Context(prec=100, traps=[decimal.InvalidOperation])


def parse_accounts(document: object, extra: ExtraFields, redact: Redact) -> AccountsPage:
    envelope = Fields(document)
    envelope.count("limit")
    envelope.count("offset")
    accounts, rejected = _each(envelope.records("data"), lambda value: _account(value, "accounts", extra), redact)
    extra.note("accounts", envelope.extra())
    return AccountsPage(accounts, rejected)


def parse_account_named(document: object, extra: ExtraFields, redact: Redact, *, name: str) -> PoolAccount | None:
    page = parse_accounts(document, extra, redact)
    if page.rejected:
        raise Unreadable(page.rejected[0].reason)
    return next((account for account in page.accounts if account.name == name), None)


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
        name=fields.text("name", longest=_LONGEST_ACCOUNT),
        created_at=fields.decoration("createdAt", fields.moment_if_known),
        unread=tuple(fields.unread),
    )
    extra.note(endpoint, fields.extra())
    return account


def parse_rewards(document: object, extra: ExtraFields, redact: Redact) -> RewardsPage:
    envelope = Fields(document)
    limit, offset = envelope.count("limit"), envelope.count("offset")
    records, rejected = _each(envelope.records("data"), lambda value: _reward(value, extra, redact), redact)
    extra.note("rewards", envelope.extra())
    return RewardsPage(records, rejected, limit, offset)


def read_reward(text: str) -> RewardRecord:
    """One record out of the text that was kept of it. Raises Unreadable."""

    def cut(text: str, longest: int) -> str:
        return text[:longest]  # it was redacted when it was kept

    return _reward(read_json(text.encode()), ExtraFields(cut), cut)


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


def _reward(value: object, extra: ExtraFields, redact: Redact) -> RewardRecord:
    fields = Fields(value)
    total, total_raw = fields.amount("totalReward")
    net, net_raw = fields.amount("reward")
    fee, fee_raw = fields.amount("fee")
    record = RewardRecord(
        # What identity and money need.
        account=fields.text("miningAccountName", longest=_LONGEST_ACCOUNT),
        reward_at=fields.moment("date"),
        currency=fields.text("rewardCurrency", longest=_LONGEST_CURRENCY),
        total=total,
        net=net,
        fee=fee,
        total_raw=total_raw,
        net_raw=net_raw,
        fee_raw=fee_raw,
        status=fields.text("status", longest=_LONGEST_WORD),
        destination=fields.text("payoutDestination", longest=_LONGEST_WORD),
        # What decorates. An external address that cannot be read is None too: where one was agreed, billing holds that.
        fpps_rate=fields.decoration("fppsRate", lambda name: fields.quantity_or_none(name, below=_LARGEST_RATE)),
        hashrate_hs=fields.decoration("hashRate", lambda name: _hs(fields, name)),
        address=fields.decoration("payoutAddress", lambda name: fields.text_or_none(name, longest=_LONGEST_ADDRESS)),
        transaction_hash=fields.decoration(
            "payoutTransactionHash", lambda name: fields.text_or_none(name, longest=_LONGEST_HASH)
        ),
        paid_at=fields.decoration("payoutTime", fields.moment_if_known),
        raw=fields.plain(),
        unread={name: redact(fields.written(name), _LONGEST_UNREAD) for name in fields.unread} or NOTHING,
    )
    if _EXACT.add(net, fee) != total:
        raise Unreadable("amount_identity")
    extra.note("rewards", fields.extra())
    return record


def _rejected_text(value: object, redact: Redact) -> str:
    # Lone surrogates and NUL leave json.dumps as plain ASCII escapes, which any column can hold.
    return redact(json.dumps(value, default=str, separators=(",", ":")), _LONGEST_REJECTED)


def parse_hashrate(document: object, extra: ExtraFields, *, account: str) -> HashrateSeries:
    """Points as they came: gaps, repeats and disorder are for the reader. A disabled account has none."""
    envelope = Fields(document)
    data = envelope.value("data")
    extra.note("hashrate", envelope.extra())
    if isinstance(data, list) and not data:
        return HashrateSeries(())
    series = Fields(data, name="data")
    if series.text("account", longest=_LONGEST_ACCOUNT) != account:
        raise Unreadable("data.account: another_account")
    unread: list[str] = []
    points, left_out = _readable(series.records("hashrate"), lambda value: _point(value, extra, unread))
    extra.note("hashrate", series.extra())
    return HashrateSeries(points, left_out, tuple(unread))


def _readable(values: list[object], parse: Callable[[object], Record]) -> tuple[tuple[Record, ...], int]:
    """The entries that can be read, and how many cannot."""
    records = []
    for value in values:
        with suppress(Unreadable):
            records.append(parse(value))
    return tuple(records), len(values) - len(records)


def _point(value: object, extra: ExtraFields, unread: list[str]) -> HashratePoint:
    fields = Fields(value, name="data.hashrate")
    point = HashratePoint(
        at=fields.moment("timestamp"),
        hashrate_ths=_ths(fields, "hashrate"),
        reject_rate=fields.decoration("rejectRate", fields.quantity_or_none),
    )
    unread += fields.unread
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
    stratum, left_out = _readable(data.decoration("stratum", data.records) or [], lambda value: _stratum(value, extra))
    info = MinersInfo(
        fee_percent=data.decoration("fee", data.quantity),
        online=workers.count("online"),
        offline=workers.count("offline"),
        low=workers.count("low"),
        stratum=stratum,
        unread=(*data.unread, *(["stratum"] * left_out)),
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


def parse_worker_hashrate(document: object, extra: ExtraFields) -> WorkerSeries:
    """None for a worker that the pool does not know; in no promised order."""
    envelope = Fields(document)
    data = envelope.inner("data")
    points, left_out = _readable(data.records("hashrates"), lambda value: _worker_point(value, extra))
    for fields in (envelope, data):
        extra.note("workers/hashrate", fields.extra())
    return WorkerSeries(points, left_out)


def _worker_point(value: object, extra: ExtraFields) -> WorkerPoint:
    fields = Fields(value, name="data.hashrates")
    point = WorkerPoint(at=fields.moment("time"), hashrate_ths=_ths(fields, "hashrate"))
    extra.note("workers/hashrate", fields.extra())
    return point


def parse_created_link(document: object, extra: ExtraFields) -> CreatedLink:
    envelope = Fields(document)
    data = envelope.inner("data")
    link = CreatedLink(
        id=data.text("id", longest=_LONGEST_ID),
        url=data.web_address("link"),
        live_until=data.moment_or_none("liveUntil"),
        created_at=data.decoration("createdAt", data.moment_if_known),
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
        # No decoration: None would say that it lives for ever.
        live_until=fields.moment_or_none("liveUntil"),
        created_at=fields.decoration("createdAt", fields.moment_if_known),
        unread=tuple(fields.unread),
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
    blocks, _ = _readable(fields.decoration("blocks", fields.records) or [], _block)
    newest = max(blocks, default=None)
    days, _ = _readable(fields.records(fields.either("last7days_hash_rate", "last7daysHashRate")), _pool_day)
    overview = PoolOverview(
        location=fields.text("location", longest=_LONGEST_WORD),
        workers=fields.count("workers"),
        hashrate_hs=fields.quantity(fields.either("current_hash_rate", "currentHashRate")),
        last_days=days,
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
