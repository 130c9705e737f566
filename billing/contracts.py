"""Which terms hold on a day: contracts are agreed here and get new versions here, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any

from django.db import connection, transaction
from django.db.backends.postgresql.psycopg_any import DateRange
from django.db.models import Max

from billing import notices
from billing.models import Basis, Contract, ContractComponent, ContractVersion, DocumentLine, FeeBearer
from billing.split import WHOLE_PPM, of_gross
from billing.words import terms_in_words
from customers import audit
from customers.errors import Refused
from customers.leaving import held_open
from customers.models import Customer
from customers.tenancy import Access
from customers.words import day_in_words

REVENUE_SHARE = ContractComponent.Kind.REVENUE_SHARE


@dataclass(frozen=True, slots=True)
class RevenueShare:
    """A component's terms, checked."""

    share_ppm: int
    basis: Basis
    pool_fee_borne_by: FeeBearer

    @property
    def words(self) -> str:
        return terms_in_words(self.share_ppm, self.basis, self.pool_fee_borne_by)

    @property
    def base(self) -> tuple[Basis, FeeBearer]:
        return self.basis, self.pool_fee_borne_by

    @property
    def basis_given(self) -> dict[str, str]:
        """What is shared, as read_terms takes it. Gross with a shared fee is computed as net, and is net here."""
        if not of_gross(self.basis, self.pool_fee_borne_by):
            return {"basis": Basis.NET.value}
        return {"basis": Basis.GROSS.value, "pool_fee_borne_by": self.pool_fee_borne_by.value}


FARTHEST = timedelta(days=5 * 366)
LARGEST_MINIMUM_SAT = 100_000_000  # a slip that kept a customer's money back for ever would be no term


def agree(
    access: Access,
    *,
    customer: Customer,
    valid_from: date,
    settle_in: str,
    components: Sequence[Mapping[str, Any]],
    minimum_sat: int = 0,
    now: datetime,
) -> Contract:
    """The customer's contract with its first version. A customer has one; changes are new versions."""
    terms = read_terms(settle_in, components)
    _check_year(valid_from, now)
    _check_minimum(minimum_sat)
    with transaction.atomic():
        # The customer's row serialises two people who agree with the same customer at once.
        owner = held_open(access, customer)
        if Contract.objects.visible_to(access).filter(customer=owner).exists():
            raise Refused(
                "%(customer)s has a contract already. Add a new version to it instead.",
                code="contract.exists",
                params={"customer": owner.name},
            )
        contract = Contract.objects.create(provider=access.provider, customer=owner, created_at=now)
        _add_version(contract, valid_from, terms, minimum_sat, now)
        audit.record(
            access,
            "contract.agreed",
            contract.code,
            now=now,
            valid_from=str(valid_from),
            share_ppm=terms.share_ppm,
            minimum_sat=minimum_sat,
        )
    return contract


def new_version(
    access: Access,
    contract: Contract,
    *,
    valid_from: date,
    settle_in: str,
    components: Sequence[Mapping[str, Any]],
    minimum_sat: int = 0,
    seen_as: str | None = None,
    now: datetime,
) -> ContractVersion:
    """New terms from a day on; the former version ends the day before. What was to begin then or later and billed
    nothing is withdrawn: a slip is put right from its first day by agreeing again. The customer is told of terms that
    reach back. `seen_as`: of the effect that somebody looked at; another one by now is refused."""
    terms = read_terms(settle_in, components)
    _check_year(valid_from, now)
    _check_minimum(minimum_sat)
    with transaction.atomic():
        contract = Contract.objects.visible_to(access).select_for_update(no_key=True).get(pk=contract.pk)
        held_open(access, contract.customer)
        withdrawn, former = _replaced(contract, valid_from)
        effect = Effect(withdrawn, former, valid_from, _changed_days(contract, valid_from, terms))
        if seen_as not in (None, effect.seen_as):
            raise Refused(
                "What these terms change is not what you looked at any more. Nothing was agreed. Look at it again.",
                code="terms.changed_meanwhile",
            )
        before = effect.before
        words_before = terms_of(before).words if before is not None else ""
        for version in withdrawn:
            _withdraw(access, contract, version, now)
        if former is not None:
            _end_before(former, valid_from)
        version = _add_version(contract, valid_from, terms, minimum_sat, now)
        if reaches_back(valid_from, now):
            notices.owe(version, words_before, rewards=effect.rewards, difference_sat=effect.difference_sat, now=now)
        audit.record(
            access,
            "contract.version_added",
            contract.code,
            now=now,
            version=version.code,
            valid_from=str(valid_from),
            share_ppm=terms.share_ppm,
            minimum_sat=minimum_sat,
            rewards_changed=effect.rewards,
            difference_sat=effect.difference_sat,
        )
    return version


