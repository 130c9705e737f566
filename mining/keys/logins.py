"""The WhiteBIT users that the provider's keys open: their names, which are read now, and why another is not."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Q, Value
from django.db.models.functions import Lower

from customers import audit
from customers.errors import Refused
from customers.models import Customer
from customers.tenancy import Access, TenantQuerySet
from customers.text import normal
from mining.errors import NoKey
from mining.models import Credential, MiningAccount, PoolLogin
from mining.models.accounts import MiningAccountQuerySet
from mining.models.logins import LONGEST_NAME
from mining.models.runs import Subject

State = Credential.State
NAME = re.compile(r"[\w@.+ -]+")

# --- Their names


def find_login(access: Access, name: str) -> PoolLogin | None:
    """By its name, however its capitals are written."""
    # Lower on both sides in the database, as its unique index does it: Python lowers some letters in another way.
    logins = PoolLogin.objects.visible_to(access).alias(name_lower=Lower("name"))
    return logins.filter(name_lower=Lower(Value(normal(name)))).first()


def login_named(access: Access, name: str, *, now: datetime) -> PoolLogin:
    """The login of this name, made when there is none. Raises Refused for what is no name.

    Of two people who name it at the same moment one makes it, and the other waits for that and takes the same.
    """
    name = _checked(name)
    if (login := find_login(access, name)) is not None:
        return login
    try:
        with transaction.atomic():
            login = PoolLogin.objects.create(provider=access.provider, name=name, created_at=now)
    except IntegrityError:
        login = find_login(access, name)
        if login is None:
            raise  # another reason than the name
        return login
    audit.record(access, "login.created", login.code, now=now, name=name)
    return login


def rename_login(access: Access, login: PoolLogin, name: str, *, now: datetime) -> None:
    """Keys, accounts, runs and intents point at the login's row, so nothing else changes. Raises Refused."""
    name = _checked(name)
    try:
        with transaction.atomic():
            held = PoolLogin.objects.visible_to(access).select_for_update(no_key=True).get(pk=login.pk)
            before, held.name = held.name, name
            held.save(update_fields=["name"])
    except IntegrityError as error:
        other = find_login(access, name)
        raise Refused(
            "There is a login %(login)r already: choose another name.",
            code="login.name_taken",
            params={"login": other.name if other else name},
        ) from error
    login.name = name
    if name != before:
        audit.record(access, "login.renamed", login.code, now=now, before=before, name=name)


def _checked(name: str) -> str:
    name = normal(name)
    if not name or len(name) > LONGEST_NAME or not NAME.fullmatch(name):
        raise Refused(
            "A login's name has at most %(most)d letters, digits, spaces and . _ - + @ characters, at least one.",
            code="login.name_invalid",
            params={"most": LONGEST_NAME},
        )
    return name


# --- Which are read


def read_now(access: Access) -> list[PoolLogin]:
    """Those with a key that works, in the order of their names."""
    active = Credential.objects.visible_to(access).filter(state=State.ACTIVE)
    return list(PoolLogin.objects.visible_to(access).filter(pk__in=active.values("login")).order_by("name"))


def active_logins(provider_id: int) -> list[int]:
    """The logins that can be read, by primary key. Inside the provider's context.

    In that order and not by name: two who open runs of several logins take them in the same order also while somebody
    renames one, and so never wait for each other.
    """
    active = Credential.objects.filter(provider=provider_id, state=State.ACTIVE)
    return sorted(active.values_list("login", flat=True))


def unread(access: Access) -> dict[PoolLogin, NoKey]:
    """In the order of their names: the logins of which nothing is read now, each with why and what to do."""
    stored: dict[int, list[Credential]] = defaultdict(list)
    for credential in Credential.objects.visible_to(access).exclude(state=State.RETIRED).order_by("pk"):
        stored[credential.login_id].append(credential)
    reasons = {login: why_no_key(login, stored[login.pk]) for login in not_given_up(access).order_by("name")}
    return {login: why for login, why in reasons.items() if why is not None}


def not_given_up(access: Access) -> TenantQuerySet[PoolLogin]:
    """All logins but those that were given up: no key is left there, and none is missed."""
    missed = Q(pk__in=_missed_accounts(access).values("login"))
    kept = Credential.objects.visible_to(access).exclude(state=State.RETIRED).values("login")
    return PoolLogin.objects.visible_to(access).filter(missed | Q(pk__in=kept))


def why_nothing_read(access: Access) -> NoKey:
    """Of a provider that has no active key: why."""
    if not Credential.objects.visible_to(access).exclude(state=State.RETIRED).exists():
        return NoKey("There is no pool key yet: paste one first.", code="key.none")
    reasons = list(unread(access).values())
    if len(reasons) == 1:
        return reasons[0]
    return NoKey("%(reasons)s", code="key.none_active", params={"reasons": " ".join(map(str, reasons))})


