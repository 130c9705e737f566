"""Several addresses of this machine: each provider leaves from one, and each address has its own rate limit."""

from __future__ import annotations

from collections import Counter

import pytest
import redis

from mining.pool.errors import HeldBack, OutOfOrder, Unreachable
from mining.pool.limits.egress import address_for
from tests.mining.pool.conftest import MakeClient
from tests.sandbox import Sandbox

ADDRESSES = ["192.0.2.1", "192.0.2.2", "192.0.2.3"]


def test_providers_spread_evenly_and_keep_their_address_when_another_is_added() -> None:
    parties = [str(number) for number in range(3_000)]
    before = {party: address_for(party, ADDRESSES) for party in parties}
    after = {party: address_for(party, [*ADDRESSES, "192.0.2.4"]) for party in parties}

    assert all(900 < count < 1_100 for count in Counter(before.values()).values())
    assert {after[party] for party in parties if after[party] != before[party]} == {"192.0.2.4"}
    assert address_for("7", list(reversed(ADDRESSES))) == before["7"]


def test_without_addresses_calls_leave_by_the_default_route() -> None:
    assert address_for("7", []) == ""


def test_calls_leave_from_the_address_they_are_told_to(sandbox: Sandbox, client: MakeClient) -> None:
    for egress in ("127.0.0.2", "127.0.0.3", ""):
        client(egress=egress).miners_info("north")

    called_from = [call["address"] for call in sandbox.log()["last"] if call["endpoint"] == "miners/info"]
    assert called_from == ["127.0.0.2", "127.0.0.3", "127.0.0.1"]


def test_each_address_has_its_own_limit_at_the_pool_and_its_own_limit_here(
    sandbox: Sandbox, client: MakeClient, store: redis.Redis
) -> None:
    sandbox.limit(calls=5, seconds=60)
    pools = [client(egress=egress, calls_per_second=0.1, burst_calls=5) for egress in ("127.0.0.1", "127.0.0.2")]
    for pool in pools:
        for _ in range(5):
            pool.miners_info("north")

    assert sandbox.log()["statuses"]["miners/info"] == {"200": 10}
    assert len(list(store.scan_iter("pool:rate_limit:*:miners/info"))) == 2


def test_trouble_of_one_address_is_not_that_of_another(sandbox: Sandbox, client: MakeClient) -> None:
    impatient = {"deadline_seconds": 0.3, "first_wait_seconds": 60.0, "longest_wait_seconds": 60.0}
    sandbox.fault("http_503", endpoint="miners/info", times=1)
    with pytest.raises(OutOfOrder):
        client(egress="127.0.0.1", **impatient).miners_info("north")

    with pytest.raises(HeldBack):
        client(egress="127.0.0.1", **impatient).miners_info("north")
    assert client(egress="127.0.0.2", **impatient).miners_info("north").stratum


def test_an_address_that_this_machine_does_not_have_is_named_as_the_trouble(
    sandbox: Sandbox, client: MakeClient
) -> None:
    client().miners_info("north")  # the clock is known

    with pytest.raises(Unreachable, match="POOL_EGRESS_ADDRESSES") as raised:
        client(egress="192.0.2.1", deadline_seconds=0.3).miners_info("north")

    assert not raised.value.may_have_acted
