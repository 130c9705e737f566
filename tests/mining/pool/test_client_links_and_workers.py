"""Workers, watcher links and payout edits through the real client: what a good day brings, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from mining.pool.answers.types import PayoutDestination
from mining.pool.errors import AmbiguousOutcome, OurBug, RequestRefused
from mining.pool.public import PublicPool
from mining.pool.transport import attempt
from tests.mining.pool.conftest import MakeClient
from tests.sandbox import Sandbox

AFTERNOON = datetime(2026, 10, 20, 15, tzinfo=UTC)
ADDRESS = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"


def link(pool: Any, *accounts: str, **changes: Any) -> Any:
    asked: dict[str, Any] = {"name": "office", "permissions": ("dashboard", "workers"), "lifetime": "7d"}
    return pool.create_watcher_link(accounts or ("north",), **asked | changes)


# --- Workers


def test_worker_names_are_those_that_are_online(client: MakeClient) -> None:
    pool = client()

    page = pool.worker_names_page("north")

    online = pool.miners_info("north").online
    assert len(set(page.names)) == len(page.names) >= online > 0
    assert (page.rejected, page.limit, page.offset) == ((), 100, 0)
    assert pool.worker_names_page("north", limit=1, offset=1).names == page.names[1:2]
    assert pool.worker_names_page("north", offset=10_000).names == ()


def test_worker_names_that_move_while_they_are_read_are_still_pages_of_names(
    sandbox: Sandbox, client: MakeClient
) -> None:
    every = [f"w{number:03d}" for number in range(400)]
    sandbox.edit("set_workers", login="alpha", account="north", workers=every)
    pool = client()
    listed = {name for offset in range(0, 500, 100) for name in pool.worker_names_page("north", offset=offset).names}
    sandbox.fault("workers_shift")

    paged: list[str] = []
    while names := pool.worker_names_page("north", limit=100, offset=len(paged)).names:
        paged += names

    assert len(set(paged)) < len(paged)  # one came twice, another not at all, and none is made up
    assert set(paged) < listed


def test_the_workers_of_an_account_make_up_its_hashrate(client: MakeClient) -> None:
    pool = client()
    names = pool.worker_names_page("north").names
    since, until = AFTERNOON - timedelta(hours=3), AFTERNOON

    workers = [pool.worker_hashrate("north", name, since=since, until=until).points for name in names]

    account = pool.hashrate("north", since=since, until=until).points
    assert {len(points) for points in workers} == {len(account)}
    summed = sum((points[0].hashrate_ths for points in workers), Decimal(0))
    assert summed == pytest.approx(account[0].hashrate_ths, rel=Decimal("0.25"))


def test_a_worker_that_is_not_there_has_no_points(client: MakeClient) -> None:
    assert client().worker_hashrate("north", "no_such_rig").points == ()


def test_a_workers_hashrate_is_not_asked_for_ahead_of_the_pools_clock(client: MakeClient) -> None:
    with pytest.raises(RequestRefused) as refused:
        client().worker_hashrate("north", "rig", until=AFTERNOON + timedelta(days=1))

    assert refused.value.status == 422


# --- Watcher links


def test_a_link_is_made_and_then_listed(client: MakeClient) -> None:
    pool = client()

    created = link(pool)

    (listed,) = pool.watcher_links("north").links
    assert (listed.id, listed.url, listed.live_until) == (created.id, created.url, created.live_until)
    assert (listed.name, listed.accounts, listed.permissions) == ("office", ("north",), ("dashboard", "workers"))
    assert created.live_until is not None
    assert created.created_at is not None
    assert created.live_until - created.created_at == timedelta(days=7)


def test_a_link_for_ever_has_no_end(client: MakeClient) -> None:
    pool = client()

    assert link(pool, lifetime="always").live_until is None
    assert pool.watcher_links("north").links[0].live_until is None


def test_a_link_that_shows_two_accounts_is_listed_for_each(client: MakeClient) -> None:
    pool = client()

    created = link(pool, "north", "south")

    for account in ("north", "south"):
        (listed,) = pool.watcher_links(account).links
        assert (listed.id, listed.accounts) == (created.id, ("north", "south"))
    assert pool.watcher_links("alpha_east").links == ()


def test_a_fourth_active_link_is_refused_by_the_field_user(sandbox: Sandbox, client: MakeClient) -> None:
    pool = client()
    for _ in range(3):
        link(pool, lifetime="1h")

    with pytest.raises(RequestRefused) as refused:
        link(pool)

    assert refused.value.fields.keys() == {"user"}
    assert len(link(pool, "south").id) > 0
    sandbox.clock(advance_seconds=3_601)
    assert pool.watcher_links("north").links == ()
    link(pool)


def test_links_of_an_unknown_account_are_refused(client: MakeClient) -> None:
    pool = client()

    for ask in (lambda: pool.watcher_links("nobody"), lambda: link(pool, "nobody")):
        with pytest.raises(RequestRefused) as refused:
            ask()
        assert refused.value.fields.keys() == {"user"}


# --- Payout destination


def test_a_payout_destination_is_set_and_told(client: MakeClient) -> None:
    pool = client()

    edited = pool.edit_payout_destination("north", destination="external_address", address=ADDRESS)

    assert edited == pool.payout_destination("north") == PayoutDestination("external_address", ADDRESS)
    assert pool.edit_payout_destination("north", destination="main_balance") == PayoutDestination("main_balance", None)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"destination": "external_address"}, "address"),
        ({"destination": "external_address", "address": ADDRESS[:-1] + "5"}, "address"),
        ({"destination": "lightning"}, "destination"),
    ],
)
def test_a_payout_edit_that_cannot_be_changes_nothing(client: MakeClient, asked: Any, field: str) -> None:
    pool = client()
    before = pool.payout_destination("north")

    with pytest.raises(RequestRefused) as refused:
        pool.edit_payout_destination("north", **asked)

    assert refused.value.fields.keys() == {field}
    assert pool.payout_destination("north") == before


# --- Acts are never repeated in doubt

ACTS = {
    "watcher-links/create": lambda pool: link(pool),
    "payout-destination/edit": lambda pool: pool.edit_payout_destination("north", destination="main_balance"),
    "accounts/create": lambda pool: pool.create_account("fresh"),
}


@pytest.mark.parametrize("endpoint", sorted(ACTS))
@pytest.mark.parametrize("phase", ["before", "after"])
def test_a_lost_answer_to_an_act_is_doubt_and_no_repeat(
    sandbox: Sandbox, client: MakeClient, endpoint: str, phase: str
) -> None:
    sandbox.fault("reset", endpoint=endpoint, phase=phase)

    with pytest.raises(AmbiguousOutcome):
        ACTS[endpoint](client())

    assert sandbox.calls()[endpoint] == 1


@pytest.mark.parametrize("endpoint", sorted(ACTS))
def test_an_act_that_surely_did_not_happen_is_repeated(sandbox: Sandbox, client: MakeClient, endpoint: str) -> None:
    sandbox.fault("rate_limited", endpoint=endpoint, phase="before", times=1)

    ACTS[endpoint](client())

    assert sandbox.calls()[endpoint] == 2


@pytest.mark.parametrize("endpoint", sorted(ACTS))
def test_an_act_whose_answer_cannot_be_read_is_doubt(sandbox: Sandbox, client: MakeClient, endpoint: str) -> None:
    sandbox.fault("truncated_json", endpoint=endpoint)

    with pytest.raises(AmbiguousOutcome):
        ACTS[endpoint](client())

    assert sandbox.calls()[endpoint] == 1


def test_an_empty_name_is_our_bug(client: MakeClient) -> None:
    with pytest.raises(OurBug):
        client().watcher_links("")


def test_undocumented_fields_are_told_once_in_a_process(
    sandbox: Sandbox, client: MakeClient, store: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "_told", set())
    sandbox.fault("extra_fields", endpoint="payout-destination")
    sandbox.fault("extra_fields", endpoint="public/mining-pool")

    with capture_logs() as logs:
        for _ in range(2):
            with client() as pool, PublicPool(base_url=sandbox.base_url, redis=store) as public:
                pool.payout_destination("north")
                public.overview()

    told = [entry["fields"] for entry in logs if entry["event"] == "pool.undocumented_fields"]
    assert {"payout-destination.unheardOf": 1} in told
    names = [name for fields in told for name in fields]
    assert {name.split(".")[0] for name in names} == {"payout-destination", "public/mining-pool"}
    assert len(names) == len(set(names))


def test_ever_new_names_do_not_fill_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt, "_told", set())

    with capture_logs() as logs:
        for round_ in range(20):
            attempt._tell_once({f"rewards.{round_}-{number}": 1 for number in range(200)})

    assert len(logs) == 5