def why_unread(access: Access, login: PoolLogin) -> NoKey | None:
    """Why nothing is read of this login; None: it is read."""
    stored = Credential.objects.visible_to(access).filter(login=login).exclude(state=State.RETIRED)
    return why_no_key(login, stored.order_by("pk"))


def refusals_that_stop(access: Access) -> set[int]:
    """The refused keys, by primary key, with which something came to a stop: a key that had worked, and one of a login
    whose accounts no other key reads. What was mistyped beside a key that works stops nothing."""
    keys = Credential.objects.visible_to(access)
    read = keys.filter(state=State.ACTIVE).values("login")
    accounts_wait = Q(login__in=_known_accounts(access).values("login")) & ~Q(login__in=read)
    stopping = keys.filter(Q(verified_at__isnull=False) | accounts_wait, state=State.REFUSED)
    return set(stopping.values_list("pk", flat=True))


def why_no_key(login: PoolLogin, stored: Iterable[Credential]) -> NoKey | None:
    """`stored`: the login's keys but the retired ones, the oldest first. None: one of them works."""
    keys = list(stored)
    return None if any(key.state == State.ACTIVE for key in keys) else no_active_key(login, keys)


def no_active_key(login: PoolLogin, stored: Iterable[Credential]) -> NoKey:
    by_state = {credential.state: credential for credential in stored}
    if State.CHECKING in by_state:
        return NoKey(
            "The key of %(login)s has not been checked yet, so nothing is read or done for it: wait a minute.",
            code="key.not_checked",
            params={"login": login.name},
        )
    if (refused := by_state.get(State.REFUSED)) is not None:
        tried = f" (last tried on {refused.checked_at.day} {refused.checked_at:%b %Y})" if refused.checked_at else ""
        return NoKey(
            "The pool refused the key of %(login)s%(tried)s, so nothing is read or done for it: check it at the pool,"
            " then have it tried again, or paste a new one.",
            code="key.refused",
            params={"login": login.name, "tried": tried},
        )
    return NoKey(
        "There is no active pool key for %(login)s, so nothing is read or done for it: paste one.",
        code="key.missing",
        params={"login": login.name},
    )


# --- What a key that works may not read

ENDPOINTS = {
    Subject.ACCOUNTS: "accounts",
    Subject.REWARDS: "rewards",
    Subject.HASHRATE: "hashrate",
    Subject.WORKERS: "miners/info",
    Subject.PAYOUTS: "payout-destination",
    Subject.WATCHERS: "watcher-links/list",
}


def told_to_lack(credential: Credential) -> set[str]:
    """The pool's endpoints that the key may not use, as far as its problem names them."""
    missing = {endpoint for endpoint, told in credential.endpoints.items() if told is False}
    return {endpoint for endpoint in missing if endpoint in credential.problem}


def not_allowed(access: Access) -> set[tuple[int, Subject]]:
    """Logins (by primary key) and subjects that cannot be read for want of a right, which the key's problem says."""
    active = Credential.objects.visible_to(access).filter(state=State.ACTIVE).exclude(problem="")
    return {
        (credential.login_id, subject)
        for credential in active
        for subject, endpoint in ENDPOINTS.items()
        if endpoint in told_to_lack(credential)
    }


# --- Before a key is thrown away


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What throwing a key away does to the reading of its login."""

    accounts: int  # of the login, that the pool lists
    ends_reading: bool  # this is the key that they are read with
    other: Credential | None  # of the same login: the one that works, else one that is being tried


def withdrawal(access: Access, credential: Credential) -> Withdrawal:
    others = Credential.objects.visible_to(access).filter(login=credential.login_id).exclude(pk=credential.pk)
    by_state = {other.state: other for other in others.filter(state__in=[State.ACTIVE, State.CHECKING]).order_by("pk")}
    return Withdrawal(
        _known_accounts(access).filter(login=credential.login_id, unlisted_since=None).count(),
        credential.state == State.ACTIVE,
        by_state.get(State.ACTIVE) or by_state.get(State.CHECKING),
    )


def _missed_accounts(access: Access) -> MiningAccountQuerySet:
    """Those whose figures somebody waits for: a login that has none may be left without a key on purpose."""
    return _known_accounts(access).filter(customer__status=Customer.Status.ACTIVE, unlisted_since=None)


def _known_accounts(access: Access) -> MiningAccountQuerySet:
    return MiningAccount.objects.visible_to(access).exclude(state=MiningAccount.State.CREATING)
