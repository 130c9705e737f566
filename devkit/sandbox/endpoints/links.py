"""watcher-links/create and watcher-links/list. There is no way to take a link back."""

import re
from typing import Any

from ..accounts import LINK_LIFETIMES_S, LINK_PERMISSIONS, MOST_ACTIVE_LINKS, Link
from ..answers import Answer, Refused, created, invalid, ok
from ..call import Call, not_found

LINK_NAME = re.compile(r"[a-zA-Z0-9_]{1,255}")


def create_link(call: Call) -> Answer:
    act = {
        "act": "add_link",
        "login": call.user.login,
        "accounts": call.texts("accounts"),
        "name": _name(call),
        "permissions": _permissions(call),
        "live_until": _lifetime(call),
    }
    for name in act["accounts"]:
        _check_account(call, name)
    link = call.user.links[call.perform(act)["id"]]
    if "link_made_twice" in call.quirks:
        call.perform(act)
    if "link_expired" in call.quirks:
        call.perform({"act": "expire_link", "login": call.user.login, "id": link.id})
    return created({"data": {name: _link_dict(link)[name] for name in ("id", "link", "liveUntil", "createdAt")}})


def list_links(call: Call) -> Answer:
    account = call.enabled_account("account")
    made_until = call.now - call.lag_s()
    active = [] if "empty_listing" in call.quirks else call.user.active_links(account.name, call.now)
    shown = [_link_dict(link) for link in active if link.created_at <= made_until]
    return ok({"data": call.quirky_page(shown)})


def _link_dict(link: Link) -> dict[str, Any]:
    return {
        "id": link.id,
        "accounts": list(link.accounts),
        "name": link.name,
        "link": link.url,
        "permissions": list(link.permissions),
        "liveUntil": link.live_until,
        "createdAt": link.created_at,
    }


def _name(call: Call) -> str:
    name = call.needed_text("name")
    if not LINK_NAME.fullmatch(name):
        raise invalid(400, "name", "The name may only contain letters, numbers and underscores.")
    return name


def _permissions(call: Call) -> list[str]:
    permissions = call.texts("permissions")
    if len(permissions) != len(call.fields["permissions"]) or not set(permissions) <= set(LINK_PERMISSIONS):
        raise invalid(400, "permissions", "The selected permissions are invalid.")
    return permissions


def _lifetime(call: Call) -> str:
    lifetime = call.needed_text("liveUntil")
    if lifetime not in LINK_LIFETIMES_S:
        raise invalid(400, "liveUntil", "The selected live until is invalid.")
    return lifetime


def _check_account(call: Call, name: str) -> None:
    account = call.user.accounts.get(name)
    if account is None or account.disabled:
        raise not_found("user")
    if len(call.user.active_links(name, call.now)) >= MOST_ACTIVE_LINKS:
        raise Refused(400, "Limit exceeded", {"user": ["Limit exceeded"]})
