"""Terms, shares and amounts as sentences and files say them."""

from __future__ import annotations

from billing.models import FeeBearer
from billing.split import SAT_PER_BTC, WHOLE_PPM, of_gross


def terms_in_words(share_ppm: int, basis: str, pool_fee_borne_by: str) -> str:
    """The sentence that documents and pages say about a revenue share."""
    customer, provider = percent(WHOLE_PPM - share_ppm), percent(share_ppm)
    base = base_in_words(basis, pool_fee_borne_by)
    return f"Customer {customer}, provider {provider} of {base}. The provider takes the rounding."


def base_in_words(basis: str, pool_fee_borne_by: str) -> str:
    if not of_gross(basis, pool_fee_borne_by):
        return "the net reward, after the pool's fee"
    who = "customer" if pool_fee_borne_by == FeeBearer.CUSTOMER else "provider"
    return f"the gross reward, before the pool's fee, which the {who} bears"


def percent(ppm: int) -> str:
    """15 %, 33.3333 %: exact, without idle zeros."""
    whole, part = divmod(ppm, 10_000)
    decimals = f"{part:04d}".rstrip("0")
    return f"{whole}{'.' if decimals else ''}{decimals} %"


def btc_text(amount_sat: int) -> str:
    """-0.00013012: eight decimals, a point, no grouping, for files and sentences."""
    whole, part = divmod(abs(amount_sat), SAT_PER_BTC)
    return f"{'-' if amount_sat < 0 else ''}{whole}.{part:08d}"
