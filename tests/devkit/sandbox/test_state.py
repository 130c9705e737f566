import json
from datetime import UTC, datetime
from pathlib import Path

from devkit.sandbox import sandbox as running
from devkit.sandbox.sandbox import Opening
from tests.devkit.sandbox.signed import Caller
from tests.sandbox import Sandbox, start_sandbox


def world(sandbox: Sandbox) -> str:
    """Everything but the moment, which runs on."""
    truth = {**sandbox.truth(), "now": ""}
    return json.dumps([truth, sandbox.rewards("alpha"), sandbox.rewards("beta")])


def test_a_restart_comes_back_to_the_same_world(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    with start_sandbox("tests", 7, "--now", "2026-10-20T15:00:00Z", "--state", str(file)) as sandbox:
        alpha = Caller(sandbox.base_url, sandbox.key("alpha"))
        alpha("accounts/create", name="kept")
        sandbox.clock(advance_seconds=3 * 86_400)
        sandbox.edit("set_reward", login="alpha", account="north", date="2026-10-12", set={"status": "canceled"})
        sandbox.edit("add_twin", login="beta", account="south", date="2026-10-12", identical=False)
        sandbox.edit("set_payout", login="beta", account="north", destination="external_address")
        sandbox.edit("add_key", login="beta")
        sandbox.edit("set_workers", login="alpha", account="north", workers=["kept_rig"])
        link = {"accounts": ["north"], "name": "kept", "permissions": ["rewards"], "liveUntil": "7d"}
        assert alpha("watcher-links/create", link).status == 201
        alpha("payout-destination/edit", accountName="south", destination="main_balance")
        sandbox.fault("page_shift", times=1)
        alpha("rewards")
        before, moment = world(sandbox), sandbox.clock()
    with start_sandbox("demo", 1, "--state", str(file)) as again:
        assert world(again) == before
        assert 0 <= (again.clock() - moment).total_seconds() < 30
        alpha = Caller(again.base_url, again.key("alpha"))
        assert "kept" in [a["name"] for a in alpha.data("accounts")]
        assert "kept_rig" in alpha.data("workers/names", account="north")["workers"]
        assert [link["name"] for link in alpha.data("watcher-links/list", account="north")] == ["kept"]
        assert alpha("payout-destination", accountName="south").json["payoutDestination"] == "main_balance"


def test_a_killed_sandbox_has_lost_nothing_it_answered(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    with start_sandbox("tests", 7, "--state", str(file)) as sandbox:
        Caller(sandbox.base_url, sandbox.key("alpha"))("accounts/create", name="kept")
        sandbox.process.kill()
    with start_sandbox("tests", 7, "--state", str(file)) as again:
        assert "kept" in [account["name"] for account in again.truth()["users"][0]["accounts"]]


def test_a_reset_starts_the_state_afresh(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    with start_sandbox("tests", 7, "--state", str(file)) as sandbox:
        Caller(sandbox.base_url, sandbox.key("alpha"))("accounts/create", name="gone")
        sandbox.reset(world="tests", seed=8)
    assert json.loads(file.read_text())["acts"] == []
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.json"]


def test_keys_of_a_file_that_knows_no_uses_were_used_just_now(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    opening = Opening(world="tests", seed=7, now=datetime(2026, 10, 20, tzinfo=UTC))
    first = running.Sandbox(opening, state_path=file)
    first.move_clock(datetime(2026, 12, 24, tzinfo=UTC), keys_unused=True)
    saved = json.loads(file.read_text())
    del saved["key_uses"]
    file.write_text(json.dumps(saved))
    again = running.Sandbox(Opening(), state_path=file)
    assert {again.clock.now() - key.used_at < 60 for key in again.world.keys.values()} == {True}
