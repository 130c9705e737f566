"""A wrong setting stops the start: one clear sentence on stderr, a non-zero status, no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from customers.sealing import new_key_pair
from portal import environment
from tests.waiting import LAST_RESORT_SECONDS

ROOT = Path(__file__).resolve().parents[2]
PRIVATE, PUBLIC = new_key_pair()

GOOD = {
    "PATH": os.environ["PATH"],
    "PORTAL_MODE": "production",
    "SECRET_KEY": "Zk3v9QwLr7Xt2Yb6Nc8Md4Pf1Hg5Js0KaUiOeTyRqWzVxBnMlAhDg",
    "DATABASE_URL": "postgresql://portal_runtime:pw@127.0.0.1:1/portal",
    "DATABASE_OWNER_URL": "postgresql://portal_owner:pw@127.0.0.1:1/portal",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "POOL_SEALING_PUBLIC_KEYS": f"k1:{PUBLIC}",
    "ALLOWED_HOSTS": "portal.example.com",
    "PORTAL_URL": "https://portal.example.com",
    "EMAIL_URL": "smtp+tls://user:pw@mail.example.com:587",
    "DEFAULT_FROM_EMAIL": '"Acme, Inc." <portal@example.com>',
}


def start(*words: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
    settings = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env=settings,
        capture_output=True,
        text=True,
        timeout=LAST_RESORT_SECONDS,
        check=False,
    )


def test_good_settings_start() -> None:
    done = start("manage.py", "shell", "-c", "print('started')")
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["started"]), done.stderr


LOGS = "import logging; log = logging.getLogger('x'); log.info('a call'); log.warning('a fault')"


def test_commands_log_what_is_wrong_and_more_when_they_are_asked_to() -> None:
    quiet = start("manage.py", "shell", "--no-imports", "-c", LOGS)
    asked = start("manage.py", "shell", "--no-imports", "-c", LOGS, PORTAL_LOG_LEVEL="INFO")
    logged = [[event for event in ("a call", "a fault") if event in done.stderr] for done in (quiet, asked)]
    assert (logged, quiet.stdout) == ([["a fault"], ["a call", "a fault"]], ""), quiet.stderr + asked.stderr


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"SECRET_KEY": None}, "SECRET_KEY is not set."),
        ({"SECRET_KEY": "short"}, "SECRET_KEY is an example or too weak."),
        ({"SECRET_KEY": "django-insecure-" + "a1B2c3D4" * 6}, "SECRET_KEY is an example or too weak."),
        ({"SECRET_KEY": None, "SECRET_KEY_FILE": "/nowhere"}, "SECRET_KEY_FILE points to /nowhere, which"),
        ({"PORTAL_MODE": "debug"}, "PORTAL_MODE is 'debug'"),
        (
            {"PORTAL_LOG_LEVEL": "loud"},
            "PORTAL_LOG_LEVEL is 'loud', but it must be one of DEBUG, INFO, WARNING, ERROR.",
        ),
        ({"DATABASE_URL": None}, "DATABASE_URL is not set."),
        ({"DATABASE_URL": "mysql://x/y"}, "DATABASE_URL must be a PostgreSQL address"),
        ({"DATABASE_URL": "postgresql://x@y:port/z"}, "DATABASE_URL is no address"),
        ({"DATABASE_URL": "postgresql://[::1/portal"}, "DATABASE_URL is no address"),
        ({"EMAIL_URL": "smtp://host:abc"}, "EMAIL_URL is no address"),
        ({"REDIS_URL": "redis://host:notaport/0"}, "REDIS_URL is no address"),
        ({"POOL_SEALING_PUBLIC_KEYS": ","}, "POOL_SEALING_PUBLIC_KEYS holds no key"),
        ({"TRUSTED_PROXY_COUNT": "-1"}, "TRUSTED_PROXY_COUNT must be a whole number"),
        ({"POOL_EGRESS_ADDRESSES": "198.51.100.7, pool.example"}, "POOL_EGRESS_ADDRESSES must be IP addresses"),
        ({"POOL_EGRESS_ADDRESSES": "2001:db8::1,2001:DB8:0::1"}, "POOL_EGRESS_ADDRESSES names the address 2001:db8::1"),
        ({"REDIS_URL": "amqp://x"}, "REDIS_URL must be redis://"),
        ({"DATABASE_URL": "postgresql://u:p@db.example/x"}, "DATABASE_URL reaches db.example without a checked cert"),
        ({"DATABASE_URL": "postgresql://u:p@db.example/x?sslmode=require"}, "DATABASE_URL reaches db.example without"),
        ({"DATABASE_URL": "postgresql://u:p@localhost/x?hostaddr=10.0.0.8"}, "DATABASE_URL reaches 10.0.0.8 without"),
        ({"DATABASE_OWNER_URL": "postgresql://u:p@db.example/x"}, "DATABASE_OWNER_URL reaches db.example without"),
        ({"REDIS_URL": "redis://:p@redis.example/0"}, "REDIS_URL reaches redis.example without a checked certificate"),
        ({"REDIS_URL": "rediss://redis.example/0?ssl_cert_reqs=none"}, "REDIS_URL reaches redis.example without"),
        ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS must list"),
        ({"PORTAL_URL": "http://x"}, "PORTAL_URL must be the https address"),
        ({"EMAIL_URL": "mailto:x"}, "EMAIL_URL must be smtp://"),
        ({"DEFAULT_FROM_EMAIL": None}, "DEFAULT_FROM_EMAIL is not set."),
        ({"DEFAULT_FROM_EMAIL": "Acme, Inc. <portal@example.com>"}, "DEFAULT_FROM_EMAIL must be one address"),
        ({"DEFAULT_FROM_EMAIL": "Acme Hosting"}, "DEFAULT_FROM_EMAIL must be one address"),
        ({"DEFAULT_FROM_EMAIL": "Acme <>"}, "DEFAULT_FROM_EMAIL must be one address"),
        ({"DEFAULT_FROM_EMAIL": "Acme: portal@example.com;"}, "DEFAULT_FROM_EMAIL must be one address"),
        ({"DEFAULT_FROM_EMAIL": "a@x.example\nBcc: b@x.example"}, "DEFAULT_FROM_EMAIL must be one address"),
        ({"WHITEPOOL_BASE_URL": "http://whitebit.com"}, "WHITEPOOL_BASE_URL must be an https address"),
        ({"POOL_SEALING_PUBLIC_KEYS": "k1"}, "POOL_SEALING_PUBLIC_KEYS must be id:base64url"),
        ({"POOL_SEALING_PUBLIC_KEYS": "k1:AAAA"}, "is not 32 bytes in base64url"),
        ({"POOL_SEALING_PUBLIC_KEYS": "k1:" + "A" * 43}, "is an example or too weak"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_sentence(changes: dict[str, str | None], says: str) -> None:
    done = start("manage.py", "check", **changes)
    assert done.returncode != 0
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("door", "status"),
    [
        (("-m", "celery", "-A", "portal", "worker"), 1),
        (("-m", "gunicorn", "-c", "python:portal.gunicorn", "portal.wsgi"), 1),
    ],
)
def test_worker_and_web_server_refuse_too(door: tuple[str, ...], status: int) -> None:
    done = start(*door, SECRET_KEY="short")
    assert done.returncode == status
    assert "SECRET_KEY is an example or too weak." in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.long
def test_a_worker_without_private_keys_refuses() -> None:
    done = start("-m", "celery", "-A", "portal", "worker")
    assert done.returncode != 0
    assert "with the key that belongs to the public key 'k1'" in done.stderr
    stranger = start("-m", "celery", "-A", "portal", "worker", POOL_SEALING_PRIVATE_KEYS=f"k1:{new_key_pair()[0]}")
    assert "with the key that belongs to the public key 'k1'" in stranger.stderr


@pytest.mark.long
def test_a_worker_refuses_to_send_from_an_address_that_its_machine_does_not_have() -> None:
    private, public = new_key_pair()
    keys = {"POOL_SEALING_PUBLIC_KEYS": f"k1:{public}", "POOL_SEALING_PRIVATE_KEYS": f"k1:{private}"}
    done = start("-m", "celery", "-A", "portal", "worker", POOL_EGRESS_ADDRESSES="127.0.0.1,192.0.2.1", **keys)
    assert done.returncode != 0
    assert "POOL_EGRESS_ADDRESSES names 192.0.2.1, which this machine does not have." in done.stderr


@pytest.mark.long
def test_servers_elsewhere_are_reached_through_checked_tls_or_named_as_near() -> None:
    far = start(
        *("manage.py", "check"),
        DATABASE_URL="postgresql://u:p@db.example/x?sslmode=verify-full",
        DATABASE_OWNER_URL="postgresql://o:p@db.example/x?sslmode=verify-ca",
        REDIS_URL="rediss://redis.example/0",
    )
    near = start(
        *("manage.py", "check"),
        DATABASE_URL="postgresql://u:p@postgres/x",
        DATABASE_OWNER_URL="postgresql://o:p@/x?host=/run/pg",
        REDIS_URL="redis://redis/0",
        UNENCRYPTED_HOSTS="postgres, redis",
    )
    assert (far.returncode, near.returncode) == (0, 0), far.stderr + near.stderr


def test_celery_checks_the_certificate_of_redis_as_redis_py_does() -> None:
    assert environment.redis_urls("rediss://host/0")[1] == "rediss://host/0?ssl_cert_reqs=required"
    assert environment.redis_urls("rediss://host/0?ssl_ca_certs=/ca")[1].endswith("/ca&ssl_cert_reqs=required")


def test_redis_url_is_spelled_for_both_libraries() -> None:
    assert environment.redis_urls("redis://:pw@host:6379/2") == ("redis://:pw@host:6379/2",) * 2
    url, celery = environment.redis_urls("unix:///run/valkey.sock?db=3")
    assert (url, celery) == ("unix:///run/valkey.sock?db=3", "redis+socket:///run/valkey.sock?virtual_host=3")


def test_a_database_url_may_name_a_socket_folder() -> None:
    config = environment.database("DATABASE_URL", "postgresql://portal_runtime@/portal?host=/run/pg&sslmode=disable")
    assert (config["NAME"], config["USER"], config["HOST"]) == ("portal", "portal_runtime", "/run/pg")
    assert config["OPTIONS"] == {"sslmode": "disable"}


def test_spaces_between_host_names_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBE_HOSTS", "a.example, b.example,")
    assert environment.words("PROBE_HOSTS", "") == ["a.example", "b.example"]
