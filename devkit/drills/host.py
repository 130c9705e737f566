"""One production host: what docker-compose.yml and docs/deploy describe, as programs of this machine on free ports.

Redis, the pool and (where its program can) PostgreSQL are met through TLS, as if they were on other hosts.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from aiosmtpd.controller import Controller

from customers.sealing import new_key_pair
from devkit.drills import certificates, processes, programs
from devkit.drills.compose import Compose, names_of_env_file
from devkit.drills.image import Image
from devkit.drills.processes import Processes, free_port
from devkit.drills.steps import DEPLOY, PROJECT, DrillFailed, run, say

OWNER = "portal_owner"
WEBS, WORKERS = ("web", "web2"), ("worker", "worker2")


class MailSink:
    """Takes every mail and keeps it."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.port = free_port()
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


class Host:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes = Processes(folder / "logs")
        self.certificates = certificates.make(folder / "tls")
        os.chmod(self.certificates.key, 0o644)  # the drill's programs are an ordinary user's; nobody trusts this key
        self.data = processes.belongs_to_ordinary(folder / "data")
        self.mail = MailSink()
        self.ports = {name: free_port() for name in ("postgres", "redis", "proxy", "plain", "pool", "sandbox", *WEBS)}
        self.address = f"https://localhost:{self.ports['proxy']}"
        self.pool_address = f"https://localhost:{self.ports['pool']}"
        self.env_file = self._env_file()
        self.compose = Compose(self.env_file)
        self.image: Image

    # -- servers

    def start_servers(self) -> None:
        self.mail.controller.start()
        self._start_postgres()
        self._start_redis()
        self._start_sandbox()
        self._start_proxy()

    def stop(self) -> None:
        self.processes.stop_all()
        self.mail.controller.stop(no_assert=True)

    def _start_postgres(self) -> None:
        self.postgres_bin, self.postgres_speaks_tls, which = programs.postgres(self.folder)
        say(f"{which}, {Path(programs.redis_server()).name} and nginx of Debian.")
        self.sockets = processes.belongs_to_ordinary(self.folder / "sockets")
        data = self.data / "postgres"
        make = ("-D", data, "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        lets_in = ("--auth-local=trust", "--auth-host=scram-sha-256")
        self.as_ordinary("initdb", self.postgres_bin / "initdb", *make, *lets_in)
        settings = {
            "listen_addresses": "localhost",
            "port": self.ports["postgres"],
            "unix_socket_directories": self.sockets,
            "fsync": "off",
        }
        if self.postgres_speaks_tls:
            settings |= {"ssl": "on", "ssl_cert_file": self.certificates.certificate, "ssl_key_file": self._own_key()}
        own = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        log_settings = self.compose.command("postgres")[1:]
        program = str(self.postgres_bin / "postgres")
        self.processes.start(
            "postgres", [program, "-D", str(data), *own, *log_settings], self.plain(), folder=self.data
        )
        self.processes.until("PostgreSQL's start", lambda: processes.answers(self.ports["postgres"]))
        self.make_roles()

    def make_roles(self) -> None:
        passwords = {name: self.env_file[name] for name in ("OWNER_DB_PASSWORD", "RUNTIME_DB_PASSWORD")}
        self.processes.until("PostgreSQL's recovery", self._takes_sessions)
        run(["sh", DEPLOY / "roles.sh"], self.database_environment("postgres") | passwords)

    def _takes_sessions(self) -> bool:
        try:
            run(["psql", "--command", "SELECT 1"], self.database_environment("postgres"))
        except DrillFailed:
            return False
        return True

    def database_environment(self, user: str) -> dict[str, str]:
        """For PostgreSQL's own programs, through the socket."""
        path = f"{self.postgres_bin}:/usr/bin:/bin"
        return {"PATH": path, "PGHOST": str(self.sockets), "PGPORT": str(self.ports["postgres"]), "PGUSER": user}

    def _own_key(self) -> Path:
        """PostgreSQL wants a key that nobody else may read."""
        key = self.data / "postgres.key"
        key.touch(mode=0o600)
        key.write_bytes(self.certificates.key.read_bytes())
        if os.geteuid() == 0:
            owner = self.data.stat()
            os.chown(key, owner.st_uid, owner.st_gid)
        return key

    def _start_redis(self) -> None:
        settings = {
            "port": 0,
            "tls-port": self.ports["redis"],
            "tls-cert-file": self.certificates.certificate,
            "tls-key-file": self.certificates.key,
            "tls-ca-cert-file": self.certificates.authority,
            "tls-auth-clients": "no",
            "dir": self.data,
            "requirepass": self.env_file["REDIS_PASSWORD"],
            "appendonly": "yes",
            "maxmemory-policy": "noeviction",
        }
        feed = "".join(f"{name} {value}\n" for name, value in settings.items())
        self.processes.start("redis", [programs.redis_server(), "-"], self.plain(), folder=self.data, feed=feed)
        self.processes.until("Redis's start", lambda: processes.answers(self.ports["redis"]))

    def _start_sandbox(self) -> None:
        words = [sys.executable, "-m", "devkit.sandbox", "--port", str(self.ports["sandbox"]), "--seed", "7"]
        self.processes.start("sandbox", words, os.environ, folder=PROJECT, as_ourselves=True)
        self.processes.until("the sandbox's start", lambda: processes.answers(self.ports["sandbox"]))

    def _start_proxy(self) -> None:
        """docs/deploy/nginx.conf with this machine's ports, and the pool behind TLS too."""
        site = (DEPLOY / "nginx.conf").read_text()
        for there, here in {
            "127.0.0.1:8000": f"127.0.0.1:{self.ports['web']}",
            "127.0.0.1:8001": f"127.0.0.1:{self.ports['web2']}",
            "listen 443 ssl": f"listen 127.0.0.1:{self.ports['proxy']} ssl",
            "listen 80": f"listen 127.0.0.1:{self.ports['plain']}",
            "portal.example.com": "localhost",
            "/etc/ssl/portal.pem": str(self.certificates.certificate),
            "/etc/ssl/portal.key": str(self.certificates.key),
        }.items():
            if there not in site:
                raise DrillFailed(f"docs/deploy/nginx.conf does not say {there!r} any more.")
            site = site.replace(there, here)
        (self.folder / "site.conf").write_text(site)
        whole = self.folder / "nginx.conf"
        whole.write_text(
            NGINX.format(folder=self.data, site=self.folder / "site.conf", certificate=self.certificates, **self.ports)
        )
        words = ["-c", str(whole), "-e", "stderr", "-g", "daemon off;"]
        self.processes.start("nginx", [programs.find("nginx") or "nginx", *words], self.plain(), folder=self.data)
        self.processes.until("nginx's start", lambda: processes.answers(self.ports["proxy"]))

    # -- the portal

    def _env_file(self) -> dict[str, str]:
        """.env as docs/production.md has it filled in: every name of .env.example."""
        private, public = new_key_pair()
        values = {
            "SECRET_KEY": secrets.token_hex(32),
            "POOL_SEALING_PUBLIC_KEYS": f"k1:{public}",
            "POOL_SEALING_PRIVATE_KEYS": f"k1:{private}",
            "ALLOWED_HOSTS": "localhost",
            "PORTAL_URL": self.address,
            "EMAIL_URL": f"smtp://127.0.0.1:{self.mail.port}",
            "DEFAULT_FROM_EMAIL": '"Hosting, Inc." <portal@portal.example.com>',
            **{
                name: f"registry.example/{name.lower()}@sha256:{'0' * 64}"
                for name in ("POSTGRES_IMAGE", "VALKEY_IMAGE", "PYTHON_IMAGE")
            },
        }
        passwords = {name: secrets.token_hex(32) for name in names_of_env_file() if name.endswith("_PASSWORD")}
        return values | passwords

    def service(self, name: str) -> dict[str, str]:
        """The environment of a service of the compose file, with our addresses in place of the containers'."""
        there = self.compose.environment(name)
        port, authority = self.ports["postgres"], self.certificates.authority
        tls = f"?sslmode=verify-full&sslrootcert={authority}" if self.postgres_speaks_tls else ""
        database = f"localhost:{port}/portal{tls}"
        here = {name: value.replace("postgres/portal", database) for name, value in there.items()}
        redis_password = self.env_file["REDIS_PASSWORD"]
        here |= {
            "REDIS_URL": f"rediss://:{redis_password}@localhost:{self.ports['redis']}/0?ssl_ca_certs={authority}",
            "UNENCRYPTED_HOSTS": "",
            "WHITEPOOL_BASE_URL": self.pool_address,
            "PORTAL_DATA_DIR": str(self.data),
        }
        return self.image.environment() | here

    def start_portal(self) -> None:
        self.manage("migrate", "migrate")
        for web in WEBS:
            self.start_web(web)
        for worker in WORKERS:
            self.start_worker(worker)
        self.start_beat()
        for name in WEBS:
            self.processes.until(f"the start of {name}", lambda name=name: self.is_ready(name))  # type: ignore[misc]

    def start_web(self, name: str) -> None:
        environment = self.service(name) | {"BIND": f"127.0.0.1:{self.ports[name]}"}
        self._start(name, self.image.command(), environment)

    def start_worker(self, name: str) -> None:
        words = [*self.compose.command("worker"), "--hostname", f"{name}@drill"]
        words[words.index("--concurrency") + 1] = "2"  # two workers on the two cores of a small machine
        self._start(name, words, self.service(name))

    def workers_ready(self, name: str) -> int:
        """How often this worker has said that it is."""
        return sum(f"{name}@drill ready" in str(event["event"]) for event in self.events(name))

    def replace(self, name: str) -> None:
        """`docker compose up -d --no-deps --wait NAME`."""
        ready_before = self.workers_ready(name)
        self.processes.stop(name)
        if name in WEBS:
            self.start_web(name)
            self.processes.until(f"the start of {name}", lambda: self.is_ready(name))
        elif name in WORKERS:
            self.start_worker(name)
            self.processes.until(f"the start of {name}", lambda: self.workers_ready(name) > ready_before)
        else:
            self.start_beat()

    def empty_redis(self) -> None:
        self.processes.stop("redis")
        shutil.rmtree(self.data / "appendonlydir")
        (self.data / "dump.rdb").unlink(missing_ok=True)
        self._start_redis()

    def start_beat(self) -> None:
        self._start("beat", self.compose.command("beat"), self.service("beat"))

    def _start(self, name: str, words: list[str], environment: dict[str, str]) -> None:
        program = self.image.app / ".venv/bin" / words[0]
        self.processes.start(name, [program, *words[1:]], environment, folder=self.image.app)

    def is_ready(self, name: str) -> bool:
        request = Request(f"http://127.0.0.1:{self.ports[name]}/readyz", headers={"Host": "localhost"})
        try:
            with urlopen(request, timeout=5) as answer:  # noqa: S310 - our own server
                return bool(answer.status == 200)
        except OSError:
            return False

    def manage(self, service: str, *words: str) -> str:
        """`docker compose run --rm SERVICE python manage.py …`: as the ordinary user, until it ends."""
        python = self.image.app / ".venv/bin/python"
        return self.as_ordinary(
            "manage", python, "manage.py", *words, environment=self.service(service), folder=self.image.app
        )

    def as_ordinary(
        self, name: str, *words: str | Path, environment: dict[str, str] | None = None, folder: Path | None = None
    ) -> str:
        log = self.processes.log(name)
        log.unlink(missing_ok=True)
        self.processes.start(name, words, environment or self.plain(), folder=folder or self.data)
        process = self.processes.running.pop(name)
        try:
            status = process.wait(900)
        except subprocess.TimeoutExpired as late:
            raise DrillFailed(f"{name} {' '.join(map(str, words[1:4]))} took over 900 s.") from late
        said = log.read_text(errors="replace")
        if status:
            raise DrillFailed(f"{name} {' '.join(map(str, words[1:4]))} ended with {status}:\n{said[-2000:]}")
        return said

    def plain(self) -> dict[str, str]:
        return {"PATH": "/usr/sbin:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}

    # -- what is to be seen from outside

    def control(self, method: str, path: str, **body: Any) -> Any:
        """The sandbox's control interface, which is no part of the pool."""
        request = Request(
            f"http://127.0.0.1:{self.ports['sandbox']}/sandbox/{path}",
            method=method,
            data=json.dumps(body).encode() if body else None,
            headers={"Content-Type": "application/json"},
        )
        with urlopen(request, timeout=120) as answer:  # noqa: S310 - our own server
            return json.load(answer)

    def pool_key(self) -> tuple[str, str]:
        (user,) = self.control("GET", "truth")["users"]
        return user["keys"][0]["api_key"], user["keys"][0]["secret"]

    def events(self, name: str) -> list[dict[str, Any]]:
        """The JSON lines of a log."""
        lines = self.processes.log(name).read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if re.match(r"\{.*\}$", line)]


NGINX = """\
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/nginx-body;
    proxy_temp_path {folder}/nginx-proxy;
    fastcgi_temp_path {folder}/nginx-fastcgi;
    uwsgi_temp_path {folder}/nginx-uwsgi;
    scgi_temp_path {folder}/nginx-scgi;
    include {site};
    server {{
        listen 127.0.0.1:{pool} ssl;
        ssl_certificate {certificate.certificate};
        ssl_certificate_key {certificate.key};
        location / {{ proxy_pass http://127.0.0.1:{sandbox}; }}
    }}
}}
"""
