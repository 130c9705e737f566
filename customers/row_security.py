"""The second wall: row-level security and composite keys as one migration operation, and the runtime role's grants.

    Wall("Contract", customer="customer_id")
gives a tenant's table UNIQUE (provider_id, id), ENABLE and FORCE row-level security, the policies `tenant` and
`owner_all`, and for each foreign key to another tenant's table a composite FOREIGN KEY (provider_id, x_id).
"""

from __future__ import annotations

from typing import Any

from django.apps import apps as installed_apps
from django.apps.registry import Apps
from django.db import connection, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.utils import CursorWrapper
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

# Tables that are read before the tenant is known, or that hold no tenant's data. They have no policy.
DIRECTORY_TABLES = {
    "customers_user": "people sign in before a provider is chosen; a user may work for several",
    "customers_provider": "host names and slugs are resolved before the tenant is known; nothing private is in it",
    "django_session": "a session begins before its user is known",
    "django_content_type": "Django's table of models",
    "django_migrations": "Django's table of migrations; readiness reads it",
    "auth_permission": "Django's, unused: roles are per membership",
    "auth_group": "Django's, unused",
    "auth_group_permissions": "Django's, unused",
    "account_emailaddress": "allauth's: belongs to a user",
    "account_emailconfirmation": "allauth's: belongs to a user",
    "usersessions_usersession": "allauth's: a user's sessions, whatever they act for",
    "mfa_authenticator": "allauth's: a user's second factors, sealed by our adapter",
}

# Cast the setting, never the column, and wrap it in a select: it is then computed once for a query, and indexes serve.
PROVIDER = "(SELECT nullif(current_setting('portal.provider', true), '')::bigint)"
CUSTOMER = "(SELECT current_setting('portal.customer', true))"
CUSTOMER_ID = "(SELECT nullif(nullif(current_setting('portal.customer', true), ''), '*')::bigint)"
USER = "(SELECT nullif(current_setting('portal.user', true), '')::bigint)"
LOOKUP = "(SELECT decode(nullif(current_setting('portal.lookup', true), ''), 'hex'))"


class Wall(Operation):
    """Make a model's table a tenant's table.

    customer: the column that names the row's customer ("id" for Customer itself); None: the context must be '*'.
    own_user: the column that the setting portal.user opens for reading; lookup: the column that portal.lookup opens.
    shared: rows without a customer are everybody's of the provider to read. A table without an id is a series: nothing
    refers to it, and a trigger of its own stands for its foreign keys.
    """

    reduces_to_sql = True
    reversible = True
    atomic = True

    def __init__(
        self,
        model: str,
        *,
        customer: str | None = None,
        own_user: str | None = None,
        lookup: str | None = None,
        shared: bool = False,
    ) -> None:
        self.model, self.customer, self.own_user, self.lookup = model, customer, own_user, lookup
        self.shared = shared

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        options: dict[str, Any] = {"customer": self.customer, "own_user": self.own_user, "lookup": self.lookup}
        options["shared"] = self.shared
        return type(self).__name__, [self.model], {key: value for key, value in options.items() if value}

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        return None

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        model = _model(to_state.apps, app_label, self.model)
        if not is_series(model):
            schema_editor.execute(_tenant_key(model._meta.db_table), params=None)
        for statement in (*self._policies(model._meta.db_table), *_composite_keys(model)):
            schema_editor.execute(statement, params=None)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        model = _model(from_state.apps, app_label, self.model)
        table = model._meta.db_table
        for key in _tenant_keys(model):
            schema_editor.execute(f'ALTER TABLE "{table}" DROP CONSTRAINT "{_key_name(table, key)}"', params=None)
        for policy in ("tenant", "owner_all", "own_rows", "looked_up", "shared"):
            schema_editor.execute(f'DROP POLICY IF EXISTS {policy} ON "{table}"', params=None)
        schema_editor.execute(
            f'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY', params=None
        )
        if not is_series(model):
            schema_editor.execute(f'ALTER TABLE "{table}" DROP CONSTRAINT "{table}_tenant_key" CASCADE', params=None)

    def describe(self) -> str:
        return f"Put {self.model} behind the tenants' wall"

    def _policies(self, table: str) -> list[str]:
        statements = [
            f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
            f'CREATE POLICY tenant ON "{table}" USING ({self._using()}) WITH CHECK ({self._check()})',
            # Without it the owner's data migrations touch 0 rows and new foreign keys are marked valid unchecked.
            f'CREATE POLICY owner_all ON "{table}" TO CURRENT_ROLE USING (true) WITH CHECK (true)',
        ]
        if self.own_user:
            statements.append(f'CREATE POLICY own_rows ON "{table}" FOR SELECT USING ("{self.own_user}" = {USER})')
        if self.lookup:
            statements.append(f'CREATE POLICY looked_up ON "{table}" FOR SELECT USING ("{self.lookup}" = {LOOKUP})')
        if self.shared:
            statements.append(
                f'CREATE POLICY shared ON "{table}" FOR SELECT'
                f" USING (provider_id = {PROVIDER} AND \"{self.customer}\" IS NULL AND {CUSTOMER} <> '')"
            )
        return statements

    def _using(self) -> str:
        # coalesce, which alters no answer: without it the planner takes the comparison for true in 0.5 % of the rows,
        # expects next to none from any table, and joins whole tables by nested loops.
        every_customer = f"coalesce({CUSTOMER} = '*', false)"
        if self.customer is None:
            return f"provider_id = {PROVIDER} AND {every_customer}"
        return f'provider_id = {PROVIDER} AND ({every_customer} OR "{self.customer}" = {CUSTOMER_ID})'

    def _check(self) -> str:
        # Tables without a customer are written by customers' acts too (audit): there the provider decides alone.
        return f"provider_id = {PROVIDER}" if self.customer is None else self._using()


