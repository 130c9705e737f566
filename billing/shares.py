"""Whose part of a reward is how much: for lists of rewards, and for a month that still runs. Reads only."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection

from billing.holds import misdirected
from billing.models import ContractComponent
from billing.planning import hash_joins
from billing.settlement import month_of
from billing.split import Split, split_sat
from customers.models import Customer
from customers.tenancy import Access
from mining.models import Reward
from mining.models.rewards import Destination, RewardStatus

NO_CONTRACT = "no_contract"  # no version covers the day: billed by the next close once one does
SHARE_CAPPED = "share_capped"  # the customer's part came out below 0 and was set to 0
CANCELED = "canceled"
UNKNOWN_STATUS = "unknown_status"
UNKNOWN_DESTINATION = "unknown_destination"
UNKNOWN_CURRENCY = "unknown_currency"
MISSING = "missing"  # the pool no longer lists it
MISDIRECTED = "misdirected"  # where nobody had agreed to: it is billed once a person approves it
TERMS_CHANGED = "terms_changed"  # after the day: its parts were others


@dataclass(frozen=True, slots=True)
class RewardShare:
    """The two parts of a reward by the terms of its day; None: not known, `flags` says why."""

    provider_share_sat: int | None
    customer_share_sat: int | None
    flags: tuple[str, ...] = ()
    before: Before | None = None


@dataclass(frozen=True, slots=True)
class Before:
    """The two parts by the terms that held on the day until others reached back over it."""

    changed_at: datetime
    provider_share_sat: int
    customer_share_sat: int


def shares_of(rewards: Iterable[Reward]) -> dict[int, RewardShare]:
    """By the reward's primary key. Two queries, however many rewards and customers."""
    page = list(rewards)
    elsewhere = misdirected.among(page)
    terms = _Terms({(reward.provider_id, reward.customer_id) for reward in page if reward.customer_id})
    return {
        reward.pk: _with_before(
            _share_of(reward, terms.on(reward.customer_id, reward.day), is_elsewhere=reward.pk in elsewhere),
            reward,
            terms,
        )
        for reward in page
    }


def _share_of(reward: Reward, terms: ContractComponent | None, *, is_elsewhere: bool) -> RewardShare:
    is_canceled, is_unknown = reward.status == RewardStatus.CANCELED, reward.payout_destination == Destination.UNKNOWN
    flags = [
        flag
        for flag, holds in (
            (NO_CONTRACT, terms is None),
            (CANCELED, is_canceled),
            (UNKNOWN_STATUS, reward.status == RewardStatus.UNKNOWN),
            (UNKNOWN_CURRENCY, reward.currency != "BTC"),
            (UNKNOWN_DESTINATION, is_unknown),
            (MISSING, reward.missing_since is not None),
            (MISDIRECTED, is_elsewhere and not is_canceled and not is_unknown),
        )
        if holds
    ]
    if terms is None or not {CANCELED, UNKNOWN_STATUS, UNKNOWN_CURRENCY}.isdisjoint(flags):
        return RewardShare(None, None, tuple(flags))
    parts = _split(reward, terms)
    if parts.share_capped:
        flags.append(SHARE_CAPPED)
    return RewardShare(parts.provider_sat, parts.customer_sat, tuple(flags))


def _with_before(share: RewardShare, reward: Reward, terms: _Terms) -> RewardShare:
    changed = terms.reaching_back(reward.customer_id, reward.day)
    if share.customer_share_sat is None or changed is None:
        return share
    at, replaced = changed
    parts = _split(reward, replaced)
    if parts.customer_sat == share.customer_share_sat:
        return share
    return replace(
        share, flags=(*share.flags, TERMS_CHANGED), before=Before(at, parts.provider_sat, parts.customer_sat)
    )


def _split(reward: Reward, terms: ContractComponent) -> Split:
    return split_sat(reward.total_sat, reward.net_sat, terms.share_ppm, terms.basis, terms.pool_fee_borne_by)


class _Terms:
    """The terms of some customers over all days, read at once."""

    def __init__(self, customers: set[tuple[int, int]]) -> None:
        self._first_days: dict[int, list[date]] = defaultdict(list)
        self._components: dict[int, list[ContractComponent]] = defaultdict(list)
        self._all: dict[int, list[ContractComponent]] = defaultdict(list)  # also what was withdrawn
        if not customers:
            return
        components = ContractComponent.objects.filter(
            provider__in={provider for provider, _ in customers},
            customer__in={customer for _, customer in customers},
            kind=ContractComponent.Kind.REVENUE_SHARE,
        )
        for component in components.select_related("version").order_by("customer_id", "version__valid"):
            self._all[component.customer_id].append(component)
            if component.version.withdrawn_at is None:
                self._first_days[component.customer_id].append(component.version.valid.lower)
                self._components[component.customer_id].append(component)

    def on(self, customer_id: int | None, day: date) -> ContractComponent | None:
        if customer_id is None:
            return None
        index = bisect_right(self._first_days[customer_id], day) - 1
        if index < 0:
            return None
        component = self._components[customer_id][index]
        return component if day in component.version.valid else None

    def reaching_back(self, customer_id: int | None, day: date) -> tuple[datetime, ContractComponent] | None:
        """When the terms of this day were agreed, if that was after it, and those that held on it until then."""
        terms = self.on(customer_id, day)
        if terms is None or customer_id is None:
            return None
        agreed_at = terms.version.created_at
        if agreed_at.astimezone(UTC).date() <= day:
            return None
        stood = [
            other
            for other in self._all[customer_id]
            if other.version.pk < terms.version.pk
            and other.version.valid.lower <= day
            and (other.version.withdrawn_at is None or other.version.withdrawn_at >= agreed_at)
        ]
        # Each ended where the next one began, so the last one to begin held.
        return (agreed_at, stood[-1]) if stood else None


