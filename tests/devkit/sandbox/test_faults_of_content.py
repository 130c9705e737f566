"""Good answers with something wrong in them, seen from the caller's side."""

import json
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from devkit.sandbox.spoil import HOSTILE_NAMES
from tests.devkit.sandbox.listings import spoiled
from tests.devkit.sandbox.signed import Caller
from tests.sandbox import Sandbox


def test_truncated_json(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.fault("truncated_json")
    reply = alpha("rewards")
    assert reply.status == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(reply.body)


def test_a_byte_that_is_not_utf8(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.fault("not_utf8")
    with pytest.raises(UnicodeDecodeError):
        alpha("rewards").body.decode()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("data_missing", {"offset": 0, "limit": 30}),
        ("data_null", {"offset": 0, "limit": 30, "data": None}),
        ("data_object", {"offset": 0, "limit": 30, "data": {}}),
    ],
)
def test_data_that_is_not_as_documented(sandbox: Sandbox, alpha: Caller, name: str, expected: Any) -> None:
    assert spoiled(sandbox, alpha, name) == expected


def test_the_payout_destination_without_data_around_it_is_spoiled_too(sandbox: Sandbox, alpha: Caller) -> None:
    answer = spoiled(sandbox, alpha, "data_missing", "payout-destination", accountName="north")
    assert answer == {"externalAddress": None}


def test_extra_fields_are_everywhere(sandbox: Sandbox, alpha: Caller) -> None:
    answer = spoiled(sandbox, alpha, "extra_fields")
    assert "unheardOf" in answer
    assert all("unheardOf" in record for record in answer["data"])


def test_numbers_for_strings_keep_every_digit(sandbox: Sandbox, alpha: Caller) -> None:
    true = alpha.data("rewards")
    sandbox.fault("numbers_for_strings")
    got = json.loads(alpha("rewards").body, parse_float=Decimal)["data"]
    assert [str(r["totalReward"]) for r in got] == [str(Decimal(r["totalReward"])) for r in true]
    assert isinstance(got[0]["hashRate"], int)


def test_strings_for_numbers(sandbox: Sandbox, alpha: Caller) -> None:
    assert isinstance(spoiled(sandbox, alpha, "strings_for_numbers")["data"][0]["date"], str)


@pytest.mark.parametrize(
    ("name", "field", "is_wrong"),
    [
        ("amount_nan", "totalReward", lambda value: value == "NaN"),
        ("amount_huge", "totalReward", lambda value: value == "1e400"),
        ("amount_negative", "totalReward", lambda value: value.startswith("-")),
        ("amount_long", "totalReward", lambda value: len(value) == 42),
        ("amounts_disagree", "totalReward", lambda value: value == "0.12345678"),
        ("status_unknown", "status", lambda value: value == "on_hold"),
        ("other_currency", "rewardCurrency", lambda value: value == "LTC"),
        ("account_unknown", "miningAccountName", lambda value: value == "nobody_knows_it"),
    ],
)
def test_one_record_is_wrong_and_the_others_are_not(
    sandbox: Sandbox, alpha: Caller, name: str, field: str, is_wrong: Callable[[str], bool]
) -> None:
    true = alpha.data("rewards")
    got = spoiled(sandbox, alpha, name)["data"]
    changed = [(before, after) for before, after in zip(true, got, strict=True) if before != after]
    assert len(changed) == 1
    before, after = changed[0]
    assert is_wrong(after[field])
    assert {**after, field: before[field]} == before


def test_hostile_names_come_beside_the_true_ones(sandbox: Sandbox, alpha: Caller) -> None:
    accounts = spoiled(sandbox, alpha, "hostile_names", "accounts")["data"]
    assert [account["name"] for account in accounts[3:]] == list(HOSTILE_NAMES)
    rewards = alpha.data("rewards", limit=5)
    assert [reward["miningAccountName"] for reward in rewards[5:]] == list(HOSTILE_NAMES)


def test_scrambled_points(sandbox: Sandbox, alpha: Caller) -> None:
    times = [point["timestamp"] for point in alpha.data("hashrate", account="north")["hashrate"]]
    got = spoiled(sandbox, alpha, "points_scrambled", "hashrate", account="north")["data"]["hashrate"]
    scrambled = [point["timestamp"] for point in got]
    assert scrambled != sorted(scrambled)
    assert len(set(times) - set(scrambled)) == 1
    assert max(scrambled) > time.time() + 86_400
    assert len(scrambled) - len(set(scrambled)) == 1


