from typing import Any

import pytest

from mining.pool.addresses import is_address
from tests.devkit.sandbox.signed import Caller
from tests.sandbox import Sandbox

HOUR_S, DAY_S = 3_600, 86_400


def points(caller: Caller, fields: dict[str, Any] | None = None, **more: Any) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = caller.data("hashrate", {"account": "south"} | (fields or {}), **more)["hashrate"]
    return listed


def test_hourly_points_are_the_default_in_terahashes(sandbox: Sandbox, alpha: Caller) -> None:
    listed = points(alpha)
    assert 160 <= len(listed) <= 168
    assert list(listed[0]) == ["timestamp", "hashrate", "rejectRate"]
    assert all(point["timestamp"] % HOUR_S == 0 for point in listed)
    assert all(isinstance(point["hashrate"], str) and 300 < float(point["hashrate"]) < 1_500 for point in listed)
    assert all(0 <= point["rejectRate"] <= 0.01 for point in listed)
    assert listed[-1]["timestamp"] + HOUR_S <= sandbox.clock().timestamp()


@pytest.mark.parametrize(("interval", "step_s"), [("5m", 300), ("1h", HOUR_S), ("24h", DAY_S)])
def test_points_lie_on_their_interval_inside_the_window(alpha: Caller, interval: str, step_s: int) -> None:
    start, end = 1_792_000_000, 1_792_000_000 + 3 * DAY_S
    listed = points(alpha, {"from": start, "to": end, "interval": interval})
    expected = [at for at in range(start - start % step_s, end, step_s) if start <= at and at + step_s <= end]
    missing = set(expected) - {point["timestamp"] for point in listed}
    assert {point["timestamp"] for point in listed} <= set(expected)
    assert len(missing) <= len(expected) / 20
    assert [point["timestamp"] for point in listed] == sorted(point["timestamp"] for point in listed)


def test_the_same_window_gives_the_same_points_later(sandbox: Sandbox, alpha: Caller) -> None:
    window = {"from": 1_792_000_000, "to": 1_792_100_000}
    before = points(alpha, window)
    sandbox.clock(advance_seconds=20 * DAY_S)
    assert points(alpha, window) == before


def test_some_hour_of_a_year_is_missing(sandbox: Sandbox) -> None:
    sandbox.reset(now="2026-10-20T15:00:00Z", history_days=300)
    alpha = Caller(sandbox.base_url, sandbox.key("alpha"))
    listed = points(alpha, {"from": 1_792_000_000 - 200 * DAY_S, "to": 1_792_000_000})
    assert 0.97 * 200 * 24 < len(listed) < 200 * 24


def test_no_points_from_the_future_or_before_the_miners_were_on(alpha: Caller) -> None:
    assert points(alpha, {"from": 1_800_000_000}) == []
    assert points(alpha, {"to": 1_600_000_000}) == []


