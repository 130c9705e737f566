"""A key that was unused for 14 days of the data clock is deactivated."""

from pathlib import Path

from tests.devkit.sandbox.signed import Caller
from tests.sandbox import Sandbox, start_sandbox

DAY_S = 86_400


def pass_unused(sandbox: Sandbox, days: float) -> None:
    sandbox.control("POST", "clock", {"advance_seconds": days * DAY_S, "keys_unused": True})


def test_a_key_that_was_unused_for_14_days_is_refused(sandbox: Sandbox, alpha: Caller, beta: Caller) -> None:
    pass_unused(sandbox, 13.9)
    assert alpha("accounts").status == 200
    pass_unused(sandbox, 0.2)
    assert alpha("accounts").status == 200
    refused = beta("accounts")
    assert (refused.status, refused.json["message"][:28]) == (401, "This action is unauthorized.")
    assert beta("accounts").status == 401


def test_a_moved_clock_counts_as_a_time_of_use_unless_told_otherwise(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.clock(advance_seconds=90 * DAY_S)
    assert alpha("accounts").status == 200


def test_a_refused_call_is_no_use(sandbox: Sandbox, alpha: Caller) -> None:
    pass_unused(sandbox, 13)
    assert alpha.send("accounts", b"{}", {"X-TXC-SIGNATURE": "0"}).status == 401
    pass_unused(sandbox, 2)
    assert alpha("accounts").status == 401


def test_enabling_a_key_wakes_it_and_the_last_use_can_be_set(sandbox: Sandbox, alpha: Caller) -> None:
    pass_unused(sandbox, 20)
    sandbox.edit("set_key", api_key=alpha.key.api_key, enabled=True)
    assert alpha("accounts").status == 200
    sandbox.edit("set_key", api_key=alpha.key.api_key, last_used="2026-10-20")
    assert sandbox.truth()["users"][0]["keys"][0]["last_used"] == "2026-10-20T00:00:00Z"
    assert alpha("accounts").status == 401


def test_the_last_use_survives_a_restart(tmp_path: Path) -> None:
    arguments = ("tests", 7, "--now", "2026-10-20T15:00:00Z", "--state", str(tmp_path / "state.json"))
    with start_sandbox(*arguments) as sandbox:
        pass_unused(sandbox, 10)
        assert Caller(sandbox.base_url, sandbox.key("alpha"))("accounts").status == 200
        sandbox.process.kill()
    with start_sandbox(*arguments) as again:
        pass_unused(again, 10)
        statuses = [Caller(again.base_url, again.key(login))("accounts").status for login in ("alpha", "beta")]
    assert statuses == [200, 401]
