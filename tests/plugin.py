"""Loaded before pytest-django. PostgreSQL and Valkey start for the suite, unless the environment names others.

Several processes (make test) share PostgreSQL, where each has databases of its own (tests/database.py), and have each
a Valkey of their own: nonces and limits must not meet.
"""

import atexit
import gc
import os
import secrets
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from customers.sealing import _encode
from devkit import servers

gc.set_threshold(100_000)  # or an eighth of the time goes into looking for cycles among what stays

os.environ["PORTAL_MODE"] = "test"
os.environ["API_CALLS_PER_MINUTE"] = "100000"  # tests call faster than programs do
os.environ["SECRET_KEY"] = secrets.token_urlsafe(64)
_private = X25519PrivateKey.generate()
# The suite runs as a web process does: with public keys only. Tests of a worker ask for the fixture `worker_keys`.
PRIVATE_KEYS = f"test1:{_encode(_private.private_bytes_raw())}"
os.environ["POOL_SEALING_PUBLIC_KEYS"] = f"test1:{_encode(_private.public_key().public_bytes_raw())}"
os.environ.pop("POOL_SEALING_PRIVATE_KEYS", None)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.pop("REDIS_URL", None)
_running = ExitStack()
_data_dir = Path(tempfile.mkdtemp(prefix="portal-tests-"))
os.environ["PORTAL_DATA_DIR"] = str(_data_dir)
os.environ.update(_running.enter_context(servers.running(None)))


@atexit.register
def _stop() -> None:
    _running.close()
    shutil.rmtree(_data_dir, ignore_errors=True)
