"""The catalogue test: what PostgreSQL itself says about every table, partitions included."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection

from customers.row_security import DIRECTORY_TABLES, is_series, is_tenant_model
from portal.database import why_runtime_is_unsafe

pytestmark = pytest.mark.django_db


def rows(sql: str, *params: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def tenant_tables() -> set[str]:
    return {model._meta.db_table for model in apps.get_models(include_auto_created=True) if is_tenant_model(model)}


def partitions() -> set[str]:
    return {r[0] for r in rows("SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'")}


def test_every_table_is_a_tenants_or_in_the_directory() -> None:
    tables = {
        r[0]
        for r in rows(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p')"
        )
    }
    assert tables == tenant_tables() | DIRECTORY_TABLES.keys() | partitions()


def test_every_tenant_table_has_forced_row_level_security() -> None:
    guarded = {
        r[0]
        for r in rows(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relrowsecurity AND relforcerowsecurity"
        )
    }
    assert guarded == tenant_tables() | partitions()
    assert len(partitions()) >= 4


def test_by_their_own_names_partitions_are_the_owners_alone() -> None:
    policies = {r for r in rows("SELECT tablename, policyname FROM pg_policies") if r[0] in partitions()}
    granted = rows(
        "SELECT table_name FROM information_schema.role_table_grants WHERE grantee <> %s AND table_name = ANY(%s)",
        "portal_owner",
        sorted(partitions()),
    )
    assert policies == {(table, "owner_all") for table in partitions()}
    assert granted == []


def test_every_tenant_table_has_its_policies_with_check() -> None:
    policies = {
        (table, name): (roles, using, check)
        for table, name, roles, using, check in rows(
            "SELECT tablename, policyname, roles::text[], qual, with_check FROM pg_policies WHERE schemaname = 'public'"
        )
    }
    for table in tenant_tables():
        roles, using, check = policies[table, "tenant"]
        assert roles == ["public"]
        assert "portal.provider" in using and "portal.customer" in using, table
        assert "portal.provider" in check, table
        owner_roles, owner_using, _ = policies[table, "owner_all"]
        assert owner_roles != ["public"] and owner_using == "true", table
    extra = {key for key in policies if key[1] not in ("tenant", "owner_all")}  # a partition has the owner's only
    assert extra == {
        ("customers_membership", "own_rows"),
        ("customers_invitation", "looked_up"),
        ("customers_apitoken", "looked_up"),
        ("mining_exclusion", "shared"),
    }


def test_every_relation_between_tenant_rows_is_a_composite_key() -> None:
    keys = {
        (table, tuple(columns))
        for table, columns in rows(
            "SELECT c.conrelid::regclass::text, array_agg(a.attname::text ORDER BY k.position)"
            " FROM pg_constraint c CROSS JOIN unnest(c.conkey) WITH ORDINALITY AS k(number, position)"
            " JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number"
            " WHERE c.contype = 'f' AND c.condeferrable AND c.condeferred GROUP BY c.oid, c.conrelid"
        )
    }
    wanted = {
        (model._meta.db_table, ("provider_id", field.column))
        for model in apps.get_models()
        if is_tenant_model(model) and not is_series(model)
        for field in model._meta.fields
        if field.is_relation and field.related_model and is_tenant_model(field.related_model)
    }
    assert wanted and wanted <= keys


def test_every_series_finds_its_account_by_a_trigger() -> None:
    followed = {
        r[0]
        for r in rows(
            "SELECT t.tgrelid::regclass::text FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid"
            " WHERE p.proname = 'mining_series_follow_account'"
        )
    }
    series = {model._meta.db_table for model in apps.get_models() if is_tenant_model(model) and is_series(model)}
    assert followed == series | {"mining_worker"}


# A pool key that works stands once in the installation: two providers that share one would see each other's money.
ACROSS_PROVIDERS = {("mining_credential", "mining_credential_one_provider")}


def test_every_unique_index_of_a_tenant_table_begins_with_provider() -> None:
    first_columns = rows(
        "SELECT t.relname, i.relname, a.attname FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid"
        " JOIN pg_class i ON i.oid = x.indexrelid"
        " LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = x.indkey[0]"
        " WHERE t.relnamespace = 'public'::regnamespace AND x.indisunique AND NOT x.indisprimary"
    )
    across = {(t, i) for t, i, column in first_columns if t in tenant_tables() and column != "provider_id"}
    assert across == ACROSS_PROVIDERS


def test_no_tenant_table_has_an_index_of_the_provider_alone() -> None:
    alone = rows(
        "SELECT x.indrelid::regclass::text FROM pg_index x JOIN pg_attribute a ON a.attrelid = x.indrelid"
        " AND a.attnum = x.indkey[0] WHERE x.indnkeyatts = 1 AND a.attname = 'provider_id' AND NOT x.indisunique"
    )
    assert alone == []


def test_the_migrations_say_all_that_the_models_say() -> None:
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


def test_the_runtime_role_owns_nothing_and_is_not_above_the_policies() -> None:
    assert why_runtime_is_unsafe() is None


@pytest.mark.django_db(transaction=True)
def test_an_unsafe_runtime_role_is_named() -> None:
    from portal.database import as_owner

    with as_owner():
        assert "owns tables" in (why_runtime_is_unsafe() or "")


def test_triggers_are_the_owners_and_fix_their_search_path() -> None:
    functions = rows(
        "SELECT proname, prosecdef, coalesce(array_to_string(proconfig, ','), '') FROM pg_proc"
        " WHERE pronamespace = 'public'::regnamespace AND (prosecdef OR prorettype = 'trigger'::regtype)"
    )
    assert len(functions) > 5
    for name, definer, config in functions:
        assert definer, name
        assert "search_path=pg_catalog, public, pg_temp" in config, name
