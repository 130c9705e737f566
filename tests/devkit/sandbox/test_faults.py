"""When a fault strikes, and the faults of key, nonce and clock."""

import time
from pathlib import Path

import pytest

from devkit.sandbox.faults import FAULTS
from tests.devkit.sandbox.signed import Caller, request
from tests.sandbox import Sandbox


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
