"""The main job on real input, twice on the same data; and the pool's secret is in no sink it could have reached."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from allauth.mfa.totp.internal.auth import generate_totp_secret, validate_totp_code

from devkit import servers
from devkit.demo import environment as demo_environment
from devkit.demo import story
from devkit.demo.children import free_port
from tests.sandbox import start_sandbox

ROOT = Path(__file__).resolve().parents[3]
OURS = ("PORTAL_", "DATABASE_", "REDIS_", "SECRET_KEY", "POOL_", "WHITEPOOL_", "DJANGO_")


def environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return kept | {"PORTAL_DATA_DIR": str(folder)}


def demo_once(folder: Path) -> subprocess.CompletedProcess[str]:
    return demo(folder, "--once")


def demo(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "devkit.servers", "--data-dir", str(folder), "--"]
    return subprocess.run(
        [*words, sys.executable, "-m", "devkit.demo", *options],
        cwd=ROOT,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("demo")
    return folder, demo_once(folder)


def test_the_main_job_agrees_with_the_pools_truth(played: tuple[Path, Any]) -> None:
    _, done = played
    assert done.returncode == 0, done.stdout + done.stderr
    assert "documents of the closed months agree with the sandbox's truth, to the satoshi." in done.stdout
    rows = [line for line in done.stdout.splitlines() if " SET-" in line or " INV-" in line]
    assert len(rows) == 12
    assert len({row.split()[-1] for row in rows}) == 12
    assert "DISAGREES" not in done.stdout


NEW_TERMS = """
from django.utils import timezone
from billing.contracts import new_version
from billing.models import Contract
from customers import tenancy
from portal.management.operator import access_to
access, now = access_to("northmere"), timezone.now()
with tenancy.access_context(access):
    contract = Contract.objects.order_by("pk")[0]
    terms = {"kind": "revenue_share", "share_ppm": 1, "basis": "net"}
    new_version(access, contract, valid_from=now.date(), settle_in="btc", components=[terms], now=now)
"""


def test_watcher_links_are_made_once(played: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = played
    for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL"):
        monkeypatch.delenv(name)  # the demo's servers, not the suite's
    with servers.running(folder) as urls, psycopg.connect(urls["DATABASE_OWNER_URL"]) as owner:
        made = owner.execute("SELECT state, permissions FROM mining_watcherlink ORDER BY id").fetchall()
    assert made == [("active", ["dashboard", "workers"])] * 2


def test_a_command_reads_the_demos_pool(played: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = played
    monkeypatch.setenv("PORTAL_DATA_DIR", str(folder))
    with demo_environment.only_demo():  # as beside one that runs
        done = demo(folder, "--run", "sync --provider northmere --only accounts")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "northmere  accounts: ok" in done.stdout
    assert "pool.call" not in done.stderr  # a person reads this


def start(folder: Path, *options: str, **more: str) -> tuple[int, str]:
    """How a start ends that never comes to the servers, and what it says."""
    words = [sys.executable, "-m", "devkit.demo", *options]
    done = subprocess.run(
        words, cwd=ROOT, env=environment(folder) | more, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.stdout == ""
    return done.returncode, done.stderr


def test_a_second_demo_on_the_same_data_is_refused_and_disturbs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTAL_DATA_DIR", str(tmp_path))
    instead = f", on the same data in {tmp_path}: stop that one, or name another folder in PORTAL_DATA_DIR.\n"
    with demo_environment.only_demo():
        begun = start(tmp_path)
        demo_environment.runs_at("portal", "http://127.0.0.1:8123")
        demo_environment.runs_at("sandbox", "http://127.0.0.1:8124")
        running = start(tmp_path, "--once")
        assert (tmp_path / "sandbox-address").read_text() == "http://127.0.0.1:8124"
    assert begun == (2, f"demo: A demo is being started, or plays once, already{instead}")
    assert running == (2, f"demo: A demo runs already at http://127.0.0.1:8123/{instead}")
    assert not (tmp_path / "sandbox-address").exists()


HOLD = """
import time
from devkit.demo import environment
with environment.only_demo():
    environment.runs_at("portal", "http://127.0.0.1:8123")
    print("held", flush=True)
    time.sleep(900)
