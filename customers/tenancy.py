"""The single rule of who sees what: in code by `visible_to`, in the database by the context that policies read.

The context is four settings of the running transaction:
    portal.provider  the provider's id, or '' (nobody's rows)
    portal.customer  '*' (staff, systems, workers), a customer's id, or '' (nothing at all: it fails closed)
    portal.user      a user's id: opens that user's own memberships, for the chooser
    portal.lookup    SHA-256 (hex) of a presented secret: opens the one token or invitation with that digest
The wall is against forgotten filters. It is no wall against someone who can run SQL as the runtime role.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

from django.db import connection, models, transaction

if TYPE_CHECKING:
    from customers.models import Customer, Membership, Provider, User

EVERY_CUSTOMER = "*"
Row_co = TypeVar("Row_co", bound=models.Model, covariant=True)


class Kind(StrEnum):
    STAFF = "staff"
    CUSTOMER = "customer"
    SHARE = "share"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Access:
    """Who is asking, for which provider, and (for customers) for which customer only."""

    kind: Kind
    provider: Provider
    customer: Customer | None = None
    user: User | None = None
    role: str = ""
    membership: Membership | None = None
    scopes: frozenset[str] = frozenset()
    label: str = ""  # what the audit calls a caller who is no user: a token's or a command's name

    @property
    def actor(self) -> str:
        """As the audit names people and programs."""
        return self.user.email if self.user else self.label or self.kind

    @property
    def sees_every_customer(self) -> bool:
        return self.kind in (Kind.STAFF, Kind.SYSTEM)

    @property
    def customer_setting(self) -> str:
        if self.sees_every_customer:
            return EVERY_CUSTOMER
        return str(self.customer.pk) if self.customer is not None else ""


class TenantQuerySet(models.QuerySet[Row_co]):
    """Reads of a tenant's rows. `customer_field` says where a row names its customer; None: staff only."""

    def visible_to(self, access: Access) -> Self:
        rows = self.filter(provider=access.provider.pk)
        if access.sees_every_customer:
            return rows
        customer_field: str | None = getattr(self.model, "customer_field", None)
        if customer_field is None or access.customer is None:
            return rows.none()
        return rows.filter(**{customer_field: access.customer.pk})


class Context(NamedTuple):
    provider: str = ""
    customer: str = ""
    user: str = ""
    lookup: str = ""


class WrongContext(RuntimeError):
    """Code tried to enter another provider's context inside one that is open. A bug of ours, never of the caller."""


NOBODY = Context()


@dataclass(frozen=True, slots=True)
class _Open:
    """The context that the innermost open block is in, remembered on the connection instead of asked back."""

    context: Context
    savepoints: int  # how many were open when the block began


def _remembered() -> _Open | None:
    """None outside of any context: there the database is asked, for a transaction may have been begun by others."""
    return getattr(connection, "portal_context", None)


def _remember(context: _Open | None) -> None:
    setattr(connection, "portal_context", context)  # noqa: B010 - an attribute that the stubs do not know


def current() -> Context:
    remembered = _remembered()
    return remembered.context if remembered else in_effect()


def in_effect() -> Context:
    """What the policies read at this moment, by the database itself."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(current_setting('portal.provider', true), ''),"
            " coalesce(current_setting('portal.customer', true), ''),"
            " coalesce(current_setting('portal.user', true), ''), coalesce(current_setting('portal.lookup', true), '')"
        )
        return Context(*cursor.fetchone())


def _set(context: Context, *, instead_of: Context) -> None:
    if context == instead_of:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('portal.provider', %s, true), set_config('portal.customer', %s, true),"
            " set_config('portal.user', %s, true), set_config('portal.lookup', %s, true)",
            context,
        )


@contextmanager
def _entered(context: Context) -> Iterator[None]:
    """Settings are local to the transaction: its end takes them back by itself, and so does a rollback to the savepoint
    that begins this block. So the database follows what is remembered, and only success inside a transaction that goes
    on restores by hand."""
    begins = not connection.in_atomic_block
    outer = None if begins else _remembered()
    with transaction.atomic():
        before = NOBODY if begins else current()
        if before.provider and context.provider and before.provider != context.provider:
            raise WrongContext(f"context of provider {context.provider} inside that of provider {before.provider}")
        _set(context, instead_of=before)
        _remember(_Open(context, len(connection.savepoint_ids)))
        try:
            yield
            if not begins and not connection.needs_rollback:
                _set(before, instead_of=current())
        finally:
            _remember(outer)


@contextmanager
def provider_context(provider_id: int, *, customer_id: int | None = None) -> Iterator[None]:
    """A transaction that sees one provider's rows: all of them, or those of one customer."""
    customer = EVERY_CUSTOMER if customer_id is None else str(customer_id)
    with _entered(Context(provider=str(provider_id), customer=customer)):
        yield


@contextmanager
def nobody_context() -> Iterator[None]:
    """A transaction that sees no tenant's rows yet: the start of every request."""
    with _entered(NOBODY):
        yield


@contextmanager
def user_context(user_id: int) -> Iterator[None]:
    """Opens the user's own memberships, in whatever provider they are."""
    with _entered(current_without_lookups()._replace(user=str(user_id))):
        yield


@contextmanager
def lookup_context(secret: str) -> Iterator[None]:
    """Opens exactly the token or invitation whose secret was presented."""
    with _entered(current_without_lookups()._replace(lookup=digest(secret).hex())):
        yield


def current_without_lookups() -> Context:
    return current()._replace(user="", lookup="") if connection.in_atomic_block else NOBODY


def enter(access: Access | None) -> None:
    """Switch the context that is open (the request's) to this access; None: nobody's. Only the middleware calls it."""
    block, savepoints = _remembered(), len(connection.savepoint_ids)
    # A rollback to a savepoint inside the block would take the settings back, and nobody would remember that.
    if block is None or block.savepoints != savepoints:
        raise WrongContext("a context is switched directly in its own block, not in a transaction inside it")
    context = NOBODY if access is None else _context_of(access)
    if block.context.provider and block.context.provider != context.provider:
        raise WrongContext(f"access to provider {context.provider} inside the context of {block.context.provider}")
    _set(context, instead_of=block.context)
    _remember(_Open(context, savepoints))


def access_context(access: Access) -> Any:
    """A transaction of its own that sees what this access sees."""
    return _entered(_context_of(access))


def _context_of(access: Access) -> Context:
    return Context(provider=str(access.provider.pk), customer=access.customer_setting)


def stream(access: Access, rows: Callable[[], Iterable[bytes]]) -> Iterator[bytes]:
    """The only way to stream rows: the body runs after the request's commit, so it opens its own context."""
    with access_context(access):
        yield from rows()


def digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
