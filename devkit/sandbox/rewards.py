"""The reward records of one user: made day by day from mined.py, changed by edits, listed in the pool's order."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from . import mined
from .accounts import Account, Payout, User
from .answers import encode
from .mined import DAY_S

PENDING, SUCCESSFUL, CANCELED = "pending", "successful", "canceled"

# Which record inside one user: account, its date when it was made, and which of that date's records (from 1).
RewardKey = tuple[str, int, int]


@dataclass(slots=True)
class Reward:
    account: str
    date: int
    ordinal: int
    result: mined.DayResult
    payout: Payout
    changes: dict[str, Any] = field(default_factory=dict)
    removed: bool = False
    _rendered: dict[str, bytes] = field(default_factory=dict)

    @property
    def key(self) -> RewardKey:
        return self.account, self.date, self.ordinal

    @property
    def listed_date(self) -> int:
        return int(self.changes.get("date", self.date))

    def status_at(self, now: int) -> str:
        if "status" in self.changes:
            return str(self.changes["status"])
        if now < self.result.settles_at:
            return PENDING
        return CANCELED if self.result.canceled else SUCCESSFUL

    def as_dict(self, now: int) -> dict[str, Any]:
        """The record as the pool writes it, field by field and in its order."""
        status, result = self.status_at(now), self.result
        paid = status == SUCCESSFUL
        external = self.payout.address is not None
        return {
            "miningAccountName": self.account,
            "payoutDestination": self.payout.destination,
            "payoutTransactionHash": result.transaction_hash if paid and external else None,
            "payoutAddress": self.payout.address,
            "payoutTime": result.settles_at if paid else None,
            "rewardCurrency": "BTC",
            "totalReward": result.total,
            "reward": result.net,
            "fee": result.fee,
            "fppsRate": result.fpps_rate,
            "hashRate": result.hash_rate,
            "date": self.date,
            "status": status,
        } | self.changes

    def as_bytes(self, now: int) -> bytes:
        # Everything but the status is fixed until somebody edits the record, so each text is made once.
        status = self.status_at(now)
        if status not in self._rendered:
            self._rendered[status] = encode(self.as_dict(now))
        return self._rendered[status]

    def change(self, changes: dict[str, Any]) -> None:
        self.changes.update(changes)
        self._rendered.clear()


class RewardBook:
    """All records of a user. `listing` is what a whole, faultless answer would hold at that moment."""

    def __init__(self, user: User, seed: int, *, reward_second: int = 0, irregular: bool = False) -> None:
        self.user, self.seed = user, seed
        self.reward_second, self.irregular = reward_second, irregular
        self._days: dict[tuple[str, int], list[Reward]] = {}
        self._added: list[Reward] = []
        self._early: dict[tuple[str, int], int] = {}
        self.forget_listing()

    def forget_listing(self) -> None:
        """Call after any change: the sorted listing is kept until the next record appears."""
        self._listing: list[Reward] = []
        self._by_account: dict[str, list[Reward]] = {}
        self._listed_from, self._listed_until = 0, 0

    def listing(self, now: int) -> list[Reward]:
        """Newest first by date; records of one date in a fixed order that nobody should rely on."""
        if not self._listed_from <= now < self._listed_until:
            self._make_listing(now)
        return self._listing

    def of_account(self, now: int, name: str) -> list[Reward]:
        listing = self.listing(now)
        if name not in self._by_account:
            self._by_account[name] = [reward for reward in listing if reward.account == name]
        return self._by_account[name]

    def find(self, key: RewardKey) -> Reward | None:
        name, date, _ = key
        account = self.user.accounts.get(name)
        of_day = self._of_day(account, date // DAY_S) if account else []
        return next((reward for reward in [*of_day, *self._added] if reward.key == key), None)

    def add(self, account: str, date: int, result: mined.DayResult, payout: Payout) -> Reward:
        ordinal = 1
        while self.find((account, date, ordinal)):
            ordinal += 1
        reward = Reward(account, date, ordinal, result, payout)
        self._added.append(reward)
        self.forget_listing()
        return reward

    def show_early(self, account: str, day: int, now: int) -> None:
        """The records of that day are listed from now on, hours before their time."""
        self._early[account, day] = now
        self.forget_listing()

    def pay_anew(self, account: Account, now: int) -> None:
        """After a change of payouts: days not ended at `now` may have been made with the former destination."""
        for (name, day), rewards in self._days.items():
            if name == account.name and (day + 1) * DAY_S > now:
                for reward in rewards:
                    reward.payout = account.payout_at((day + 1) * DAY_S - 1)
                    reward.change({})
        self.forget_listing()

    def next_unlisted(self, now: int) -> tuple[str, int] | None:
        """The account and day whose record would appear next; days beyond tomorrow are not offered."""
        waiting = [
            (reward.result.appears_at, account.position, account.name, day)
            for account in self.user.accounts.values()
            for day in (now // DAY_S - 1, now // DAY_S, now // DAY_S + 1)
            for reward in self._of_day(account, day)
            if self._appears_at(reward) > now
        ]
        return min(waiting)[2:] if waiting else None

    def _make_listing(self, now: int) -> None:
        every = list(self._every_record(now))
        shown = [reward for reward in every if self._appears_at(reward) <= now]
        # Sorting twice keeps the reversed order of dates apart from the forward order inside one date.
        shown.sort(key=lambda reward: reward.ordinal)
        shown.sort(key=lambda reward: reward.listed_date, reverse=True)
        self.forget_listing()
        self._listing = shown
        next_midnight = (now // DAY_S + 1) * DAY_S
        later = (at for reward in every if (at := self._appears_at(reward)) > now)
        self._listed_from, self._listed_until = now, min(later, default=next_midnight)
        self._listed_until = min(self._listed_until, next_midnight)

    def _every_record(self, now: int) -> Iterator[Reward]:
        accounts = self.user.accounts
        for account in accounts.values():
            if account.disabled:
                continue
            # Tomorrow's records are made too: one of them may have been shown early.
            for day in range(account.first_day, now // DAY_S + 2):
                yield from (reward for reward in self._of_day(account, day) if not reward.removed)
        for reward in self._added:
            owner = accounts.get(reward.account)
            if not reward.removed and not (owner and owner.disabled):
                yield reward

    def _appears_at(self, reward: Reward) -> int:
        return self._early.get((reward.account, reward.date // DAY_S), reward.result.appears_at)

    def _of_day(self, account: Account, day: int) -> list[Reward]:
        if account.hashrate_ths is None or day < account.first_day:
            return []
        place = account.name, day
        if place not in self._days:
            self._days[place] = self._make_day(account, account.hashrate_ths, day)
        return self._days[place]

    def _make_day(self, account: Account, hashrate_ths: float, day: int) -> list[Reward]:
        login = self.user.login
        oddity = account.oddities.get(datetime.fromtimestamp(day * DAY_S, UTC).day)
        if oddity is None and self.irregular:
            oddity = mined.chance_oddity(self.seed, login, account.name, day)
        payout = account.payout_at((day + 1) * DAY_S - 1)
        return [
            Reward(
                account.name,
                day * DAY_S + self.reward_second,
                part,
                mined.day_result(
                    self.seed, login, account.name, day, hashrate_ths=hashrate_ths, part=part, oddity=oddity
                ),
                payout,
            )
            for part in ((1, 2) if oddity == "twice" else (1,))
        ]
