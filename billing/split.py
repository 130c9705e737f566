"""The only rounding of money: whole satoshi of a reward, split between provider and customer. Pure: no rows, no clock.

`share_ppm` (0 to 1,000,000) is the provider's share. billing/migrations/sql/split.sql says the same for whole months at
once; a test holds the two together. The pool's decimals became satoshi before (mining/pool/answers/decimals.py).
"""

from dataclasses import dataclass

from billing.models.contracts import Basis, FeeBearer

SAT_PER_BTC = 100_000_000
WHOLE_PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class Split:
    """One reward in satoshi. net = provider + customer, always; the customer's part is never negative."""

    total_sat: int
    net_sat: int
    fee_sat: int
    customer_sat: int
    provider_sat: int
    share_capped: bool  # the customer's part came out below 0 and was set to 0


def split_sat(total_sat: int, net_sat: int, share_ppm: int, basis: str, pool_fee_borne_by: str) -> Split:
    """Rounded once, here; the fee is total − net and never rounded by itself; the provider takes the residue."""
    if not 0 <= share_ppm <= WHOLE_PPM:
        raise ValueError(f"a share of {share_ppm} ppm")
    if total_sat < 0 or net_sat < 0:
        raise ValueError("a negative reward")
    fee_sat = total_sat - net_sat
    gross = of_gross(basis, pool_fee_borne_by)
    customer_sat = _half_even((total_sat if gross else net_sat) * (WHOLE_PPM - share_ppm), WHOLE_PPM)
    if gross and pool_fee_borne_by == FeeBearer.CUSTOMER:
        customer_sat -= fee_sat
    capped = customer_sat < 0
    customer_sat = max(customer_sat, 0)
    return Split(total_sat, net_sat, fee_sat, customer_sat, net_sat - customer_sat, capped)


def of_gross(basis: str, pool_fee_borne_by: str) -> bool:
    """Whether the share is one of the total. Gross with a shared fee is net: the fee is off the top for both."""
    return Basis(basis) is Basis.GROSS and FeeBearer(pool_fee_borne_by) is not FeeBearer.SHARED


def _half_even(numerator: int, denominator: int) -> int:
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    up = twice > denominator or (twice == denominator and quotient % 2 == 1)
    return quotient + up