def reaches_back(valid_from: date, now: datetime) -> bool:
    """Over days that are mined, in whole or in part."""
    return valid_from < now.astimezone(UTC).date()


def terms_of(version: ContractVersion) -> RevenueShare:
    component = version.components.get(provider=version.provider_id, kind=REVENUE_SHARE)
    return RevenueShare(component.share_ppm, Basis(component.basis), FeeBearer(component.pool_fee_borne_by))


def _replaced(contract: Contract, valid_from: date) -> tuple[list[ContractVersion], ContractVersion | None]:
    """What terms from this day on withdraw, the latest first, and the version that then ends the day before."""
    standing = contract.versions.filter(provider=contract.provider_id, withdrawn_at=None).order_by("-valid")
    withdrawn: list[ContractVersion] = []
    for version in standing.select_for_update():
        _refuse_billed_days(version, valid_from)
        if version.valid.lower < valid_from:
            return withdrawn, version
        withdrawn.append(version)
    return withdrawn, None


def _withdraw(access: Access, contract: Contract, version: ContractVersion, now: datetime) -> None:
    version.withdrawn_at, version.withdrawn_by = now, access.actor
    version.save(update_fields=["withdrawn_at", "withdrawn_by"])
    audit.record(
        access,
        "contract.version_withdrawn",
        contract.code,
        now=now,
        version=version.code,
        valid_from=str(version.valid.lower),
    )


def _check_year(valid_from: date, now: datetime) -> None:
    if valid_from > now.date() + FARTHEST:
        raise Refused(
            "%(day)s is more than five years ahead: check the year.",
            code="terms.too_far_ahead",
            params={"day": day_in_words(valid_from)},
        )
    if valid_from < now.date() - FARTHEST:
        raise Refused(
            "%(day)s is more than five years back: check the year.",
            code="terms.too_far_back",
            params={"day": day_in_words(valid_from)},
        )


def _refuse_billed_days(version: ContractVersion, valid_from: date) -> None:
    billed = last_day_billed(version)
    if billed is not None and valid_from <= billed:
        raise Refused(
            "The days up to %(billed)s are billed with the terms of then in issued documents."
            " New terms can begin on %(first)s or later.",
            code="terms.days_billed",
            params={"billed": day_in_words(billed), "first": day_in_words(billed + timedelta(days=1))},
        )


def _end_before(former: ContractVersion, valid_from: date) -> None:
    if former.valid.upper is None or former.valid.upper > valid_from:
        former.valid = DateRange(former.valid.lower, valid_from)
        former.save(update_fields=["valid"])


def last_day_billed(version: ContractVersion) -> date | None:
    """The last day that a document that counts billed by this version; the database keeps the terms up to it."""
    billed = DocumentLine.objects.filter(
        provider=version.provider_id,
        document__customer=version.customer_id,
        document__counts=True,
        version=version,
    ).aggregate(day=Max("day"))
    day: date | None = billed["day"]
    return day


def _check_minimum(minimum_sat: int) -> None:
    if not 0 <= minimum_sat <= LARGEST_MINIMUM_SAT:
        raise Refused(
            "The smallest amount to issue is a whole number of satoshi, from 0 to 100,000,000 (1 BTC).",
            code="terms.minimum_invalid",
        )


