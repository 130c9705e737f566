"""The pool's list of accounts, read to its end. No database here."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from mining.pool.answers.types import PoolAccount
from mining.pool.client import LARGEST_OFFSET, PoolClient

# The pool's documented page. It documents no limit, so a page this long may be all it gives at once.
DEFAULT_PAGE = 30


@dataclass(frozen=True, slots=True)
class AccountList:
    accounts: tuple[PoolAccount, ...]
    whole: bool  # False: the pool repeated itself instead of ending, so there may be more


def list_surely(
    pool: PoolClient, *, missing: Callable[[AccountList], Collection[str]], alive: Callable[[], None]
) -> AccountList:
    """The list, asked for again before an account is believed to be missing: what either one names is there."""
    first = list_accounts(pool, alive=alive)
    if not missing(first):
        return first
    second = list_accounts(pool, alive=alive)
    both = {account.name: account for account in (*first.accounts, *second.accounts)}
    return AccountList(tuple(both.values()), whole=first.whole and second.whole)


def list_accounts(pool: PoolClient, *, alive: Callable[[], None]) -> AccountList:
    """All accounts of the key's user. Ends on a short or empty page, or on one that brings nothing new."""
    found: dict[str, PoolAccount] = {}
    offset = 0
    while offset <= LARGEST_OFFSET:
        alive()
        page = pool.accounts_page(offset=offset)
        new = {account.name: account for account in page if account.name not in found}
        found |= new
        if len(page) < DEFAULT_PAGE:
            return AccountList(tuple(found.values()), whole=True)
        if not new:
            break
        offset += len(page)
    return AccountList(tuple(found.values()), whole=False)
