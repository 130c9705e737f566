"""workers/names, workers/hashrate and miners/info tell one story."""

from typing import Any

import pytest

from tests.devkit.sandbox.signed import Caller
from tests.sandbox import Sandbox

HOUR_S, DAY_S = 3_600, 86_400


def true_states(sandbox: Sandbox, account: str = "south") -> dict[str, str]:
    listed = sandbox.control("GET", f"truth/workers?login=alpha&account={account}")["data"]
    return {worker["name"]: worker["state"] for worker in listed}


def names(caller: Caller, **fields: Any) -> list[str]:
    listed: list[str] = caller.data("workers/names", {"account": "south"} | fields)["workers"]
    return listed


def points(caller: Caller, worker: str, **fields: Any) -> dict[int, float]:
    listed = caller.data("workers/hashrate", {"account": "south", "worker": worker} | fields)["hashrates"]
    return {point["time"]: float(point["hashrate"]) for point in listed}


def test_names_counts_and_states_agree_through_a_day(sandbox: Sandbox, alpha: Caller) -> None:
    seen = set()
    for _ in range(24):
        states = true_states(sandbox)
        counted = alpha.data("miners/info", account="south")["workers"]
        assert counted == {kind: list(states.values()).count(kind) for kind in ("online", "offline", "low")}
        assert names(alpha) == [name for name, state in states.items() if state != "offline"]
        seen |= set(states.values())
        sandbox.clock(advance_seconds=HOUR_S)
    assert "online" in seen


def test_a_breakdown_takes_workers_off_the_list(sandbox: Sandbox, alpha: Caller) -> None:
    whole = set(true_states(sandbox))
    for _ in range(60):
        sandbox.clock(advance_seconds=DAY_S)
        if gone := whole - set(names(alpha)):
            break
    assert gone
    assert {true_states(sandbox)[name] for name in gone} == {"offline"}


@pytest.mark.parametrize("interval", ["5m", "1h", "24h"])
def test_the_points_of_all_workers_add_up_to_the_account(sandbox: Sandbox, alpha: Caller, interval: str) -> None:
    window = {"from": 1_792_000_000, "to": 1_792_000_000 + 3 * DAY_S, "interval": interval}
    account = alpha.data("hashrate", {"account": "south"} | window)["hashrate"]
    whole = {point["timestamp"]: float(point["hashrate"]) for point in account}
    summed: dict[int, float] = {}
    for worker in true_states(sandbox):
        for at, hashrate_ths in points(alpha, worker, **window).items():
            summed[at] = summed.get(at, 0) + hashrate_ths
    assert len(whole) >= 2
    assert summed == pytest.approx(whole, rel=1e-6)


def test_names_are_paged_and_the_paging_is_told_twice(sandbox: Sandbox, alpha: Caller) -> None:
    every = names(alpha)
    reply = alpha("workers/names", account="south", limit=2, offset=1).json
    assert reply == {"data": {"workers": every[1:3], "limit": 2, "offset": 1}, "limit": 2, "offset": 1}
    assert alpha("workers/names", account="south").json["limit"] == 100
    assert names(alpha, offset=10_000) == []


@pytest.mark.parametrize("fields", [{"limit": 0}, {"limit": 101}, {"offset": -1}, {"offset": 10_001}, {"limit": "5"}])
def test_paging_out_of_range_is_refused(alpha: Caller, fields: dict[str, Any]) -> None:
    reply = alpha("workers/names", {"account": "south"} | fields)
    assert (reply.status, list(reply.json["errors"])) == (400, list(fields))


@pytest.mark.parametrize("endpoint", ["workers/names", "workers/hashrate"])
def test_an_unknown_or_disabled_account_is_an_error_of_the_user_field(
    sandbox: Sandbox, alpha: Caller, endpoint: str
) -> None:
    sandbox.edit("disable_account", login="alpha", account="north")
    for name in ("beta_east", "north", ""):
        reply = alpha(endpoint, account=name, worker="rig_001")
        assert (reply.status, list(reply.json["errors"])) == (400, ["user"])


def test_an_unknown_worker_has_an_empty_list(alpha: Caller) -> None:
    reply = alpha("workers/hashrate", account="south", worker="nobody")
    assert (reply.status, reply.json) == (200, {"data": {"hashrates": []}})


@pytest.mark.parametrize(
    "fields", [{"worker": ...}, {"worker": None}, {"worker": 5}, {"worker": "w" * 256}, {"interval": "2h"}]
)
def test_wrong_parameters_are_refused(alpha: Caller, fields: dict[str, Any]) -> None:
    reply = alpha("workers/hashrate", {"account": "south", "worker": "rig_001"} | fields)
    assert (reply.status, list(reply.json["errors"])) == (400, list(fields))


@pytest.mark.parametrize("field", ["from", "to"])
def test_a_moment_ahead_of_the_data_clock_is_422(sandbox: Sandbox, alpha: Caller, field: str) -> None:
    now = int(sandbox.clock().timestamp())
    statuses = [
        alpha("workers/hashrate", {"account": "south", "worker": "rig_001", field: moment}).status
        for moment in (now - 60, now + 3_600, now * 1_000)
    ]
    assert statuses == [200, 422, 422]


def test_workers_can_be_added_put_out_and_taken_away(sandbox: Sandbox, alpha: Caller) -> None:
    first, second, *_ = names(alpha)
    online = alpha.data("miners/info", account="south")["workers"]["online"]
    sandbox.edit("set_workers", login="alpha", account="south", workers=["=1+1", "rig/7\n"])
    sandbox.edit("set_workers", login="alpha", account="south", workers=[first], state="offline")
    sandbox.edit("set_workers", login="alpha", account="south", workers=[second], state="gone")
    assert set(names(alpha)) & {first, second, "=1+1", "rig/7\n"} == {"=1+1", "rig/7\n"}
    assert alpha.data("miners/info", account="south")["workers"]["online"] == online
    assert true_states(sandbox)[first] == "offline"
    assert second not in true_states(sandbox)
    sandbox.clock(advance_seconds=3 * HOUR_S)
    recent = {"from": 1_792_512_000}  # 16:00, two whole hours ago
    assert points(alpha, first, **recent) == {}
    assert len(points(alpha, "=1+1", **recent)) == 2


def test_an_unmined_account_has_workers_only_by_edit(sandbox: Sandbox) -> None:
    sandbox.reset(world="unmined", seed=7)
    quiet = Caller(sandbox.base_url, sandbox.key("quiet"))
    assert quiet.data("workers/names", account="empty_1")["workers"] == []
    sandbox.edit("set_workers", login="quiet", account="empty_1", workers=["w"], state="low")
    assert quiet.data("workers/names", account="empty_1")["workers"] == ["w"]
    assert quiet.data("workers/hashrate", account="empty_1", worker="w") == {"hashrates": []}