def _add_version(
    contract: Contract, valid_from: date, terms: RevenueShare, minimum_sat: int, now: datetime
) -> ContractVersion:
    version = ContractVersion.objects.create(
        provider_id=contract.provider_id,
        contract=contract,
        customer_id=contract.customer_id,
        valid=DateRange(valid_from, None),
        settle_in="btc",
        minimum_sat=minimum_sat,
        created_at=now,
    )
    ContractComponent.objects.create(
        provider_id=contract.provider_id,
        version=version,
        customer_id=contract.customer_id,
        position=1,
        kind=REVENUE_SHARE,
        share_ppm=terms.share_ppm,
        basis=terms.basis,
        pool_fee_borne_by=terms.pool_fee_borne_by,
    )
    return version


def read_terms(settle_in: str, components: Sequence[Mapping[str, Any]]) -> RevenueShare:
    """Check terms as a door hands them over (the shape of the API), or refuse with a sentence."""
    if settle_in != "btc":
        raise Refused(
            'Settling in %(settle_in)r is not built yet. Use settle_in "btc".',
            code="terms.settle_in_unknown",
            params={"settle_in": settle_in},
        )
    if len(components) != 1:
        raise Refused("A contract has exactly one component for now: a revenue share.", code="terms.not_one_component")
    return _read_revenue_share(components[0])


def _read_revenue_share(component: Mapping[str, Any]) -> RevenueShare:
    if component.get("kind") != REVENUE_SHARE:
        raise Refused(
            'Components of kind %(kind)r are not built yet. Use "revenue_share".',
            code="terms.kind_unknown",
            params={"kind": component.get("kind")},
        )
    unknown = sorted(component.keys() - {"kind", "share_ppm", "basis", "pool_fee_borne_by"})
    if unknown:
        raise Refused("A revenue share has no %(field)r.", code="terms.field_unknown", params={"field": unknown[0]})
    share_ppm = component.get("share_ppm")
    if not isinstance(share_ppm, int) or isinstance(share_ppm, bool) or not 0 <= share_ppm <= WHOLE_PPM:
        raise Refused(
            "share_ppm must be a whole number from 0 to 1000000: the provider's share in parts per million.",
            code="terms.share_invalid",
        )
    basis = component.get("basis")
    if basis not in Basis.values:
        raise Refused('basis must be "net" (after the pool\'s fee) or "gross" (before it).', code="terms.basis_invalid")
    return RevenueShare(share_ppm, Basis(basis), _read_fee_bearer(Basis(basis), component.get("pool_fee_borne_by")))


def _read_fee_bearer(basis: Basis, borne_by: object) -> FeeBearer:
    if basis is Basis.NET:
        if borne_by not in (None, "", FeeBearer.SHARED):
            raise Refused(
                "On a net basis the pool's fee is off the top for both: leave pool_fee_borne_by out.",
                code="terms.fee_bearer_superfluous",
            )
        return FeeBearer.SHARED
    if borne_by not in FeeBearer.values:
        raise Refused(
            'On a gross basis say who bears the pool\'s fee: "customer", "provider" or "shared".',
            code="terms.fee_bearer_missing",
        )
    return FeeBearer(str(borne_by))


# --- What new terms would do


@dataclass(frozen=True, slots=True)
class ChangedDay:
    """A day that is mined already, and the customer's part of its final rewards before and after."""

    day: date
    rewards: int
    net_sat: int
    was_sat: int | None  # None: no terms held
    becomes_sat: int

    @property
    def difference_sat(self) -> int:
        return self.becomes_sat - (self.was_sat or 0)


