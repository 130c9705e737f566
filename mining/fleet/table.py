"""Every customer's machines on one screen: filtered, counted, ordered and a page at a time, by one query.

For staff: inside their context. A page begins after a customer, so it costs the same however deep it is; who moves in
the order meanwhile may be seen twice or not at all, as in every list that is sorted by what changes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.db import connection

from customers.tenancy import Access
from mining.fleet.states import STATES, AccountNow, State, account_parameters
from mining.models import Exclusion, MiningAccount, Worker

TABLE = (Path(__file__).parent / "table.sql").read_text(encoding="utf-8")
EVERYTHING = 1_000_000

HASHRATES = """
SELECT account.site, sum(newest.ths_micro), count(*)
FROM (SELECT DISTINCT ON (mining_account_id) mining_account_id, ths_micro FROM mining_hashratepoint
      WHERE provider_id = %(provider)s AND at >= %(since)s AND at <= %(now)s
      ORDER BY mining_account_id, at DESC) AS newest
JOIN mining_miningaccount AS account ON account.id = newest.mining_account_id AND account.customer_id IS NOT NULL
GROUP BY account.site
"""


@dataclass(frozen=True, slots=True)
class Row:
    account: MiningAccount  # with its customer
    now: AccountNow


@dataclass(frozen=True, slots=True)
class Site:
    """Machines in each state at a site, and of how many customers; the name is empty for those without one."""

    site: str
    accounts: int
    expected: int
    up: int
    low: int
    down: int
    excluded: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Table:
    rows: list[Row]
    after: str | None  # the code of the last customer here, when there are more
    in_state: dict[State, int]  # accounts of all that match, whatever the state
    sites: list[Site]

    @property
    def count(self) -> int:
        return sum(self.in_state.values())


def table(
    access: Access,
    *,
    words: str = "",
    site: str = "",
    state: str = "",
    not_up: bool = False,
    order: str = "",
    after: str = "",
    size: int = 50,
    now: datetime,
) -> Table:
    """`order`: "" the worst first, name, longest (in its state), missing (machines). Three queries."""
    parameters = account_parameters(access.provider.pk, None, now=now) | {
        "like": f"%{_plain(words)}%" if words else "",
        "site": site,
        "state": state,
        "not_up": not_up,
        "order": order,
        "after": after,
        "limit": size + 1,
    }
    with connection.cursor() as cursor:
        cursor.execute(STATES + TABLE, parameters)
        found = cursor.fetchall()
    states, sites = (_told(part) for part in found[0][:2])
    page = [row[2:] for row in found if row[2] is not None]
    rows = _rows(access, page[:size])
    return Table(
        rows,
        rows[-1].account.customer.code if len(page) > size and rows[-1].account.customer else None,
        {State(name): count for name, count in (states or {}).items()},
        [Site(**{name: each[name] for name in Site.__slots__}) for each in sites or []],
    )


def _rows(access: Access, page: Iterable[tuple[Any, ...]]) -> list[Row]:
    page = list(page)
    accounts = MiningAccount.objects.visible_to(access).select_related("customer").in_bulk([row[0] for row in page])
    wanted = {row[-1] for row in page} - {None}
    exclusions = Exclusion.objects.visible_to(access).in_bulk(wanted) if wanted else {}
    return [
        Row(
            accounts[account_id],
            AccountNow(
                State(state), expected, up, low, down, excluded, unknown, since, read_at, exclusions.get(exclusion_id)
            ),
        )
        for account_id, expected, up, low, down, excluded, unknown, state, since, read_at, exclusion_id in page
    ]


def _told(part: Any) -> Any:
    return json.loads(part) if isinstance(part, str) else part


def _plain(words: str) -> str:
    """Not a pattern: what people type is looked for as it stands."""
    return words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def hashrates_at_sites(access: Access, *, no_older: timedelta, now: datetime) -> dict[str, tuple[Decimal, int]]:
    """By site: the newest current points summed, and of how many accounts one is known. One query."""
    with connection.cursor() as cursor:
        cursor.execute(HASHRATES, {"provider": access.provider.pk, "since": now - no_older, "now": now})
        return {site: (Decimal(sum_).scaleb(-6), count) for site, sum_, count in cursor.fetchall()}


def sites_of(access: Access) -> list[str]:
    """All labels that accounts and workers have. One query."""
    of_workers = Worker.objects.visible_to(access).exclude(site="").values_list("site")
    of_accounts = MiningAccount.objects.visible_to(access).exclude(site="").values_list("site")
    return sorted(site for (site,) in of_accounts.union(of_workers))
