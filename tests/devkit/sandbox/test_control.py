import json
from typing import Any

import pytest

from devkit.sandbox import sandbox as running
from devkit.sandbox.control import control, is_loopback, names_this_machine
from devkit.sandbox.sandbox import Opening, Request
from tests.devkit.sandbox.signed import Caller, request
from tests.sandbox import ControlRefused, Sandbox


def refused(sandbox: Sandbox, method: str, path: str, body: Any = None) -> tuple[int, str]:
    with pytest.raises(ControlRefused) as caught:
        sandbox.control(method, path, body)
    return caught.value.status, caught.value.sentence


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        ("reset", {"world": "atlantis"}, "there is no world 'atlantis'; there are demo, tests,"),
        ("reset", {"seed": "seven"}, "seed must be a whole number from 0 to"),
        ("reset", {"now": "yesterday"}, "now must be an ISO date or time, like 2026-11-01T08:00:00Z"),
        ("reset", {"wolrd": "demo"}, "unknown field 'wolrd'; known here: history_days, now, seed, world"),
        (
            "clock",
            {"now": "2026-01-01", "then": 1},
            "unknown field 'then'; known here: advance_seconds, keys_unused, now",
        ),
        ("reset", [], "the body must be a JSON object"),
        ("clock", {}, 'give either {"now": ISO} or {"advance_seconds": N}'),
        ("clock", {"now": "2026-01-01", "advance_seconds": 1}, "give either"),
        ("clock", {"advance_seconds": 1e300}, "advance_seconds must be a number from"),
        ("clock", {"now": 5}, "now must be a string"),
        ("clock", {"now": "9999-12-31"}, "the data clock runs from 2010-01-01 to 2060-01-01"),
        ("reset", {"now": "0001-01-01"}, "the data clock runs from 2010-01-01 to 2060-01-01"),
        ("faults", {}, "name is missing"),
        ("faults", {"name": "gremlin"}, "unknown fault 'gremlin'; known faults: reset, "),
        ("faults", {"name": "reset", "probability": 2}, "probability must be a number from 0 to 1"),
        ("faults", {"name": "reset", "times": 0}, "times must be a whole number from 1 to"),
        ("faults", {"name": "reset", "phase": "during"}, "the phase of reset must be before or after"),
        (
            "faults",
            {"name": "amount_nan", "endpoint": "accounts"},
            "amount_nan cannot strike 'accounts'; it can",
        ),
        ("faults", {"name": "delay", "seconds": -1}, "seconds must be a number from 0 to 120"),
        ("faults", {"name": "reset", "seconds": 1}, "unknown field 'seconds'; known here: "),
        ("edit", {"act": "explode"}, "unknown act 'explode'; known acts: add_account, "),
        ("edit", {"act": "disable_account", "login": "gamma"}, "there is no user 'gamma'; this world has alpha, beta"),
        ("edit", {"act": "disable_account", "login": "alpha", "account": "x"}, "alpha has no account 'x'"),
        ("edit", {"act": "add_account", "login": "alpha", "account": "north"}, "alpha has an account 'north' already"),
        ("edit", {"act": "set_key", "api_key": "x"}, "there is no such api_key in this world"),
        ("limit", {"calls": 0}, "calls must be a whole number from 1 to"),
    ],
)
def test_a_mistake_is_answered_with_one_sentence(sandbox: Sandbox, path: str, body: Any, sentence: str) -> None:
    status, told = refused(sandbox, "POST", path, body)
    assert (status, told[: len(sentence)]) == (400, sentence)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"date": "2026-10-19", "set": {}}, "set must be an object with the record's fields that change"),
        ({"date": "2026-10-19", "set": {"colour": 1}}, "a record has no changeable field 'colour'; it has payout"),
        (
            {"date": "2026-10-19", "ordinal": 2, "set": {"fee": "0"}},
            "alpha has no reward number 2 of 'north'",
        ),
        ({"date": "never", "set": {"fee": "0"}}, "date must be an ISO date or time"),
    ],
)
def test_a_mistake_in_a_changed_reward(sandbox: Sandbox, fields: dict[str, Any], sentence: str) -> None:
    body = {"act": "set_reward", "login": "alpha", "account": "north"} | fields
    status, told = refused(sandbox, "POST", "edit", body)
    assert (status, told[: len(sentence)]) == (400, sentence)


