"""make restore-drill: the demo's data is backed up, restored into a fresh cluster, and looked at there.

With the servers up (the Makefile starts them). The scripts are those that docs/production.md names.
"""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import unified_diff
from urllib.parse import parse_qs, urlsplit

import psycopg

from devkit import servers
from devkit.drills import comparison, guards
from devkit.drills.steps import DEPLOY, DrillFailed, run, say
from devkit.servers import binaries

DATABASE = ("DATABASE_URL", "DATABASE_OWNER_URL")


@dataclass(frozen=True)
class Cluster:
    """A PostgreSQL whose socket, in `sockets`, lets everybody in by name."""

    sockets: str

    def url(self, role: str) -> str:
        return f"postgresql://{role}@/portal?host={self.sockets}"

    def session(self, role: str, *, database: str = "portal", autocommit: bool = False) -> guards.Session:
        return psycopg.connect(host=self.sockets, user=role, dbname=database, autocommit=autocommit)

    def environment(self) -> dict[str, str]:
        """For PostgreSQL's own programs, as the owner."""
        path = f"{binaries.postgres_bin()}{os.pathsep}{os.environ['PATH']}"
        return {"PATH": path, "PGHOST": self.sockets, "PGUSER": "portal_owner"}

    def portal_environment(self) -> dict[str, str]:
        return os.environ | {"DATABASE_URL": self.url("portal_runtime"), "DATABASE_OWNER_URL": self.url("portal_owner")}


def main() -> int:
    source = cluster_of(os.environ["DATABASE_OWNER_URL"])
    try:
        with tempfile.TemporaryDirectory(prefix="portal-drill-") as folder:
            os.environ["PORTAL_DATA_DIR"] = folder
            say("The demo makes the data …")
            run([sys.executable, "-m", "devkit.demo", "--once"], os.environ)
            _take_the_demos_secrets()
            drill(source)
    except DrillFailed as error:
        sys.stderr.write(f"restore drill: {error}\n")
        return 1
    return 0


def drill(source: Cluster) -> None:
    backup = run(["sh", DEPLOY / "backup.sh"], source.environment())
    say(f"Backed up: {len(backup):,} bytes.")
    with fresh_cluster() as restored:
        restore(backup, restored)
        check(source, restored)
    say("The restored portal is the one that was backed up.")


def restore(backup: bytes, cluster: Cluster) -> None:
    run(["sh", DEPLOY / "restore.sh"], cluster.environment(), feed=backup)
    manage(cluster, "migrate", "--verbosity", "0")


def check(source: Cluster, restored: Cluster) -> None:
    """Raises with everything that is not as before."""
    with source.session("postgres") as before, restored.session("postgres") as after:
        wrong = list(comparison.differences(before, after))
        say(f"Rows, sequences: {comparison.row_count(after):,} rows compared.")
    schemas = comparison.schema(source.environment()), comparison.schema(restored.environment())
    wrong += [f"The schema differs: {line}" for line in unified_diff(*schemas, n=0, lineterm="")]
    with restored.session("portal_runtime") as runtime, restored.session("portal_owner") as owner:
        wrong += guards.faults(runtime, owner)
    say(f"Schema, walls, {len(guards.REFUSED) + len(guards.OWNER_REFUSED)} guards: tried.")
    if wrong:
        raise DrillFailed("\n".join(wrong))
    say(manage(restored, "verify_books").decode().strip())
    say(_open_every_pool_key(restored))


def _open_every_pool_key(restored: Cluster) -> str:
    """Sealing them anew opens each of them, with the private keys that are kept apart from the backup."""
    made = dict(line.split("=", 1) for line in manage(restored, "sealing_key", "--id", "drill").decode().splitlines())
    both = {name: f"{key},{os.environ[name]}" for name, key in made.items()}
    said = manage(restored, "rotate_sealing_key", **both).decode().strip()
    if said.startswith("0 "):
        raise DrillFailed("There was no pool key to open.")
    return said


def manage(cluster: Cluster, *words: str, **changes: str) -> bytes:
    return run([sys.executable, "manage.py", *words], cluster.portal_environment() | changes)


def cluster_of(url: str) -> Cluster:
    return Cluster(sockets=parse_qs(urlsplit(url).query)["host"][0])


@contextmanager
def fresh_cluster() -> Iterator[Cluster]:
    """A cluster with the roles of docs/deploy/roles.sh and an empty database, as the compose file's begins."""
    kept = {name: os.environ.pop(name) for name in DATABASE if name in os.environ}
    try:
        with servers.running(None) as addresses:
            cluster = cluster_of(addresses["DATABASE_OWNER_URL"])
            with cluster.session("postgres", database="postgres", autocommit=True) as session:
                for statement in (
                    "ALTER DATABASE portal RENAME TO former_portal",
                    "ALTER ROLE portal_owner RENAME TO former_owner",
                    "ALTER ROLE portal_runtime RENAME TO former_runtime",
                ):
                    session.execute(statement)
            make_roles(cluster)
            yield cluster
    finally:
        os.environ.update(kept)


def make_roles(cluster: Cluster) -> None:
    passwords = {name: secrets.token_hex(16) for name in ("OWNER_DB_PASSWORD", "RUNTIME_DB_PASSWORD")}
    run(["sh", DEPLOY / "roles.sh"], cluster.environment() | passwords)


def _take_the_demos_secrets() -> None:
    from devkit.demo import environment

    environment.prepare()


if __name__ == "__main__":
    sys.exit(main())
