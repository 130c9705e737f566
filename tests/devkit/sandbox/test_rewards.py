from decimal import Decimal
from typing import Any

import pytest

from mining.pool.addresses import is_address
from tests.devkit.sandbox.signed import Caller
from tests.sandbox import Sandbox

DAY_S = 86_400
OCTOBER_19 = 1_792_368_000  # the last day that is listed at the tests' moment
OCTOBER_20 = OCTOBER_19 + DAY_S

FIELDS = (
    "miningAccountName payoutDestination payoutTransactionHash payoutAddress payoutTime rewardCurrency totalReward"
    " reward fee fppsRate hashRate date status"
)


def every_page(caller: Caller, limit: int, **fields: Any) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = []
    while page := caller.data("rewards", limit=limit, offset=len(records), **fields):
        records += page
    return records


def without_ordinal(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in record.items() if name != "ordinal"} for record in records]


def sorted_records(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(records, key=lambda record: (record["date"], record["miningAccountName"], record["totalReward"]))


def test_without_an_account_all_rewards_of_the_user_are_listed(sandbox: Sandbox, alpha: Caller) -> None:
    listed = every_page(alpha, limit=100)
    assert sorted_records(listed) == sorted_records(without_ordinal(sandbox.rewards("alpha")))
    assert len(listed) == 3 * 10


def test_every_page_size_lists_the_same(alpha: Caller) -> None:
    assert every_page(alpha, limit=7) == every_page(alpha, limit=100)


def test_rewards_are_listed_newest_first(alpha: Caller) -> None:
    dates = [reward["date"] for reward in alpha.data("rewards", limit=100)]
    assert dates == sorted(dates, reverse=True)
    assert dates[0] == OCTOBER_19


def test_the_answer_carries_limit_and_offset_but_no_total(alpha: Caller) -> None:
    answer = alpha("rewards", limit=5, offset=3).json
    assert list(answer) == ["offset", "limit", "data"]
    assert (answer["offset"], answer["limit"], len(answer["data"])) == (3, 5, 5)


def test_thirty_is_the_default_page(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.clock(advance_seconds=5 * DAY_S)
    answer = alpha("rewards").json
    assert (answer["limit"], len(answer["data"])) == (30, 30)


def test_a_record_has_the_documented_fields_and_no_id(alpha: Caller) -> None:
    assert list(alpha.data("rewards")[0]) == FIELDS.split()


def test_the_figures_of_a_record_fit_together(alpha: Caller) -> None:
    for reward in alpha.data("rewards", limit=100):
        total, net, fee = (Decimal(reward[name]) for name in ("totalReward", "reward", "fee"))
        assert total == net + fee
        assert abs(fee - total * Decimal("0.025")) <= Decimal("0.00000001")
        expected = Decimal(reward["hashRate"]) / 10**12 * Decimal(reward["fppsRate"])
        assert abs(total - expected) <= Decimal("0.00000001")
        assert -12 <= total.as_tuple().exponent <= -8  # type: ignore[operator]


def test_an_unknown_foreign_or_empty_account_is_like_one_without_rewards(alpha: Caller) -> None:
    for account in ("nobody", "beta_east", ""):
        reply = alpha("rewards", account=account)
        assert (reply.status, reply.json) == (200, {"offset": 0, "limit": 30, "data": []})


def test_a_null_account_is_no_filter(alpha: Caller) -> None:
    assert alpha.data("rewards", account=None) == alpha.data("rewards")


def test_the_same_account_name_of_two_users_has_different_rewards(alpha: Caller, beta: Caller) -> None:
    assert alpha.data("rewards", account="north") != beta.data("rewards", account="north")
    assert {reward["miningAccountName"] for reward in alpha.data("rewards", account="north")} == {"north"}


def test_a_disabled_account_has_an_empty_list_until_it_is_enabled_again(sandbox: Sandbox, alpha: Caller) -> None:
    before = alpha.data("rewards", account="north")
    sandbox.edit("disable_account", login="alpha", account="north")
    assert alpha.data("rewards", account="north") == []
    assert {reward["miningAccountName"] for reward in alpha.data("rewards")} == {"south", "alpha_east"}
    sandbox.edit("enable_account", login="alpha", account="north")
    assert alpha.data("rewards", account="north") == before


def test_from_and_to_are_inclusive_seconds(alpha: Caller) -> None:
    window = {"from": OCTOBER_19 - 2 * DAY_S, "to": OCTOBER_19 - DAY_S}
    dates = {reward["date"] for reward in alpha.data("rewards", window, limit=100)}
    assert dates == {OCTOBER_19 - 2 * DAY_S, OCTOBER_19 - DAY_S}


def test_a_window_that_ends_before_it_begins_is_refused(alpha: Caller) -> None:
    reply = alpha("rewards", {"from": OCTOBER_19, "to": OCTOBER_19 - DAY_S})
    assert (reply.status, reply.json["errors"]) == (422, {"from": ["Incorrect timestamp"]})


@pytest.mark.parametrize("field", ["from", "to"])
@pytest.mark.parametrize("value", [OCTOBER_19 * 1000, -1, "2026-10-19", 1.5, True])
def test_a_timestamp_in_milliseconds_or_none_at_all_is_422(alpha: Caller, field: str, value: Any) -> None:
    reply = alpha("rewards", {field: value})
    assert (reply.status, reply.json["errors"]) == (422, {field: ["Incorrect timestamp"]})


@pytest.mark.parametrize(
    ("field", "value"),
    [("limit", 0), ("limit", 101), ("limit", "30"), ("offset", -1), ("offset", 10_001), ("offset", 0.5)],
)
def test_paging_outside_its_range_is_refused(alpha: Caller, field: str, value: Any) -> None:
    reply = alpha("rewards", {field: value})
    assert (reply.status, list(reply.json["errors"])) == (400, [field])


def test_the_offset_reaches_10000_and_the_rest_needs_a_window(sandbox: Sandbox) -> None:
    sandbox.reset(world="large", seed=1, now="2026-10-20T15:00:00Z", history_days=11)
    colossus = Caller(sandbox.base_url, sandbox.key("colossus"))
    assert len(colossus.data("rewards", limit=100, offset=10_000)) == 100
    assert len(sandbox.rewards("colossus")) == 11_000
    oldest = {"to": OCTOBER_19 - 10 * DAY_S}
    assert len(every_page(colossus, 100, **oldest)) == 1_000


def test_a_reward_appears_after_one_o_clock_as_pending_and_settles_at_noon(sandbox: Sandbox, alpha: Caller) -> None:
    seen = []
    for moment in ("00:59:00", "01:30:00", "11:59:00", "12:30:00"):
        sandbox.clock(now=f"2026-10-21T{moment}Z")
        records = alpha.data("rewards", {"from": OCTOBER_20}, account="south")
        seen.append([(record["status"], record["payoutTime"] is not None) for record in records])
    assert seen == [[], [("pending", False)], [("pending", False)], [("successful", True)]]


def test_an_external_payout_has_an_address_and_once_settled_a_transaction(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.clock(now="2026-10-21T02:00:00Z")
    pending, settled = alpha.data("rewards", account="south")[:2]
    assert (pending["payoutTransactionHash"], len(settled["payoutTransactionHash"])) == (None, 64)
    assert is_address(pending["payoutAddress"])
    assert pending["payoutAddress"] == settled["payoutAddress"]
    assert pending["payoutDestination"] == "external_address"


def test_a_payout_to_the_main_balance_has_neither(alpha: Caller) -> None:
    for reward in alpha.data("rewards", account="north"):
        assert reward["payoutDestination"] == "main_balance"
        assert (reward["payoutAddress"], reward["payoutTransactionHash"]) == (None, None)


def test_turning_the_clock_back_unlists_what_is_not_yet_known(sandbox: Sandbox, alpha: Caller) -> None:
    before = alpha.data("rewards", limit=100)
    sandbox.clock(advance_seconds=-3 * DAY_S)
    assert alpha.data("rewards", limit=100)[0]["date"] == OCTOBER_19 - 3 * DAY_S
    sandbox.clock(advance_seconds=3 * DAY_S)
    assert alpha.data("rewards", limit=100) == before


def test_an_account_without_miners_has_no_rewards(sandbox: Sandbox) -> None:
    sandbox.reset(world="unmined", seed=1, now="2026-10-20T15:00:00Z")
    quiet = Caller(sandbox.base_url, sandbox.key("quiet"))
    quiet("accounts/create", name="empty_4")
    sandbox.clock(advance_seconds=5 * DAY_S)
    assert quiet.data("rewards") == []
    assert quiet.data("hashrate", account="empty_4")["hashrate"] == []


def test_some_worlds_date_their_rewards_in_the_day(sandbox: Sandbox) -> None:
    sandbox.reset(world="daytime", seed=1, now="2026-10-20T15:00:00Z")
    alpha = Caller(sandbox.base_url, sandbox.key("alpha"))
    assert {reward["date"] % DAY_S for reward in alpha.data("rewards")} == {7 * 3600 + 13 * 60 + 20}


def test_a_record_is_changed_back_and_forth(sandbox: Sandbox, alpha: Caller) -> None:
    def newest(status: str) -> dict[str, Any]:
        sandbox.edit("set_reward", login="alpha", account="south", date="2026-10-19", set={"status": status})
        record: dict[str, Any] = alpha.data("rewards", account="south", limit=1)[0]
        assert record["status"] == status
        return record

    assert newest("canceled")["payoutTime"] is None
    assert newest("pending")["payoutTransactionHash"] is None
    assert newest("on_hold")["status"] == "on_hold"


def test_amounts_can_be_changed_after_the_fact(sandbox: Sandbox, alpha: Caller) -> None:
    alpha.data("rewards")
    changed = {"totalReward": "0.00000002", "reward": "0.00000001", "fee": "0.00000001"}
    sandbox.edit("set_reward", login="alpha", account="north", date="2026-10-12", set=changed)
    record = next(r for r in alpha.data("rewards", account="north") if r["date"] == OCTOBER_19 - 7 * DAY_S)
    assert {name: record[name] for name in changed} == changed


def test_a_removed_record_can_be_brought_back(sandbox: Sandbox, alpha: Caller) -> None:
    before = alpha.data("rewards", limit=100)
    sandbox.edit("remove_reward", login="alpha", account="north", date="2026-10-19")
    assert alpha.data("rewards", limit=100) == before[1:]
    sandbox.edit("restore_reward", login="alpha", account="north", date="2026-10-19")
    assert alpha.data("rewards", limit=100) == before


def test_two_records_of_one_account_can_carry_the_same_date(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.edit("add_twin", login="alpha", account="north", date="2026-10-19", identical=False)
    first, second = alpha.data("rewards", account="north", limit=2)
    assert first["date"] == second["date"]
    assert first["totalReward"] != second["totalReward"]


def test_a_twin_can_be_identical_to_the_byte(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.edit("add_twin", login="alpha", account="north", date="2026-10-19")
    first, second = alpha.data("rewards", account="north", limit=2)
    assert first == second


def test_the_ordinal_tells_two_records_of_one_date_apart(sandbox: Sandbox, alpha: Caller) -> None:
    twin = sandbox.edit("add_twin", login="alpha", account="north", date="2026-10-19")
    fields = {"login": "alpha", "account": "north", "date": "2026-10-19", "ordinal": twin["ordinal"]}
    sandbox.edit("set_reward", **fields, set={"status": "canceled"})
    statuses = [reward["status"] for reward in alpha.data("rewards", account="north", limit=2)]
    assert (twin["ordinal"], statuses) == (2, ["successful", "canceled"])


def test_a_reward_can_name_an_account_that_the_list_does_not_know(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.edit("add_reward", login="alpha", account="ghost", date="2026-10-19")
    assert [reward["miningAccountName"] for reward in alpha.data("rewards", account="ghost")] == ["ghost"]
    assert "ghost" not in [account["name"] for account in alpha.data("accounts")]


def test_a_changed_destination_holds_from_the_day_being_mined(sandbox: Sandbox, alpha: Caller) -> None:
    alpha.data("rewards")
    sandbox.edit("set_payout", login="alpha", account="south", destination="main_balance")
    sandbox.clock(advance_seconds=DAY_S)
    destinations = [reward["payoutDestination"] for reward in alpha.data("rewards", account="south", limit=3)]
    assert destinations == ["main_balance", "external_address", "external_address"]
