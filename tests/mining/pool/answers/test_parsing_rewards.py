"""Rewards: in our units and exact, quarantined for what identity and money need, never for a decoration."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from mining.pool.answers.strict_json import ExtraFields, Unreadable
from tests.mining.pool.answers.records import REWARD, page_of, reason, rewards, unchanged


def test_a_reward_comes_in_our_units_and_exact() -> None:
    (record,) = page_of(REWARD).records

    assert record.account == "north"
    assert record.reward_at == datetime(2025, 11, 22, tzinfo=UTC)
    assert record.currency == "BTC"
    assert (record.total, record.net, record.fee) == (
        Decimal("0.001000000000000001"),
        Decimal("0.000975000000000001"),
        Decimal("0.000025"),
    )
    assert (record.total_raw, record.net_raw, record.fee_raw) == (
        "0.001000000000000001",
        "0.000975000000000001",
        "0.000025",
    )
    assert record.fpps_rate == Decimal("0.00000042")
    assert record.hashrate_hs == Decimal(500_000_000_000_000)
    assert (record.status, record.destination) == ("successful", "external_address")
    assert record.address == "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
    assert record.transaction_hash == "ab" * 32
    assert record.paid_at == datetime(2025, 11, 23, tzinfo=UTC)


def test_a_pending_reward_has_no_payment_and_may_have_no_rate() -> None:
    pending = dict.fromkeys(("payoutTransactionHash", "payoutAddress", "payoutTime", "fppsRate", "hashRate"))

    (record,) = page_of(REWARD | pending).records

    assert (record.address, record.transaction_hash, record.paid_at) == (None, None, None)
    assert (record.fpps_rate, record.hashrate_hs) == (None, None)


def test_words_that_we_do_not_know_are_passed_on() -> None:
    (record,) = page_of(
        REWARD | {"status": "on_hold", "payoutDestination": "lightning", "rewardCurrency": "LTC"}
    ).records

    assert (record.status, record.destination, record.currency) == ("on_hold", "lightning", "LTC")


def test_numbers_instead_of_strings_are_taken_exactly_as_written() -> None:
    text = json.dumps({"offset": 0, "limit": 100, "data": [REWARD]})
    for name in ("totalReward", "reward", "fee", "fppsRate", "hashRate"):
        text = text.replace(f'"{name}": "{REWARD[name]}"', f'"{name}": {REWARD[name]}')

    (record,) = rewards(text.encode()).records

    assert record == page_of(REWARD).records[0]


def test_a_record_says_the_same_however_its_numbers_and_dates_are_written() -> None:
    spellings = [
        REWARD | {"totalReward": "0.1", "reward": "0.1", "fee": "0"},
        REWARD | {"totalReward": "0.10000000", "reward": "1e-1", "fee": "-0.0"},
        REWARD | {"totalReward": "0.1", "reward": "0.1", "fee": 0, "date": "1763769600", "payoutTime": "1763856000"},
        dict(reversed((REWARD | {"totalReward": "0.1", "reward": "0.1", "fee": "0", "newField": 1}).items())),
    ]

    canonical = {record.canonical() for record in page_of(*spellings).records}

    assert len(page_of(*spellings).records) == 4
    assert len(canonical) == 1
    assert json.loads(canonical.pop()) == {
        "date": 1763769600,
        "fee": "0",
        "fppsRate": "0.00000042",
        "hashRate": "500000000000000",
        "miningAccountName": "north",
        "payoutAddress": "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        "payoutDestination": "external_address",
        "payoutTime": 1763856000,
        "payoutTransactionHash": "ab" * 32,
        "reward": "0.1",
        "rewardCurrency": "BTC",
        "status": "successful",
        "totalReward": "0.1",
    }


@pytest.mark.parametrize(
    "change",
    [
        {"status": "canceled"},
        {"totalReward": "0.001000000000000002", "reward": "0.000975000000000002"},
        {"payoutTransactionHash": None},
        {"payoutTime": 1763856001},
        {"fppsRate": None},
        {"hashRate": "500000000000001"},
        {"date": 1763769601},
    ],
)
def test_a_record_that_changed_says_something_else(change: dict[str, Any]) -> None:
    before, after = page_of(REWARD, REWARD | change).records

    assert before.canonical() != after.canonical()


def test_what_is_kept_of_a_record_can_be_stored_as_json() -> None:
    text = json.dumps({"offset": 0, "limit": 100, "data": [REWARD]}).replace('"0.000025"', "0.000025")

    (record,) = rewards(text.encode()).records

    assert json.loads(json.dumps(record.raw)) == REWARD


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"totalReward": "0.002"}, "amount_identity"),
        ({"fee": "0.000025000000000001"}, "amount_identity"),
        ({"totalReward": "NaN"}, "totalReward: not_a_number"),
        ({"totalReward": "Infinity"}, "totalReward: not_a_number"),
        ({"totalReward": float("nan")}, "totalReward: not_finite"),
        ({"totalReward": float("inf")}, "totalReward: not_finite"),
        ({"totalReward": "1e400"}, "totalReward: out_of_range"),
        ({"totalReward": "0e9999"}, "totalReward: out_of_range"),
        ({"totalReward": "10000000000.1"}, "totalReward: out_of_range"),
        ({"totalReward": "-0.001"}, "totalReward: negative"),
        ({"totalReward": -1}, "totalReward: negative"),
        ({"totalReward": "0.0000000000000000001"}, "totalReward: too_many_digits"),
        ({"totalReward": "0." + "1234567890" * 4}, "totalReward: too_many_digits"),
        ({"totalReward": "0" * 41}, ""),
        ({"totalReward": "1" * 65}, "totalReward: not_a_number"),
        ({"totalReward": "1_000"}, "totalReward: not_a_number"),
        ({"totalReward": " 1"}, "totalReward: not_a_number"),
        ({"totalReward": "1\n"}, "totalReward: not_a_number"),
        ({"totalReward": "١"}, "totalReward: not_a_number"),
        ({"totalReward": ""}, "totalReward: not_a_number"),
        ({"totalReward": None}, "totalReward: not_a_number"),
        ({"totalReward": True}, "totalReward: not_a_number"),
        ({"totalReward": ["1"]}, "totalReward: not_a_number"),
        ({"date": 1230767999}, "date: out_of_range"),
        ({"date": 4102444800}, "date: out_of_range"),
        ({"date": -1}, "date: out_of_range"),
        ({"date": True}, "date: not_a_moment"),
        ({"date": "yesterday"}, "date: not_a_moment"),
        ({"date": "2025-99-99T00:00:00Z"}, "date: not_a_moment"),
        ({"date": None}, "date: not_a_moment"),
        ({"date": 0}, "date: out_of_range"),
        ({"date": ""}, "date: not_a_moment"),
        ({"date": "1e400"}, "date: not_a_moment"),
        ({"date": float("nan")}, "date: not_a_moment"),
        ({"date": 10**39}, "date: out_of_range"),
        ({"date": "9" * 40}, "date: not_a_moment"),
        ({"date": 1230767999999}, "date: out_of_range"),
        ({"date": 4102444800000}, "date: out_of_range"),
        ({"miningAccountName": ""}, "miningAccountName: empty"),
        ({"miningAccountName": "N" * 256}, "miningAccountName: too_long"),
        ({"miningAccountName": "nor\x00th"}, "miningAccountName: forbidden_character"),
        ({"miningAccountName": "nor\nth"}, "miningAccountName: forbidden_character"),
        ({"miningAccountName": "nor\u2028th"}, "miningAccountName: forbidden_character"),
        ({"miningAccountName": "nor\ud800th"}, "miningAccountName: forbidden_character"),
        ({"miningAccountName": 7}, "miningAccountName: not_a_text"),
        ({"status": None}, "status: not_a_text"),
        ({"status": "s" * 65}, "status: too_long"),
    ],
)
def test_a_bad_record_is_quarantined_with_its_reason(changes: dict[str, Any], expected: str) -> None:
    if not expected:
        # Zeros are no digits: the number itself is fine, only the amounts no longer agree.
        expected = "amount_identity"

    assert reason(**changes) == expected


DECORATIONS = {"fppsRate", "hashRate", "payoutAddress", "payoutTime", "payoutTransactionHash"}


@pytest.mark.parametrize("name", sorted(REWARD.keys() - DECORATIONS))
def test_a_record_without_a_field_that_identity_or_money_needs_is_quarantined(name: str) -> None:
    page = page_of({key: value for key, value in REWARD.items() if key != name})

    assert [rejected.reason for rejected in page.rejected] == [f"{name}: missing"]


@pytest.mark.parametrize("name", sorted(DECORATIONS))
def test_a_record_without_a_decoration_counts_and_says_so(name: str) -> None:
    (record,) = page_of({key: value for key, value in REWARD.items() if key != name}).records

    assert record.unread == {name: ""}


@pytest.mark.parametrize(
    ("name", "came", "kept"),
    [
        ("payoutTime", "soon", '"soon"'),
        ("payoutTime", True, "true"),
        ("payoutTime", -1, "-1"),
        ("payoutTime", 4102444800, "4102444800"),
        ("payoutTime", "2025-99-99 00:00:00", '"2025-99-99 00:00:00"'),
        ("payoutTime", "9" * 40, f'"{"9" * 40}"'),
        ("payoutTime", float("nan"), '"NaN"'),
        ("fppsRate", "-1", '"-1"'),
        ("fppsRate", "1e20", '"1e20"'),
        ("fppsRate", "1e400", '"1e400"'),
        ("hashRate", "fast", '"fast"'),
        ("hashRate", "1e31", '"1e31"'),
        ("payoutTransactionHash", "a" * 129, f'"{"a" * 129}"'),
        ("payoutTransactionHash", ["a"] * 5_000, ('["a"' + ',"a"' * 5_000)[:200]),
        ("payoutAddress", "bc1\x7f", '"bc1\\u007f"'),
    ],
)
def test_a_decoration_that_cannot_be_read_is_empty_and_costs_nothing_else(name: str, came: Any, kept: str) -> None:
    (record,) = page_of(REWARD | {name: came}).records
    (without,) = page_of(REWARD | {name: None}).records

    assert record.unread == {name: kept}
    assert record == replace(without, unread=record.unread)
    assert json.loads(record.canonical()) == json.loads(without.canonical()) | {"unread": {name: kept}}


@pytest.mark.parametrize(
    "spelling",
    [
        1763856000,
        1763856000.0,
        1763856000.9,
        "1763856000",
        "1763856000.0",
        1763856000123,
        "1763856000123",
        "2025-11-23T00:00:00Z",
        "2025-11-23T00:00:00.000000Z",
        "2025-11-23T00:00:00+00:00",
        "2025-11-23T02:00:00+0200",
        "2025-11-23 00:00:00",
        "2025-11-23 00:00:00.5",
    ],
)
def test_a_moment_is_read_in_any_spelling_to_the_second(spelling: Any) -> None:
    (paid,) = page_of(REWARD | {"payoutTime": spelling}).records
    (dated,) = page_of(REWARD | {"date": spelling}).records

    assert paid.paid_at == dated.reward_at == datetime(2025, 11, 23, tzinfo=UTC)
    assert not paid.unread


@pytest.mark.parametrize("unknown", [None, 0, 0.0, "", "0"])
def test_a_payment_whose_time_is_not_known_yet_alarms_nobody(unknown: Any) -> None:
    (record,) = page_of(REWARD | {"payoutTime": unknown}).records

    assert (record.paid_at, record.unread) == (None, {})


def test_one_bad_record_does_not_hide_its_neighbours() -> None:
    page = page_of(REWARD, REWARD | {"reward": "-1"}, "not a record", REWARD | {"miningAccountName": "south"})

    assert [record.account for record in page.records] == ["north", "south"]
    assert [rejected.reason for rejected in page.rejected] == ["reward: negative", "not_an_object"]
    assert json.loads(page.rejected[0].raw) == REWARD | {"reward": "-1"}


def test_what_is_quarantined_is_plain_text_of_bounded_length() -> None:
    page = page_of(REWARD | {"miningAccountName": "\x00\ud800" + "N" * 10_000})

    assert len(page.rejected[0].raw) <= 4_000
    assert page.rejected[0].raw.isascii()
    assert "\x00" not in page.rejected[0].raw


def test_huge_numbers_cost_no_time_and_only_their_record() -> None:
    text = json.dumps({"offset": 0, "limit": 100, "data": [REWARD, REWARD]})
    for huge in ("9" * 500_000, "1e999999999999999999999", "0." + "1" * 500_000, "-1e-99999999", "Infinity", "NaN"):
        page = rewards(text.replace('"0.000025"', huge, 1).encode())

        assert len(page.records) == 1
        assert [rejected.reason.split(":")[0] for rejected in page.rejected] == ["fee"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"<html>", "not_json"),
        (b'{"offset":0,"limit":30,"da', "not_json"),
        (b'{"data":"\xff"}', "not_utf8"),
        (b"[" * 100_000, "too_deep"),
        (b"[]", "not_an_object"),
        (b"null", "missing"),
        (b"{}", "limit: missing"),
        (b'{"limit":1,"offset":0}', "data: missing"),
        (b'{"limit":1,"offset":0,"data":null}', "data: missing"),
        (b'{"limit":1,"offset":0,"data":{}}', "data: not_a_list"),
        (b'{"limit":null,"offset":0,"data":[]}', "limit: not_a_whole_number"),
    ],
)
def test_a_bad_envelope_fails_the_call(body: bytes, expected: str) -> None:
    with pytest.raises(Unreadable, match=f"^{expected}$"):
        rewards(body)


def test_undocumented_fields_are_left_out_and_counted() -> None:
    extra = ExtraFields(unchanged)
    body = json.dumps({"offset": 0, "limit": 1, "total": 9, "data": [REWARD | {"coin": "BTC"}, REWARD | {"coin": 1}]})

    page = rewards(body.encode(), extra)

    assert extra.counts == {"rewards.total": 1, "rewards.coin": 2}
    assert page.records[0].raw == REWARD


def test_a_hostile_answer_cannot_fill_the_counter_of_undocumented_fields() -> None:
    extra = ExtraFields(unchanged)

    page_of(REWARD | {f"{number}{'x' * 1000}": 1 for number in range(5_000)}, extra=extra)

    assert len(extra.counts) <= 201
    assert sum(extra.counts.values()) == 5_000
    assert max(map(len, extra.counts)) < 100
