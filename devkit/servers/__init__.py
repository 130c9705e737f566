"""PostgreSQL and a Redis-compatible server for demo, development and tests, where none is installed.

    python -m devkit.servers [--temporary | --data-dir DIR] -- COMMAND …

runs COMMAND with DATABASE_URL, DATABASE_OWNER_URL and REDIS_URL set. Both servers end with their starter, however it
ends. Standard library only: this runs before Django, and before there is a database.
"""

from devkit.servers.errors import EmbeddedError
from devkit.servers.starter import running

__all__ = ["EmbeddedError", "running"]