def test_hashrate_in_hashes(sandbox: Sandbox, alpha: Caller) -> None:
    got = spoiled(sandbox, alpha, "hashrate_in_hashes", "hashrate", account="north")
    assert float(got["data"]["hashrate"][0]["hashrate"]) > 1e14


def test_hostile_workers_and_links(sandbox: Sandbox, alpha: Caller) -> None:
    first = alpha.data("workers/names", account="south")["workers"][0]
    workers = spoiled(sandbox, alpha, "hostile_names", "workers/names", account="south")["data"]["workers"]
    assert workers[-len(HOSTILE_NAMES) - 1 :] == [*HOSTILE_NAMES, first.swapcase()]
    sandbox.clear_faults()
    sandbox.edit("add_link", login="alpha", accounts=["south"], name="true_one")
    links = spoiled(sandbox, alpha, "hostile_names", "watcher-links/list", account="south")["data"]
    assert [link["name"] for link in links] == ["true_one", *HOSTILE_NAMES]


def test_the_points_of_workers_are_spoiled_too(sandbox: Sandbox, alpha: Caller) -> None:
    fields = {"account": "south", "worker": alpha.data("workers/names", account="south")["workers"][0]}
    scrambled = spoiled(sandbox, alpha, "points_scrambled", "workers/hashrate", **fields)["data"]["hashrates"]
    times = [point["time"] for point in scrambled]
    assert (len(times) - len(set(times)), times != sorted(times)) == (1, True)
    sandbox.clear_faults()
    hashes = spoiled(sandbox, alpha, "hashrate_in_hashes", "workers/hashrate", **fields)["data"]["hashrates"]
    assert float(hashes[0]["hashrate"]) > 1e13


def test_successful_records_can_be_pending_again(sandbox: Sandbox, alpha: Caller) -> None:
    true = alpha.data("rewards", account="south", limit=3)
    got = spoiled(sandbox, alpha, "status_back", account="south", limit=3)["data"]
    unpaid = {"status": "pending", "payoutTime": None, "payoutTransactionHash": None}
    assert ({record["status"] for record in true}, got) == ({"successful"}, [record | unpaid for record in true])


def test_a_transaction_hash_can_come_late(sandbox: Sandbox, alpha: Caller) -> None:
    true = alpha.data("rewards", account="south", limit=3)
    got = spoiled(sandbox, alpha, "hash_late", account="south", limit=3)["data"]
    assert (None in [record["payoutTransactionHash"] for record in true], got) == (
        False,
        [record | {"payoutTransactionHash": None} for record in true],
    )


def test_one_amount_can_change_by_a_satoshi(sandbox: Sandbox, alpha: Caller) -> None:
    true = alpha.data("rewards")
    got = spoiled(sandbox, alpha, "amount_changed")["data"]
    ((before, after),) = [pair for pair in zip(true, got, strict=True) if pair[0] != pair[1]]
    assert Decimal(after["totalReward"]) - Decimal(before["totalReward"]) == Decimal("0.00000001")
    assert Decimal(after["totalReward"]) == Decimal(after["reward"]) + Decimal(after["fee"])


def test_a_destination_nobody_knows(sandbox: Sandbox, alpha: Caller) -> None:
    rewards = spoiled(sandbox, alpha, "destination_unknown")["data"]
    assert [record["payoutDestination"] for record in rewards].count("cold_storage") == 1
    payout = alpha("payout-destination", accountName="south").json
    assert payout["payoutDestination"] == "cold_storage"


@pytest.mark.parametrize("fields", [{"limit": 0}, {"limit": 500}])
def test_the_sentences_of_refusals_can_be_localized(sandbox: Sandbox, alpha: Caller, fields: dict[str, int]) -> None:
    plain = alpha("rewards", fields)
    sandbox.fault("localized_errors")
    local = alpha("rewards", fields)
    assert (local.status, list(local.json["errors"]), local.json["code"]) == (400, ["limit"], plain.json["code"])
    assert local.json["errors"] != plain.json["errors"]
    assert local.json["message"] != plain.json["message"]


def test_refusals_without_fields_are_localized_too(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.edit("set_key", api_key=alpha.key.api_key, enabled=False)
    sandbox.fault("localized_errors")
    local = alpha("rewards")
    assert (local.status, local.json["code"], local.json["errors"]) == (401, 0, {})
    assert local.json["message"] in ("Запит відхилено.", "api.refused")
