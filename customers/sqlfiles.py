"""Triggers are plain SQL files beside their migration, each with its reverse: `name.sql` and `name.reverse.sql`."""

from pathlib import Path

from django.db.migrations.operations import RunSQL


def run_sql(migration: str, name: str) -> RunSQL:
    """The operation for sql/<name>.sql beside the migration file `migration` (pass __file__)."""
    folder = Path(migration).parent / "sql"
    return RunSQL(
        sql=(folder / f"{name}.sql").read_text(encoding="utf-8"),
        reverse_sql=(folder / f"{name}.reverse.sql").read_text(encoding="utf-8"),
    )
