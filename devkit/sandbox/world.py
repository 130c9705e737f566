"""A world made from its plan: users, keys, accounts, reward books, all decided by (plan, seed, opening moment)."""

from datetime import UTC, datetime, timedelta

from . import mined
from .accounts import EXTERNAL_ADDRESS, MAIN_BALANCE, Account, Key, Link, Payout, User, WorkerEdit
from .addresses import make_address
from .mined import DAY_S, HOUR_S
from .rewards import RewardBook
from .workers import Fleet, fleet_of, machine_name, machines_of
from .worlds import WORLDS, AccountPlan, Mishap

FLIPS_KNOWN_AHEAD_MONTHS = 36


class World:
    def __init__(self, name: str, seed: int, *, opened_at: int, history_days: int | None = None) -> None:
        self.name, self.seed, self.opened_at = name, seed, opened_at
        self.plan = WORLDS[name]
        self.history_days = self.plan.history_days if history_days is None else history_days
        self.users: dict[str, User] = {}
        self.books: dict[str, RewardBook] = {}
        self.keys: dict[str, Key] = {}
        self._fleets: dict[tuple[str, str], Fleet] = {}
        for login, accounts in self.plan.users.items():
            self._add_user(login, accounts)

    def make_key(self, login: str, number: int, made_at: int) -> Key:
        raw = mined.seeded_bytes(self.seed, login, "key", number).hex()
        return Key(api_key=raw[:32], secret=raw[32:96], login=login, used_at=made_at)

    def add_account(
        self, user: User, name: str, *, created_at: int, mines: bool = True, plan: AccountPlan | None = None
    ) -> Account:
        """A plan decides everything; without one the size is drawn from the seed and rewards go to the main balance."""
        drawn_ths = mined.typical_hashrate_ths(self.seed, user.login, name) if mines else None
        plan = plan or AccountPlan(name, drawn_ths)
        account = Account(
            name=name,
            created_at=created_at,
            position=user.accounts_made,
            hashrate_ths=plan.hashrate_ths,
            payouts=self._planned_payouts(user.login, plan, created_at),
            oddities=plan.oddities,
            worker_edits=[self._mishap(plan, mishap) for mishap in plan.mishaps],
        )
        user.accounts_made += 1
        user.accounts[name] = account
        self.books[user.login].forget_listing()
        return account

    def remove_account(self, user: User, name: str) -> None:
        del user.accounts[name]
        self._fleets.pop((user.login, name), None)
        self.books[user.login].forget_listing()

    def add_link(
        self, user: User, name: str, *, accounts: list[str], permissions: list[str], live_until: int | None, now: int
    ) -> Link:
        link_id = mined.seeded_bytes(self.seed, user.login, "link", user.links_made, count=16).hex()
        link = Link(link_id, tuple(accounts), name, tuple(permissions), live_until, now)
        user.add_link(link)
        return link

    def fleet(self, login: str, account: Account) -> Fleet:
        place = login, account.name
        if place not in self._fleets:
            self._fleets[place] = fleet_of(self.seed, login, account)
        return self._fleets[place]

    def edit_workers(self, login: str, account: Account, edit: WorkerEdit) -> None:
        account.worker_edits.append(edit)
        self._fleets.pop((login, account.name), None)

    def address_of(self, login: str, account: str, number: int = 0) -> str:
        return make_address(mined.seeded_bytes(self.seed, login, account, "address", number))

    def _add_user(self, login: str, accounts: tuple[AccountPlan, ...]) -> None:
        user = User(login, self.plan.account_cap)
        self.users[login] = user
        self.books[login] = RewardBook(
            user, self.seed, reward_second=self.plan.reward_second, irregular=self.plan.irregular
        )
        key = self.make_key(login, 1, self.opened_at)
        self.keys[key.api_key] = key
        # Made some hours apart on the day before history begins, so that all planned accounts mine the same days.
        first = (self.opened_at // DAY_S - self.history_days - 1) * DAY_S
        for number, plan in enumerate(accounts):
            created_at = first + 6 * HOUR_S + number * 12 * HOUR_S // max(1, len(accounts))
            self.add_account(user, plan.name, created_at=created_at, plan=plan)

    def _mishap(self, plan: AccountPlan, mishap: Mishap) -> WorkerEdit:
        machines = mishap.machines or range(1, machines_of(plan.hashrate_ths or 0) + 1)
        names = tuple(machine_name(machine) for machine in machines)
        return WorkerEdit(self.opened_at + 60 * mishap.after_minutes, names, mishap.state)

    def _planned_payouts(self, login: str, plan: AccountPlan, since: int) -> list[Payout]:
        payouts = [self._payout(login, plan.name, plan.destination, since)]
        if not plan.flips_mid_month:
            return payouts
        moment = datetime.fromtimestamp(since, UTC).replace(day=15, hour=0, minute=0, second=0, microsecond=0)
        for _ in range(FLIPS_KNOWN_AHEAD_MONTHS):
            other = EXTERNAL_ADDRESS if payouts[-1].destination == MAIN_BALANCE else MAIN_BALANCE
            if moment.timestamp() > since:
                payouts.append(self._payout(login, plan.name, other, int(moment.timestamp())))
            moment = (moment + timedelta(days=31)).replace(day=15)
        return payouts

    def _payout(self, login: str, account: str, destination: str, since: int) -> Payout:
        address = self.address_of(login, account) if destination == EXTERNAL_ADDRESS else None
        return Payout(since, destination, address)
