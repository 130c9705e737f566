"""Is this process able to serve? Liveness asks nothing of others; readiness asks the database, Redis and the schema."""

from datetime import timedelta

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from mining.fleet import partitions

AHEAD = timedelta(days=60)


def problems() -> list[str]:
    """Empty when ready; else one word for each part that is not."""
    checks = (("database", _database), ("redis", _redis), ("partitions", _partitions))
    return [name for name, works in checks if not works()]


def _database() -> bool:
    try:
        executor = MigrationExecutor(connection)
        return not executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return False


def _redis() -> bool:
    client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def _partitions() -> bool:
    """Without next month's tables the readings would fail on its first day: there is time to mend what should make
    them."""
    try:
        return not partitions.missing(AHEAD)
    except DatabaseError:
        return False