@dataclass(frozen=True, slots=True)
class Effect:
    """What agreeing to terms from a day on would do now, before anybody agrees."""

    withdrawn: list[ContractVersion]  # never used: they stay as history, and hold on no day; the latest first
    former: ContractVersion | None  # the one before them
    valid_from: date
    days: list[ChangedDay]

    @property
    def ends(self) -> ContractVersion | None:
        """Ends the day before."""
        former = self.former
        return former if former is not None and (former.valid.upper or date.max) > self.valid_from else None

    @property
    def before(self) -> ContractVersion | None:
        """What holds on the first day until then."""
        covering = (version for version in self.withdrawn if version.valid.lower == self.valid_from)
        return next(covering, self.ends)

    @property
    def rewards(self) -> int:
        """Mined already, and final, whose split changes."""
        return sum(day.rewards for day in self.days)

    @property
    def first_day(self) -> date | None:
        return self.days[0].day if self.days else None

    @property
    def last_day(self) -> date | None:
        return self.days[-1].day if self.days else None

    @property
    def difference_sat(self) -> int:
        """For the customer: + the customer gets more."""
        return sum(day.difference_sat for day in self.days)

    @property
    def seen_as(self) -> str:
        """Stands for exactly this effect."""
        versions = [version.code for version in (*self.withdrawn, *filter(None, [self.ends]))]
        days = [f"{day.day} {day.rewards} {day.was_sat} {day.becomes_sat}" for day in self.days]
        return sha256("\n".join([str(self.valid_from), *versions, *days]).encode()).hexdigest()


CHANGED_DAYS = """
SELECT day, count(*), sum(net_sat)::bigint, sum(was_sat)::bigint, sum(is_sat)::bigint
FROM (
    SELECT r.day, r.net_sat,
        greatest(billing_customer_sat_uncapped(r.total_sat, r.net_sat, t.share_ppm, t.basis, t.pool_fee_borne_by), 0)
            AS was_sat,
        greatest(billing_customer_sat_uncapped(r.total_sat, r.net_sat, %(share_ppm)s, %(basis)s,
            %(pool_fee_borne_by)s), 0) AS is_sat
    FROM mining_reward r
    LEFT JOIN billing_contractversion v ON v.provider_id = r.provider_id AND v.contract_id = %(contract)s
        AND v.withdrawn_at IS NULL AND v.valid @> r.day
    LEFT JOIN billing_contractcomponent t ON t.provider_id = v.provider_id AND t.version_id = v.id
        AND t.kind = 'revenue_share' AND t.position = 1
    WHERE r.provider_id = %(provider)s AND r.customer_id = %(customer)s AND r.day >= %(valid_from)s
        AND r.status = 'successful' AND r.missing_since IS NULL AND r.currency = 'BTC'
        AND r.payout_destination <> 'unknown'
) r
WHERE is_sat IS DISTINCT FROM was_sat
GROUP BY day ORDER BY day
"""


def _changed_days(contract: Contract, valid_from: date, terms: RevenueShare) -> list[ChangedDay]:
    """Before the new version is there."""
    values: dict[str, Any] = {
        "provider": contract.provider_id,
        "customer": contract.customer_id,
        "contract": contract.pk,
        "valid_from": valid_from,
        "share_ppm": terms.share_ppm,
        "basis": terms.basis,
        "pool_fee_borne_by": terms.pool_fee_borne_by,
    }
    with connection.cursor() as cursor:
        cursor.execute(CHANGED_DAYS, values)
        return [ChangedDay(*row) for row in cursor.fetchall()]


def effect_of(
    access: Access,
    contract: Contract,
    *,
    valid_from: date,
    settle_in: str,
    components: Sequence[Mapping[str, Any]],
    minimum_sat: int = 0,
    now: datetime,
) -> Effect:
    """What new_version would do with the same, which is refused here too."""
    terms = read_terms(settle_in, components)
    _check_year(valid_from, now)
    _check_minimum(minimum_sat)
    with transaction.atomic():
        contract = Contract.objects.visible_to(access).select_for_update(no_key=True).get(pk=contract.pk)
        withdrawn, former = _replaced(contract, valid_from)
        return Effect(withdrawn, former, valid_from, _changed_days(contract, valid_from, terms))
