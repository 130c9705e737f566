"""A WhiteBIT user with API keys and mining accounts."""

from dataclasses import dataclass, field

from .mined import DAY_S

MINING_POOL = "MINING_POOL"
MAIN_BALANCE, EXTERNAL_ADDRESS = "main_balance", "external_address"


@dataclass(slots=True)
class Key:
    api_key: str
    secret: str
    login: str
    permissions: set[str] = field(default_factory=lambda: {MINING_POOL})
    endpoints: set[str] | None = None  # None: every endpoint is allowed
    addresses: set[str] | None = None  # None: every client address is allowed
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Payout:
    """Where rewards go from a moment on. The address is None with main_balance, always."""

    since: int
    destination: str
    address: str | None


@dataclass(slots=True)
class Account:
    name: str
    created_at: int
    position: int  # in order of creation, which breaks ties of created_at
    hashrate_ths: float | None  # None: nobody mines here
    payouts: list[Payout]
    oddities: dict[int, str] = field(default_factory=dict)  # day of the month → late | canceled | twice
    disabled: bool = False

    @property
    def first_day(self) -> int:
        """Miners are switched on at the midnight after the account was made."""
        return self.created_at // DAY_S + 1

    def payout_at(self, at: int) -> Payout:
        return next((payout for payout in reversed(self.payouts) if payout.since <= at), self.payouts[0])


@dataclass(slots=True)
class User:
    login: str
    account_cap: int
    accounts: dict[str, Account] = field(default_factory=dict)
    accounts_made: int = 0

    def newest_first(self) -> list[Account]:
        return sorted(self.accounts.values(), key=lambda a: (a.created_at, a.position), reverse=True)
