from typing import Any

import pytest

from tests.devkit.sandbox.signed import Caller
from tests.sandbox import Sandbox


def names(caller: Caller, **fields: Any) -> list[str]:
    return [account["name"] for account in caller.data("accounts", **fields)]


def test_accounts_are_listed_newest_first(sandbox: Sandbox, alpha: Caller) -> None:
    alpha("accounts/create", name="newest")
    reply = alpha("accounts").json
    assert [account["name"] for account in reply["data"]] == ["newest", "alpha_east", "south", "north"]
    assert (reply["limit"], reply["offset"]) == (30, 0)


def test_one_account_is_found_by_its_exact_name(alpha: Caller) -> None:
    assert names(alpha, name="north") == ["north"]
    assert names(alpha, name="nort") == []
    assert names(alpha, name="North") == []


def test_a_null_name_is_no_filter_and_an_empty_one_matches_nothing(alpha: Caller) -> None:
    assert names(alpha, name=None) == ["alpha_east", "south", "north"]
    assert names(alpha, name="") == []


def test_accounts_page_by_limit_and_offset(alpha: Caller) -> None:
    assert names(alpha, limit=2) == ["alpha_east", "south"]
    assert names(alpha, limit=2, offset=2) == ["north"]
    assert names(alpha, limit=2, offset=4) == []


def test_each_user_sees_only_their_own_accounts(alpha: Caller, beta: Caller) -> None:
    assert names(beta) == ["beta_east", "south", "north"]
    assert names(beta, name="alpha_east") == []


def test_a_created_account_is_answered_with_its_moment(sandbox: Sandbox, alpha: Caller) -> None:
    made = alpha("accounts/create", name="Rack_01", referralCode="FRIEND")
    assert made.status == 200
    assert made.json == {"data": {"name": "Rack_01", "createdAt": int(sandbox.clock().timestamp())}}


def test_a_created_account_mines_from_the_next_midnight(sandbox: Sandbox, alpha: Caller) -> None:
    alpha("accounts/create", name="fresh")
    sandbox.clock(advance_seconds=86_400)
    assert alpha.data("rewards", account="fresh") == []
    sandbox.clock(advance_seconds=86_400)
    assert [reward["date"] for reward in alpha.data("rewards", account="fresh")] == [1_792_540_800]


@pytest.mark.parametrize("name", ["", None, "with space", "dash-ed", "é", "x" * 256, "new\n", 7])
def test_a_name_that_breaks_the_rules(alpha: Caller, name: Any) -> None:
    reply = alpha("accounts/create", name=name)
    assert (reply.status, list(reply.json["errors"])) == (400, ["name"])
    assert len(names(alpha)) == 3


def test_a_name_of_255_characters_is_taken(alpha: Caller) -> None:
    assert alpha("accounts/create", name="x" * 255).status == 200


def test_a_taken_name_is_refused_but_only_inside_the_user(alpha: Caller, beta: Caller) -> None:
    assert alpha("accounts/create", name="beta_east").status == 200
    reply = alpha("accounts/create", name="north")
    assert (reply.status, list(reply.json["errors"])) == (400, ["name"])


def test_names_differ_by_case(alpha: Caller) -> None:
    assert alpha("accounts/create", name="NORTH").status == 200


def test_at_the_cap_no_account_is_made(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.edit("set_account_cap", login="alpha", cap=3)
    reply = alpha("accounts/create", name="fourth")
    assert (reply.status, reply.json["errors"]) == (400, {"error": ["miningPool.validation.maxAccounts"]})


def test_a_long_referral_code_is_refused(alpha: Caller) -> None:
    reply = alpha("accounts/create", name="fourth", referralCode="x" * 51)
    assert (reply.status, list(reply.json["errors"])) == (400, ["referralCode"])


def test_a_removed_account_is_gone_with_its_rewards(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.edit("remove_account", login="alpha", account="north")
    assert names(alpha) == ["alpha_east", "south"]
    assert alpha.data("rewards", account="north") == []
