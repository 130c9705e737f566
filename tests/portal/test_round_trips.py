"""What a page costs beside its view: the transaction, the context of the database, and who is asking."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.world import World

CONTEXT = ("BEGIN", "SELECT set_config", "SELECT coalesce(current_setting", "SAVEPOINT", "RELEASE", "COMMIT")


@pytest.mark.django_db(transaction=True)
def test_a_staff_page_spends_six_statements_on_context_and_four_on_who_asks(
    transactional_db: None, world: World
) -> None:
    browser = world.north.owner.browser()

    with CaptureQueriesContext(connection) as sent:
        assert browser.get("/staff/team/").status_code == 200

    statements = [query["sql"] for query in sent]
    outside = [*statements[: beginning_of_view(statements) + 1], *statements[-2:]]
    assert [statement.split()[0] for statement in outside if statement.startswith(CONTEXT)] == [
        "BEGIN",
        "SELECT",  # portal.user: the memberships of the person
        "SELECT",  # portal.provider and portal.customer
        "SAVEPOINT",
        "RELEASE",
        "COMMIT",
    ]
    assert [table_of(statement) for statement in outside if not statement.startswith(CONTEXT)] == [
        "django_session",
        "customers_user",
        "customers_membership",
        "mfa_authenticator",
    ]


@pytest.mark.django_db(transaction=True)
def test_an_api_call_spends_six_statements_on_context_and_one_on_its_token(
    transactional_db: None, world: World
) -> None:
    with CaptureQueriesContext(connection) as sent:
        assert world.north.api().get("/api/v1/customers").status_code == 200

    statements = [query["sql"] for query in sent]
    assert sum(statement.startswith(CONTEXT) for statement in statements) == 6
    outside = statements[: beginning_of_view(statements)]
    assert [table_of(s) for s in outside if not s.startswith(CONTEXT)] == ["customers_apitoken"]


def beginning_of_view(statements: list[str]) -> int:
    """Django's own savepoint round each view (ATOMIC_REQUESTS)."""
    return next(index for index, statement in enumerate(statements) if statement.startswith("SAVEPOINT"))


def table_of(statement: str) -> str:
    return statement.split(' FROM "')[1].split('"')[0]
