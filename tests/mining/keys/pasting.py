"""Keys at the sandbox, pasted as a person would."""

from __future__ import annotations

from django.utils import timezone

from mining.keys import store as key_store
from mining.models import Credential
from tests.mining.hosting import Hosting
from tests.sandbox import PoolKey, Sandbox


def paste(hosting: Hosting, api_key: str, secret: str, login_name: str = "second") -> Credential:
    with hosting.context():
        return key_store.paste_key(
            hosting.access, login_name=login_name, api_key=api_key, secret=secret, now=timezone.now()
        )


def states(hosting: Hosting) -> list[tuple[str, str]]:
    with hosting.context():
        return list(Credential.objects.order_by("pk").values_list("login__name", "state"))


def newest(hosting: Hosting) -> Credential:
    with hosting.context():
        return Credential.objects.order_by("-pk")[0]


def add_key(pool: Sandbox, login: str) -> PoolKey:
    made = pool.edit("add_key", login=login)
    return PoolKey(login, made["api_key"], made["secret"])


def accounts_at_pool(hosting: Hosting, login: str = "alpha") -> list[str]:
    user = next(user for user in hosting.pool.truth()["users"] if user["login"] == login)
    return sorted(account["name"] for account in user["accounts"])
