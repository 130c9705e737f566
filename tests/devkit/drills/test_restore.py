"""What was backed up comes back whole; and what the drill looks at, it sees when it is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from devkit.drills import comparison, guards
from portal.database import as_owner
from tests.billing.test_guards import Books, books
from tests.devkit.demo.test_demo import OURS

__all__ = ["books"]  # the fixture: one issued document and one draft, committed

ROOT = Path(__file__).resolve().parents[3]


def test_the_restore_drill() -> None:
    words = [sys.executable, "-m", "devkit.servers", "--temporary", "--", sys.executable, "-m", "devkit.drills.restore"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "The restored portal is the one that was backed up."


@contextmanager
def session(user: str) -> Iterator[guards.Session]:
    name, host = connection.settings_dict["NAME"], connection.settings_dict["HOST"]
    with psycopg.connect(dbname=name, host=host, user=user) as opened:
        yield opened


def faults() -> list[str]:
    connection.close()
    with session("portal_runtime") as runtime, session("portal_owner") as owner:
        return list(guards.faults(runtime, owner))


@pytest.mark.django_db(transaction=True)
def test_a_guard_that_is_missing_is_seen(books: Books) -> None:
    assert faults() == []

    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE billing_document DISABLE TRIGGER USER")
        cursor.execute("ALTER TABLE billing_journalentry DROP CONSTRAINT billing_entry_header_legs")
        cursor.execute("ALTER TABLE billing_documentseries DISABLE ROW LEVEL SECURITY")
        cursor.execute("GRANT DELETE ON billing_journaltx TO portal_runtime")

    assert [fault.split(":")[0] for fault in faults()] == [
        "It was not refused that an issued document is changed.",
        "It was not refused that two balanced legs are added to an old transaction.",
        "Where the journal is deleted, the refusal is another",
        "It was not refused that another provider's row is written.",
    ]


@pytest.mark.django_db(transaction=True)
def test_rows_that_are_missing_or_changed_are_seen(books: Books) -> None:
    with session("portal_owner") as before, session("portal_owner") as after:
        assert list(comparison.differences(before, after)) == []
        after.execute("DELETE FROM customers_auditentry")
        after.execute("UPDATE customers_provider SET name = 'Other'")
        said = list(comparison.differences(before, after))
        after.rollback()

    assert [sentence.split(" ")[0] for sentence in said] == [
        "customers_auditentry:",
        "customers_provider:",
    ]