"""


def test_a_demo_that_was_killed_is_in_nobodys_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = [sys.executable, "-c", HOLD]
    with subprocess.Popen(words, cwd=ROOT, env=environment(tmp_path), stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == "held\n"
        killed.kill()
    monkeypatch.setenv("PORTAL_DATA_DIR", str(tmp_path))
    with demo_environment.only_demo():
        assert not (tmp_path / "portal-address").exists()


def test_what_no_port_is_and_a_quote_without_its_other_half_are_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert start(tmp_path, PORT="abc") == (2, "demo: PORT must be a number from 1 to 65535, and 'abc' is none.\n")
    unclosed = 'demo: CMD has a quote or a backslash without its other half: provider "unclosed\n'
    assert start(tmp_path, "--run", 'provider "unclosed') == (2, unclosed)
    for port in ("0", "-1", "80000", "8e3", "\u0661", "9" * 5_000):
        monkeypatch.setenv("PORT", port)
        with pytest.raises(demo_environment.CannotStart, match="PORT must be a number"):
            demo_environment.given_port()


def test_a_port_that_was_asked_for_is_that_one_or_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(demo_environment.CannotStart, match=f"PORT={port} cannot be opened, probably because"):
            free_port(port)
        assert free_port(None) not in (0, port)


@pytest.mark.parametrize(("second", "sleeps"), [(0.0, 0), (14.9, 0), (15.1, 1), (29.9, 1)])
def test_the_code_that_is_printed_is_good_for_a_while(
    second: float, sleeps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, slept = 1_800_000_000 + second, []  # the former begins a code's 30 s

    def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds

    monkeypatch.setattr("time.time", lambda: now)
    monkeypatch.setattr("time.sleep", sleep)
    secret = generate_totp_secret()
    code = story.present_code(secret)
    now += 14.9
    assert (validate_totp_code(secret, code), len(slept)) == (True, sleeps)


def test_a_command_prints_addresses_of_the_portal_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTAL_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PORT", "8123")
    with ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as web:
        address = f"http://127.0.0.1:{web.server_port}"
        demo_environment.runs_at("portal", address)
        (tmp_path / "healthz").touch()
        monkeypatch.chdir(tmp_path)
        answering = threading.Thread(target=web.serve_forever)
        answering.start()
        found = demo_environment.portal_address()
        web.shutdown()
        answering.join()
    assert (found, demo_environment.portal_address()) == (address, "http://127.0.0.1:8123")


def test_a_second_play_on_the_same_data_changes_no_document(played: tuple[Path, Any]) -> None:
    folder, first = played
    assert demo(folder, "--run", f"shell --no-imports -c '{NEW_TERMS}'").returncode == 0
    again = demo_once(folder)
    assert again.returncode == 0, again.stdout + again.stderr
    assert _table(again.stdout) == _table(first.stdout)


def _table(text: str) -> list[str]:
    return [line for line in text.splitlines() if " SET-" in line or " INV-" in line]


def test_every_call_to_the_pool_is_logged_with_its_task(played: tuple[Path, Any]) -> None:
    folder, _ = played
    lines = [line for line in (folder / "logs/worker.log").read_text().splitlines() if line.startswith("{")]
    calls = [event for event in map(json.loads, lines) if event["event"] == "pool.call"]
    assert len(calls) > 36
    assert [event for event in calls if not event.get("task_id")] == []


def test_nothing_of_the_demo_is_left_running(played: tuple[Path, Any]) -> None:
    folder, _ = played
    left = [
        pid
        for pid in filter(str.isdigit, os.listdir("/proc"))
        if str(folder) in _text(Path("/proc", pid, "environ")) and int(pid) != os.getpid()
    ]
    assert left == []


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:
        return ""


def test_the_pools_secret_is_in_no_log_no_table_and_no_key_of_redis(
    played: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, done = played
    for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL"):
        monkeypatch.delenv(name)  # the demo's servers, not the suite's
    with start_sandbox("demo", 7) as sandbox:
        keys = [key for user in sandbox.truth()["users"] for key in user["keys"]]
    secrets = [key["secret"].encode() for key in keys]
    api_keys = [key["api_key"].encode() for key in keys]
    assert secrets
    sinks = {"output": (done.stdout + done.stderr).encode()}
    sinks |= {path.name: path.read_bytes() for path in (folder / "logs").rglob("*.log")}
    with servers.running(folder) as addresses:
        sinks |= _tables(addresses["DATABASE_OWNER_URL"]) | _redis(addresses["REDIS_URL"])
    assert {"worker.log", "public.mining_credential", "public.customers_auditentry"} <= sinks.keys()
    for name, content in sinks.items():
        for secret in (*secrets, *api_keys):
            assert secret not in content, f"a pool secret stands in {name}"


def _tables(url: str) -> dict[str, bytes]:
    with psycopg.connect(url) as session:
        names = session.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        return {
            f"public.{name}": "\n".join(
                row[0] for row in session.execute(f'SELECT t::text FROM "{name}" t').fetchall()
            ).encode()
            for (name,) in names
        }


def _redis(url: str) -> dict[str, bytes]:
    client = redis.Redis.from_url(url)
    return {f"redis:{key!r}": client.dump(key) or b"" for key in client.scan_iter()}
