"""Workers, uptime and exclusions for programs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from mining.models import Exclusion, HashratePoint5m, HashratePoint24h
from tests.portal.api.conftest import API, Caller, code_of, count_queries, detail_of
from tests.portal.fleet import a_fleet
from tests.world import NOW, World

WINDOW = {"from": "2026-10-21T00:00:00Z", "until": "2026-10-24T00:00:00Z", "reason": "power"}


@pytest.fixture(autouse=True)
def at_the_worlds_moment() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def test_a_worker_says_what_it_is_since_when_and_where(world: World, north: Caller) -> None:
    machine, account = a_fleet(world.north)["rig3"], world.north.clients[0].account

    told = north.get(f"workers/{machine.code}").json()

    assert {name: told[name] for name in ("id", "name", "mining_account", "state", "since", "since_not_before")} == {
        "id": machine.code,
        "name": "rig3",
        "mining_account": account.code,
        "state": "down",
        "since": "2026-11-04T13:05:00Z",
        "since_not_before": "2026-11-04T13:00:00Z",
    }
    listed = north.data("workers", mining_account=account.code, retired="false")
    assert len(listed) == 10
    assert {row["state"] for row in listed} == {"up", "down"}
    assert [row["name"] for row in north.data("workers", name="old")] == ["old"]
    assert len(north.data("workers", site="Bergvik hall 2")) == 11


def test_more_workers_cost_no_more_queries(world: World, north: Caller) -> None:
    a_fleet(world.north)
    one = count_queries(lambda: north.get("workers?limit=1"))
    assert count_queries(lambda: north.get("workers?limit=10")) == one


def test_a_worker_is_labelled_and_retired(world: World, north: Caller) -> None:
    machines = a_fleet(world.north)

    labelled = north.patch(f"workers/{machines['rig3'].code}", {"site": "Roof"}).json()
    retired = north.post(f"workers/{machines['rig3'].code}/retire", {}).json()

    assert (labelled["site"], retired["state"], retired["retired_at"]) == ("Roof", "retired", "2026-11-04T14:32:00Z")
    assert code_of(north.post(f"workers/{machines['rig1'].code}/retire", {}), 409) == "worker.not_offline"
    account = world.north.clients[0].account.code
    assert north.patch(f"mining-accounts/{account}", {"site": "Hall 9"}).json()["site"] == "Hall 9"


def test_uptime_of_a_month_comes_with_its_evidence(world: World, north: Caller) -> None:
    a_fleet(world.north)
    client = world.north.clients[0]

    told = north.get(f"uptime?customer={client.customer.code}&month=2026-10").json()
    days = north.get(f"uptime?mining_account={client.account.code}&from=2026-10-21&to=2026-10-21").json()

    assert told["mining_account"] == client.account.code
    assert (told["total"]["up_s"], told["total"]["down_s"], told["total"]["share"]) == (26_186_400, 21_600, "0.999175")
    assert sum(row["worker_seconds"] for row in told["evidence"] if row["state"] == "down") == 21_600
    excluded = next(row for row in told["evidence"] if row["state"] == "excluded")
    assert (excluded["reasons"], excluded["workers"], excluded["worker_seconds"]) == (["curtailment"], 10, 144_000)
    assert (list(days["days"]), days["evidence"][0]["machines"]) == (["2026-10-21"], ["rig8"])


@pytest.mark.parametrize(
    "query",
    ["", "month=2026-10", "mining_account={0}", "mining_account={0}&from=2026-10-01", "mining_account={0}&month=10",
     "mining_account={0}&from=2026-10-02&to=2026-10-01", "mining_account={0}&from=2026-01-01&to=2026-10-01",
     "mining_account={0}&month=2026-10&from=2026-10-01&to=2026-10-02"],
)  # fmt: skip
def test_uptime_of_no_whole_window_is_refused(world: World, north: Caller, query: str) -> None:
    detail_of(north.get(f"uptime?{query.format(world.north.clients[0].account.code)}"), 400)


def test_a_neighbours_uptime_is_not_there(world: World, south: Caller) -> None:
    client = world.north.clients[0]
    detail_of(south.get(f"uptime?mining_account={client.account.code}&month=2026-10"), 404)
    detail_of(south.get(f"uptime?customer={client.customer.code}&month=2026-10"), 404)


def test_a_window_is_looked_at_entered_extended_and_ended(world: World, north: Caller) -> None:
    a_fleet(world.north)
    customer = world.north.clients[0].customer.code
    window = {**WINDOW, "customer": customer, "note": "ticket 88123"}

    effect = north.post("exclusions/preview", window).json()
    assert (effect["mining_accounts"], effect["workers"], effect["taken_out_s"]) == (1, 10, 2_592_000)
    assert [(row["month"], row["share_before"], row["share_after"]) for row in effect["changes"]] == [
        ("2026-10", "0.999175", "1.000000")
    ]
    assert len(north.data("exclusions")) == 1  # nothing was entered

    made, again = (
        north.client.post(
            f"{API}/exclusions", window, content_type="application/json", headers={"Idempotency-Key": "one"}
        )
        for _ in range(2)
    )
    assert (made.status_code, again.json(), again["Idempotency-Replayed"]) == (201, made.json(), "true")
    one = made.json()
    assert (one["state"], one["customer"], one["worker"], one["site"]) == ("past", customer, None, "")
    assert north.ids("exclusions", customer=customer) == [one["id"]]

    open_ = north.patch(f"exclusions/{one['id']}", {"until": None}).json()
    ended = north.post(f"exclusions/{one['id']}/end", {}).json()
    assert (open_["state"], open_["until"]) == ("running", None)
    assert (ended["state"], ended["until"]) == ("past", "2026-11-04T14:32:00Z")
    taken_back = north.patch(f"exclusions/{one['id']}", {"until": WINDOW["from"]}).json()
    assert taken_back["state"] == "withdrawn"
    assert [north.ids("exclusions", state=state) for state in ("running", "planned", "withdrawn")] == [
        [], [], [one["id"]],
    ]  # fmt: skip


def test_a_neighbours_customer_or_worker_is_none_to_exclude(world: World, north: Caller) -> None:
    theirs = a_fleet(world.south)["rig3"]
    for window in ({"worker": theirs.code}, {"customer": world.south.clients[0].customer.code}):
        assert north.post("exclusions", {**WINDOW, **window}).status_code == 400
    with world.north.context():
        assert not Exclusion.objects.filter(provider=world.north.provider).exists()


def test_each_interval_of_the_hashrate_is_its_own_list(world: World, north: Caller) -> None:
    account = world.north.clients[0].account
    with world.north.context():
        for model, ths in ((HashratePoint5m, 5), (HashratePoint24h, 24)):
            model.objects.create(
                provider=world.north.provider, mining_account=account, at=NOW - timedelta(days=1), hashrate_ths=ths
            )

    told = {
        interval: [(row["interval"], row["hashrate_ths"]) for row in north.data(
            "hashrate", mining_account=account.code, interval=interval
        )]
        for interval in ("5m", "24h")
    }  # fmt: skip

    assert told == {"5m": [("5m", "5")], "24h": [("24h", "24")]}
    assert {row["interval"] for row in north.data("hashrate", mining_account=account.code)} <= {"1h"}
