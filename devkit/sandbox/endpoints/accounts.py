"""accounts/create and accounts."""

from typing import Any

from ..accounts import Account
from ..answers import Answer, invalid, ok
from ..call import ACCOUNT_NAME, DEFAULT_LIMIT, Call

MAX_REFERRAL_CODE = 50


def create_account(call: Call) -> Answer:
    name = call.text("name")
    if not name:
        raise invalid(400, "name", "validation.required")
    if not ACCOUNT_NAME.fullmatch(name):
        raise invalid(400, "name", "The name may only contain letters, numbers and underscores, at most 255.")
    if len(call.text("referralCode") or "") > MAX_REFERRAL_CODE:
        raise invalid(400, "referralCode", "validation.max.string")
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
    made_until = call.now - call.lag_s()
    matching = [
        account
        for account in ([] if "empty_listing" in call.quirks else call.user.newest_first())
        if (name is None or account.name == name) and account.created_at <= made_until
    ]
    page = [_account_dict(account) for account in call.quirky_page(matching[offset : offset + limit])]
    return ok({"data": page, "limit": limit, "offset": offset})


def _account_dict(account: Account) -> dict[str, Any]:
    return {"name": account.name, "createdAt": account.created_at}
