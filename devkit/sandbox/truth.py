"""What is really so in the world, for tests to compare with: the answers of GET /sandbox/truth…"""

from typing import Any

from .accounts import Account, Key, Link, User
from .clock import iso
from .fields import Fields
from .sandbox import Sandbox


def truth(sandbox: Sandbox, fields: Fields) -> dict[str, Any]:
    """The whole world but its rewards, secrets included: this is how tests get keys."""
    fields.refuse_leftovers()
    now, world = sandbox.clock.now(), sandbox.world
    users = [
        _user(user, [key for key in world.keys.values() if key.login == user.login], now)
        for user in world.users.values()
    ]
    return {"world": world.name, "seed": world.seed, "now": iso(now), "users": users}


def _user(user: User, keys: list[Key], now: int) -> dict[str, Any]:
    return {
        "login": user.login,
        "account_cap": user.account_cap,
        "keys": [_key(key) for key in keys],
        "accounts": [_account(account, now) for account in user.accounts.values()],
        "links": [_link(link, now) for link in user.links.values()],
    }


def _key(key: Key) -> dict[str, Any]:
    return {
        "api_key": key.api_key,
        "secret": key.secret,
        "permissions": sorted(key.permissions),
        "endpoints": None if key.endpoints is None else sorted(key.endpoints),
        "addresses": None if key.addresses is None else sorted(key.addresses),
        "enabled": key.enabled,
        "last_used": iso(key.used_at),
    }


def _account(account: Account, now: int) -> dict[str, Any]:
    payout = account.payout_at(now)
    return {
        "name": account.name,
        "created_at": iso(account.created_at),
        "mines": account.hashrate_ths is not None,
        "hashrate_ths": account.hashrate_ths,
        "disabled": account.disabled,
        "payout_destination": payout.destination,
        "payout_address": payout.address,
    }


def _link(link: Link, now: int) -> dict[str, Any]:
    """Links that have ended are shown too."""
    return {
        "id": link.id,
        "accounts": list(link.accounts),
        "name": link.name,
        "permissions": list(link.permissions),
        "link": link.url,
        "created_at": iso(link.created_at),
        "live_until": None if link.live_until is None else iso(link.live_until),
        "active": link.is_active(now),
    }


def true_workers(sandbox: Sandbox, fields: Fields) -> dict[str, Any]:
    """Every worker of one account now, with its state and its part of the account's hashrate."""
    user = fields.user(sandbox.world)
    account = fields.account(user)
    fields.refuse_leftovers()
    now, fleet = sandbox.clock.now(), sandbox.world.fleet(user.login, account)
    workers = [
        {"name": name, "state": state, "share": fleet.share(name, now)} for name, state in fleet.states(now).items()
    ]
    return {"now": iso(now), "login": user.login, "account": account.name, "data": workers}


def true_rewards(sandbox: Sandbox, fields: Fields) -> dict[str, Any]:
    """What a whole, faultless listing would hold, oldest first; `ordinal` names a record for edits."""
    user = fields.user(sandbox.world)
    since = fields.date("from") if "from" in fields else 0
    until = fields.date("to") if "to" in fields else 10**11
    fields.refuse_leftovers()
    now = sandbox.clock.now()
    listing = sandbox.world.books[user.login].listing(now)
    records = [
        reward.as_dict(now) | {"ordinal": reward.ordinal}
        for reward in reversed(listing)
        if since <= reward.listed_date <= until
    ]
    return {"now": iso(now), "login": user.login, "data": records}
