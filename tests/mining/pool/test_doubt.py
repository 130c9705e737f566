"""What must not happen twice is called once: creating an account, when the pool, its gateway or the wire misbehaves."""

from __future__ import annotations

import pytest

from mining.pool.errors import AmbiguousOutcome, CallsStopped, PoolUnavailable, RequestRefused
from mining.pool.limits.deadline import Deadline
from tests.mining.pool.conftest import MakeClient
from tests.mining.pool.moments import WaitsAlone
from tests.sandbox import Sandbox

IN_DOUBT = [
    ("reset", "before"),
    ("reset", "after"),
    ("reset_mid_body", "after"),
    ("silence", "after"),
    ("slow_drip", "after"),
    ("http_500", "before"),
    ("http_500", "after"),
    ("http_502", "after"),
    ("http_503", "before"),
    ("http_504", "after"),
    ("captive_page", "before"),
    ("empty_body", "after"),
    ("oversized_body", "after"),
    ("truncated_json", "after"),
    ("not_utf8", "after"),
    ("data_missing", "after"),
    ("data_null", "after"),
    ("data_object", "after"),
    ("redirect_301", "before"),
    ("redirect_308", "after"),
]


@pytest.mark.parametrize(("name", "phase"), IN_DOUBT)
def test_creating_an_account_is_called_once_and_any_doubt_is_said(
    sandbox: Sandbox, client: MakeClient, name: str, phase: str
) -> None:
    seconds = {"seconds": 0.3} if name in ("silence", "slow_drip") else {}
    sandbox.fault(name, endpoint="accounts/create", phase=phase, times=1, **seconds)
    pool = client()

    with pytest.raises(AmbiguousOutcome) as raised:
        pool.create_account("newcomer")

    assert raised.value.endpoint == "accounts/create"
    assert sandbox.calls()["accounts/create"] == 1
    # Reading back settles it.
    assert bool(pool.accounts_page(name="newcomer").accounts) == (phase == "after")


@pytest.mark.parametrize("name", ["rate_limited", "nonce_refused", "nonce_skewed"])
def test_creating_an_account_is_repeated_when_it_surely_did_not_happen(
    sandbox: Sandbox, client: MakeClient, name: str
) -> None:
    sandbox.fault(name, endpoint="accounts/create", phase="before", times=1)

    assert client().create_account("newcomer").name == "newcomer"

    assert sandbox.calls()["accounts/create"] == 2


def test_creating_an_account_where_nobody_listens_is_no_doubt(client: MakeClient) -> None:
    pool = client()
    pool.rewards_page()  # the clock is known, so the next call goes straight out
    gone = client(base_url="http://127.0.0.1:9", deadline_seconds=0.3)

    with pytest.raises(PoolUnavailable) as raised:
        gone.create_account("newcomer")

    assert not raised.value.may_have_acted


def test_creating_an_account_that_the_pool_refuses_is_refused(sandbox: Sandbox, client: MakeClient) -> None:
    sandbox.edit("set_account_cap", login="alpha", cap=3)

    with pytest.raises(RequestRefused) as raised:
        client().create_account("newcomer")

    assert raised.value.fields == {"error": ["miningPool.validation.maxAccounts"]}
    assert sandbox.calls()["accounts/create"] == 1


def test_creating_an_account_is_not_cut_short_by_impatience(
    sandbox: Sandbox, client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = client()
    pool.rewards_page()  # the clock is known
    monkeypatch.setattr(Deadline, "exchange_seconds", 0.1)
    sandbox.fault("delay", endpoint="accounts/create", seconds=0.5, phase="after")

    assert pool.create_account("newcomer").name == "newcomer"


def test_an_act_that_was_held_up_beyond_its_patience_is_not_sent(
    sandbox: Sandbox, client: MakeClient, unhurried: WaitsAlone, monkeypatch: pytest.MonkeyPatch
) -> None:
    client().rewards_page()  # the clock is known
    pool = client(deadline_seconds=0.2)
    next_nonce = pool._caller._nonces.next

    def slowly(deadline: Deadline) -> int:
        unhurried.told += 0.3
        return next_nonce(deadline)

    monkeypatch.setattr(pool._caller._nonces, "next", slowly)
    with pytest.raises(CallsStopped, match="held up for too long and was not sent"):
        pool.create_account("newcomer")

    assert "accounts/create" not in sandbox.calls()
