"""Accounts, their hashrate, their machines and where they are paid."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from mining.pool.answers import parsing
from mining.pool.answers.strict_json import ExtraFields, Unreadable, read_json
from mining.pool.answers.types import HashratePoint, HashrateSeries, MinersInfo, PayoutDestination, PoolAccount, Stratum
from tests.mining.pool.answers.records import unchanged


def test_accounts_come_with_their_moment_of_creation_or_none() -> None:
    document = {
        "data": [
            {"name": "north", "createdAt": 1763769600},
            {"name": "Ångström_1", "createdAt": "2025-11-22T00:00:00Z"},
            {"name": "south", "createdAt": None},
            {"name": "west", "createdAt": "long ago"},
            {"name": "", "createdAt": None},
        ],
        "limit": 30,
        "offset": 0,
    }

    page = parsing.parse_accounts(document, ExtraFields(unchanged), unchanged)

    assert page.accounts == (
        PoolAccount("north", datetime(2025, 11, 22, tzinfo=UTC)),
        PoolAccount("Ångström_1", datetime(2025, 11, 22, tzinfo=UTC)),
        PoolAccount("south", None),
        PoolAccount("west", None, unread=("createdAt",)),
    )
    assert [rejected.reason for rejected in page.rejected] == ["data.name: empty"]


def test_the_account_looked_for_may_be_the_one_that_cannot_be_read() -> None:
    entries = [{"name": "south", "createdAt": None}, {"name": "", "createdAt": None}]
    document = {"data": entries, "limit": 30, "offset": 0}

    with pytest.raises(Unreadable, match=r"data\.name: empty"):
        parsing.parse_account_named(document, ExtraFields(unchanged), unchanged, name="north")


def test_a_created_account_must_be_the_one_that_was_asked_for() -> None:
    document = {"data": {"name": "north", "createdAt": 1763769600}}

    assert parsing.parse_created_account(document, ExtraFields(unchanged), name="north").name == "north"
    with pytest.raises(Unreadable, match="another_account"):
        parsing.parse_created_account(document, ExtraFields(unchanged), name="South")


def test_hashrate_points_are_th_per_second_in_the_order_they_came() -> None:
    points = [
        {"timestamp": 1763773200, "hashrate": "512.5", "rejectRate": 0.01},
        {"timestamp": 1763769600, "hashrate": 0, "rejectRate": None},
        {"timestamp": 1763776800, "hashrate": 7, "rejectRate": "little"},
        {"timestamp": "noon", "hashrate": 0, "rejectRate": None},
        {"timestamp": 1763780400, "hashrate": "NaN", "rejectRate": None},
    ]
    document = read_json(json.dumps({"data": {"account": "north", "hashrate": points}}).encode())

    assert parsing.parse_hashrate(document, ExtraFields(unchanged), account="north") == HashrateSeries(
        (
            HashratePoint(datetime(2025, 11, 22, 1, tzinfo=UTC), Decimal("512.5"), Decimal("0.01")),
            HashratePoint(datetime(2025, 11, 22, tzinfo=UTC), Decimal(0), None),
            HashratePoint(datetime(2025, 11, 22, 2, tzinfo=UTC), Decimal(7), None),
        ),
        left_out=2,
        unread=("rejectRate",),
    )


@pytest.mark.parametrize("data", [[], {"account": "north", "hashrate": []}])
def test_a_disabled_account_has_no_points(data: object) -> None:
    assert parsing.parse_hashrate({"data": data}, ExtraFields(unchanged), account="north") == HashrateSeries(())


def test_the_hashrate_of_another_account_is_not_taken_for_the_one_asked_for() -> None:
    document = {"data": {"account": "south", "hashrate": []}}

    with pytest.raises(Unreadable, match="another_account"):
        parsing.parse_hashrate(document, ExtraFields(unchanged), account="north")


def test_miners_info_and_payout_destination() -> None:
    info = {
        "data": {
            "fee": "2.5",
            "workers": {"online": 7, "offline": "2", "low": 1},
            "stratum": [{"url": "stratum+tcp://pool.whitebit.com:3333", "workersCount": 7}],
        }
    }

    assert parsing.parse_miners_info(info, ExtraFields(unchanged)) == MinersInfo(
        Decimal("2.5"), 7, 2, 1, (Stratum("stratum+tcp://pool.whitebit.com:3333", 7),)
    )
    assert parsing.parse_payout_destination(
        {"payoutDestination": "main_balance", "externalAddress": None}, ExtraFields(unchanged)
    ) == PayoutDestination("main_balance", None)


def test_a_fee_or_an_address_that_cannot_be_read_costs_no_count_of_machines() -> None:
    workers = {"online": 7, "offline": 2, "low": 1}
    url = "stratum+tcp://pool.whitebit.com:3333"
    stratum = [{"url": ""}, {"url": url, "workersCount": 7}]
    some = {"data": {"fee": "2,5", "workers": workers, "stratum": stratum}}
    none = {"data": {"fee": None, "workers": workers, "stratum": None}}

    assert parsing.parse_miners_info(some, ExtraFields(unchanged)) == MinersInfo(
        None, 7, 2, 1, (Stratum(url, 7),), unread=("fee", "stratum")
    )
    assert parsing.parse_miners_info(none, ExtraFields(unchanged)) == MinersInfo(
        None, 7, 2, 1, (), unread=("stratum", "fee")
    )


def test_a_nested_field_is_named_with_its_way() -> None:
    with pytest.raises(Unreadable, match=r"^data\.workers\.online: missing$"):
        parsing.parse_miners_info({"data": {"fee": "2.5", "workers": {}, "stratum": []}}, ExtraFields(unchanged))
