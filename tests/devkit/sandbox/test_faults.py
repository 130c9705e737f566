"""Every fault of the table, seen from the caller's side."""

import contextlib
import http.client
import json
import time
import urllib.parse
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from devkit.sandbox.faults import FAULTS
from devkit.sandbox.spoil import HOSTILE_NAMES
from tests.devkit.sandbox.signed import Caller, Reply, request
from tests.sandbox import Sandbox
from tests.waiting import until

LIST = "/api/v4/mining/rewards"


def names(caller: Caller) -> list[str]:
    return [account["name"] for account in caller.data("accounts")]


def whole_listing(caller: Caller) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = []
    while page := caller.data("rewards", limit=10, offset=len(records)):
        records += page
    return records


# The wire


def test_a_reset_before_leaves_nothing_done(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.fault("reset", endpoint="accounts/create", phase="before")
    with pytest.raises(ConnectionResetError) as caught:
        alpha("accounts/create", name="lost")
    assert caught.type is ConnectionResetError  # a true reset; an orderly end would be its subclass RemoteDisconnected
    assert "lost" not in names(alpha)


def test_a_reset_after_leaves_the_effect_behind(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.fault("reset", endpoint="accounts/create", phase="after")
    with pytest.raises(ConnectionResetError):
        alpha("accounts/create", name="made")
    assert "made" in names(alpha)
    assert sandbox.log()["last"][0]["status"] is None


def test_a_reset_in_mid_body_shows_half_of_it(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.fault("reset_mid_body")
    with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
        alpha("rewards")


@pytest.mark.parametrize("phase", ["before", "after"])
def test_a_delay_holds_the_answer_back(sandbox: Sandbox, alpha: Caller, phase: str) -> None:
    sandbox.fault("delay", seconds=0.3, phase=phase)
    began = time.monotonic()
    assert alpha("accounts").status == 200
    assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize(("phase", "made"), [("before", False), ("after", True)])
def test_silence_ends_without_a_word(sandbox: Sandbox, alpha: Caller, phase: str, made: bool) -> None:
    sandbox.fault("silence", seconds=0.2, phase=phase)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        alpha("accounts/create", name="quiet")
    sandbox.clear_faults()
    assert ("quiet" in names(alpha)) is made


def test_a_slow_drip_never_ends_in_time(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.fault("slow_drip", bytes_per_second=20, seconds=0.3)
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        alpha("rewards")


def test_a_slow_drip_that_is_fast_enough_brings_the_whole_body(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.fault("slow_drip", bytes_per_second=10_000)
    assert len(alpha.data("accounts")) == 3


def test_a_caller_that_hangs_up_in_a_silence_frees_the_sandbox(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.fault("silence", seconds=600, times=1)
    at = urllib.parse.urlsplit(sandbox.base_url)
    with contextlib.closing(http.client.HTTPConnection(at.hostname or "", at.port)) as connection:
        connection.request("POST", LIST, b"{}")
        sandbox.until_struck()
    until(lambda: sandbox.log()["statuses"] == {"rewards": {"none": 1}})
    assert alpha("rewards").status == 200


@pytest.mark.parametrize("phase", ["before", "after"])
def test_a_delay_ends_when_the_faults_are_cleared(sandbox: Sandbox, alpha: Caller, phase: str) -> None:
    sandbox.fault("delay", endpoint="accounts/create", seconds=120, phase=phase)
    with ThreadPoolExecutor(2) as threads:
        held = [threads.submit(alpha, "accounts/create", name=name) for name in ("held_1", "held_2")]
        sandbox.until_struck(2)
        made = {"held_1", "held_2"} & set(names(alpha))
        assert made == (set() if phase == "before" else {"held_1", "held_2"})
        assert not any(call.done() for call in held)
        sandbox.clear_faults()
        assert [call.result().status for call in held] == [200, 200]
    assert {"held_1", "held_2"} <= set(names(alpha))


def test_a_silence_ends_without_a_word_when_the_faults_are_cleared(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.fault("silence", seconds=600)
    with ThreadPoolExecutor(1) as threads:
        held = threads.submit(alpha, "rewards")
        sandbox.until_struck()
        assert not held.done()
        sandbox.clear_faults()
        assert isinstance(held.exception(), http.client.RemoteDisconnected | ConnectionResetError)


def test_a_call_that_is_held_over_a_reset_reaches_nothing_in_the_new_world(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.hold("accounts/create")
    with ThreadPoolExecutor(1) as threads:
        held = threads.submit(alpha, "accounts/create", name="of_another_world")
        sandbox.until_struck()
        sandbox.reset()
        assert isinstance(held.exception(), http.client.RemoteDisconnected | ConnectionResetError)
    assert (sandbox.calls(), "of_another_world" in names(alpha)) == ({}, False)


# Another answer


@pytest.mark.parametrize(
    ("name", "status", "content_type"),
    [
        ("http_500", 500, "application/json"),
        ("http_502", 502, "text/html; charset=UTF-8"),
        ("http_503", 503, "text/html; charset=UTF-8"),
        ("http_504", 504, "text/html; charset=UTF-8"),
        ("rate_limited", 429, "text/html; charset=UTF-8"),
        ("nonce_refused", 429, "application/json"),
        ("captive_page", 200, "text/html; charset=UTF-8"),
        ("empty_body", 200, "application/json"),
        ("oversized_body", 200, "application/json"),
        ("redirect_301", 301, "text/html; charset=UTF-8"),
        ("redirect_308", 308, "text/html; charset=UTF-8"),
    ],
)
@pytest.mark.parametrize(("phase", "made"), [("before", False), ("after", True)])
def test_another_answer_before_or_after_the_act(
    sandbox: Sandbox, alpha: Caller, name: str, status: int, content_type: str, phase: str, made: bool
) -> None:
    sandbox.fault(name, endpoint="accounts/create", phase=phase)
    reply = alpha("accounts/create", name="other")
    assert (reply.status, reply.headers["content-type"]) == (status, content_type)
    assert ("other" in names(alpha)) is made


def answered_with(sandbox: Sandbox, alpha: Caller, name: str, **options: Any) -> Reply:
    sandbox.fault(name, **options)
    return alpha("rewards")


def test_the_bodies_of_other_answers(sandbox: Sandbox, alpha: Caller) -> None:
    internal = answered_with(sandbox, alpha, "http_500", times=1)
    assert internal.json == {"error": ["Internal server error."]}
    assert answered_with(sandbox, alpha, "http_503", times=1, retry_after=7).headers["retry-after"] == "7"
    assert answered_with(sandbox, alpha, "empty_body", times=1).body == b""
    assert len(answered_with(sandbox, alpha, "oversized_body", times=1).body) > 3 * 2**20
    assert answered_with(sandbox, alpha, "redirect_301", times=1).headers["location"].startswith("http://127.0.0.1:9/")


# A good answer with something wrong in it


def spoiled(sandbox: Sandbox, alpha: Caller, name: str, endpoint: str = "rewards", **fields: Any) -> Any:
    sandbox.fault(name)
    return alpha(endpoint, fields).json


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


# Another listing than the pool has


@pytest.mark.parametrize(
    ("name", "change"), [("duplicate_record", 1), ("vanishing_record", -1), ("short_page", -2), ("empty_listing", -3)]
)
def test_lists_of_accounts_workers_and_links_suffer_when_named(
    sandbox: Sandbox, alpha: Caller, name: str, change: int
) -> None:
    for number in range(3):
        sandbox.edit("add_link", login="alpha", accounts=["alpha_east"], name=f"link_{number}")
    sandbox.edit("set_workers", login="alpha", account="alpha_east", workers=["rig_001", "rig_002", "third"])
    counts: dict[str, Callable[[], int]] = {
        "accounts": lambda: len(alpha.data("accounts")),
        "watcher-links/list": lambda: len(alpha.data("watcher-links/list", account="alpha_east")),
        "workers/names": lambda: len(alpha.data("workers/names", account="alpha_east")["workers"]),
    }
    sandbox.fault(name)
    assert [count() for count in counts.values()] == [3, 3, 3]
    for endpoint, count in counts.items():
        sandbox.fault(name, endpoint=endpoint)
        assert count() == 3 + change


def test_a_list_can_lag_behind_what_was_made(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.fault("lagging_list", seconds=3_600)
    link = {"accounts": ["north"], "name": "new", "permissions": ["rewards"], "liveUntil": "7d"}
    alpha("accounts/create", name="new")
    alpha("watcher-links/create", link)
    before = names(alpha), alpha.data("watcher-links/list", account="north")
    sandbox.clock(advance_seconds=3_601)
    after = names(alpha), alpha.data("watcher-links/list", account="north")
    assert ("new" in before[0], before[1]) == (False, [])
    assert ("new" in after[0], len(after[1])) == (True, 1)


def test_workers_can_change_while_they_are_paged(sandbox: Sandbox, alpha: Caller) -> None:
    every = [f"w{number:05d}" for number in range(10_000)]
    sandbox.edit("set_workers", login="alpha", account="north", workers=every)
    sandbox.fault("workers_shift")
    paged: list[str] = []
    while page := alpha.data("workers/names", account="north", offset=len(paged))["workers"]:
        paged += page
    assert len(set(paged)) < len(paged)
    assert set(every) - set(paged)


def test_low_workers_may_not_be_listed(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.edit("set_workers", login="alpha", account="south", workers=["tired"], state="low")
    assert "tired" in alpha.data("workers/names", account="south")["workers"]
    sandbox.fault("low_unlisted")
    assert "tired" not in alpha.data("workers/names", account="south")["workers"]


def test_another_account_of_the_user_may_answer(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.fault("other_account")
    assert alpha.data("hashrate", account="north")["account"] in ("south", "alpha_east")
    assert {record["miningAccountName"] for record in alpha.data("rewards", account="north")} != {"north"}
    answered = {alpha("payout-destination", accountName="north").json["payoutDestination"] for _ in range(20)}
    assert answered == {"main_balance", "external_address"}


@pytest.mark.parametrize(("name", "listed"), [("link_made_twice", 2), ("link_expired", 0)])
def test_a_link_can_be_made_twice_or_be_over_at_once(sandbox: Sandbox, alpha: Caller, name: str, listed: int) -> None:
    sandbox.fault(name, times=1)
    link = {"accounts": ["north"], "name": "new", "permissions": ["rewards"], "liveUntil": "7d"}
    assert alpha("watcher-links/create", link).status == 201
    assert len(alpha.data("watcher-links/list", account="north")) == listed


def test_one_date_can_hold_more_records_than_the_offset_reaches(sandbox: Sandbox) -> None:
    sandbox.reset(world="crowded", seed=7, now="2026-10-20T15:00:00Z")
    multitude = Caller(sandbox.base_url, sandbox.key("multitude"))
    last = multitude.data("rewards", offset=10_000, limit=100)
    assert (len(last), len({record["date"] for record in last})) == (100, 1)
    assert last[-1]["date"] == multitude.data("rewards", limit=1)[0]["date"]


def test_page_shift_pushes_the_next_page_by_one(sandbox: Sandbox, alpha: Caller) -> None:
    before = whole_listing(alpha)
    sandbox.fault("page_shift", times=1)
    first = alpha.data("rewards", limit=10)
    second = alpha.data("rewards", limit=10, offset=10)
    assert first == before[:10]
    assert second[0] == first[-1]
    after = whole_listing(alpha)
    assert after[1:] == before
    assert len(sandbox.rewards("alpha")) == len(before) + 1


def test_a_shifted_record_is_the_one_that_would_have_come(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.fault("page_shift", times=1)
    alpha.data("rewards")
    early = alpha.data("rewards")[0]
    sandbox.clock(advance_seconds=86_400)
    assert early | {"status": "successful"} in [r | {"payoutTime": None} for r in alpha.data("rewards")]


def test_tie_order_changes_from_call_to_call_but_dates_do_not(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.fault("random_tie_order", seed=3)
    listings = [alpha.data("rewards", limit=100) for _ in range(4)]
    assert any(listing != listings[0] for listing in listings)
    for listing in listings:
        assert [record["date"] for record in listing] == [record["date"] for record in listings[0]]


def test_a_short_page_though_more_exists(sandbox: Sandbox, alpha: Caller) -> None:
    true = alpha.data("rewards", limit=20)
    sandbox.fault("short_page", times=1)
    assert alpha.data("rewards", limit=20) == true[:10]
    assert alpha.data("rewards", limit=20) == true


def test_a_record_twice_and_a_record_missing(sandbox: Sandbox, alpha: Caller) -> None:
    true = alpha.data("rewards")
    sandbox.fault("duplicate_record", times=1)
    doubled = alpha.data("rewards")
    assert len(doubled) == len(true) + 1
    assert [record for n, record in enumerate(doubled) if n == 0 or record != doubled[n - 1]] == true
    sandbox.fault("vanishing_record", times=1)
    missing = alpha.data("rewards")
    assert len(missing) == len(true) - 1
    assert [record for record in true if record in missing] == missing


def test_an_empty_listing_for_a_live_account(sandbox: Sandbox, alpha: Caller) -> None:
    assert spoiled(sandbox, alpha, "empty_listing") == {"offset": 0, "limit": 30, "data": []}


def test_to_can_be_read_as_exclusive(sandbox: Sandbox, alpha: Caller) -> None:
    newest = alpha.data("rewards")[0]["date"]
    sandbox.fault("to_exclusive")
    assert alpha.data("rewards", to=newest)[0]["date"] == newest - 86_400


def test_paging_can_be_ignored_by_the_account_list(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.fault("paging_ignored")
    assert alpha.data("accounts", limit=1, offset=2) == alpha.data("accounts")


# Key, nonce, clock


@pytest.mark.parametrize(
    ("name", "status", "message"),
    [
        ("wrong_signature", 401, "Unauthorized request."),
        ("key_disabled", 401, "This action is unauthorized. Enable your key in API settings"),
        ("permission_missing", 403, "You don't have permission to use this endpoint."),
        ("nonce_skewed", 400, "Your nonce is more than 5 seconds lesser than the current nonce"),
    ],
)
def test_a_rule_that_strikes_out_of_turn(sandbox: Sandbox, alpha: Caller, name: str, status: int, message: str) -> None:
    sandbox.fault(name, times=1, endpoint="accounts/create")
    reply = alpha("accounts/create", name="later")
    assert (reply.status, reply.json) == (status, {"code": 0, "message": message, "errors": {}})
    assert alpha("accounts/create", name="later").status == 200


@pytest.mark.parametrize("seconds", [30, -30])
def test_a_pool_whose_clock_is_off(sandbox: Sandbox, alpha: Caller, seconds: int) -> None:
    sandbox.fault("clock_skew", seconds=seconds)
    assert alpha("accounts").status == 400
    before = int(time.time())
    told = request(sandbox.base_url, "GET", "/api/v4/public/time").json["time"]
    assert before <= told - seconds <= time.time()
    assert alpha("accounts", nonce=int((time.time() + seconds) * 1000)).status == 200


# When a fault strikes


def statuses(alpha: Caller, count: int, endpoint: str = "accounts") -> list[int]:
    return [alpha(endpoint).status for _ in range(count)]


def test_a_fault_strikes_at_most_its_times_and_after_its_skip(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.fault("http_500", times=2, skip=1)
    assert statuses(alpha, 5) == [200, 500, 500, 200, 200]


def test_a_fault_strikes_only_its_endpoint(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.fault("http_500", endpoint="rewards")
    assert [alpha("accounts").status, alpha("rewards").status] == [200, 500]


def test_the_same_seed_strikes_the_same_calls(sandbox: Sandbox, alpha: Caller) -> None:
    runs = []
    for seed in (5, 5, 6):
        sandbox.clear_faults()
        sandbox.fault("http_500", probability=0.5, seed=seed)
        runs.append(statuses(alpha, 20))
    assert runs[0] == runs[1] != runs[2]
    assert set(runs[0]) == {200, 500}


def test_public_endpoints_are_spared_unless_named(sandbox: Sandbox) -> None:
    sandbox.fault("http_503")
    assert request(sandbox.base_url, "GET", "/api/v4/public/time").status == 200
    sandbox.fault("http_503", endpoint="public/time")
    assert request(sandbox.base_url, "GET", "/api/v4/public/time").status == 503


def test_cleared_faults_strike_no_more(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.fault("http_500")
    sandbox.clear_faults()
    assert statuses(alpha, 1) == [200]
    assert sandbox.faults()["active"] == []


def test_struck_calls_are_counted_and_logged(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.fault("http_500", times=1)
    statuses(alpha, 2)
    assert [fault["struck"] for fault in sandbox.faults()["active"]] == [1]
    assert [entry.get("faults") for entry in sandbox.log()["last"]] == [["http_500"], None]


def test_each_fault_of_the_table_has_a_test() -> None:
    text = "".join(file.read_text() for file in Path(__file__).parent.glob("test_*.py"))
    assert [name for name in FAULTS if f'"{name}"' not in text] == []
