"""Everything that changes the world, as plain dictionaries: what users do through the pool's API and what tests may do.

The same acts, applied in the same order to the same world, give the same world again: so the state file is a list of
acts. Each act checks all of its input before it changes anything.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from . import mined
from .accounts import EXTERNAL_ADDRESS, LINK_LIFETIMES_S, LINK_PERMISSIONS, MAIN_BALANCE, Link, Payout, User, WorkerEdit
from .addresses import is_address
from .fields import BadInput, Fields
from .mined import DAY_S
from .rewards import CANCELED, PENDING, SUCCESSFUL, Reward
from .workers import ONLINE, STATES
from .world import World

Edit = Callable[[World, Fields, int], dict[str, Any]]

CHANGEABLE = (
    *("payoutDestination", "payoutTransactionHash", "payoutAddress", "payoutTime", "rewardCurrency", "totalReward"),
    *("reward", "fee", "fppsRate", "hashRate", "date", "status"),
)


def apply(world: World, act: dict[str, Any], *, now: int) -> dict[str, Any]:
    """Does one act as of `now` (the data clock). Raises BadInput with a sentence when it cannot be done."""
    fields = Fields(act)
    name = fields.text("act")
    if name not in EDITS:
        raise BadInput(f"unknown act {name!r}; known acts: {', '.join(EDITS)}")
    return EDITS[name](world, fields, now)


def add_account(world: World, fields: Fields, now: int) -> dict[str, Any]:
    user, name = fields.user(world), fields.text("account")
    mines = fields.flag("mines", default=world.name != "unmined")
    fields.refuse_leftovers()
    if name in user.accounts:
        raise BadInput(f"{user.login} has an account {name!r} already")
    world.add_account(user, name, created_at=now, mines=mines)
    return {"account": name}


def remove_account(world: World, fields: Fields, now: int) -> dict[str, Any]:
    user = fields.user(world)
    account = fields.account(user)
    fields.refuse_leftovers()
    world.remove_account(user, account.name)
    return {}


def set_account_disabled(disabled: bool) -> Edit:
    def edit(world: World, fields: Fields, now: int) -> dict[str, Any]:
        user = fields.user(world)
        account = fields.account(user)
        fields.refuse_leftovers()
        account.disabled = disabled
        world.books[user.login].forget_listing()
        return {}

    return edit


def set_account_cap(world: World, fields: Fields, now: int) -> dict[str, Any]:
    user, cap = fields.user(world), fields.whole_number("cap")
    fields.refuse_leftovers()
    user.account_cap = cap
    return {}


def set_payout(world: World, fields: Fields, now: int) -> dict[str, Any]:
    """From now on; the day that is being mined goes to the new destination already."""
    user = fields.user(world)
    account = fields.account(user)
    destination = fields.text("destination")
    if destination not in (MAIN_BALANCE, EXTERNAL_ADDRESS):
        raise BadInput(f"destination must be {MAIN_BALANCE} or {EXTERNAL_ADDRESS}")
    address = None
    if destination == EXTERNAL_ADDRESS:
        another = world.address_of(user.login, account.name, len(account.payouts))
        address = fields.text("address", another)
        if not is_address(address):
            raise BadInput(f"{address!r} is not a bitcoin address of the main network")
    fields.refuse_leftovers()
    account.payouts = [payout for payout in account.payouts if payout.since <= now]
    account.payouts.append(Payout(now, destination, address))
    world.books[user.login].pay_anew(account, now)
    return {"destination": destination, "address": address}


def set_custom_currency(world: World, fields: Fields, now: int) -> dict[str, Any]:
    account = fields.account(fields.user(world))
    custom = fields.flag("custom", default=True)
    fields.refuse_leftovers()
    account.custom_currency = custom
    return {}


def set_workers(world: World, fields: Fields, now: int) -> dict[str, Any]:
    """From now on, until another edit; names that the account does not have are added."""
    user = fields.user(world)
    account, names, state = fields.account(user), fields.texts("workers"), fields.text("state", ONLINE)
    fields.refuse_leftovers()
    if state not in STATES:
        raise BadInput(f"state must be one of {', '.join(STATES)}")
    world.edit_workers(user.login, account, WorkerEdit(now, tuple(names), state))
    return {}


def add_link(world: World, fields: Fields, now: int) -> dict[str, Any]:
    """A link made now, past every check of the API: also for a name it would refuse, or as a fourth."""
    user, name = fields.user(world), fields.text("name")
    accounts = list(dict.fromkeys(fields.texts("accounts")))
    permissions = fields.texts("permissions", list(LINK_PERMISSIONS))
    lifetime = fields.text("live_until", "always")
    fields.refuse_leftovers()
    if lifetime not in LINK_LIFETIMES_S:
        raise BadInput(f"live_until must be one of {', '.join(LINK_LIFETIMES_S)}")
    seconds = LINK_LIFETIMES_S[lifetime]
    live_until = None if seconds is None else now + seconds
    link = world.add_link(user, name, accounts=accounts, permissions=permissions, live_until=live_until, now=now)
    return {"id": link.id, "link": link.url, "live_until": link.live_until}


def remove_link(world: World, fields: Fields, now: int) -> dict[str, Any]:
    user = fields.user(world)
    link = _link(user, fields)
    fields.refuse_leftovers()
    user.remove_link(link)
    return {}


def expire_link(world: World, fields: Fields, now: int) -> dict[str, Any]:
    link = _link(fields.user(world), fields)
    fields.refuse_leftovers()
    link.live_until = now
    return {}


def _link(user: User, fields: Fields) -> Link:
    link_id = fields.text("id")
    if link_id not in user.links:
        raise BadInput(f"{user.login} has no watcher link {link_id!r}")
    return user.links[link_id]


def set_reward(world: World, fields: Fields, now: int) -> dict[str, Any]:
    reward = _reward(world, fields)
    changes = _changes(fields)
    fields.refuse_leftovers()
    # A record that is made successful before its time was paid now; a caller who wants another moment says so.
    if changes.get("status") == SUCCESSFUL and now < reward.result.settles_at:
        changes = {"payoutTime": now} | changes
    elif changes.get("status") in (PENDING, CANCELED):
        changes = {"payoutTime": None, "payoutTransactionHash": None} | changes
    reward.change(changes)
    world.books[fields.text("login")].forget_listing()
    return reward.as_dict(now) | {"ordinal": reward.ordinal}


def set_reward_removed(removed: bool) -> Edit:
    def edit(world: World, fields: Fields, now: int) -> dict[str, Any]:
        reward = _reward(world, fields)
        fields.refuse_leftovers()
        reward.removed = removed
        world.books[fields.text("login")].forget_listing()
        return {}

    return edit


def add_twin(world: World, fields: Fields, now: int) -> dict[str, Any]:
    """One more record with the same account and date: byte-identical, or with amounts of its own."""
    twin_of = _reward(world, fields)
    identical = fields.flag("identical", default=True)
    fields.refuse_leftovers()
    book = world.books[fields.text("login")]
    result = twin_of.result
    if not identical:
        result = _drawn_result(world, book.user.login, twin_of.account, twin_of.date, 50.0, part=3)
        result = replace(result, appears_at=twin_of.result.appears_at, settles_at=twin_of.result.settles_at)
    twin = book.add(twin_of.account, twin_of.date, result, twin_of.payout)
    if identical:
        twin.change(twin_of.changes)
    return twin.as_dict(now) | {"ordinal": twin.ordinal}


def add_reward(world: World, fields: Fields, now: int) -> dict[str, Any]:
    """A record that is listed at once, for any account name: also one that the account list does not know."""
    user, name, date = fields.user(world), fields.text("account"), fields.date()
    hashrate_ths = fields.number("hashrate_ths", 300.0, lowest=0, highest=10**9)
    changes = _changes(fields) if "set" in fields else {}
    fields.refuse_leftovers()
    account = user.accounts.get(name)
    payout = account.payout_at(date) if account else Payout(0, MAIN_BALANCE, None)
    result = _drawn_result(world, user.login, name, date, float(hashrate_ths), part=4)
    reward = world.books[user.login].add(name, date, replace(result, appears_at=min(now, result.appears_at)), payout)
    reward.change(changes)
    return reward.as_dict(now) | {"ordinal": reward.ordinal}


def show_early(world: World, fields: Fields, now: int) -> dict[str, Any]:
    """The records of that account and day are listed from now on, though their time has not come."""
    user, account = fields.user(world), fields.text("account")
    day = fields.whole_number("day")
    fields.refuse_leftovers()
    world.books[user.login].show_early(account, day, now)
    return {}


def add_key(world: World, fields: Fields, now: int) -> dict[str, Any]:
    user = fields.user(world)
    number = 1 + sum(key.login == user.login for key in world.keys.values())
    made = world.make_key(user.login, number, now)
    key = replace(made, api_key=fields.text("api_key", made.api_key), secret=fields.text("secret", made.secret))
    fields.refuse_leftovers()
    if key.api_key in world.keys:
        raise BadInput("that api_key exists already")
    world.keys[key.api_key] = key
    return {"api_key": key.api_key, "secret": key.secret}


def set_key(world: World, fields: Fields, now: int) -> dict[str, Any]:
    """Only what is given changes: enabled, permissions, endpoints (null: all), addresses (null: all), last_used.

    Enabling a key counts as a use: on the website that is what wakes a key that was unused for too long.
    """
    key = fields.key(world)
    wakened = "enabled" in fields and fields.flag("enabled", default=True)
    changed = replace(
        key,
        enabled=fields.flag("enabled", default=key.enabled),
        permissions=fields.names("permissions") or set() if "permissions" in fields else key.permissions,
        endpoints=fields.names("endpoints") if "endpoints" in fields else key.endpoints,
        addresses=fields.names("addresses") if "addresses" in fields else key.addresses,
        used_at=fields.date("last_used") if "last_used" in fields else now if wakened else key.used_at,
    )
    fields.refuse_leftovers()
    world.keys[key.api_key] = changed
    return {}


def _reward(world: World, fields: Fields) -> Reward:
    user, account = fields.user(world), fields.text("account")
    date, ordinal = fields.date(), fields.whole_number("ordinal", 1, lowest=1)
    if date % DAY_S == 0:  # a day was meant: worlds may date their rewards later in the day
        date += world.plan.reward_second
    reward = world.books[user.login].find((account, date, ordinal))
    if reward is None:
        raise BadInput(f"{user.login} has no reward number {ordinal} of {account!r} on that date")
    return reward


def _changes(fields: Fields) -> dict[str, Any]:
    changes = fields.take("set")
    if not isinstance(changes, dict) or not changes:
        raise BadInput("set must be an object with the record's fields that change")
    unknown = sorted(set(changes) - set(CHANGEABLE))
    if unknown:
        raise BadInput(f"a record has no changeable field {unknown[0]!r}; it has {', '.join(CHANGEABLE)}")
    if "date" in changes:
        changes = changes | {"date": Fields(changes).date()}
    return dict(changes)


def _drawn_result(
    world: World, login: str, account: str, date: int, hashrate_ths: float, *, part: int
) -> mined.DayResult:
    day = date // DAY_S
    return mined.day_result(world.seed, login, account, day, hashrate_ths=hashrate_ths, part=part, oddity=None)


EDITS: dict[str, Edit] = {
    "add_account": add_account,
    "remove_account": remove_account,
    "disable_account": set_account_disabled(True),
    "enable_account": set_account_disabled(False),
    "set_account_cap": set_account_cap,
    "set_payout": set_payout,
    "set_custom_currency": set_custom_currency,
    "set_workers": set_workers,
    "add_link": add_link,
    "remove_link": remove_link,
    "expire_link": expire_link,
    "set_reward": set_reward,
    "remove_reward": set_reward_removed(True),
    "restore_reward": set_reward_removed(False),
    "add_twin": add_twin,
    "add_reward": add_reward,
    "show_early": show_early,
    "add_key": add_key,
    "set_key": set_key,
}
