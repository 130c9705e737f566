"""The pool's decimals, to satoshi and as text, in one place. Behind it money is whole satoshi (billing/split.py)."""

from decimal import ROUND_HALF_EVEN, Context, Decimal

# Wide enough for any amount of the pool with all its decimals: the default of 28 digits would round once too often.
EXACT = Context(prec=100, rounding=ROUND_HALF_EVEN)
SATOSHI_DECIMALS = 8


def to_sat(amount: Decimal) -> int:
    """Satoshi of an exact amount of bitcoin, half to even."""
    return int(amount.scaleb(SATOSHI_DECIMALS, EXACT).to_integral_value(context=EXACT))


def plain(amount: Decimal | str) -> str:
    """All its digits and a point, as programs and spreadsheets read a number: the pool's 1.25E-4 is 0.000125, and its
    -0.00 is 0.00. A text must be a number."""
    number = Decimal(amount)
    return format(number.copy_abs() if number.is_zero() else number, "f")
