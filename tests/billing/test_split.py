"""The split of a reward: the examples agreed on, exact properties, and the database's twin of the formula."""

from __future__ import annotations

from fractions import Fraction

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from billing.split import Split, split_sat
from billing.words import percent, terms_in_words

BASES = [("net", "shared"), ("gross", "customer"), ("gross", "provider"), ("gross", "shared")]

amounts = st.integers(0, 21_000_000 * 10**8)
shares = st.integers(0, 1_000_000)
bases = st.sampled_from(BASES)


@pytest.mark.parametrize(
    ("basis", "borne_by", "provider_sat", "customer_sat"),
    [("net", "shared", 146, 829), ("gross", "customer", 150, 825), ("gross", "provider", 125, 850)],
)
def test_the_examples_of_the_design(basis: str, borne_by: str, provider_sat: int, customer_sat: int) -> None:
    parts = split_sat(1000, 975, 150_000, basis, borne_by)

    assert parts == Split(1000, 975, 25, customer_sat, provider_sat, share_capped=False)


@pytest.mark.parametrize(
    ("net_sat", "share_ppm", "customer_sat"),
    [
        (1, 500_000, 0),  # 0.5 to even
        (3, 500_000, 2),  # 1.5 to even
        (5, 500_000, 2),  # 2.5 to even
        (7, 0, 7),
        (7, 1_000_000, 0),
        (100, 333_333, 67),  # 66.6667
        (0, 150_000, 0),
        (2_100_000_000_000_000, 333_333, 1_400_000_700_000_000),
    ],
)
def test_rounding_is_half_to_even_and_the_provider_takes_the_residue(
    net_sat: int, share_ppm: int, customer_sat: int
) -> None:
    parts = split_sat(net_sat, net_sat, share_ppm, "net", "shared")

    assert (parts.customer_sat, parts.provider_sat) == (customer_sat, net_sat - customer_sat)


def test_gross_with_a_shared_fee_is_computed_as_net() -> None:
    assert split_sat(1000, 975, 150_000, "gross", "shared") == split_sat(1000, 975, 150_000, "net", "shared")


def test_a_customer_part_below_zero_becomes_zero_and_is_flagged() -> None:
    parts = split_sat(1000, 900, 950_000, "gross", "customer")

    assert parts == Split(1000, 900, 100, 0, 900, share_capped=True)


def test_a_provider_part_below_zero_is_allowed_when_it_bears_the_fee() -> None:
    parts = split_sat(1000, 975, 10_000, "gross", "provider")

    assert (parts.provider_sat, parts.customer_sat, parts.share_capped) == (-15, 990, False)


@given(net=amounts, fee=amounts, share_ppm=shares, basis=bases)
def test_the_parts_sum_to_net_and_keep_their_bounds(net: int, fee: int, share_ppm: int, basis: tuple[str, str]) -> None:
    parts = split_sat(net + fee, net, share_ppm, *basis)

    assert parts.provider_sat + parts.customer_sat == parts.net_sat == net
    assert parts.fee_sat == fee
    assert parts.customer_sat >= 0
    if basis != ("gross", "provider"):
        assert parts.provider_sat >= 0
    if parts.share_capped:
        assert (parts.customer_sat, parts.provider_sat) == (0, net)


@given(net=amounts, fee=amounts, share_ppm=shares, basis=bases)
def test_the_customer_part_is_within_half_a_satoshi_of_the_exact_one(
    net: int, fee: int, share_ppm: int, basis: tuple[str, str]
) -> None:
    parts = split_sat(net + fee, net, share_ppm, *basis)
    gross = basis[0] == "gross" and basis[1] != "shared"
    exact = Fraction((net + fee if gross else net) * (1_000_000 - share_ppm), 1_000_000)
    exact -= fee if basis == ("gross", "customer") else 0

    assert abs(max(exact, Fraction(0)) - parts.customer_sat) <= Fraction(1, 2)


@given(net=amounts, share_ppm=st.integers(0, 999_999), basis=bases)
def test_a_larger_share_never_gives_the_provider_less(net: int, share_ppm: int, basis: tuple[str, str]) -> None:
    less, more = (split_sat(net + 25, net, ppm, *basis) for ppm in (share_ppm, share_ppm + 1))

    assert more.provider_sat >= less.provider_sat


@given(rows=st.lists(st.tuples(amounts, amounts, shares, bases), min_size=1, max_size=60))
@pytest.mark.django_db
def test_the_database_computes_the_same_split(rows: list[tuple[int, int, int, tuple[str, str]]]) -> None:
    values = [(net + fee, net, ppm, *basis) for net, fee, ppm, basis in rows]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT greatest(u, 0), u < 0 FROM unnest(%s::bigint[], %s::bigint[], %s::int[], %s::text[], %s::text[])"
            " WITH ORDINALITY x (total, net, ppm, basis, fee, n),"
            " LATERAL (SELECT billing_customer_sat_uncapped(total, net, ppm, basis, fee)) c (u) ORDER BY n",
            [list(column) for column in zip(*values, strict=True)],
        )
        computed = cursor.fetchall()

    parts = [split_sat(*value) for value in values]
    assert computed == [(part.customer_sat, part.share_capped) for part in parts]


@pytest.mark.parametrize(("net", "share_ppm"), [(1, 500_000), (3, 500_000), (5, 500_000), (2_000_003, 250_000)])
@pytest.mark.django_db
def test_the_database_rounds_halves_to_even_too(net: int, share_ppm: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT billing_customer_sat_uncapped(%s, %s, %s, 'net', 'shared')", [net, net, share_ppm])
        assert cursor.fetchone() == (split_sat(net, net, share_ppm, "net", "shared").customer_sat,)


@pytest.mark.parametrize("share_ppm", [-1, 1_000_001])
def test_a_share_outside_its_range_is_refused(share_ppm: int) -> None:
    with pytest.raises(ValueError, match="a share of"):
        split_sat(1000, 975, share_ppm, "net", "shared")


def test_terms_read_as_a_sentence() -> None:
    assert terms_in_words(150_000, "net", "shared") == (
        "Customer 85 %, provider 15 % of the net reward, after the pool's fee. The provider takes the rounding."
    )
    assert percent(333_333) == "33.3333 %"
    assert percent(1_000_000) == "100 %"
