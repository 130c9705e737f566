"""PostgreSQL and a Redis-compatible server for demo, development and tests, where none is installed.

    python -m devkit.servers [--temporary | --data-dir DIR] -- COMMAND …

runs COMMAND with DATABASE_URL, DATABASE_OWNER_URL and REDIS_URL set; a server whose address is set already is not
started. Both servers end with their starter, however it ends. `running(folder)` is the same as a block of Python.

Who starts whom:

    make ── starter (__main__, starter) ─┬─ COMMAND
                                         └─ supervisor (supervisor, watch) ─┬─ Valkey    (valkey)
                                                                            └─ PostgreSQL (postgres, as an identity)

1. The starter finds the programs (binaries), starts the supervisor in a session of its own and writes it what is
   wanted. The pipe between them stays open: its end is the sign that all is over.
2. The supervisor chooses as whom PostgreSQL may run (identity) and where files and sockets go (places), starts both
   servers (server) and answers with their addresses. When another supervisor has the same folder, it answers with the
   addresses of that one's servers.
3. The starter runs COMMAND, tells the supervisor its number, and passes on the signals that reach it.

Who ends whom:

- COMMAND ends: the starter ends what that left behind and closes the pipe; the supervisor ends PostgreSQL, then Valkey.
- The starter is told to end: it passes that on to COMMAND, and waits as above.
- The starter is killed: the pipe closes; the supervisor ends COMMAND, then the servers.
- A `make` above the starter is killed, or the supervisor is told to end: it ends the starter, and the rest follows.
- The supervisor is killed: the kernel ends the servers (identity: the death signal); the next start tidies up.
"""

from devkit.servers.errors import EmbeddedError
from devkit.servers.starter import running

__all__ = ["EmbeddedError", "running"]