def _model(apps: Apps, app_label: str, name: str) -> type[models.Model]:
    return apps.get_model(app_label, name)


def is_tenant_model(model: type[models.Model]) -> bool:
    return model._meta.db_table not in DIRECTORY_TABLES and any(f.name == "provider" for f in model._meta.fields)


def is_series(model: type[models.Model]) -> bool:
    """Its key is made of its columns, and nothing refers to it."""
    return isinstance(model._meta.pk, models.CompositePrimaryKey)


def _tenant_key(table: str) -> str:
    return f'ALTER TABLE "{table}" ADD CONSTRAINT "{table}_tenant_key" UNIQUE (provider_id, id)'


def _tenant_keys(model: type[models.Model]) -> list[models.Field[Any, Any]]:
    if is_series(model):
        return []
    return [
        field
        for field in model._meta.fields
        if isinstance(field, models.ForeignKey) and is_tenant_model(field.remote_field.model)
    ]


def _composite_keys(model: type[models.Model]) -> list[str]:
    return [_add_key(model, key) for key in _tenant_keys(model)]


def _key_name(table: str, key: Any) -> str:
    return f"{table}_{key.column}_same_tenant"[:63]


def _add_key(model: type[models.Model], key: Any) -> str:
    table, parent = model._meta.db_table, key.remote_field.model._meta.db_table
    return (
        f'ALTER TABLE "{table}" ADD CONSTRAINT "{_key_name(table, key)}" FOREIGN KEY (provider_id, "{key.column}")'
        f' REFERENCES "{parent}" (provider_id, id) DEFERRABLE INITIALLY DEFERRED'
    )


def grant_runtime(cursor: CursorWrapper, role: str) -> None:
    """Give the runtime role what each table allows, and nothing more. Run by the owner after every migrate.

    Append-only models say so by `append_only = True`, those that triggers alone write by `read_only = True`, and those
    of which a few columns may change by `updatable`; nobody gets TRUNCATE, and no table is the runtime's own.
    """
    quoted = connection.ops.quote_name(role)
    cursor.execute(f"GRANT USAGE ON SCHEMA public TO {quoted}")
    cursor.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {quoted}")
    cursor.execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {quoted}")
    cursor.execute(f"GRANT SELECT ON django_migrations TO {quoted}")
    there = set(connection.introspection.table_names(cursor))  # `migrate <app> zero` leaves some out
    for model in installed_apps.get_models(include_auto_created=True):
        if model._meta.db_table not in there:
            continue
        cursor.execute(f'GRANT {_rights(model)} ON "{model._meta.db_table}" TO {quoted}')


def _rights(model: type[models.Model]) -> str:
    if getattr(model, "read_only", False):
        return "SELECT"
    if getattr(model, "append_only", False):
        return "SELECT, INSERT"
    columns: tuple[str, ...] | None = getattr(model, "updatable", None)
    if columns is None:
        return "SELECT, INSERT, UPDATE, DELETE"
    return "SELECT, INSERT, DELETE" + (f", UPDATE ({', '.join(columns)})" if columns else "")
