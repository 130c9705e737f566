"""The demo's settings: random secrets made at the first start, kept in its data folder."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from urllib.request import urlopen

PROJECT = Path(__file__).resolve().parents[2]


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


def runs_at(name: str, address: str) -> None:
    """Told to `make run`, which may be used while the demo runs."""
    (data_dir() / f"{name}-address").write_text(address, encoding="utf-8")


def running_pool() -> str | None:
    """The address of the demo's sandbox when one answers there, else None."""
    return _running("sandbox", "/api/v4/public/ping")


def portal_address() -> str:
    """Where the demo's pages are; when it does not run, where they will be."""
    return _running("portal", "/healthz") or local_address(wanted_port())


def wanted_port() -> int:
    return int(os.environ.get("PORT", "8000"))


def local_address(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _running(name: str, path: str) -> str | None:
    try:
        address = (data_dir() / f"{name}-address").read_text(encoding="utf-8")
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
