from datetime import UTC, datetime
from decimal import Decimal

from devkit.sandbox import mined
from devkit.sandbox.accounts import User
from devkit.sandbox.world import World

OPENED = int(datetime(2026, 11, 1, 15, tzinfo=UTC).timestamp())


def test_a_day_is_a_function_of_seed_login_account_and_day() -> None:
    def day(seed: int = 1, login: str = "a", account: str = "b", number: int = 20_000) -> mined.DayResult:
        return mined.day_result(seed, login, account, number, hashrate_ths=500, part=1, oddity=None)

    assert day() == day()
    assert len({day(), day(seed=2), day(login="c"), day(account="c"), day(number=20_001)}) == 5


def test_a_day_told_once_never_changes() -> None:
    """A golden value: stored demo states and golden tests of others rest on it."""
    day = mined.day_result(7, "alpha", "north", 20_000, hashrate_ths=500, part=1, oddity=None)
    assert (day.total, day.net, day.fee) == ("0.000209838188", "0.000204592233", "0.000005245955")


def test_typical_sizes_are_between_100_and_12000_terahashes() -> None:
    sizes = [mined.typical_hashrate_ths(1, "a", str(n)) for n in range(500)]
    assert 100 <= min(sizes) < 150
    assert 9_000 < max(sizes) <= 12_000


def test_amounts_come_with_8_to_12_decimals() -> None:
    results = [
        mined.day_result(1, "a", "b", day, hashrate_ths=3_000, part=1, oddity=None) for day in range(20_000, 20_100)
    ]
    assert {len(result.total.partition(".")[2]) for result in results} == {8, 9, 10, 11, 12}


def test_the_day_s_rate_is_near_the_typical_one_and_the_same_for_all() -> None:
    rates = [mined.fpps_rate(1, day) for day in range(20_000, 20_100)]
    assert all(abs(rate / mined.TYPICAL_FPPS_RATE - 1) <= Decimal("0.06") for rate in rates)
    assert len(set(rates)) == 100


def test_an_account_s_life_does_not_depend_on_its_neighbours() -> None:
    def listing(world: World) -> list[dict[str, object]]:
        book = world.books["alpha"]
        return [reward.as_dict(OPENED) for reward in book.of_account(OPENED, "north")]

    alone, crowded = (World("tests", 7, opened_at=OPENED) for _ in range(2))
    user: User = crowded.users["alpha"]
    crowded.add_account(user, "newcomer", created_at=OPENED - 5 * mined.DAY_S)
    assert listing(alone) == listing(crowded)
