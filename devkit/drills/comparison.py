"""Two databases beside each other: the same schema, the same rows, and sequences that go on where they stood."""

import re
from collections.abc import Iterator, Mapping

import psycopg
from psycopg import sql

from devkit.drills.steps import run

CAST = re.compile(r"::(character varying|text)(\[\])?|[()]")
Session = psycopg.Connection[tuple[object, ...]]


def differences(before: Session, after: Session) -> Iterator[str]:
    """One sentence for each; both sessions see every row (a superuser's, or the owner's)."""
    tables, others = _tables(before), _tables(after)
    if tables != others:
        yield f"The tables differ: {sorted(set(tables) ^ set(others))}."
    for table in tables:
        if table in others and (there := _content(before, table)) != (came := _content(after, table)):
            yield f"{table}: {there[0]} rows before, {came[0]} after{'' if there[0] != came[0] else ', not the same'}."
    if (stood := _sequences(before)) != (stand := _sequences(after)):
        yield f"Sequences differ: {sorted(set(stood) ^ set(stand))}."


def schema(environment: Mapping[str, str]) -> list[str]:
    """As pg_dump tells it, rights and policies among it."""
    said = run(["pg_dump", "--schema-only", "portal"], environment).decode()
    # `\restrict` has another random word each time, and what a list is cast to is told in two ways that mean the same.
    lines = [line for line in said.splitlines() if line and not line.startswith(("--", "\\restrict", "\\unrestrict"))]
    return [CAST.sub("", line) for line in lines]


def row_count(session: Session) -> int:
    return sum(_content(session, table)[0] for table in _tables(session))


def _tables(session: Session) -> list[str]:
    rows = session.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') ORDER BY 1"
    )
    return [str(name) for (name,) in rows]


def _content(session: Session, table: str) -> tuple[int, str]:
    query = sql.SQL("SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text FROM {} t")
    ((count, digest),) = session.execute(query.format(sql.Identifier("public", table))).fetchall()
    return int(str(count)), str(digest)


def _sequences(session: Session) -> list[tuple[object, ...]]:
    return session.execute("SELECT sequencename, last_value FROM pg_sequences ORDER BY 1").fetchall()
