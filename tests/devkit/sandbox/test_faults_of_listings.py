"""Another listing than the pool has, seen from the caller's side."""

from collections.abc import Callable

import pytest

from tests.devkit.sandbox.listings import names, spoiled, whole_listing
from tests.devkit.sandbox.signed import Caller
from tests.sandbox import Sandbox


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
