"""A WhiteBIT user with API keys, mining accounts and watcher links."""

from dataclasses import dataclass, field

from .mined import DAY_S, HOUR_S

MINING_POOL = "MINING_POOL"
MAIN_BALANCE, EXTERNAL_ADDRESS = "main_balance", "external_address"

LINK_PERMISSIONS = ("dashboard", "rewards", "workers")
LINK_LIFETIMES_S = {"1h": HOUR_S, "24h": DAY_S, "7d": 7 * DAY_S, "always": None}
MOST_ACTIVE_LINKS = 3  # of one account


@dataclass(slots=True)
class Key:
    api_key: str
    secret: str
    login: str
    used_at: int  # on the data clock: the moment it was made, then of its last good signature
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


@dataclass(frozen=True, slots=True)
class WorkerEdit:
    """From a moment on these workers are in that state, whatever the seed says; unheard-of ones are added."""

    since: int
    names: tuple[str, ...]
    state: str


@dataclass(slots=True)
class Account:
    name: str
    created_at: int
    position: int  # in order of creation, which breaks ties of created_at
    hashrate_ths: float | None  # None: nobody mines here
    payouts: list[Payout]
    oddities: dict[int, str] = field(default_factory=dict)  # day of the month → late | canceled | twice
    worker_edits: list[WorkerEdit] = field(default_factory=list)
    disabled: bool = False
    custom_currency: bool = False  # rewards are turned into another currency: no external address can take them

    @property
    def first_day(self) -> int:
        """Miners are switched on at the midnight after the account was made."""
        return self.created_at // DAY_S + 1

    def payout_at(self, at: int) -> Payout:
        return next((payout for payout in reversed(self.payouts) if payout.since <= at), self.payouts[0])


@dataclass(slots=True)
class Link:
    """A watcher link: whoever has it sees these accounts. The pool cannot take it back."""

    id: str
    accounts: tuple[str, ...]
    name: str
    permissions: tuple[str, ...]
    live_until: int | None  # None: always
    created_at: int

    @property
    def url(self) -> str:
        return f"https://whitebit.com/mining-pool/watcher-link/{self.id}"

    def is_active(self, at: int) -> bool:
        return self.live_until is None or at < self.live_until


@dataclass(slots=True)
class User:
    login: str
    account_cap: int
    accounts: dict[str, Account] = field(default_factory=dict)
    accounts_made: int = 0
    links: dict[str, Link] = field(default_factory=dict)
    links_of: dict[str, list[Link]] = field(default_factory=dict)  # by account
    links_made: int = 0

    def newest_first(self) -> list[Account]:
        return sorted(self.accounts.values(), key=lambda a: (a.created_at, a.position), reverse=True)

    def active_links(self, account: str, at: int) -> list[Link]:
        """Newest first, like every list of the pool."""
        return [link for link in reversed(self.links_of.get(account, [])) if link.is_active(at)]

    def add_link(self, link: Link) -> None:
        self.links_made += 1
        self.links[link.id] = link
        for account in link.accounts:
            self.links_of.setdefault(account, []).append(link)

    def remove_link(self, link: Link) -> None:
        del self.links[link.id]
        for account in link.accounts:
            self.links_of[account].remove(link)
