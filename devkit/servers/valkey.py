"""One Valkey (or Redis) server on a unix socket. It runs as the starter: unlike PostgreSQL it does not mind root."""

import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devkit.servers import processes
from devkit.servers.errors import EmbeddedError
from devkit.servers.identity import myself

SOCKET_NAME = "valkey.sock"
START_SECONDS = 60.0


def url(sockets: Path) -> str:
    return f"unix://{sockets / SOCKET_NAME}?db=0"


@contextmanager
def running(*, program: Path, home: Path, sockets: Path, temporary: bool) -> Iterator[subprocess.Popen[bytes]]:
    data = home / "valkey"
    data.mkdir(mode=0o700, exist_ok=True)
    processes.give_to(data, uid=myself().uid, gid=myself().gid)
    pid_file = data / "valkey.pid"
    processes.end_leftover(_pid_in(pid_file), mentions=data, end_with=signal.SIGTERM)
    log_path = home / "valkey.log"
    with processes.fresh_log(log_path) as log:
        server = myself().spawn(
            [program, *_settings(data, sockets, temporary=temporary)], death_signal=signal.SIGTERM, stdout=log
        )
    try:
        pid_file.write_text(str(server.pid))
        _await_ready(server, sockets / SOCKET_NAME, log_path)
        yield server
    finally:
        processes.end(server, (signal.SIGTERM, 10.0))
        pid_file.unlink(missing_ok=True)
        (sockets / SOCKET_NAME).unlink(missing_ok=True)


def _settings(data: Path, sockets: Path, *, temporary: bool) -> list[str]:
    settings = {
        "port": "0",
        "unixsocket": str(sockets / SOCKET_NAME),
        "unixsocketperm": "700",
        "dir": str(data),
        "daemonize": "no",
        "save": "",
        "appendonly": "no" if temporary else "yes",
        "maxmemory-policy": "noeviction",  # tasks wait in it: a queue must not forget
        "set-proc-title": "no",  # so that the process list goes on to say whose server this is
    }
    return [word for name, value in settings.items() for word in (f"--{name}", value)]


def _await_ready(server: subprocess.Popen[bytes], path: Path, log_path: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        if answers(path):
            return
        time.sleep(0.01)
    raise EmbeddedError(f"Valkey did not start ({processes.what_it_said(log_path)}): {log_path} says more.")


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1.0)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")  # while it loads its file it says -LOADING
        except OSError:
            return False


def _pid_in(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
