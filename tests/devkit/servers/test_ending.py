"""Whoever ends, and however: nothing of ours is left."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.devkit.servers.launcher import (
    CLEAN,
    ROOT,
    SAY_ADDRESSES_AND_WAIT,
    Running,
    addresses_of,
    children_of,
    command_line,
    nothing_left,
    only_linux,
    processes_of,
    run,
    sockets_folder,
    supervisor_of,
)
from tests.waiting import LAST_RESORT_SECONDS, until

pytestmark = only_linux


def test_after_a_normal_end_neither_process_nor_folder_is_left() -> None:
    folder = sockets_folder(addresses_of("--temporary"))
    assert (processes_of(folder.parent), folder.parent.exists()) == ([], False)


def test_temporary_folders_whose_supervisor_was_killed_are_swept_up_later(tmp_path: Path) -> None:
    abandoned = tmp_path / "portal-embedded-abandoned"
    abandoned.mkdir()
    (abandoned / "lock").touch()
    os.utime(abandoned / "lock", (0, 0))
    run("--temporary", "--", "true", DATABASE_URL="postgresql://x@/y", TMPDIR=str(tmp_path))
    assert list(tmp_path.iterdir()) == []


# Counts what reaches it, and asks Valkey after that: the servers must still be there. (Both take the same way out, and
# Valkey is there sooner.)
STUBBORN = """
import os, signal, sys, time, redis
received = []
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, frame: received.append(number))
print("ready", flush=True)
while not received:
    time.sleep(0.02)
time.sleep(0.1)
answer = redis.Redis.from_url(os.environ["REDIS_URL"]).echo("still there")
print([signal.Signals(number).name for number in received], answer, flush=True)
sys.exit(5)
"""


@pytest.mark.parametrize(
    ("number", "to_the_group"), [(signal.SIGINT, True), (signal.SIGINT, False), (signal.SIGTERM, True)]
)
def test_a_signal_reaches_the_command_once_and_the_servers_outlive_it(
    number: signal.Signals, *, to_the_group: bool, short_path: Path
) -> None:
    starter = subprocess.Popen(
        command_line("--temporary", "--", sys.executable, "-c", STUBBORN),
        env=CLEAN | {"DATABASE_URL": "postgresql://x@/y", "TMPDIR": str(short_path)},
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # As from a terminal: where the suite itself was put into the background, its children ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert starter.stdout
    assert starter.stdout.readline() == "ready\n"
    (os.killpg if to_the_group else os.kill)(starter.pid, number)
    said, _ = starter.communicate(timeout=LAST_RESORT_SECONDS)
    assert (said, starter.returncode) == (f"['{number.name}'] b'still there'\n", 5)
    assert (processes_of(short_path), list(short_path.iterdir())) == ([], [])


# Plays the person: waits for the command, presses the keys, shows what the screen said.
AT_A_TERMINAL = """
import os, pty, sys
pid, screen = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
said = b""
try:
    while piece := os.read(screen, 4096):
        if b"ready" in piece:
            os.write(screen, sys.argv[1].encode())
        said += piece
except OSError:
    pass
print(said.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def at_a_terminal(keys: str, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    words = command_line("--temporary", "--", sys.executable, "-c", script)
    return subprocess.run(
        [sys.executable, "-c", AT_A_TERMINAL, keys, *words],
        env=CLEAN | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LAST_RESORT_SECONDS,
    )


def test_a_command_at_a_terminal_may_read_from_it() -> None:
    script = "print('ready', flush=True); print('read', input())"
    ended = at_a_terminal("some words\n", script, DATABASE_URL="postgresql://x@/y", REDIS_URL="redis://x")
    assert (ended.returncode, "read some words" in ended.stdout) == (0, True)


def test_ctrl_c_at_a_terminal_reaches_the_command_once_and_the_servers_outlive_it() -> None:
    ended = at_a_terminal("\x03", STUBBORN, DATABASE_URL="postgresql://x@/y")
    assert (ended.returncode, "['SIGINT'] b'still there'" in ended.stdout) == (5, True)


def test_what_the_command_left_behind_ends_with_it(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    ended = run("--temporary", "--", "sh", "-c", f"tail -f /dev/null {mark} & exit 3", DATABASE_URL="x", REDIS_URL="x")
    assert (ended.returncode, processes_of(mark)) == (3, [])


def test_when_the_starter_is_killed_command_servers_and_folder_go() -> None:
    starter = Running("--temporary")
    folder = sockets_folder(starter.addresses).parent
    command = children_of(starter.process.pid)[-1]
    starter.process.kill()
    starter.end()
    until(lambda: not folder.exists())
    nothing_left(folder)
    until(lambda: not Path(f"/proc/{command}").exists() or "Z" in Path(f"/proc/{command}/stat").read_text())


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_when_make_is_killed_everything_below_it_goes(short_path: Path) -> None:
    words = " ".join(command_line("--temporary", "--", sys.executable, "-c", f'"{SAY_ADDRESSES_AND_WAIT}"'))
    # With a shell between make and us, which outlives make.
    (short_path / "Makefile").write_text(f"demo:\n\t@true; {words}; true\n")
    given = {"DATABASE_URL": "postgresql://x@/y", "TMPDIR": str(short_path)}
    make = Running(words=["make", "--silent", "-f", str(short_path / "Makefile"), "demo"], **given)
    make.process.kill()
    make.end()
    until(lambda: not list(short_path.glob("portal-embedded-*")))
    nothing_left(short_path)


def test_when_the_supervisor_itself_is_killed_the_servers_go(tmp_path: Path) -> None:
    starter = Running("--data-dir", tmp_path)
    os.kill(supervisor_of(starter.process.pid), signal.SIGKILL)
    until(lambda: processes_of(tmp_path / "embedded") == [])
    assert starter.end() == 128 + signal.SIGTERM


def test_a_script_that_leaves_it_in_the_background_may_end(tmp_path: Path) -> None:
    there, go_on, proof = tmp_path / "there", tmp_path / "go-on", tmp_path / "proof"
    os.mkfifo(go_on)
    words = " ".join(command_line("--temporary", "--", "sh", "-c", f"'touch {there}; cat {go_on} > {proof}'"))
    script = f"{words} & while [ ! -e {there} ]; do sleep 0.02; done"
    given = {"DATABASE_URL": "x", "REDIS_URL": "x"}
    subprocess.run(["sh", "-c", script], env=CLEAN | given, cwd=ROOT, check=True, start_new_session=True)
    time.sleep(0.7)  # longer than the supervisor takes to look
    pipe = os.open(go_on, os.O_WRONLY | os.O_NONBLOCK)  # an error when nobody reads any more
    os.write(pipe, b"went on")
    os.close(pipe)
    nothing_left(go_on)
    assert proof.read_text() == "went on"


def test_under_nohup_the_end_of_the_terminal_is_not_the_end() -> None:
    given = {"DATABASE_URL": "postgresql://x@/y", "REDIS_URL": "redis://x"}
    words = command_line("--temporary", "--", sys.executable, "-c", SAY_ADDRESSES_AND_WAIT)
    starter = Running(words=["nohup", *words], **given)
    starter.process.send_signal(signal.SIGHUP)
    assert starter.end() == 128 + signal.SIGTERM