def test_a_payout_address_must_be_one(sandbox: Sandbox) -> None:
    fields = {"login": "alpha", "account": "north", "destination": "external_address", "address": "bc1qnonsense"}
    _, told = refused(sandbox, "POST", "edit", {"act": "set_payout"} | fields)
    assert told == "'bc1qnonsense' is not a bitcoin address of the main network"


def test_a_refused_edit_changes_nothing(sandbox: Sandbox) -> None:
    before = sandbox.truth()
    refused(sandbox, "POST", "edit", {"act": "disable_account", "login": "alpha", "account": "north", "why": 1})
    assert {**sandbox.truth(), "now": ""} == {**before, "now": ""}


def test_a_refused_reset_keeps_the_world(sandbox: Sandbox) -> None:
    refused(sandbox, "POST", "reset", {"world": "atlantis"})
    assert [user["login"] for user in sandbox.truth()["users"]] == ["alpha", "beta"]


def test_a_body_that_is_no_json_and_a_wrong_method_and_path(sandbox: Sandbox) -> None:
    reply = request(sandbox.base_url, "POST", "/sandbox/reset", b"{nonsense")
    assert (reply.status, reply.json) == (400, {"error": "the body must be JSON"})
    assert refused(sandbox, "PUT", "clock", {}) == (405, "/sandbox/clock takes GET or POST")
    status, told = refused(sandbox, "GET", "nothing")
    assert (status, told[:29]) == (404, "there is no /sandbox/nothing;")


def test_only_this_machine_may_control() -> None:
    ours = ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1")
    others = ("10.0.0.1", "192.168.1.1", "", "12.7.0.1", "127.evil.example", "::ffff:10.0.0.1")
    assert [is_loopback(address) for address in (*ours, *others)] == [True] * len(ours) + [False] * len(others)
    stranger = Request("GET", "/sandbox/truth", {b"host": b"localhost"}, b"", "10.0.0.1")
    assert control(running.Sandbox(Opening()), stranger).status == 403


