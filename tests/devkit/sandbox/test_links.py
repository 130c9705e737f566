from typing import Any

import pytest

from tests.devkit.sandbox.signed import Caller, Reply
from tests.sandbox import ControlRefused, Sandbox

GOOD: dict[str, Any] = {
    "accounts": ["north"],
    "name": "for_the_owner",
    "permissions": ["dashboard", "workers"],
    "liveUntil": "24h",
}


def make(caller: Caller, **fields: Any) -> Reply:
    return caller("watcher-links/create", GOOD | fields)


def listed(caller: Caller, account: str = "north") -> list[dict[str, Any]]:
    links: list[dict[str, Any]] = caller.data("watcher-links/list", account=account)
    return links


def test_a_link_is_made_with_201_and_listed_for_each_of_its_accounts(sandbox: Sandbox, alpha: Caller) -> None:
    reply = make(alpha, accounts=["north", "south"])
    made = reply.json["data"]
    assert (reply.status, list(made)) == (201, ["id", "link", "liveUntil", "createdAt"])
    assert made["link"] == f"https://whitebit.com/mining-pool/watcher-link/{made['id']}"
    assert made["liveUntil"] - made["createdAt"] == 86_400
    whole = {
        "id": made["id"],
        "accounts": ["north", "south"],
        "name": "for_the_owner",
        "link": made["link"],
        "permissions": ["dashboard", "workers"],
        "liveUntil": made["liveUntil"],
        "createdAt": made["createdAt"],
    }
    assert (listed(alpha), listed(alpha, "south"), listed(alpha, "alpha_east")) == ([whole], [whole], [])


@pytest.mark.parametrize(("lifetime", "seconds"), [("1h", 3_600), ("24h", 86_400), ("7d", 7 * 86_400)])
def test_a_link_ends_by_the_data_clock(sandbox: Sandbox, alpha: Caller, lifetime: str, seconds: int) -> None:
    make(alpha, liveUntil=lifetime)
    sandbox.clock(advance_seconds=seconds - 60)
    assert len(listed(alpha)) == 1
    sandbox.clock(advance_seconds=120)
    assert listed(alpha) == []
    assert [link["active"] for link in sandbox.truth()["users"][0]["links"]] == [False]


def test_an_everlasting_link_says_null(sandbox: Sandbox, alpha: Caller) -> None:
    assert make(alpha, liveUntil="always").json["data"]["liveUntil"] is None
    sandbox.clock(advance_seconds=9 * 365 * 86_400)
    assert [link["liveUntil"] for link in listed(alpha)] == [None]


def test_an_account_has_at_most_three_active_links(sandbox: Sandbox, alpha: Caller) -> None:
    lifetimes = ("1h", "7d", "always")
    ids = [make(alpha, liveUntil=lifetime).json["data"]["id"] for lifetime in lifetimes]
    full = make(alpha, accounts=["south", "north"])
    assert (full.status, full.json["errors"]) == (400, {"user": ["Limit exceeded"]})
    assert listed(alpha, "south") == []
    assert [link["id"] for link in listed(alpha)] == ids[::-1]
    sandbox.clock(advance_seconds=3_601)
    assert [make(alpha).status, make(alpha).status] == [201, 400]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("accounts", value) for value in (..., None, [], "north", [5], ["n" * 256])),
        *(("name", value) for value in (..., "", "with space", "ümlaut", "line\n", 5, "n" * 256)),
        *(("permissions", value) for value in (..., [], ["admin"], ["workers", "workers"], "workers", [None])),
        *(("liveUntil", value) for value in (..., None, "", "2h", 3_600)),
    ],
)
def test_wrong_parameters_are_refused_by_field(sandbox: Sandbox, alpha: Caller, field: str, value: Any) -> None:
    reply = make(alpha, **{field: value})
    assert (reply.status, list(reply.json["errors"])) == (400, [field])
    assert listed(alpha) == []


def test_an_unknown_foreign_or_disabled_account_is_an_error_of_the_user_field(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.edit("disable_account", login="alpha", account="south")
    for name in ("nobody", "beta_east", "south"):
        for reply in (make(alpha, accounts=["north", name]), alpha("watcher-links/list", account=name)):
            assert (reply.status, list(reply.json["errors"])) == (400, ["user"])
    assert listed(alpha) == []


def test_links_belong_to_one_user(alpha: Caller, beta: Caller) -> None:
    make(alpha)
    assert listed(beta) == []


def test_links_made_and_ended_behind_the_clients_back(sandbox: Sandbox, alpha: Caller) -> None:
    made = [
        sandbox.edit("add_link", login="alpha", accounts=["north"], name="outside", permissions=["rewards"]),
        sandbox.edit("add_link", login="alpha", accounts=["north"], name="brief one", live_until="1h"),
    ]
    assert [link["id"] for link in listed(alpha)] == [made[1]["id"], made[0]["id"]]
    sandbox.edit("expire_link", login="alpha", id=made[1]["id"])
    assert [link["name"] for link in listed(alpha)] == ["outside"]
    sandbox.edit("remove_link", login="alpha", id=made[0]["id"])
    assert listed(alpha) == []
    assert [link["name"] for link in sandbox.truth()["users"][0]["links"]] == ["brief one"]


def test_a_mistake_in_a_link_edit_is_one_sentence(sandbox: Sandbox) -> None:
    for act, fields, sentence in (
        ("add_link", {"accounts": [], "name": "x"}, "accounts must be a list of at least one string"),
        ("add_link", {"accounts": ["a"], "name": "x", "live_until": "2h"}, "live_until must be one of 1h, 24h, 7d"),
        ("remove_link", {"id": "x"}, "alpha has no watcher link 'x'"),
        ("set_workers", {"account": "north", "workers": ["w"], "state": "tired"}, "state must be one of online, low"),
    ):
        with pytest.raises(ControlRefused) as caught:
            sandbox.edit(act, login="alpha", **fields)
        assert caught.value.sentence.startswith(sentence)
