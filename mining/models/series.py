"""What all series have in common: rows of an account by moment, many of them, that nothing refers to."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, ClassVar

from django.db import models

from customers.models import Customer, Provider, TenantModel
from mining.models.accounts import MiningAccount


class SeriesModel(TenantModel):
    """A table without an id: its key names the row. No foreign key stands behind its columns, which would cost half of
    the speed of writing; one trigger of each statement looks for the accounts and fills in their customers instead
    (series_follow_account.sql)."""

    provider = models.ForeignKey(Provider, models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    mining_account = models.ForeignKey(
        MiningAccount, models.PROTECT, db_constraint=False, db_index=False, related_name="+"
    )
    customer = models.ForeignKey(
        Customer, models.PROTECT, null=True, db_constraint=False, db_index=False, related_name="+"
    )

    customer_field: ClassVar[str | None] = "customer"

    class Meta:
        abstract = True


class Millionths(models.Field):  # type: ignore[type-arg]  # no generic while it runs
    """A number of six places, kept as a whole number of millionths: as exact as NUMERIC, and half its size."""

    def db_type(self, connection: Any) -> str:
        return "bigint"

    def from_db_value(self, value: int | Decimal | None, _expression: Any, _connection: Any) -> Decimal | None:
        return None if value is None else Decimal(value).scaleb(-6)

    def to_python(self, value: Any) -> Decimal | None:
        return None if value is None else Decimal(value)

    def get_prep_value(self, value: Any) -> int | None:
        if value is None:
            return None
        return int(Decimal(value).scaleb(6).to_integral_value(ROUND_HALF_EVEN))