def test_no_web_page_may_control(sandbox: Sandbox) -> None:
    before = sandbox.clock()
    moved = json.dumps({"now": "2026-12-24"}).encode()
    foreign = [{"Host": "evil.example:8600"}, {"Host": "127.0.0.1.evil.example"}, {"Host": ""}]
    for headers in (*foreign, {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": sandbox.base_url}):
        assert request(sandbox.base_url, "POST", "/sandbox/clock", moved, headers).status == 403, headers
    reply = request(sandbox.base_url, "GET", "/sandbox/truth", headers={"Host": "evil.example"})
    told = "the control API is at localhost, 127.0.0.1 or [::1], and not at 'evil.example'"
    assert (reply.status, reply.json) == (403, {"error": told})
    assert sandbox.clock().date() == before.date()


def test_this_machine_is_asked_for_by_its_own_names_and_through_any_port() -> None:
    ours = ("localhost", "LocalHost:9000", "127.0.0.1:8600", "127.8.8.8", "[::1]:8600", "[::1]")
    others = (
        "",
        "localhost.evil.example",
        "evil.example:8600",
        "10.0.0.1:8600",
        "127.evil.example",
        "[::2]:8600",
        "::1",
    )
    assert [names_this_machine(host) for host in (*ours, *others)] == [True] * len(ours) + [False] * len(others)


def test_the_truth_shows_users_keys_and_accounts(sandbox: Sandbox, alpha: Caller) -> None:
    truth = sandbox.truth()
    first = truth["users"][0]
    assert [user["login"] for user in truth["users"]] == ["alpha", "beta"]
    assert first["keys"][0] == {
        "api_key": alpha.key.api_key,
        "secret": alpha.key.secret,
        "permissions": ["MINING_POOL"],
        "endpoints": None,
        "addresses": None,
        "enabled": True,
        "last_used": "2026-10-20T15:00:00Z",
    }
    assert [(account["name"], account["payout_destination"]) for account in first["accounts"]] == [
        ("north", "main_balance"),
        ("south", "external_address"),
        ("alpha_east", "main_balance"),
    ]


def test_true_rewards_are_oldest_first_and_can_be_windowed(sandbox: Sandbox) -> None:
    every = sandbox.rewards("alpha")
    assert [reward["date"] for reward in every] == sorted(reward["date"] for reward in every)
    some = sandbox.rewards("alpha", since="2026-10-18", until="2026-10-18")
    assert [reward["miningAccountName"] for reward in some] == ["alpha_east", "south", "north"]


def test_the_clock_is_read_set_and_advanced(sandbox: Sandbox) -> None:
    assert sandbox.clock().isoformat()[:16] == "2026-10-20T15:00"
    assert sandbox.clock(now="2026-12-24").isoformat()[:16] == "2026-12-24T00:00"
    assert sandbox.clock(advance_seconds=90).isoformat()[:16] == "2026-12-24T00:01"


def test_the_same_seed_is_the_same_world_and_another_is_not(sandbox: Sandbox) -> None:
    def world(seed: int) -> str:
        sandbox.reset(world="tests", seed=seed, now="2026-10-20T15:00:00Z")
        return json.dumps([sandbox.truth()["users"], sandbox.rewards("alpha")])

    assert world(1) == world(1)
    assert world(1) != world(2)


def test_a_longer_history_does_not_change_the_days_already_known(sandbox: Sandbox) -> None:
    before = sandbox.rewards("beta")
    sandbox.reset(world="tests", seed=7, now="2026-10-20T15:00:00Z", history_days=30)
    assert sandbox.rewards("beta")[-len(before) :] == before


def test_a_reset_forgets_edits_faults_limits_and_the_log(sandbox: Sandbox, alpha: Caller) -> None:
    before = sandbox.truth()["users"]
    alpha("accounts/create", name="extra")
    sandbox.fault("http_500")
    sandbox.limit(calls=1)
    sandbox.reset(world="tests", seed=7, now="2026-10-20T15:00:00Z")
    assert sandbox.truth()["users"] == before
    assert sandbox.calls() == {}
    assert [alpha("accounts").status for _ in range(2)] == [200, 200]


def test_the_log_counts_calls_and_names_no_secret(sandbox: Sandbox, alpha: Caller) -> None:
    alpha("accounts")
    alpha("accounts")
    alpha("rewards", limit=0)
    log = sandbox.log()
    assert log["calls"] == {"accounts": 2, "rewards": 1}
    assert log["statuses"] == {"accounts": {"200": 2}, "rewards": {"400": 1}}
    assert [(entry["endpoint"], entry["login"]) for entry in log["last"]][-1] == ("rewards", "alpha")
    assert alpha.key.secret not in json.dumps(log)
    assert alpha.key.api_key not in json.dumps(log)
    sandbox.clear_log()
    assert sandbox.calls() == {}


def test_the_demo_has_what_it_promises(sandbox: Sandbox) -> None:
    sandbox.reset(world="demo", seed=7, now="2026-11-23T20:00:00Z")
    accounts = sandbox.truth()["users"][0]["accounts"]
    rewards = sandbox.rewards("northmere", since="2026-10-01", until="2026-10-31")
    pairs = [(reward["miningAccountName"], reward["date"]) for reward in rewards]
    flipping = {r["payoutDestination"] for r in rewards if r["miningAccountName"] == "lumen_farm"}
    assert len(accounts) == 10
    assert flipping == {"main_balance", "external_address"}
    assert len(pairs) - len(set(pairs)) == 1
    assert sum(reward["status"] == "canceled" for reward in rewards) >= 2
    assert {r["status"] for r in sandbox.rewards("northmere", since="2026-11-22")} <= {"pending", "successful"}
