"""Workers, watcher links, and what the pool tells everybody: the same strictness as for rewards and accounts."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from mining.pool.answers import parsing
from mining.pool.answers.strict_json import ExtraFields, Unreadable
from mining.pool.answers.types import (
    CreatedLink,
    DailyPrice,
    ListedLink,
    PoolDay,
    PoolOverview,
    WorkerPoint,
    WorkerSeries,
)
from tests.mining.pool.answers.records import unchanged

SECONDS = 1_763_769_600
MOMENT = datetime(2025, 11, 22, tzinfo=UTC)
LINK: dict[str, Any] = {
    "id": "7f3a-91",
    "accounts": ["north"],
    "name": "for_the_office",
    "link": "https://whitebit.com/mining-pool/watcher-link/7f3a-91",
    "permissions": ["dashboard", "workers"],
    "liveUntil": SECONDS,
    "createdAt": SECONDS - 3600,
}
OVERVIEW: dict[str, Any] = {
    "connection_links": ["stratum+tcp://pool.example:3333"],
    "location": "global",
    "assets": ["BTC"],
    "reward_schemes": ["FPPS"],
    "workers": 1846,
    "current_hash_rate": "39353570.8006319183174839",
    "last7days_hash_rate": [{"timestamp": SECONDS, "hashrate": "184425100325925.92"}],
    "blocks": [
        {"block_found_at": SECONDS - 600, "block_height": 18_328},
        {"block_found_at": SECONDS, "block_height": 18_329},
    ],
}


@pytest.fixture
def extra() -> ExtraFields:
    return ExtraFields(unchanged)


# --- Workers


@pytest.mark.parametrize("inside", [True, False])
def test_worker_names_come_with_their_paging_wherever_it_stands(extra: ExtraFields, inside: bool) -> None:
    paging = {"limit": 100, "offset": 200}
    document = (
        {"data": {"workers": ["rig1", "rig2"], **paging}}
        if inside
        else {"data": {"workers": ["rig1", "rig2"]}, **paging}
    )

    page = parsing.parse_worker_names(document, extra, unchanged)

    assert (page.names, page.rejected, page.limit, page.offset) == (("rig1", "rig2"), (), 100, 200)
    assert not extra.counts


def test_a_hostile_worker_name_costs_only_itself(extra: ExtraFields) -> None:
    odd = ["\U0001f98a", "a/b", "<script>", "=1+1", "Rig", "rig", "n" * 255]
    bad = ["line\nbreak", "n" * 256, "", None, 7]

    page = parsing.parse_worker_names({"data": {"workers": [*odd, *bad]}, "limit": 100, "offset": 0}, extra, unchanged)

    assert page.names == tuple(odd)
    assert [rejected.reason for rejected in page.rejected] == [
        "data.workers.name: forbidden_character",
        "data.workers.name: too_long",
        "data.workers.name: empty",
        "data.workers.name: not_a_text",
        "data.workers.name: not_a_text",
    ]


def test_a_workers_hashrate_is_in_terahash(extra: ExtraFields) -> None:
    points = [{"time": SECONDS, "hashrate": "201.5"}, {"time": SECONDS + 300, "hashrate": 0}, {"time": SECONDS}]

    assert parsing.parse_worker_hashrate({"data": {"hashrates": points}}, extra) == WorkerSeries(
        (
            WorkerPoint(MOMENT, Decimal("201.5")),
            WorkerPoint(datetime(2025, 11, 22, 0, 5, tzinfo=UTC), Decimal(0)),
        ),
        left_out=1,
    )


# --- Watcher links


def test_a_created_link_lives_until_a_moment_or_for_ever(extra: ExtraFields) -> None:
    told = {name: LINK[name] for name in ("id", "link", "liveUntil", "createdAt")}

    created = parsing.parse_created_link({"data": told}, extra)

    assert created == CreatedLink("7f3a-91", LINK["link"], MOMENT, datetime(2025, 11, 21, 23, tzinfo=UTC))
    assert parsing.parse_created_link({"data": told | {"liveUntil": None}}, extra).live_until is None
    assert not extra.counts


def test_a_links_address_is_in_no_repr(extra: ExtraFields) -> None:
    page = parsing.parse_links({"data": [LINK]}, extra, unchanged)

    assert "watcher-link/7f3a-91" not in repr(page)


def test_listed_links_say_what_they_show(extra: ExtraFields) -> None:
    page = parsing.parse_links({"data": [LINK, LINK | {"id": "b", "permissions": ["payouts"]}]}, extra, unchanged)

    assert page.rejected == ()
    assert page.links[0] == ListedLink(
        id="7f3a-91",
        name="for_the_office",
        accounts=("north",),
        permissions=("dashboard", "workers"),
        url=LINK["link"],
        live_until=MOMENT,
        created_at=datetime(2025, 11, 21, 23, tzinfo=UTC),
    )
    assert page.links[1].permissions == ("payouts",)


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "http://whitebit.com/x",
        "https://",
        "https://user:password@whitebit.com/x",
        "https://whitebit.com/a b",
        "https://[whitebit.com/x",
        "//whitebit.com/x",
        "data:text/html,x",
        "https://whitebit.com/" + "x" * 1000,
    ],
)
def test_a_link_that_a_page_must_not_offer_is_put_aside(extra: ExtraFields, address: str) -> None:
    page = parsing.parse_links({"data": [LINK | {"link": address}, LINK]}, extra, unchanged)

    assert [rejected.reason.partition(":")[0] for rejected in page.rejected] == ["data.link"]
    assert [link.id for link in page.links] == ["7f3a-91"]
    with pytest.raises(Unreadable, match=r"data\.link"):
        parsing.parse_created_link({"data": LINK | {"link": address}}, extra)


@pytest.mark.parametrize("name", ["id", "accounts", "name", "link", "permissions", "liveUntil"])
def test_a_link_without_a_field_that_it_needs_is_quarantined(extra: ExtraFields, name: str) -> None:
    page = parsing.parse_links({"data": [{k: v for k, v in LINK.items() if k != name}]}, extra, unchanged)

    assert [rejected.reason for rejected in page.rejected] == [f"data.{name}: missing"]


@pytest.mark.parametrize("came", ["yesterday", -1, ["x"]])
def test_a_link_whose_moment_of_creation_cannot_be_read_is_listed(extra: ExtraFields, came: Any) -> None:
    page = parsing.parse_links({"data": [LINK | {"createdAt": came}]}, extra, unchanged)

    assert [(link.created_at, link.unread) for link in page.links] == [(None, ("createdAt",))]


@pytest.mark.parametrize("came", [0, "", "never"])
def test_an_end_that_cannot_be_read_is_not_taken_for_none(extra: ExtraFields, came: Any) -> None:
    page = parsing.parse_links({"data": [LINK | {"liveUntil": came}]}, extra, unchanged)

    assert [rejected.reason.partition(":")[0] for rejected in page.rejected] == ["data.liveUntil"]


# --- What the pool tells everybody


def in_camel_case(value: Any) -> Any:
    if isinstance(value, list):
        return [in_camel_case(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    names = {
        "last7days_hash_rate": "last7daysHashRate",
        "connection_links": "connectionLinks",
        "reward_schemes": "rewardSchemes",
        "current_hash_rate": "currentHashRate",
        "block_found_at": "blockFoundAt",
        "block_height": "blockHeight",
    }
    return {names.get(name, name): in_camel_case(inner) for name, inner in value.items()}


@pytest.mark.parametrize("data", [OVERVIEW, [in_camel_case(OVERVIEW)]], ids=["object", "list"])
def test_the_pools_overview_is_read_in_both_documented_forms(extra: ExtraFields, data: Any) -> None:
    assert parsing.parse_overview({"data": data}, extra) == PoolOverview(
        location="global",
        workers=1846,
        hashrate_hs=Decimal("39353570.8006319183174839"),
        last_days=(PoolDay(MOMENT, Decimal("184425100325925.92")),),
        stratum_urls=("stratum+tcp://pool.example:3333",),
        newest_block_height=18_329,
        newest_block_at=MOMENT,
    )
    assert not extra.counts


def test_a_pool_without_blocks_has_no_newest_one(extra: ExtraFields) -> None:
    overview = parsing.parse_overview({"data": OVERVIEW | {"blocks": []}}, extra)

    assert (overview.newest_block_height, overview.newest_block_at) == (None, None)


def test_a_block_or_a_day_that_cannot_be_read_costs_only_itself(extra: ExtraFields) -> None:
    odd = {"blocks": [{"block_height": "?"}, *OVERVIEW["blocks"]], "last7days_hash_rate": [7]}

    overview = parsing.parse_overview({"data": OVERVIEW | odd}, extra)

    assert (overview.newest_block_height, overview.last_days) == (18_329, ())


@pytest.mark.parametrize("data", [None, [], {}, [[]], "x"])
def test_an_overview_of_another_form_is_unreadable(extra: ExtraFields, data: object) -> None:
    with pytest.raises(Unreadable):
        parsing.parse_overview({"data": data}, extra)


def test_the_price_is_that_of_the_market_asked_for() -> None:
    markets = {"ETH_USDT": {"last_price": "3000"}, "BTC_USDT": {"last_price": "97123.45", "isFrozen": False}}

    assert parsing.parse_last_price(markets, "BTC_USDT") == Decimal("97123.45")
    with pytest.raises(Unreadable, match="BTC_EUR: missing"):
        parsing.parse_last_price(markets, "BTC_EUR")


def test_daily_prices_are_exact_and_named_by_their_utc_day() -> None:
    candle = [SECONDS, "97000.1", "97123.45", "98000", "96500.5", "12.5", "1214043.125"]

    assert parsing.parse_daily_prices({"success": True, "message": "", "result": [candle]}) == (
        DailyPrice(
            day=date(2025, 11, 22),
            open=Decimal("97000.1"),
            close=Decimal("97123.45"),
            high=Decimal("98000"),
            low=Decimal("96500.5"),
            volume_btc=Decimal("12.5"),
        ),
    )


@pytest.mark.parametrize(
    "document",
    [
        {"success": False, "message": "Invalid market.", "result": []},
        {"success": True, "message": "", "result": [[SECONDS, "1", "1"]]},
        {"success": True, "message": "", "result": [[SECONDS, "1", "NaN", "1", "1", "1", "1"]]},
        {"success": "true", "message": "", "result": []},
    ],
)
def test_prices_that_are_none_are_unreadable(document: object) -> None:
    with pytest.raises(Unreadable):
        parsing.parse_daily_prices(document)
