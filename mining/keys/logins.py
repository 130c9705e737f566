"""The WhiteBIT users that the provider's keys open: which of them are read now, and why another is not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q

from customers.models import Customer
from customers.tenancy import Access, TenantQuerySet
from mining.models import Credential, MiningAccount
from mining.models.accounts import MiningAccountQuerySet
from mining.models.runs import Subject

State = Credential.State


def unread(access: Access) -> dict[str, str]:
    """By label, in its order: the logins of which nothing is read now, each with why and what to do, in a sentence."""
    stored: dict[str, list[Credential]] = defaultdict(list)
    for credential in Credential.objects.visible_to(access).exclude(state=State.RETIRED).order_by("pk"):
        stored[credential.label].append(credential)
    missed = _missed_accounts(access).values_list("label", flat=True).order_by().distinct()
    found = {label: why_no_key(label, stored.get(label, [])) for label in sorted({*stored, *missed})}
    return {label: why for label, why in found.items() if why is not None}


def keys_not_given_up(access: Access) -> TenantQuerySet[Credential]:
    """All keys, also the retired ones, but of no login that was given up: no key is left there, and none is missed."""
    missed = Q(label__in=_missed_accounts(access).values("label"))
    kept = Credential.objects.visible_to(access).exclude(state=State.RETIRED).values("label")
    return Credential.objects.visible_to(access).filter(missed | Q(label__in=kept))


def why_unread(access: Access, label: str) -> str | None:
    """Why nothing is read of this login, in a sentence; None: it is read."""
    stored = Credential.objects.visible_to(access).filter(label=label).exclude(state=State.RETIRED)
    return why_no_key(label, stored.order_by("pk"))


def refusals_that_stop(access: Access) -> set[int]:
    """The refused keys, by primary key, with which something came to a stop: a key that had worked, and one of a login
    whose accounts no other key reads. What was mistyped beside a key that works stops nothing."""
    mine = Credential.objects.visible_to(access)
    read = mine.filter(state=State.ACTIVE).values("label")
    accounts_wait = Q(label__in=_known_accounts(access).values("label")) & ~Q(label__in=read)
    stopping = mine.filter(Q(verified_at__isnull=False) | accounts_wait, state=State.REFUSED)
    return set(stopping.values_list("pk", flat=True))


def why_no_key(label: str, stored: Iterable[Credential]) -> str | None:
    """`stored`: the login's keys but the retired ones, the oldest first. None: one of them works."""
    by_state = {credential.state: credential for credential in stored}
    if State.ACTIVE in by_state:
        return None
    if State.CHECKING in by_state:
        return f"The key of {label} has not been checked yet, so nothing is read or done for it: wait a minute."
    if (refused := by_state.get(State.REFUSED)) is not None:
        tried = f" (last tried on {refused.checked_at.day} {refused.checked_at:%b %Y})" if refused.checked_at else ""
        return (
            f"The pool refused the key of {label}{tried}, so nothing is read or done for it: check it at the pool, "
            "then press Try again under Pool keys, or paste a new one."
        )
    return f"There is no active pool key for {label}, so nothing is read or done for it: paste one under Pool keys."


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


def not_allowed(access: Access) -> set[tuple[str, Subject]]:
    """Labels and subjects that cannot be read for want of a right, which the key's problem says."""
    active = Credential.objects.visible_to(access).filter(state=State.ACTIVE).exclude(problem="")
    return {
        (credential.label, subject)
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
    other: Credential | None  # under the same label: the one that works, else one that is being tried


def withdrawal(access: Access, credential: Credential) -> Withdrawal:
    others = Credential.objects.visible_to(access).filter(label=credential.label).exclude(pk=credential.pk)
    by_state = {other.state: other for other in others.filter(state__in=[State.ACTIVE, State.CHECKING]).order_by("pk")}
    return Withdrawal(
        _known_accounts(access).filter(label=credential.label, unlisted_since=None).count(),
        credential.state == State.ACTIVE,
        by_state.get(State.ACTIVE) or by_state.get(State.CHECKING),
    )


def _missed_accounts(access: Access) -> MiningAccountQuerySet:
    """Those whose figures somebody waits for: a login that has none may be left without a key on purpose."""
    return _known_accounts(access).filter(customer__status=Customer.Status.ACTIVE, unlisted_since=None)


def _known_accounts(access: Access) -> MiningAccountQuerySet:
    return MiningAccount.objects.visible_to(access).exclude(state=MiningAccount.State.CREATING)
