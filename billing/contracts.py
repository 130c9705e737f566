"""Which terms hold on a day: contracts are agreed here and get new versions here, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateRange
from django.db.models import Max

from billing.models import Basis, Contract, ContractComponent, ContractVersion, DocumentLine, DocumentStatus, FeeBearer
from billing.split import WHOLE_PPM
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


FARTHEST = timedelta(days=5 * 366)


def agree(
    access: Access,
    *,
    customer: Customer,
    valid_from: date,
    settle_in: str,
    components: Sequence[Mapping[str, Any]],
    now: datetime,
) -> Contract:
    """The customer's contract with its first version. A customer has one; changes are new versions."""
    terms = read_terms(settle_in, components)
    _check_year(valid_from, now)
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
        _add_version(contract, valid_from, terms, now)
        audit.record(
            access, "contract.agreed", contract.code, now=now, valid_from=str(valid_from), share_ppm=terms.share_ppm
        )
    return contract


def new_version(
    access: Access,
    contract: Contract,
    *,
    valid_from: date,
    settle_in: str,
    components: Sequence[Mapping[str, Any]],
    now: datetime,
) -> ContractVersion:
    """New terms from a day on; the former version ends the day before."""
    terms = read_terms(settle_in, components)
    _check_year(valid_from, now)
    with transaction.atomic():
        contract = Contract.objects.visible_to(access).select_for_update(no_key=True).get(pk=contract.pk)
        held_open(access, contract.customer)
        former = _withdraw_not_begun(contract, valid_from, now)
        if former is not None:
            _end_before(former, valid_from)
        version = _add_version(contract, valid_from, terms, now)
        audit.record(
            access,
            "contract.version_added",
            contract.code,
            now=now,
            version=version.code,
            valid_from=str(valid_from),
            share_ppm=terms.share_ppm,
        )
    return version


def _withdraw_not_begun(contract: Contract, valid_from: date, now: datetime) -> ContractVersion | None:
    """The version to end before `valid_from`. Terms that were to begin then or later, and have not, are taken back:
    a slip in the year is put right by agreeing again."""
    former = _latest_version(contract)
    while former is not None and valid_from <= former.valid.lower and former.valid.lower > now.date():
        former.components.filter(provider=contract.provider_id).delete()
        former.delete()
        former = _latest_version(contract)
    return former


def _latest_version(contract: Contract) -> ContractVersion | None:
    return contract.versions.filter(provider=contract.provider_id).order_by("-valid").select_for_update().first()


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


def _end_before(former: ContractVersion, valid_from: date) -> None:
    began = former.valid.lower
    if valid_from <= began:
        raise Refused(
            "The present terms began on %(day)s. New ones must begin later: choose a day after it.",
            code="terms.before_present",
            params={"day": day_in_words(began)},
        )
    billed = last_day_billed(former)
    if billed is not None and valid_from <= billed:
        raise Refused(
            "The days up to %(billed)s are billed with the present terms in issued documents."
            " New terms can begin on %(first)s or later.",
            code="terms.days_billed",
            params={"billed": day_in_words(billed), "first": day_in_words(billed + timedelta(days=1))},
        )
    if former.valid.upper is None or former.valid.upper > valid_from:
        former.valid = DateRange(began, valid_from)
        former.save(update_fields=["valid"])


def last_day_billed(version: ContractVersion) -> date | None:
    """The last day that an issued document billed by this version; the database keeps the terms up to it."""
    billed = DocumentLine.objects.filter(
        provider=version.provider_id,
        document__customer=version.customer_id,
        document__status=DocumentStatus.ISSUED,
        version=version,
    ).aggregate(day=Max("day"))
    day: date | None = billed["day"]
    return day


def _add_version(contract: Contract, valid_from: date, terms: RevenueShare, now: datetime) -> ContractVersion:
    version = ContractVersion.objects.create(
        provider_id=contract.provider_id,
        contract=contract,
        customer_id=contract.customer_id,
        valid=DateRange(valid_from, None),
        settle_in="btc",
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
