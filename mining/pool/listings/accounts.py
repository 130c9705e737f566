"""The pool's list of accounts, read to its end. No database here."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from mining.pool.answers.types import PoolAccount, RejectedRecord
from mining.pool.client import LARGEST_OFFSET, PoolClient

# The pool's documented page. It documents no limit, so a page this long may be all it gives at once.
DEFAULT_PAGE = 30


@dataclass(frozen=True, slots=True)
class AccountList:
    """Whoever is not in it is not listed only if it is whole and nothing in it was `rejected`."""

    accounts: tuple[PoolAccount, ...]
    whole: bool  # False: the pool repeated itself instead of ending, so there may be more
    rejected: tuple[RejectedRecord, ...] = ()


def list_surely(
    pool: PoolClient, *, missing: Callable[[AccountList], Collection[str]], alive: Callable[[], None]
) -> AccountList:
    """The list, asked for again before an account is believed to be missing: what either one names is there."""
    first = list_accounts(pool, alive=alive)
    if not missing(first):
        return first
    second = list_accounts(pool, alive=alive)
    both = {account.name: account for account in (*first.accounts, *second.accounts)}
    rejected = tuple(dict.fromkeys((*first.rejected, *second.rejected)))
    return AccountList(tuple(both.values()), whole=first.whole and second.whole, rejected=rejected)


def list_accounts(pool: PoolClient, *, alive: Callable[[], None]) -> AccountList:
    """All accounts of the key's user. Ends on a short or empty page, or on one that brings nothing new."""
    accounts: dict[str, PoolAccount] = {}
    rejected: dict[RejectedRecord, None] = {}
    offset, whole = 0, False
    while offset <= LARGEST_OFFSET:
        alive()
        page = pool.accounts_page(offset=offset)
        length, known = len(page.accounts) + len(page.rejected), len(accounts) + len(rejected)
        accounts |= {account.name: account for account in page.accounts if account.name not in accounts}
        rejected |= dict.fromkeys(page.rejected)
        if length < DEFAULT_PAGE:
            whole = True
            break
        if len(accounts) + len(rejected) == known:
            break
        offset += length
    return AccountList(tuple(accounts.values()), whole=whole, rejected=tuple(rejected))
