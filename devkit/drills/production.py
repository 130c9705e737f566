"""make production-drill: docs/production.md done on this machine, from the first start to a month that is issued.

What each step shows is one line. The logs of a drill that failed stay where its last line says.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from devkit.drills import programs
from devkit.drills.compose import names_of_env_file
from devkit.drills.steps import DEPLOY, PROJECT, DrillFailed, MachineLacks, run, say

SLUG, LOGIN, OWNER_EMAIL, PASSWORD = "acme", "northmere", "owner@acme.example", "a drill is not a fire 42"
# Of the sandbox's demo world: rewards paid to the main balance and nothing odd on them.
CUSTOMERS = {"Alder Mining": "Bergfeld1", "Birch Compute": "quarry_btc"}


def main() -> int:
    if missing := programs.missing():
        return _not_run(", ".join(missing))
    # Under /tmp, where an ordinary user may come and a socket's path is short; the settings of whoever starts the drill
    # are not the portal's.
    os.umask(0o022)
    folder = Path(tempfile.mkdtemp(prefix="portal-drill-", dir="/tmp"))
    folder.chmod(0o755)
    began = time.monotonic()
    for name in [
        name for name in os.environ if name.startswith(("PORTAL_", "DATABASE_", "REDIS_", "POOL_", "DJANGO_"))
    ]:
        del os.environ[name]
    try:
        Drill(folder).run()
    except MachineLacks as lacks:
        shutil.rmtree(folder)
        return _not_run(str(lacks))
    except DrillFailed as error:
        sys.stderr.write(f"production drill: {error}\nThe logs are in {folder / 'logs'}.\n")
        return 1
    shutil.rmtree(folder)
    say(f"The production drill took {time.monotonic() - began:.0f} s.")
    return 0


def _not_run(lacks: str) -> int:
    say(f"production drill: NOT RUN, because this machine lacks {lacks}.")
    return 0


class Drill:
    def __init__(self, folder: Path) -> None:
        # Imported here: these read Django's settings module, and there is none for them to read before.
        _settings_for_our_own_process()
        from devkit.drills.host import Host

        self.folder = folder
        self.host = Host(folder)
        self.token_of_traffic = ""
        self.api: Any = None
        self.month = (datetime.now(UTC).date().replace(day=1) - timedelta(days=1)).replace(day=1)

    def run(self) -> None:
        try:
            self._check_compose()
            self._build()
            self.host.start_servers()
            self.host.start_portal()
            say("As an ordinary user run: nginx, PostgreSQL, Redis behind TLS, two web servers, two workers, beat.")
            self._code_is_read_only()
            self._onboard()
            self._close_and_issue()
            self._replace_one_by_one()
            backup = self._back_up()
            self._update()
            self._lose_and_restore(backup)
        finally:
            self.host.stop()

    # -- first start

    def _check_compose(self) -> None:
        lines = "".join(f"{name}='{self.host.env_file[name]}'\n" for name in names_of_env_file())
        (self.folder / "env").write_text(lines)
        program = programs.find("docker-compose")
        if program is None:
            say("Compose file: NOT CHECKED, because docker-compose is not here (apt-get install docker-compose).")
            return
        run(
            [program, "--env-file", self.folder / "env", "config", "--quiet"],
            {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
        )
        say("Compose file: docker-compose takes it, with an .env of every name in .env.example.")

    def _build(self) -> None:
        from devkit.drills.image import Image

        self.host.image = Image(self.folder / "app")
        self.host.image.trust(self.host.certificates.authority)
        said = run([programs.DEBIANS_PYTHON, "--version"], os.environ).decode().strip()
        say(f"Image: the Dockerfile's steps in a clean folder (not a root of its own), with Debian's {said}.")

    def _code_is_read_only(self) -> None:
        if os.geteuid() != 0:
            return  # whoever is ordinary already owns the folder
        try:
            self.host.as_ordinary("write", "/usr/bin/touch", self.host.image.app / "portal" / "changed.py")
        except DrillFailed:
            return
        raise DrillFailed("The ordinary user can write into the code.")

    # -- a provider, its owner, its pool key, its customers

    def _onboard(self) -> None:
        from devkit.drills.visitor import Api, Visitor

        said = self.host.manage(
            "web", "provider", "create", "--slug", SLUG, "--name", "Acme Hosting", "--owner-email", OWNER_EMAIL
        )
        link = said.split()[-1]
        (mail,) = self.host.mail.mails
        if mail["To"] != OWNER_EMAIL or link not in mail.get_content():
            raise DrillFailed(f"The invitation's mail is another: {mail}")
        owner = Visitor(self.host)
        set_up = owner.send(owner.open(link), name="Olga Owner", password1=PASSWORD)
        (secret,) = re.findall(r"<p class=\"mono secret\">([A-Z2-7]+)</p>", set_up.text)
        owner.send(set_up, code=owner.code(secret))
        say("Provider made, its owner invited by mail, password and second factor set through the proxy.")
        self._sign_in(secret, owner.used_step)
        api_key, pool_secret = self.host.pool_key()
        secret_file = self.host.data / "pool-secret"
        secret_file.write_text(pool_secret)
        secret_file.chmod(0o644)
        self.host.manage(
            "worker", "provider", "credential", "--slug", SLUG, "--label", LOGIN, "--api-key", api_key,
            "--secret-file", str(secret_file),
        )  # fmt: skip
        secret_file.unlink()
        self.api = Api(self.host, self._new_token("drill", "*"))
        self.token_of_traffic = self._new_token("traffic", "customers:read")  # its calls are counted by themselves
        self._read_the_pool()
        for name, account in CUSTOMERS.items():
            self._customer(name, account)
        self._read_the_pool()
        rewards = self.api.get("/rewards?limit=500")["data"]
        if not rewards:
            raise DrillFailed("The pool was read and no reward came.")
        say(
            f"Pool key verified, {len(CUSTOMERS)} customers, the pool read through TLS: {len(rewards)} rewards or more."
        )

    def _new_token(self, name: str, scopes: str) -> str:
        words = ("provider", "token", "--slug", SLUG, "--scopes", scopes, "--name", name)
        return self.host.manage("web", *words).split()[-1]

    def _sign_in(self, secret: str, used_step: int) -> None:
        from devkit.drills.visitor import Visitor

        visitor = Visitor(self.host, address="127.0.0.23")
        visitor.used_step = used_step
        second = visitor.send(visitor.open("/account/login/"), login=OWNER_EMAIL, password=PASSWORD)
        page = visitor.send(second, code=visitor.code(secret))
        if "Acme Hosting" not in page.text:
            raise DrillFailed(f"After the sign-in the page {page.url} is not the provider's.")
        addresses = {
            event.get("ip")
            for name in ("web", "web2")
            for event in self.host.events(name)
            if event["event"] == "sign_in.done"
        }
        if addresses != {"127.0.0.9", "127.0.0.23"}:
            raise DrillFailed(f"The log has sign-ins from {addresses}, not from 127.0.0.9 and 127.0.0.23.")
        say("Signed in with the second factor; the log has the visitor's own address, not the one it made up.")

    def _customer(self, name: str, account: str) -> None:
        customer = self.api.post(
            "/customers/",
            name=name,
            email=f"{account.lower()}@customer.example",
            mining_account={"name": account, "adopt": True},
        )
        self.api.post(
            "/contracts/",
            customer=customer["id"],
            valid_from=self.month.isoformat(),
            settle_in="btc",
            components=[{"kind": "revenue_share", "share_ppm": 150_000, "basis": "net"}],
        )

    def _read_the_pool(self) -> None:
        asked = self.api.post("/sync-runs/")["data"]
        self.until("the reading", lambda: self._ended([run["id"] for run in asked]))

    def _runs(self, ids: list[str]) -> list[dict[str, Any]]:
        """One call, however many: who waits for long may not use up the token's calls of a minute."""
        return [run for run in self.api.get("/sync-runs?limit=500")["data"] if run["id"] in ids]

    def _begun(self, ids: list[str]) -> bool:
        return any(run["state"] != "queued" for run in self._runs(ids))

    def _ended(self, ids: list[str]) -> bool:
        runs = self._runs(ids)
        if failed := [run for run in runs if run["state"] == "failed"]:
            raise DrillFailed(f"Reading {failed[0]['subject']} failed: {failed[0]['error']}")
        return len(runs) == len(ids) and all(run["state"] in ("ok", "partial") for run in runs)

    # -- the month

    def _close_and_issue(self) -> None:
        self.host.manage("web", "close_period", "--provider", SLUG, "--period", f"{self.month:%Y-%m}", "--issue")
        documents = self.issued()
        if len(documents) != len(CUSTOMERS):
            raise DrillFailed(f"{len(documents)} documents were issued for {len(CUSTOMERS)} customers.")
        for document in documents:
            self.until("the PDF", lambda document=document: self._pdf(document).startswith(b"%PDF"))  # type: ignore[misc]
        self.host.manage("web", "verify_books")
        numbers = ", ".join(sorted(document["number"] for document in documents))
        say(f"{self.month:%B} closed and issued: {numbers}, each with its PDF; the books agree.")

    # -- replaced while it works

    def _replace_one_by_one(self) -> None:
        from devkit.drills.host import WEBS, WORKERS
        from devkit.drills.traffic import Traffic

        for endpoint in ("rewards", "hashrate"):  # slow enough for a worker to be replaced meanwhile
            self.host.control("POST", "faults", name="delay", endpoint=endpoint, seconds=2, times=8)
        with Traffic(self.host, self.token_of_traffic) as traffic:
            for name in WEBS:
                self.host.replace(name)
            asked = [run["id"] for run in self.api.post("/sync-runs/")["data"]]
            self.until("a reading to begin", lambda: self._begun(asked))
            for name in WORKERS:
                self.host.replace(name)
            self.host.replace("beat")
            self.until("the reading", lambda: self._ended(asked))
        self.host.control("DELETE", "faults")
        _none_lost(traffic)
        say(f"Web servers, workers and beat replaced one by one: {traffic.asked} requests and a reading, nothing lost.")

    def _back_up(self) -> bytes:
        from devkit.drills.host import OWNER

        backup = run(["sh", DEPLOY / "backup.sh"], self.host.database_environment(OWNER))
        say(f"Backed up: {len(backup):,} bytes.")
        return backup

    def _update(self) -> None:
        """To a version with one more migration: it runs while the old version works, then all are replaced."""
        from devkit.drills.host import WEBS, WORKERS
        from devkit.drills.image import Image
        from devkit.drills.traffic import Traffic

        newest = sorted(path.stem for path in (PROJECT / "billing/migrations").glob("0*.py"))[-1]
        added = {"billing/migrations/9999_drill.py": MIGRATION.format(newest=newest)}
        self.host.image = Image(self.folder / "app2", like=self.host.image, added=added)
        with Traffic(self.host, self.token_of_traffic) as traffic:
            self.host.manage("migrate", "migrate")
            for name in WEBS:
                if not self.host.is_ready(name):
                    raise DrillFailed(f"After the migration the old {name} is not ready any more.")
            for name in (*WEBS, *WORKERS, "beat"):
                self.host.replace(name)
        _none_lost(traffic)
        self._read_the_pool()
        say(f"Updated to a version with a migration: {traffic.asked} requests, nothing lost.")

    # -- lost and restored

    def _lose_and_restore(self, backup: bytes) -> None:
        from devkit.drills.host import OWNER, WEBS, WORKERS

        before = self._told()
        for name in ("beat", *WORKERS, *WEBS):
            self.host.processes.stop(name)
        superuser = self.host.database_environment("postgres")
        run(["psql", "--command", "DROP DATABASE portal WITH (FORCE)"], superuser)
        self.host.empty_redis()
        self.host.make_roles()
        run(["sh", DEPLOY / "restore.sh"], self.host.database_environment(OWNER), feed=backup)
        self.host.start_portal()
        self.host.manage("web", "verify_books")
        if (after := self._told()) != before:
            raise DrillFailed(f"After the restore the portal tells another story: {after} instead of {before}.")
        self._read_the_pool()
        say("Database and Redis lost and restored, the documents and PDFs are the same, the pool is read again.")

    def _told(self) -> list[tuple[str, str]]:
        return sorted((str(row), sha256(self._pdf(row)).hexdigest()) for row in self.issued())

    def issued(self) -> list[dict[str, Any]]:
        documents: list[dict[str, Any]] = self.api.get("/documents/?status=issued")["data"]
        return documents

    def _pdf(self, document: dict[str, Any]) -> bytes:
        try:
            content: bytes = self.api.content(document["pdf"])
        except DrillFailed as refused:
            if "pdf_not_made" in str(refused):
                return b""
            raise
        return content

    def until(self, what: str, happened: Callable[[], object]) -> None:
        self.host.processes.until(what, happened, pause=0.3)  # at most 200 calls in a minute; a token has 600


def _none_lost(traffic: Any) -> None:
    if traffic.failed or not traffic.asked:
        raise DrillFailed(f"Of {traffic.asked} requests {len(traffic.failed)} were lost: {traffic.failed[:5]}.")


# What an update may do while the version before it still works: it adds, and takes nothing away.
MIGRATION = """
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("billing", "{newest}")]
    operations = [
        migrations.RunSQL("ALTER TABLE billing_contract ADD drilled boolean")
    ]
"""


def _settings_for_our_own_process() -> None:
    """The drill makes keys and codes with the portal's own functions; it serves nobody with these."""
    os.environ |= {"PORTAL_MODE": "test", "SECRET_KEY": "drill", "DJANGO_SETTINGS_MODULE": "portal.settings"}
    os.environ["PORTAL_LOG_LEVEL"] = "WARNING"
    os.environ |= {"DATABASE_URL": "postgresql://drill@/drill", "REDIS_URL": "redis://drill"}
    os.environ |= {"POOL_SEALING_PUBLIC_KEYS": "drill:" + "A" * 43}
    import django

    django.setup()


if __name__ == "__main__":
    sys.exit(main())
