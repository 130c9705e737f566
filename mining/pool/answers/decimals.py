"""The pool's decimals to satoshi: the one place. Behind it all money is whole satoshi (billing/split.py)."""

from decimal import ROUND_HALF_EVEN, Context, Decimal

# Wide enough for any amount of the pool with all its decimals: the default of 28 digits would round once too often.
EXACT = Context(prec=100, rounding=ROUND_HALF_EVEN)
SATOSHI_DECIMALS = 8


def to_sat(amount: Decimal) -> int:
    """Satoshi of an exact amount of bitcoin, half to even."""
    return int(amount.scaleb(SATOSHI_DECIMALS, EXACT).to_integral_value(context=EXACT))
