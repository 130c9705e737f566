"""The WhitePool client: one method per endpoint, our units in and out. One client per thread.

    with PoolClient(base_url=…, api_key=…, secret=…, redis=…) as pool:
        page = pool.rewards_page(limit=100)

Every method raises the errors of errors.py and nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import redis as redis_py

from mining.pool import rights
from mining.pool.answers import parsing
from mining.pool.answers.types import (
    AccountsPage,
    CreatedLink,
    HashrateSeries,
    MinersInfo,
    PayoutDestination,
    PoolAccount,
    RewardsPage,
    WatcherLinks,
    WorkerNames,
    WorkerSeries,
)
from mining.pool.errors import BadAnswer, OurBug, PermissionMissing, RequestRefused
from mining.pool.limits.rate_limit import BURST_CALLS, CALLS_PER_SECOND, Priority, RateLimiter
from mining.pool.transport.attempt import Waits
from mining.pool.transport.caller import Caller, Endpoint
from mining.pool.transport.closing import Closing
from mining.pool.transport.signing import Json, Secret

MOST_RECORDS_PER_PAGE = 100
LARGEST_OFFSET = 10_000

_ACCOUNTS = Endpoint("accounts")
_CREATE_ACCOUNT = Endpoint("accounts/create", repeatable=False)
_HASHRATE = Endpoint("hashrate")
_MINERS_INFO = Endpoint("miners/info")
_PAYOUT_DESTINATION = Endpoint("payout-destination")
_REWARDS = Endpoint("rewards")
_EDIT_PAYOUT_DESTINATION = Endpoint("payout-destination/edit", repeatable=False)
_WORKER_NAMES = Endpoint("workers/names")
_WORKER_HASHRATE = Endpoint("workers/hashrate")
_WATCHER_LINKS = Endpoint("watcher-links/list")
_CREATE_WATCHER_LINK = Endpoint("watcher-links/create", repeatable=False)

Interval = Literal["5m", "1h", "24h"]
Lifetime = Literal["1h", "24h", "7d", "always"]


class PoolClient(Closing):
    """`redis` needs a socket time-out of its own: without Redis no call goes out, and none may hang either.

    `party` and `priority` say whose turn a call takes at the rate limit; `egress` is the address of this machine that
    calls leave from (empty: the default route). `deadline_seconds` is all that one call may take with its waits and
    repeats; the other two shape the back-off.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        secret: Secret | str,
        redis: redis_py.Redis,
        party: str = "",
        priority: Priority = Priority.ACCOUNTS,
        egress: str = "",
        deadline_seconds: float = 30.0,
        first_wait_seconds: float = 1.0,
        longest_wait_seconds: float = 30.0,
        calls_per_second: float = CALLS_PER_SECOND,
        burst_calls: int = BURST_CALLS,
    ) -> None:
        self._caller = Caller(
            base_url=base_url,
            api_key=api_key,
            secret=secret if isinstance(secret, Secret) else Secret(secret),
            connection=redis,
            egress=egress,
            rate_limit=RateLimiter(
                redis,
                egress=egress,
                party=party,
                priority=priority,
                calls_per_second=calls_per_second,
                burst_calls=burst_calls,
            ),
            waits=Waits(deadline_seconds, first_wait_seconds, longest_wait_seconds),
        )

    def close(self) -> None:
        self._caller.close()

    @property
    def calls(self) -> int:
        """HTTP calls made so far, repeats and readings of the pool's clock included."""
        return self._caller.line.calls

    @property
    def extra_fields(self) -> Counter[str]:
        """Fields that the pool sent and nobody documented, by `endpoint.field`."""
        return self._caller.line.extra_fields.counts

    def create_account(self, name: str, referral_code: str | None = None) -> PoolAccount:
        """Never repeated once it may have been acted upon: AmbiguousOutcome means look the name up first."""
        return self._caller.call(
            _CREATE_ACCOUNT,
            _given(name=name, referralCode=referral_code),
            lambda document: parsing.parse_created_account(document, self._caller.line.extra_fields, name=name),
        )

    def accounts_page(
        self, *, name: str | None = None, limit: int = MOST_RECORDS_PER_PAGE, offset: int = 0
    ) -> AccountsPage:
        """Newest first. Documented without limit and offset: stop also on a page that brings nothing new."""
        line = self._caller.line
        return self._caller.call(
            _ACCOUNTS,
            _given(name=name, limit=_limit(limit), offset=_offset(offset)),
            lambda document: parsing.parse_accounts(document, line.extra_fields, line.redact),
        )

    def find_account(self, name: str) -> PoolAccount | None:
        """The account of exactly this name. BadAnswer when an entry that cannot be read may be it."""
        line = self._caller.line
        return self._caller.call(
            _ACCOUNTS,
            _given(name=name),
            lambda document: parsing.parse_account_named(document, line.extra_fields, line.redact, name=name),
        )

    def rewards_page(
        self,
        *,
        account: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = MOST_RECORDS_PER_PAGE,
        offset: int = 0,
    ) -> RewardsPage:
        """Newest first; without `account` those of all accounts of the key's user. Empty is not zero: an unknown,
        foreign or disabled account looks the same."""
        return self._caller.call(
            _REWARDS,
            _given(account=account, **_span(since, until), limit=_limit(limit), offset=_offset(offset)),
            lambda document: parsing.parse_rewards(document, self._caller.line.extra_fields, self._caller.line.redact),
        )

    def hashrate(
        self,
        account: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        interval: Interval = "1h",
    ) -> HashrateSeries:
        """As the pool lists them: in no promised order, with gaps and repeats. None for a disabled account."""
        return self._caller.call(
            _HASHRATE,
            _given(account=account, **_span(since, until), interval=interval),
            lambda document: parsing.parse_hashrate(document, self._caller.line.extra_fields, account=account),
        )

    def miners_info(self, account: str) -> MinersInfo:
        return self._caller.call(
            _MINERS_INFO,
            _given(account=account),
            lambda document: parsing.parse_miners_info(document, self._caller.line.extra_fields),
        )

    def worker_names_page(self, account: str, *, limit: int = MOST_RECORDS_PER_PAGE, offset: int = 0) -> WorkerNames:
        """Workers that are online now. The list moves while it is paged: a name may come twice, or not at all."""
        return self._caller.call(
            _WORKER_NAMES,
            _given(account=account, limit=_limit(limit), offset=_offset(offset)),
            lambda document: parsing.parse_worker_names(
                document, self._caller.line.extra_fields, self._caller.line.redact
            ),
        )

    def worker_hashrate(
        self,
        account: str,
        worker: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        interval: Interval = "1h",
    ) -> WorkerSeries:
        """None for a worker that the pool does not know. `since` and `until` must not lie ahead of the pool's clock."""
        return self._caller.call(
            _WORKER_HASHRATE,
            _given(account=account, worker=worker, **_span(since, until), interval=interval),
            lambda document: parsing.parse_worker_hashrate(document, self._caller.line.extra_fields),
        )

    def watcher_links(self, account: str) -> WatcherLinks:
        """The active links that show this account, whoever made them. A new one may take half a minute to be listed."""
        return self._caller.call(
            _WATCHER_LINKS,
            _given(account=account),
            lambda document: parsing.parse_links(document, self._caller.line.extra_fields, self._caller.line.redact),
        )

    def create_watcher_link(
        self, accounts: Sequence[str], *, name: str, permissions: Sequence[str], lifetime: Lifetime
    ) -> CreatedLink:
        """Cannot be undone, and is never repeated once it may have been acted upon: AmbiguousOutcome means look at
        `watcher_links` first. RequestRefused with the field `user` means that an account has three active ones."""
        return self._caller.call(
            _CREATE_WATCHER_LINK,
            {"accounts": list(accounts), "permissions": list(permissions), **_given(name=name, liveUntil=lifetime)},
            lambda document: parsing.parse_created_link(document, self._caller.line.extra_fields),
        )

    def edit_payout_destination(
        self, account: str, *, destination: Literal["main_balance", "external_address"], address: str | None = None
    ) -> PayoutDestination:
        """What the pool says afterwards. Moves money: never repeated once it may have been acted upon."""
        return self._caller.call(
            _EDIT_PAYOUT_DESTINATION,
            _given(accountName=account, destination=destination, address=address),
            lambda document: parsing.parse_payout_destination(
                document, self._caller.line.extra_fields, endpoint=_EDIT_PAYOUT_DESTINATION.name
            ),
        )

    def payout_destination(self, account: str) -> PayoutDestination:
        return self._caller.call(
            _PAYOUT_DESTINATION,
            _given(accountName=account),
            lambda document: parsing.parse_payout_destination(document, self._caller.line.extra_fields),
        )

    def may_use(self, endpoint: str, *, account: str | None = None) -> bool | None:
        """Whether the key has the right to an endpoint, asked in a way that cannot do anything (rights.py).

        None: the pool refused the parameters, as was meant, and does not say whether it had looked at the right first.
        BadAnswer with DID_THE_IMPOSSIBLE: it answered as if it had acted, and somebody has to see what it did.
        """
        acts = endpoint in rights.ACTING
        try:
            self._caller.call(
                Endpoint(endpoint, repeatable=not acts), rights.harmless(endpoint, account), rights.answered
            )
        except PermissionMissing:
            return False
        except RequestRefused:
            return None
        if acts:
            raise BadAnswer(
                f"The pool answered {endpoint} as if it had done what its own rules forbid:"
                " look at WhiteBIT whether anything was made or changed.",
                endpoint=endpoint,
                problem=rights.DID_THE_IMPOSSIBLE,
            )
        return True


def _given(**parameters: str | int | None) -> dict[str, Json]:
    """The parameters that say something. To the pool an empty text is a filter that matches nothing."""
    if "" in parameters.values():
        raise OurBug("An empty text is no account name or filter.")
    return {name: value for name, value in parameters.items() if value is not None}


def _span(since: datetime | None, until: datetime | None) -> dict[str, int | None]:
    return {"from": _seconds(since), "to": _seconds(until)}


def _seconds(moment: datetime | None) -> int | None:
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise OurBug("A moment without a time zone cannot be sent to the pool.")
    return int(moment.timestamp())


def _limit(limit: int) -> int:
    if not 1 <= limit <= MOST_RECORDS_PER_PAGE:
        raise OurBug(f"A page holds 1 to {MOST_RECORDS_PER_PAGE} records, not {limit}.")
    return limit


def _offset(offset: int) -> int:
    if not 0 <= offset <= LARGEST_OFFSET:
        raise OurBug(f"The pool pages up to {LARGEST_OFFSET}, not {offset}: narrow the window by since and until.")
    return offset
