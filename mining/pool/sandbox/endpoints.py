"""The endpoints: each takes a checked call and gives the pool's answer, oddities included."""

import math
import random
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from . import mined
from .accounts import Account, User
from .answers import Answer, Refused, encode, invalid, ok
from .mined import DAY_S, HOUR_S, SLOT_S
from .rewards import Reward, RewardBook
from .world import World

PREFIX = "/api/v4/mining/"
ACCOUNT_NAME = re.compile(r"[A-Za-z0-9_]{1,255}")
MAX_OFFSET, MAX_LIMIT, DEFAULT_LIMIT = 10_000, 100, 30
MAX_REFERRAL_CODE = 50
LATEST_TIMESTAMP = 10**11  # what is larger was given in milliseconds

INTERVALS_S = {"5m": SLOT_S, "1h": HOUR_S, "24h": DAY_S}
# How far back an interval reaches when no `from` is given. Undocumented: a screenful of points each.
DEFAULT_SPAN_S = {"5m": DAY_S, "1h": 7 * DAY_S, "24h": 30 * DAY_S}
TERAHASH_PER_MACHINE = 200

# Applies one act to the world and keeps it for the state file (edits.py).
Perform = Callable[[dict[str, Any]], object]


@dataclass(slots=True)
class Call:
    """A request whose signature, nonce and permission are good. `quirks` are the listing faults that struck it."""

    world: World
    user: User
    book: RewardBook
    fields: dict[str, Any]
    now: int
    perform: Perform
    quirks: Mapping[str, random.Random]

    def text(self, field: str) -> str | None:
        """A filter: JSON null means no filter, while an empty string is a filter that matches nothing."""
        value = self.fields.get(field)
        if value is None or isinstance(value, str):
            return value
        raise invalid(400, field, f"The {field} must be a string.")

    def moment(self, field: str) -> int | None:
        value = self.fields.get(field)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < LATEST_TIMESTAMP:
            raise invalid(422, field, "Incorrect timestamp")
        return value

    def whole_number(self, field: str, default: int, lowest: int, highest: int) -> int:
        value = self.fields.get(field, default)
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            raise invalid(400, field, f"The {field} must be between {lowest} and {highest}.")
        return value

    def page(self) -> tuple[int, int]:
        limit = self.whole_number("limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
        return limit, self.whole_number("offset", 0, 0, MAX_OFFSET)

    def account(self, field: str, error_field: str) -> Account:
        name = self.text(field)
        if name is None:
            raise invalid(400, field, f"The {field} field is required.")
        account = self.user.accounts.get(name)
        if account is None:
            raise Refused(400, "Account not found", {error_field: ["Account not found"]})
        return account


def create_account(call: Call) -> Answer:
    name = call.text("name")
    if not name:
        raise invalid(400, "name", "The name field is required.")
    if not ACCOUNT_NAME.fullmatch(name):
        raise invalid(400, "name", "The name may only contain letters, numbers and underscores, at most 255.")
    if len(call.text("referralCode") or "") > MAX_REFERRAL_CODE:
        raise invalid(400, "referralCode", "The referral code may not be greater than 50 characters.")
    if name in call.user.accounts:
        raise invalid(400, "name", "The name has already been taken.")
    if len(call.user.accounts) >= call.user.account_cap:
        raise invalid(400, "error", "miningPool.validation.maxAccounts")
    call.perform({"act": "add_account", "login": call.user.login, "account": name})
    return ok({"data": _account_dict(call.user.accounts[name])})


def list_accounts(call: Call) -> Answer:
    name = call.text("name")
    limit, offset = call.page()
    if "paging_ignored" in call.quirks:
        limit, offset = DEFAULT_LIMIT, 0
    matching = [a for a in call.user.newest_first() if name is None or a.name == name]
    page = [_account_dict(account) for account in matching[offset : offset + limit]]
    return ok({"data": page, "limit": limit, "offset": offset})


def _account_dict(account: Account) -> dict[str, Any]:
    return {"name": account.name, "createdAt": account.created_at}


def list_rewards(call: Call) -> Answer:
    name = call.text("account")
    since, until = call.moment("from"), call.moment("to")
    limit, offset = call.page()
    every = call.book.listing(call.now) if name is None else call.book.of_account(call.now, name)
    if "empty_listing" in call.quirks:
        every = []
    matching = _between(every, since, until, to_excluded="to_exclusive" in call.quirks)
    if "random_tie_order" in call.quirks:
        matching = _ties_shuffled(matching, call.quirks["random_tie_order"])
    page = _quirky_page(call, matching[offset : offset + limit])
    head = encode({"offset": offset, "limit": limit, "data": []})[:-2]
    return Answer(200, head + b",".join([reward.as_bytes(call.now) for reward in page]) + b"]}")


def _between(every: list[Reward], since: int | None, until: int | None, *, to_excluded: bool) -> list[Reward]:
    """Both ends included, unless a fault asks for the other reading of `to`. The list is newest first."""

    def negated_date(reward: Reward) -> int:
        return -reward.listed_date

    first = 0
    if until is not None:
        first = (bisect_right if to_excluded else bisect_left)(every, -until, key=negated_date)
    end = len(every) if since is None else bisect_right(every, -since, key=negated_date)
    return every[first:end]


def _ties_shuffled(rewards: list[Reward], dice: random.Random) -> list[Reward]:
    shuffled = rewards.copy()
    dice.shuffle(shuffled)
    shuffled.sort(key=lambda reward: reward.listed_date, reverse=True)
    return shuffled


def _quirky_page(call: Call, page: list[Reward]) -> list[Reward]:
    if "short_page" in call.quirks:
        page = page[: len(page) // 2]
    if "vanishing_record" in call.quirks and page:
        gone = call.quirks["vanishing_record"].randrange(len(page))
        page = page[:gone] + page[gone + 1 :]
    if "duplicate_record" in call.quirks and page:
        twin = call.quirks["duplicate_record"].randrange(len(page))
        page = [*page[: twin + 1], *page[twin:]]
    if "page_shift" in call.quirks:
        waiting = call.book.next_unlisted(call.now)
        if waiting:  # from the next call on
            call.perform({"act": "show_early", "login": call.user.login, "account": waiting[0], "day": waiting[1]})
    return page


def account_hashrate(call: Call) -> Answer:
    account = call.account("account", "account")
    interval = call.text("interval") or "1h"
    if interval not in INTERVALS_S:
        raise invalid(400, "interval", "The selected interval is invalid.")
    since, until = call.moment("from"), call.moment("to")
    end = call.now if until is None else min(until, call.now)
    start = end - DEFAULT_SPAN_S[interval] if since is None else since
    points = [] if account.disabled else _points(call, account, start, end, INTERVALS_S[interval])
    head = encode({"data": {"account": account.name, "hashrate": []}})[:-3]
    return Answer(200, head + b",".join(points) + b"]}}")


def _points(call: Call, account: Account, start: int, end: int, step_s: int) -> list[bytes]:
    """Points whose whole interval lies between start and end and after the miners were switched on."""
    if account.hashrate_ths is None:
        return []
    start = max(start, account.first_day * DAY_S)
    return [
        text
        for day in range(start // DAY_S, (end - 1) // DAY_S + 1)
        for at, text in _written_day(call.world.seed, call.user.login, account.name, account.hashrate_ths, day, step_s)
        if start <= at and at + step_s <= end
    ]


@lru_cache(maxsize=4_096)  # enough for a week of 500 accounts
def _written_day(
    seed: int, login: str, account: str, hashrate_ths: float, day: int, step_s: int
) -> tuple[tuple[int, bytes], ...]:
    points = mined.day_points(seed, login, account, day, hashrate_ths=hashrate_ths, step_s=step_s)
    return tuple(
        (p.at, encode({"timestamp": p.at, "hashrate": f"{p.hashrate_ths:.8f}", "rejectRate": p.reject_rate}))
        for p in points
    )


def miners_info(call: Call) -> Answer:
    account = _enabled(call.account("account", "user"))
    online, offline, low = _worker_counts(call, account)
    second_port = online // 4
    return ok(
        {
            "data": {
                "fee": "2.5",
                "workers": {"online": online, "offline": offline, "low": low},
                "stratum": [
                    {"url": "stratum+tcp://pool.whitebit.com:3333", "workersCount": online - second_port},
                    {"url": "stratum+tcp://pool.whitebit.com:3334", "workersCount": second_port},
                ],
            }
        }
    )


def _worker_counts(call: Call, account: Account) -> tuple[int, int, int]:
    """Online, offline, low: as the day and the hour went."""
    day, hour = call.now // DAY_S, call.now // HOUR_S
    if account.hashrate_ths is None or day < account.first_day:
        return 0, 0, 0
    seed, login = call.world.seed, call.user.login
    machines = math.ceil(account.hashrate_ths / TERAHASH_PER_MACHINE)
    down = round(machines * max(0.0, 1 - mined.day_factor(seed, login, account.name, day)))
    low = int(mined.seeded_fractions(seed, login, account.name, hour, "low")[0] * machines * 0.08)
    return max(0, machines - down - low), down, low


def payout_destination(call: Call) -> Answer:
    account = _enabled(call.account("accountName", "user"))
    payout = account.payout_at(call.now)
    return ok({"payoutDestination": payout.destination, "externalAddress": payout.address})


def _enabled(account: Account) -> Account:
    # Only rewards and hashrate are documented to answer for a disabled account; elsewhere it is as if unknown.
    if account.disabled:
        raise Refused(400, "Account not found", {"user": ["Account not found"]})
    return account


ENDPOINTS: dict[str, Callable[[Call], Answer]] = {
    "accounts/create": create_account,
    "accounts": list_accounts,
    "rewards": list_rewards,
    "hashrate": account_hashrate,
    "miners/info": miners_info,
    "payout-destination": payout_destination,
}
