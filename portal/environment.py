"""What the environment tells us, read once and refused in one sentence when it is unsafe.

Every value can also come from a file named by NAME_FILE (container secrets). A wrong setting ends the start through
SystemExit: the sentence goes to stderr and the status is 1, through every door alike (manage.py, web server, worker).
"""

import os
import re
from base64 import urlsafe_b64decode
from email.utils import getaddresses
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from django.core.mail.message import sanitize_address

MODES = ("production", "demo", "test")
RUNTIME_ROLE = "portal_runtime"
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
MAIL_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
EXAMPLES = ("change-me", "changeme", "example", "insecure", "secret", "password")


def refuse(sentence: str) -> NoReturn:
    raise SystemExit(f"The portal does not start: {sentence}")


def read(name: str, default: str | None = None) -> str:
    """The value of NAME, else the content of the file that NAME_FILE names, else the default, else a refusal."""
    if value := os.environ.get(name, "").strip():
        return value
    if path := os.environ.get(f"{name}_FILE", "").strip():
        return _read_file(name, Path(path))
    if default is None:
        refuse(f"{name} is not set. Set it, or {name}_FILE to the path of a file that holds it.")
    return default


def _read_file(name: str, path: Path) -> str:
    try:
        value = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        refuse(f"{name}_FILE points to {path}, which can not be read ({type(error).__name__}).")
    return value or refuse(f"{name}_FILE points to {path}, which is empty.")


def portal_mode() -> str:
    mode = read("PORTAL_MODE", "production")
    if mode not in MODES:
        refuse(f"PORTAL_MODE is {mode!r}, but it must be one of {', '.join(MODES)}.")
    return mode


def log_level() -> str:
    level = read("PORTAL_LOG_LEVEL", "INFO")
    if level not in LOG_LEVELS:
        refuse(f"PORTAL_LOG_LEVEL is {level!r}, but it must be one of {', '.join(LOG_LEVELS)}.")
    return level


def secret_key(mode: str) -> str:
    key = read("SECRET_KEY")
    weak = len(key) < 50 or len(set(key)) < 10 or any(word in key.lower() for word in EXAMPLES)
    if weak and mode == "production":
        refuse("SECRET_KEY is an example or too weak. Use at least 50 random characters.")
    return key


def sealing_keys(name: str, mode: str, *, required: bool) -> dict[str, bytes]:
    """`id:base64url,…` to {id: 32 raw bytes}, in the order given: the first public key seals."""
    keys: dict[str, bytes] = {}
    for part in filter(None, (part.strip() for part in read(name, None if required else "").split(","))):
        key_id, colon, encoded = part.partition(":")
        if not colon or not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", key_id):
            refuse(f"{name} must be id:base64url, comma-separated, with ids of letters, digits, - and _.")
        if key_id in keys:
            refuse(f"{name} names the key {key_id!r} twice.")
        keys[key_id] = _raw_key(name, key_id, encoded, mode)
    if required and not keys:
        refuse(f"{name} holds no key. Make a pair with: manage.py sealing_key")
    return keys


def wrong_pair(public: dict[str, bytes], private: dict[str, bytes]) -> str | None:
    """The id of a public key that a worker could not open with: its private key is missing or another one's."""
    for key_id, raw in public.items():
        if key_id not in private:
            return key_id
        if X25519PrivateKey.from_private_bytes(private[key_id]).public_key().public_bytes_raw() != raw:
            return key_id
    return None


def _raw_key(name: str, key_id: str, encoded: str, mode: str) -> bytes:
    try:
        raw = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except ValueError:
        raw = b""
    if len(raw) != 32:
        refuse(f"the key {key_id!r} in {name} is not 32 bytes in base64url. Make a pair with: manage.py sealing_key")
    if mode == "production" and (len(set(raw)) < 8 or "example" in key_id.lower()):
        refuse(f"the key {key_id!r} in {name} is an example or too weak. Make a pair with: manage.py sealing_key")
    return raw


def words(name: str, default: str) -> list[str]:
    return [word.strip() for word in read(name, default).split(",") if word.strip()]


def addresses(name: str) -> list[str]:
    """IP addresses, comma-separated, in one spelling each: they are also names under which limits are kept."""
    spelled: list[str] = []
    for word in words(name, ""):
        try:
            address = str(ip_address(word))
        except ValueError:
            refuse(f"{name} must be IP addresses of this machine, comma-separated, but {word!r} is none.")
        if address in spelled:
            refuse(f"{name} names the address {address} twice.")
        spelled.append(address)
    return spelled


def whole_number(name: str, default: int) -> int:
    text = read(name, str(default))
    if not (text.isascii() and text.isdigit()):
        refuse(f"{name} must be a whole number, such as {default}.")
    return int(text)


def _address(name: str, url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # read here, because only reading it tells whether it is a number
    except ValueError:
        refuse(f"{name} is no address: its host can not be read, or its port is not a number.")
    return parts


def database(name: str, url: str) -> dict[str, Any]:
    """A PostgreSQL URL to Django's dictionary; `?host=/folder` names the folder of a unix socket."""
    parts = _address(name, url)
    if parts.scheme not in ("postgres", "postgresql"):
        refuse(f"{name} must be a PostgreSQL address such as postgresql://user:password@host:5432/portal.")
    options = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    if not (database_name := unquote(parts.path.lstrip("/"))):
        refuse(f"{name} names no database. Add it after the last slash.")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": database_name,
        "USER": unquote(parts.username or options.pop("user", "")),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", unquote(parts.hostname or "")),
        "PORT": str(parts.port or options.pop("port", "")),
        "OPTIONS": options,
    }


