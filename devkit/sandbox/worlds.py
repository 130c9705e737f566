"""The worlds that can be asked for by name. Plans only: world.py makes users, keys and addresses out of them."""

from dataclasses import dataclass, field

from .accounts import EXTERNAL_ADDRESS, MAIN_BALANCE


@dataclass(frozen=True)
class Mishap:
    """So many minutes after the world opened these machines come into another state; without names all of them."""

    after_minutes: int
    state: str
    machines: tuple[int, ...] = ()


@dataclass(frozen=True)
class AccountPlan:
    name: str
    hashrate_ths: int | None  # None: nobody mines here
    destination: str = MAIN_BALANCE
    flips_mid_month: bool = False  # on every 15th, 00:00 UTC, the destination becomes the other one
    oddities: dict[int, str] = field(default_factory=dict)  # day of the month → late | canceled | twice
    # With any, the seed moves none of its machines: all run until a mishap says otherwise.
    mishaps: tuple[Mishap, ...] = ()


@dataclass(frozen=True)
class WorldPlan:
    summary: str
    users: dict[str, tuple[AccountPlan, ...]]
    history_days: int = 40
    reward_second: int = 0  # the time of day that rewards are dated with
    irregular: bool = False  # now and then a record settles late or is canceled
    account_cap: int = 20_000


ALL_RUN = Mishap(0, "online")
DARK = (ALL_RUN, Mishap(121, "offline"), Mishap(164, "online"))

WORLDS: dict[str, WorldPlan] = {
    "demo": WorldPlan(
        "one user, ten accounts that mine, both payout destinations, a few irregular records",
        {
            "northmere": (
                AccountPlan("aurora_mining", 4_280),
                AccountPlan("Bergfeld1", 310),
                AccountPlan("fjordhash", 11_650, EXTERNAL_ADDRESS),
                AccountPlan("kestrel_7", 1_920, oddities={9: "canceled"}),
                AccountPlan("lumen_farm", 2_750, flips_mid_month=True),
                AccountPlan("nordlys", 845, oddities={20: "twice"}),
                AccountPlan("oakridge_01", 6_140, EXTERNAL_ADDRESS, oddities={27: "late"}),
                AccountPlan("pinecrest", 128, oddities={12: "late"}),
                AccountPlan("quarry_btc", 3_390),
                AccountPlan("tidewater", 970, EXTERNAL_ADDRESS, oddities={18: "canceled"}),
            )
        },
        history_days=92,  # the two whole months before this one, whatever their lengths
        irregular=True,
    ),
    "tests": WorldPlan(
        "two users with alike accounts whose names repeat; one record per account and day, nothing irregular",
        {
            login: (
                AccountPlan("north", 500),
                AccountPlan("south", 1_200, EXTERNAL_ADDRESS),
                AccountPlan(f"{login}_east", 250),
            )
            for login in ("alpha", "beta")
        },
        history_days=10,
    ),
    "halls": WorldPlan(
        "one user whose machines have a bad afternoon: one dies, one flaps, two accounts of a hall go dark together,"
        " one is switched off for the grid",
        {
            "gamma": (
                AccountPlan("steady", 1_000, mishaps=(ALL_RUN,)),
                AccountPlan("dies", 800, mishaps=(ALL_RUN, Mishap(62, "offline", (2,)))),
                AccountPlan(
                    "flaps",
                    600,
                    mishaps=(
                        ALL_RUN,
                        *(Mishap(60 + 10 * n, ("offline", "online")[n % 2], (1,)) for n in range(8)),
                        Mishap(150, "low", (3,)),
                    ),
                ),
                AccountPlan("hall_east", 1_200, mishaps=DARK),
                AccountPlan("hall_west", 400, mishaps=DARK),
                AccountPlan("curtailed", 1_000, mishaps=(ALL_RUN, Mishap(180, "offline"), Mishap(220, "online"))),
            )
        },
        history_days=3,
    ),
    "unmined": WorldPlan(
        "one user whose three accounts exist but have no miners",
        {"quiet": tuple(AccountPlan(name, None) for name in ("empty_1", "empty_2", "empty_3"))},
    ),
    "daytime": WorldPlan(
        "the users of `tests`, but rewards are dated 07:13:20 UTC of their day",
        {
            login: (AccountPlan("north", 500), AccountPlan("south", 1_200, EXTERNAL_ADDRESS))
            for login in ("alpha", "beta")
        },
        history_days=10,
        reward_second=7 * 3600 + 13 * 60 + 20,
    ),
    "large": WorldPlan(
        "one user with 1,000 accounts: more records than the offset of 10,000 can reach",
        {"colossus": tuple(AccountPlan(f"hall{n // 100}_rack{n % 100:02d}", 100 + 7 * n) for n in range(1_000))},
        history_days=14,
    ),
    "crowded": WorldPlan(
        "one user with 10,200 accounts: one date has more records than the offset of 10,000 can reach",
        {"multitude": tuple(AccountPlan(f"shed{n:05d}", 150) for n in range(10_200))},
        history_days=1,
    ),
}
