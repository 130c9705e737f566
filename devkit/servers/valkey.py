"""One Valkey (or Redis) server on a unix socket. It runs as the starter: unlike PostgreSQL it does not mind root."""

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devkit.servers import processes, server
from devkit.servers.identity import myself

SOCKET_NAME = "valkey.sock"
END = (signal.SIGTERM, 10.0)


def url(sockets: Path) -> str:
    return f"unix://{sockets / SOCKET_NAME}?db=0"


@contextmanager
def running(*, program: Path, home: Path, sockets: Path, temporary: bool) -> Iterator[None]:
    data = home / "valkey"
    data.mkdir(mode=0o700, exist_ok=True)
    server.give_to(data, uid=myself().uid, gid=myself().gid)
    pid_file, at = data / "valkey.pid", sockets / SOCKET_NAME
    processes.end_leftover(server.pid_in(pid_file), END, mentions=data)
    with server.running(
        [program, *_settings(data, at, pid_file, temporary=temporary)],
        name="Valkey",
        identity=myself(),
        log=home / "valkey.log",
        answers=lambda _: answers(at),
        start_seconds=60.0,
        end=[END],
    ):
        yield
    at.unlink(missing_ok=True)


def _settings(data: Path, at: Path, pid_file: Path, *, temporary: bool) -> list[str]:
    settings = {
        "port": "0",
        "unixsocket": str(at),
        "unixsocketperm": "700",
        "dir": str(data),
        "pidfile": str(pid_file),
        "daemonize": "no",
        "save": "",
        "appendonly": "no" if temporary else "yes",
        "maxmemory-policy": "noeviction",  # tasks wait in it: a queue must not forget
        "set-proc-title": "no",  # so that the process list goes on to say whose server this is
    }
    return [word for name, value in settings.items() for word in (f"--{name}", value)]


def answers(at: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1.0)
        try:
            connection.connect(str(at))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")  # while it loads its file it says -LOADING
        except OSError:
            return False
