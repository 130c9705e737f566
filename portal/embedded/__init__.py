"""PostgreSQL and a Redis-compatible server for demo, development and tests, where none is installed.

    python -m portal.embedded [--temporary | --data-dir DIR] -- COMMAND …

runs COMMAND with DATABASE_URL, DATABASE_OWNER_URL and REDIS_URL set. Both servers end with their starter, however it
ends. Standard library only: this runs before Django, and before there is a database.
"""

from portal.embedded.errors import EmbeddedError
from portal.embedded.starter import servers

__all__ = ["EmbeddedError", "servers"]
