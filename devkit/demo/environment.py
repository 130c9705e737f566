"""The demo's settings: random secrets made at the first start, kept in its data folder."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

PROJECT = Path(__file__).resolve().parents[2]
DEFAULT_PORT = 8000
ADDRESSES = ("sandbox", "portal")


class CannotStart(Exception):
    """One sentence: what is in the way, and what to do about it."""


def data_dir() -> Path:
    return Path(os.environ.get("PORTAL_DATA_DIR") or PROJECT / ".data").resolve()


def prepare() -> dict[str, str]:
    """Put what is missing into the environment; returns the demo's own secrets (its logins' passwords too)."""
    folder = data_dir()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    kept = _secrets(folder / "demo-secrets.json")
    os.environ.setdefault("PORTAL_MODE", "demo")
    os.environ.setdefault("PORTAL_DATA_DIR", str(folder))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    if os.environ["PORTAL_MODE"] == "demo":
        for name in ("SECRET_KEY", "POOL_SEALING_PUBLIC_KEYS", "POOL_SEALING_PRIVATE_KEYS"):
            if not os.environ.get(f"{name}_FILE"):
                os.environ.setdefault(name, kept[name])
    return kept


@contextmanager
def only_demo() -> Iterator[None]:
    """One demo at a time on its data. The lock ends with its holder, however that ends: no child inherits it."""
    with (data_dir() / "demo-lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotStart(_runs_already()) from None
        _forget_addresses()  # of one that was killed
        try:
            yield
        finally:
            _forget_addresses()


def _runs_already() -> str:
    where = _told("portal")
    runs = f"A demo runs already at {where}/" if where else "A demo is being started, or plays once, already"
    return f"{runs}, on the same data in {data_dir()}: stop that one, or name another folder in PORTAL_DATA_DIR."


def _forget_addresses() -> None:
    for name in ADDRESSES:
        _address_file(name).unlink(missing_ok=True)


def runs_at(name: str, address: str) -> None:
    """Told to `make run`, which may be used while the demo runs."""
    _address_file(name).write_text(address, encoding="utf-8")


def _told(name: str) -> str | None:
    try:
        return _address_file(name).read_text(encoding="utf-8")
    except OSError:
        return None


def _address_file(name: str) -> Path:
    return data_dir() / f"{name}-address"


def running_pool() -> str | None:
    """The address of the demo's sandbox when one answers there, else None."""
    return _running("sandbox", "/api/v4/public/ping")


def portal_address() -> str:
    """Where the demo's pages are; when it does not run, where they will be."""
    return _running("portal", "/healthz") or local_address(given_port() or DEFAULT_PORT)


def given_port() -> int | None:
    """PORT; None when nobody gave one."""
    text = os.environ.get("PORT", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65_535):
        raise CannotStart(f"PORT must be a number from 1 to 65535, and {text!r} is none.")
    return int(text)


def local_address(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _running(name: str, path: str) -> str | None:
    address = _told(name)
    if address is None:
        return None
    try:
        with urlopen(f"{address}{path}", timeout=2):  # noqa: S310 - our own server on this machine
            return address
    except OSError:
        return None


def _secrets(path: Path) -> dict[str, str]:
    if path.exists():
        kept: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        return kept
    # Imported here: sealing reads Django's settings module, and this runs before there are settings.
    from customers.sealing import new_key_pair

    private, public = new_key_pair()
    made = {
        "SECRET_KEY": secrets.token_urlsafe(64),
        "POOL_SEALING_PUBLIC_KEYS": f"demo1:{public}",
        "POOL_SEALING_PRIVATE_KEYS": f"demo1:{private}",
        "password": secrets.token_urlsafe(12),
    }
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(made, file)
    return made
