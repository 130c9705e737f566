import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from devkit.management.commands.sandbox import Command
from tests.devkit.sandbox.signed import Caller
from tests.sandbox import ROOT, Sandbox, start_sandbox
from tests.waiting import LAST_RESORT_SECONDS, until


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "devkit.sandbox", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LAST_RESORT_SECONDS, check=False)


def test_help_names_every_world() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert all(world in done.stdout for world in ("demo", "tests", "unmined", "daytime", "large"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--world", "atlantis"], "sandbox: argument --world: invalid choice: 'atlantis'"),
        (["--port", "65536"], "sandbox: argument --port: '65536' is not a port from 0 to 65535"),
        (["--seed", "x"], "sandbox: argument --seed: 'x' is not a whole number"),
        (["--now", "soon"], "sandbox: --now must be an ISO date or time, like 2026-11-01T08:00:00Z"),
        (["--host", "203.0.113.9"], "sandbox: cannot listen on 203.0.113.9 port 8600: "),
        (
            ["--state", "/nowhere/state.json"],
            "sandbox: the state file /nowhere/state.json cannot be written: No such file or directory\n",
        ),
        (["--state", "/"], "sandbox: the state file / cannot be read: Is a directory\n"),
        (["--speed", "9"], "sandbox: unrecognized arguments: --speed 9"),
    ],
)
def test_a_wrong_argument_is_one_sentence_and_status_2(arguments: list[str], sentence: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(sentence)
    assert done.stderr.count("\n") == 1


def test_a_port_in_use_is_one_sentence_and_status_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("--port", str(port))
    assert (done.returncode, done.stderr) == (
        2,
        f"sandbox: port {port} on 127.0.0.1 is in use; take another, or 0 for any free one\n",
    )


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"version": 1}', '{"version": 1, "world": "atlantis"}'])
def test_a_damaged_state_file_is_one_sentence_and_status_2(tmp_path: Path, content: str) -> None:
    file = tmp_path / "state.json"
    file.write_text(content)
    done = run("--port", "0", "--state", str(file))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert str(file) in done.stderr
    assert file.read_text() == content


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(number: signal.Signals) -> None:
    with start_sandbox() as sandbox:
        sandbox.process.send_signal(number)
        assert sandbox.process.wait(LAST_RESORT_SECONDS) == 0


def test_a_signal_in_the_middle_of_a_silence_ends_it_soon() -> None:
    with start_sandbox() as sandbox:
        sandbox.fault("silence", endpoint="public/time")
        port = int(sandbox.base_url.rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port)) as waiting:
            waiting.sendall(b"GET /api/v4/public/time HTTP/1.1\r\nHost: x\r\n\r\n")
            sandbox.until_struck()
            sandbox.process.send_signal(signal.SIGTERM)
            assert sandbox.process.wait(LAST_RESORT_SECONDS) == 0


def test_it_ends_when_its_parent_dies() -> None:
    # The parent is a process of its own that starts a sandbox, tells its number and is killed.
    program = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-m', 'devkit.sandbox', '--port', '0', '--end-with-parent'],"
        " stdout=subprocess.PIPE, text=True)\n"
        "print(child.pid, child.stdout.readline(), flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline().split()[0])
        parent.kill()
    until(lambda: not is_running(child))


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # Nobody may be there to collect an orphan in a container: a zombie has ended.
    return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_manage_py_hands_every_argument_through() -> None:
    command = [sys.executable, "manage.py", "sandbox", "--port", "0", "--world", "daytime", "--seed", "7"]
    more = ["--now", "2026-10-20T15:00:00Z", "--history-days", "3", "--limit-calls", "2", "--end-with-parent"]
    with subprocess.Popen([*command, *more], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        with Sandbox(process, process.stdout.readline().removeprefix("sandbox listening on ").strip()) as sandbox:
            truth = sandbox.truth()
            caller = Caller(sandbox.base_url, sandbox.key("alpha"))
            assert (truth["world"], truth["seed"], truth["now"][:16]) == ("daytime", 7, "2026-10-20T15:00")
            assert {account["created_at"][:10] for account in truth["users"][0]["accounts"]} == {"2026-10-16"}
            assert [caller("accounts").status for _ in range(3)] == [200, 200, 429]


def test_manage_py_answers_a_mistake_with_the_same_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        Command().run_from_argv(["manage.py", "sandbox", "--speed", "9"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == "sandbox: unrecognized arguments: --speed 9 (see --help)\n"