def test_a_disabled_account_has_no_points(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.edit("disable_account", login="alpha", account="south")
    reply = alpha("hashrate", account="south")
    assert (reply.status, reply.json) == (200, {"data": {"account": "south", "hashrate": []}})


def test_an_unknown_account_is_an_error_here(alpha: Caller) -> None:
    reply = alpha("hashrate", account="beta_east")
    assert (reply.status, reply.json["message"], list(reply.json["errors"])) == (400, "Account not found", ["account"])


@pytest.mark.parametrize("fields", [{}, {"account": None}, {"account": 5}, {"account": "south", "interval": "2h"}])
def test_wrong_parameters_are_refused(alpha: Caller, fields: dict[str, Any]) -> None:
    assert alpha("hashrate", fields).status == 400


def test_milliseconds_are_422(alpha: Caller) -> None:
    assert alpha("hashrate", {"account": "south", "from": 1_792_000_000_000}).status == 422


def test_miners_info_counts_workers_and_names_the_stratum(alpha: Caller) -> None:
    info = alpha.data("miners/info", account="south")
    workers = info["workers"]
    assert info["fee"] == "2.5"
    assert list(workers) == ["online", "offline", "low"]
    assert workers["online"] + workers["offline"] + workers["low"] >= 6
    assert [place["url"][-5:] for place in info["stratum"]] == [":3333", ":3334"]
    assert sum(place["workersCount"] for place in info["stratum"]) == workers["online"]


@pytest.mark.parametrize(("endpoint", "field"), [("miners/info", "account"), ("payout-destination", "accountName")])
def test_an_unknown_or_disabled_account_is_an_error_of_the_user_field(
    sandbox: Sandbox, alpha: Caller, endpoint: str, field: str
) -> None:
    sandbox.edit("disable_account", login="alpha", account="north")
    for name in ("nobody", "north", ""):
        reply = alpha(endpoint, {field: name})
        assert (reply.status, list(reply.json["errors"])) == (400, ["user"])


def test_the_payout_destination_has_no_data_around_it(alpha: Caller) -> None:
    main = alpha("payout-destination", accountName="north").json
    external = alpha("payout-destination", accountName="south").json
    assert main == {"payoutDestination": "main_balance", "externalAddress": None}
    assert external["payoutDestination"] == "external_address"
    assert is_address(external["externalAddress"])


def test_the_payout_destination_can_change_outside(sandbox: Sandbox, alpha: Caller) -> None:
    before = alpha("payout-destination", accountName="south").json
    sandbox.edit("set_payout", login="alpha", account="south", destination="external_address")
    after = alpha("payout-destination", accountName="south").json
    assert is_address(after["externalAddress"])
    assert after["externalAddress"] != before["externalAddress"]


BECH32 = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"


def edited(caller: Caller, **fields: Any) -> tuple[int, Any]:
    reply = caller("payout-destination/edit", {"accountName": "north", "destination": "external_address"} | fields)
    return reply.status, reply.json


def test_an_edited_destination_is_the_answer_and_stays(sandbox: Sandbox, alpha: Caller) -> None:
    external = {"payoutDestination": "external_address", "externalAddress": BECH32}
    assert edited(alpha, address=BECH32) == (200, external)
    assert alpha("payout-destination", accountName="north").json == external
    main = {"payoutDestination": "main_balance", "externalAddress": None}
    assert edited(alpha, destination="main_balance", address="is not looked at") == (200, main)
    assert alpha("payout-destination", accountName="north").json == main


def test_rewards_follow_an_edited_destination(sandbox: Sandbox, alpha: Caller) -> None:
    edited(alpha, address=BECH32)
    sandbox.clock(advance_seconds=DAY_S)
    newest = alpha.data("rewards", account="north", limit=2)
    assert [reward["payoutAddress"] for reward in newest] == [BECH32, None]


@pytest.mark.parametrize(
    ("fields", "field", "sentence"),
    [
        ({"address": ...}, "address", "miningPool.validation.payoutDestination.btcAddressRequired"),
        ({"address": None}, "address", "miningPool.validation.payoutDestination.btcAddressRequired"),
        ({"address": ""}, "address", "miningPool.validation.payoutDestination.btcAddressRequired"),
        ({"address": BECH32[:-1] + "5"}, "address", "miningPool.validation.payoutDestination.invalidBtcAddress"),
        (
            {"address": "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"},
            "address",
            "miningPool.validation.payoutDestination.invalidBtcAddress",
        ),
        ({"address": "1" * 101}, "address", "miningPool.validation.payoutDestination.invalidBtcAddress"),
        ({"address": 5}, "address", "validation.string"),
        ({"destination": "cold_storage"}, "destination", "The selected destination is invalid."),
        ({"destination": ...}, "destination", "validation.required"),
        ({"accountName": "nobody"}, "user", "Account not found"),
        ({"accountName": ...}, "accountName", "validation.required"),
    ],
)
def test_an_edit_that_cannot_be_is_refused_by_field(
    alpha: Caller, fields: dict[str, Any], field: str, sentence: str
) -> None:
    status, body = edited(alpha, **({"address": BECH32} | fields))
    assert (status, body["errors"]) == (400, {field: [sentence]})
    assert alpha("payout-destination", accountName="north").json["externalAddress"] is None


def test_an_account_paid_in_another_currency_takes_no_external_address(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.edit("set_custom_currency", login="alpha", account="north")
    status, body = edited(alpha, address=BECH32)
    assert (status, body["errors"]) == (
        400,
        {"destination": ["miningPool.validation.payoutDestination.customCurrencyConflict"]},
    )
    assert edited(alpha, destination="main_balance")[0] == 200
    sandbox.edit("set_custom_currency", login="alpha", account="north", custom=False)
    assert edited(alpha, address=BECH32)[0] == 200