def runtime_database(url: str, *, assume_runtime_role: bool) -> dict[str, Any]:
    """The connection of web and workers. Limits are set here because SET ROLE does not bring a role's own settings."""
    config = database("DATABASE_URL", url)
    flags = "-c statement_timeout=30000 -c idle_in_transaction_session_timeout=15000"
    if assume_runtime_role:
        flags += f" -c role={RUNTIME_ROLE}"
    config["OPTIONS"] = {**config["OPTIONS"], "options": flags}
    return config | {
        "ATOMIC_REQUESTS": True,
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "TEST": {"NAME": "test_portal"},
    }


def redis_urls(url: str) -> tuple[str, str]:
    """REDIS_URL as redis-py and as Celery spell it: they differ for unix sockets, and in whether TLS is checked."""
    parts = _address("REDIS_URL", url)
    if parts.scheme == "rediss" and parts.hostname and "ssl_cert_reqs" not in parse_qs(parts.query):
        # Celery would take any certificate, where redis-py asks for a good one.
        return url, f"{url}{'&' if parts.query else '?'}ssl_cert_reqs=required"
    if parts.scheme in ("redis", "rediss") and parts.hostname:
        return url, url
    if parts.scheme != "unix" or not parts.path:
        refuse("REDIS_URL must be redis://host:6379/0, rediss://… or unix:///path/to/socket?db=0.")
    number = parse_qs(parts.query).get("db", ["0"])[-1]
    password = f":{quote(unquote(parts.password), safe='')}@" if parts.password else ""
    return url, f"redis+socket://{password}{parts.path}?virtual_host={number}"


def refuse_unchecked_database(name: str, database: dict[str, Any], unencrypted_hosts: list[str]) -> None:
    """In production: what leaves this machine goes through TLS, to a server that showed a certificate."""
    options = database["OPTIONS"]
    for host in f"{database['HOST']},{options.get('hostaddr', '')}".split(","):
        if options.get("sslmode") not in ("verify-ca", "verify-full") and not _is_near(host, unencrypted_hosts):
            refuse(
                f"{name} reaches {host} without a checked certificate. Add ?sslmode=verify-full&sslrootcert=… to"
                " it; a container of this machine may stand in UNENCRYPTED_HOSTS instead."
            )


def refuse_unchecked_redis(redis_url: str, unencrypted_hosts: list[str]) -> None:
    parts = urlsplit(redis_url)
    checked = parts.scheme == "rediss" and parse_qs(parts.query).get("ssl_cert_reqs", ["required"]) == ["required"]
    if not checked and not _is_near(parts.hostname or "", unencrypted_hosts):
        refuse(
            f"REDIS_URL reaches {parts.hostname} without a checked certificate. Write rediss://…?ssl_ca_certs=… ; a"
            " container of this machine may stand in UNENCRYPTED_HOSTS instead."
        )


def _is_near(host: str, unencrypted_hosts: list[str]) -> bool:
    """A socket or the loopback of this machine, or a host that the operator names."""
    if host in ("", "localhost", *unencrypted_hosts) or host.startswith("/"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def email(name: str, url: str, data_dir: Path) -> dict[str, Any]:
    """smtp://, smtp+tls:// (STARTTLS), smtp+ssl://, console:// or file:// (into PORTAL_DATA_DIR/mail)."""
    parts = _address(name, url)
    backend = "django.core.mail.backends."
    match parts.scheme:
        case "console":
            return {"EMAIL_BACKEND": backend + "console.EmailBackend"}
        case "file":
            return {
                "EMAIL_BACKEND": backend + "filebased.EmailBackend",
                "EMAIL_FILE_PATH": parts.path or str(data_dir / "mail"),
            }
        case "smtp" | "smtp+tls" | "smtp+ssl" if parts.hostname:
            return {
                "EMAIL_BACKEND": backend + "smtp.EmailBackend",
                "EMAIL_HOST": parts.hostname,
                "EMAIL_PORT": parts.port or {"smtp": 25, "smtp+tls": 587, "smtp+ssl": 465}[parts.scheme],
                "EMAIL_HOST_USER": unquote(parts.username or ""),
                "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
                "EMAIL_USE_TLS": parts.scheme == "smtp+tls",
                "EMAIL_USE_SSL": parts.scheme == "smtp+ssl",
                "EMAIL_TIMEOUT": 15,
            }
    refuse(f"{name} must be smtp://, smtp+tls:// or smtp+ssl://user:password@host:port, or console://, or file://.")


def sender(name: str, mode: str) -> str:
    """Whom mails come from, `Name <address>`. What is wrong with it would be found by the first mail only."""
    value = read(name, "" if mode == "production" else "Hosting portal <portal@localhost>")
    if not value:
        refuse(f"{name} is not set. Set it to the sender of mails, such as Hosting portal <portal@example.com>.")
    addresses_in = getaddresses([value])
    # A comma begins another address, unless the name is in quotes.
    if len(addresses_in) != 1 or not MAIL_ADDRESS.fullmatch(addresses_in[0][1]) or not _can_be_sent(value):
        refuse(f'{name} must be one address, such as portal@example.com or "Acme, Inc." <portal@example.com>.')
    return value


def _can_be_sent(sender: str) -> bool:
    try:
        sanitize_address(sender, "utf-8")
    except ValueError:
        return False
    return sender.isprintable()