@dataclass(frozen=True, slots=True)
class Parts:
    """Sums over rewards. None: no reward of the month is known at all, which is not the same as none."""

    count: int
    net_sat: int | None
    provider_sat: int | None
    customer_sat: int | None
    total_sat: int | None = None

    @property
    def fee_sat(self) -> int | None:
        return None if self.total_sat is None or self.net_sat is None else self.total_sat - self.net_sat


@dataclass(frozen=True, slots=True)
class MonthToDate:
    """A month's rewards so far, by the terms of each day. Final and not final stand apart: they are never summed."""

    month: date
    successful: Parts
    pending: Parts
    no_contract: int  # rewards without terms: in no sum
    unknown: int  # rewards that nobody can count yet (status, currency or destination unknown, or missing)
    last_day: date | None  # the newest reward day known


# Net is what went into the split: rewards without terms, canceled or unknown ones are counted apart.
MONTH_REWARDS = """
WITH terms AS MATERIALIZED (
    SELECT v.customer_id, v.valid, t.share_ppm, t.basis, t.pool_fee_borne_by
    FROM billing_contractversion v
    JOIN billing_contractcomponent t ON t.provider_id = v.provider_id AND t.version_id = v.id
        AND t.kind = 'revenue_share' AND t.position = 1
    WHERE v.provider_id = %(provider)s AND v.withdrawn_at IS NULL
        AND (%(customers)s::bigint[] IS NULL OR v.customer_id = ANY(%(customers)s))
), rewards AS (
    SELECT r.customer_id, r.status, r.day, r.total_sat, r.net_sat, t.valid IS NULL AS no_contract,
        r.currency <> 'BTC' OR r.payout_destination = 'unknown' OR r.status = 'unknown' OR r.missing_since IS NOT NULL
            AS unknown,
        greatest(billing_customer_sat_uncapped(r.total_sat, r.net_sat, t.share_ppm, t.basis, t.pool_fee_borne_by), 0)
            AS customer_sat
    FROM mining_reward r
    LEFT JOIN terms t ON t.customer_id = r.customer_id AND t.valid @> r.day
    WHERE r.provider_id = %(provider)s AND r.customer_id IS NOT NULL
        AND (%(customers)s::bigint[] IS NULL OR r.customer_id = ANY(%(customers)s))
        AND r.day >= %(first)s AND r.day < %(after)s
)
"""
SUMS = """
    count(*), max(day),
    count(*) FILTER (WHERE status <> 'canceled' AND no_contract),
    count(*) FILTER (WHERE status <> 'canceled' AND NOT no_contract AND unknown),
    count(*) FILTER (WHERE counts AND status = 'successful'),
    coalesce(sum(net_sat) FILTER (WHERE counts AND status = 'successful'), 0),
    coalesce(sum(customer_sat) FILTER (WHERE counts AND status = 'successful'), 0),
    coalesce(sum(total_sat) FILTER (WHERE counts AND status = 'successful'), 0),
    count(*) FILTER (WHERE counts AND status = 'pending'),
    coalesce(sum(net_sat) FILTER (WHERE counts AND status = 'pending'), 0),
    coalesce(sum(customer_sat) FILTER (WHERE counts AND status = 'pending'), 0),
    coalesce(sum(total_sat) FILTER (WHERE counts AND status = 'pending'), 0)
FROM (SELECT *, NOT no_contract AND NOT unknown AS counts FROM rewards) r
"""
MONTH = f"{MONTH_REWARDS} SELECT {SUMS}"
MONTH_BY_CUSTOMER = f"{MONTH_REWARDS} SELECT customer_id, {SUMS} GROUP BY customer_id"


def month_to_date(access: Access, customer: Customer | None, month: date, now: datetime) -> MonthToDate:
    """For one customer, or for all of the provider's. One query."""
    only = access.customer if access.customer is not None else customer
    with hash_joins() if only is None else nullcontext(), connection.cursor() as cursor:
        cursor.execute(MONTH, _month_values(access, [only.pk] if only is not None else None, month, now))
        return _month(month, *cursor.fetchone())


def months_to_date(access: Access, customers: Iterable[Customer], month: date, now: datetime) -> dict[int, MonthToDate]:
    """The same for each of some customers, by primary key. One query, however many they are."""
    wanted = [customer.pk for customer in customers]
    with connection.cursor() as cursor:
        cursor.execute(MONTH_BY_CUSTOMER, _month_values(access, wanted, month, now))
        months = {customer: _month(month, *sums) for customer, *sums in cursor.fetchall()}
    return {pk: months.get(pk) or _month(month, 0, None, *[0] * 10) for pk in wanted}


def _month_values(access: Access, customers: list[int] | None, month: date, now: datetime) -> dict[str, Any]:
    period = month_of(month)
    return {
        "provider": access.provider.pk,
        "customers": customers,
        "first": period.lower,
        "after": min(period.upper, now.astimezone(UTC).date() + timedelta(days=1)),
    }


def _month(month: date, rewards: int, last_day: date | None, no_contract: int, unknown: int, *sums: int) -> MonthToDate:
    return MonthToDate(
        month=month_of(month).lower,
        successful=_parts(rewards, *sums[:4]),
        pending=_parts(rewards, *sums[4:]),
        no_contract=no_contract,
        unknown=unknown,
        last_day=last_day,
    )


def _parts(rewards: int, count: int, net_sat: int, customer_sat: int, total_sat: int) -> Parts:
    if not rewards:
        return Parts(0, None, None, None)
    net, customer = int(net_sat), int(customer_sat)
    return Parts(count, net, net - customer, customer, int(total_sat))
