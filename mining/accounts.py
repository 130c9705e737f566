"""The accounts at the pool: list them, give one to a new customer, and settle what was meant to be created.

Creating is not idempotent and cannot be undone, so an intent is committed before the call. The name is looked up right
before it: what is found after a lost answer, and was not there before, is ours; what was there before never is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import IntegrityError, transaction
from django.db.models import Q

from customers import audit, tenancy
from customers.models import Customer
from customers.tenancy import Access
from mining import hints, keys
from mining.errors import NoKey, Refused
from mining.models import Credential, MiningAccount, PoolIntent
from mining.pool.client import LARGEST_OFFSET, PoolClient
from mining.pool.errors import AmbiguousOutcome, KeyRefused, PoolError, RequestRefused
from mining.pool.types import PoolAccount
from mining.reading import Outcome, Reading

log = structlog.get_logger(__name__)

State, IntentState = MiningAccount.State, PoolIntent.State

# The pool's documented page. It documents no limit, so a page this long may be all it gives at once.
DEFAULT_PAGE = 30
ACCOUNT_NAME = re.compile(r"[A-Za-z0-9_]{1,255}")
# No request lives longer than this at the pool: what is not there by then will not come any more.
SETTLED_AFTER = timedelta(seconds=60)
MOST_CALLS = 3


# --- Listing


@dataclass(frozen=True, slots=True)
class AccountList:
    accounts: tuple[PoolAccount, ...]
    whole: bool  # False: the pool repeated itself instead of ending, so there may be more


def list_accounts(pool: PoolClient, *, alive: Callable[[], None]) -> AccountList:
    """All accounts of the key's user. Ends on a short or empty page, or on one that brings nothing new."""
    found: dict[str, PoolAccount] = {}
    offset = 0
    while offset <= LARGEST_OFFSET:
        alive()
        page = pool.accounts_page(offset=offset)
        new = {account.name: account for account in page if account.name not in found}
        found |= new
        if len(page) < DEFAULT_PAGE:
            return AccountList(tuple(found.values()), whole=True)
        if not new:
            break
        offset += len(page)
    return AccountList(tuple(found.values()), whole=False)


def sync(reading: Reading) -> Outcome:
    """Make our rows agree with the pool's list. What vanished is marked, never deleted."""
    with reading.pool() as pool:
        listing = list_accounts(pool, alive=reading.alive)
    with reading.writing():
        return _store(reading, listing, now=reading.now())


def _store(reading: Reading, listing: AccountList, *, now: datetime) -> Outcome:
    rows = MiningAccount.objects.filter(provider=reading.provider_id, label=reading.label)
    known = {account.name: account for account in rows}
    listed = {account.name: account.created_at for account in listing.accounts}
    outcome = Outcome()
    new = [
        MiningAccount(
            provider_id=reading.provider_id,
            label=reading.label,
            name=name,
            state=State.ACTIVE,
            first_seen_at=now,
            created_at_pool=created_at,
        )
        for name, created_at in sorted(listed.items())
        if name not in known
    ]
    MiningAccount.objects.bulk_create(new)
    outcome.rows_new = len(new)
    # An account that is being created is left to its intent: only that can tell ours from somebody else's.
    settled = [account for account in known.values() if account.state != State.CREATING]
    back = [account for account in settled if account.name in listed and account.unlisted_since is not None]
    _sign(rows, back, unlisted_since=None)
    outcome.rows_changed = len(back) + _store_creation_moments(settled, listed)
    gone = [account for account in settled if account.name not in listed and account.unlisted_since is None]
    if gone and not listed:
        outcome.problems.append(f"The pool listed no accounts, but {len(gone)} are known: nothing was changed.")
    elif gone and listing.whole:
        _sign(rows, gone, unlisted_since=now)
        outcome.rows_changed += len(gone)
        log.warning("accounts.vanished", run=reading.run.code, accounts=len(gone))
    if not listing.whole:
        outcome.problems.append("The pool repeats its list of accounts instead of ending it: there may be more.")
    return outcome


def _sign(
    rows: tenancy.TenantQuerySet[MiningAccount], accounts: list[MiningAccount], *, unlisted_since: datetime | None
) -> None:
    if accounts:
        chosen = MiningAccount.objects.filter(
            provider__in={account.provider_id for account in accounts}, pk__in=[account.pk for account in accounts]
        )
        chosen.update(unlisted_since=unlisted_since)
        chosen.follow_signs()


def _store_creation_moments(accounts: list[MiningAccount], listed: dict[str, datetime | None]) -> int:
    changed = []
    for account in accounts:
        created_at = listed.get(account.name)
        if created_at is not None and account.created_at_pool != created_at:
            account.created_at_pool = created_at
            changed.append(account)
    MiningAccount.objects.bulk_update(changed, ["created_at_pool"], batch_size=500)
    return len(changed)


# --- Giving an account to a customer: in the request's transaction


def onboard_customer(
    access: Access,
    *,
    name: str,
    email: str,
    external_ref: str | None = None,
    account_name: str,
    adopt: bool,
    label: str | None = None,
    now: datetime,
) -> Customer:
    """A new customer and its mining account, taken over from the pool or to be created there by a worker."""
    name, email, external_ref = name.strip(), email.strip().lower(), (external_ref or "").strip() or None
    if not name:
        raise Refused("Give the customer a name.")
    label = _label_to_use(access, label)
    _check_account(access, label, account_name, adopt=adopt)
    try:
        with transaction.atomic():
            customer = Customer.objects.create(
                provider=access.provider, name=name, email=email, external_ref=external_ref, created_at=now
            )
    except IntegrityError as error:
        raise Refused(f"Another customer has the reference {external_ref!r} already.") from error
    audit.record(access, "customer.created", customer.code, now=now)
    assign_account(access, customer, account_name=account_name, adopt=adopt, label=label, now=now)
    return customer


def assign_account(
    access: Access, customer: Customer, *, account_name: str, adopt: bool, label: str | None = None, now: datetime
) -> MiningAccount:
    """Give this customer its one mining account: also the way on for a customer whose first try failed."""
    label = _label_to_use(access, label)
    if MiningAccount.objects.visible_to(access).filter(customer=customer).exists():
        raise Refused(f"{customer.name} has a mining account already, and keeps it.")
    listed = _check_account(access, label, account_name, adopt=adopt)
    kind = PoolIntent.Kind.ADOPT_ACCOUNT if adopt else PoolIntent.Kind.CREATE_ACCOUNT
    audit.record(access, f"account.{kind}", customer.code, now=now, label=label, account=account_name)
    if listed is not None:
        return _take_over(listed, customer)
    try:
        with transaction.atomic():
            account = MiningAccount.objects.create(
                provider=access.provider,
                label=label,
                name=account_name,
                customer=customer,
                state=State.CREATING,
                first_seen_at=now,
            )
    except IntegrityError as error:
        raise Refused(_taken(account_name, label)) from error
    intent = PoolIntent.objects.create(
        provider=access.provider,
        kind=kind,
        customer=customer,
        label=label,
        account_name=account_name,
        mining_account=account,
        created_at=now,
    )
    hints.after_commit("settle_intent", access.provider.pk, intent.pk)
    return account


def decide_intent(access: Access, intent: PoolIntent, *, ours: bool, now: datetime) -> None:
    """A person has looked at the pool for an intent that is unknown: the account is ours to take, or there is none."""
    if intent.state != IntentState.UNKNOWN or intent.mining_account_id is None:
        raise Refused("This has been settled already.")
    audit.record(access, "intent.decided", intent.code, now=now, ours="yes" if ours else "no")
    kind, state = PoolIntent.Kind.ADOPT_ACCOUNT, IntentState.PLANNED
    reopened = PoolIntent.objects.visible_to(access).filter(pk=intent.pk, state=IntentState.UNKNOWN)
    reopened.update(kind=kind, state=state, problem="", settled_at=None)
    if ours:
        hints.after_commit("settle_intent", access.provider.pk, intent.pk)
    else:
        _fail(intent, "A person found no account of ours at the pool.", now=now)


def _take_over(account: MiningAccount, customer: Customer) -> MiningAccount:
    # Conditional: of two people who give the same account away at once, one is told.
    free = MiningAccount.objects.filter(provider=account.provider_id, pk=account.pk, customer=None)
    if not free.update(customer=customer):
        raise Refused(f"The account {account.name!r} has just been given to another customer.")
    account.customer = customer
    return account


def _label_to_use(access: Access, label: str | None) -> str:
    active = Credential.objects.visible_to(access).filter(state=Credential.State.ACTIVE)
    labels = sorted(active.values_list("label", flat=True))
    if label is not None:
        if label not in labels:
            raise Refused(f"There is no active pool key under the label {label!r}.")
        return label
    if not labels:
        raise Refused("There is no active pool key yet: paste one first, and wait until it is verified.")
    if len(labels) > 1:
        raise Refused(f"Say at which login the account is: {', '.join(labels)}.")
    return labels[0]


def _check_account(access: Access, label: str, name: str, *, adopt: bool) -> MiningAccount | None:
    """The account to take over when we know it already; None when the pool has to be asked."""
    if not ACCOUNT_NAME.fullmatch(name):
        raise Refused("An account name has letters, digits and _ only, and at most 255 of them.")
    account = MiningAccount.objects.visible_to(access).select_related("customer").filter(label=label, name=name).first()
    if account is None:
        return None
    if account.customer is not None:
        raise Refused(f"The account {name!r} is that of the customer {account.customer.name} ({account.customer}).")
    if not adopt:
        raise Refused(_taken(name, label))
    if account.unlisted_since is not None:
        raise Refused(f"The pool does not list the account {name!r} of {label!r} now. Read the accounts again first.")
    return account


def _taken(name: str, label: str) -> str:
    return f"There is an account {name!r} at {label!r} already. Take it over, or choose another name."


# --- Settling an intent: workers, outside any transaction


def settle_intent(provider_id: int, intent_id: int, *, now: datetime) -> PoolIntent | None:
    """Bring an open intent as far as it goes now. Safe to repeat: whatever happened before, it looks first."""
    with tenancy.provider_context(provider_id):
        intent = _open_intents(provider_id).filter(pk=intent_id).select_related("mining_account").first()
    if intent is None:
        return None
    try:
        key = keys.open_key(provider_id, intent.label)
        with key.client() as pool:
            _settle(intent, pool, now=now)
        keys.note_success(key, now=now)
    except NoKey as error:
        _note_problem(intent, str(error))
    except KeyRefused as refusal:
        keys.note_refusal(key, refusal, now=now)
        _note_problem(intent, refusal.sentence)
    except PoolError as error:
        _note_problem(intent, error.sentence)
    with tenancy.provider_context(provider_id):
        intent.refresh_from_db()
    log.info("intent.settled", intent=intent.code, kind=intent.kind, state=intent.state, attempts=intent.attempts)
    return intent


def _open_intents(provider_id: int) -> tenancy.TenantQuerySet[PoolIntent]:
    return PoolIntent.objects.filter(provider=provider_id, state__in=[IntentState.PLANNED, IntentState.CALLED])


def _settle(intent: PoolIntent, pool: PoolClient, *, now: datetime) -> None:
    found = _look_up(pool, intent.account_name)
    if intent.kind == PoolIntent.Kind.ADOPT_ACCOUNT:
        if found is None:
            _fail(intent, _not_there(intent), now=now)
        else:
            _done(intent, found, now=now)
    elif intent.state == IntentState.CALLED:
        _read_back(intent, found, pool, now=now)
    elif found is not None:
        _fail(intent, _taken(intent.account_name, intent.label), now=now)
    else:
        _create(intent, pool, now=now)


def _look_up(pool: PoolClient, name: str) -> PoolAccount | None:
    return next((account for account in pool.accounts_page(name=name) if account.name == name), None)


def _read_back(intent: PoolIntent, found: PoolAccount | None, pool: PoolClient, *, now: datetime) -> None:
    """The call went out and its answer was lost. The name was free right before it."""
    if found is not None:
        _done(intent, found, now=now)
    elif intent.called_at is not None and now - intent.called_at < SETTLED_AFTER:
        _note_problem(intent, "The pool's answer was lost. It is being looked up whether the account was created.")
    elif intent.attempts < MOST_CALLS:
        _create(intent, pool, now=now)
    else:
        sentence = f"The pool's answer was lost {intent.attempts} times, and there is no account. Look at the pool."
        _close(intent, IntentState.UNKNOWN, sentence, now=now)


def _create(intent: PoolIntent, pool: PoolClient, *, now: datetime) -> None:
    """The name is free. Commit that the call goes out, make it once, and look after it on doubt."""
    if not _claim_call(intent, now=now):
        return  # another worker has it
    try:
        created = pool.create_account(intent.account_name)
    except AmbiguousOutcome:
        _read_back(intent, _look_up(pool, intent.account_name), pool, now=now)
    except RequestRefused as refusal:
        _refused(intent, refusal, now=now)
    except PoolError:
        # The client tells doubt apart (AmbiguousOutcome), so here the pool did nothing: as if never called.
        _uncall(intent)
        raise
    else:
        _done(intent, created, now=now)


def _claim_call(intent: PoolIntent, *, now: datetime) -> bool:
    with tenancy.provider_context(intent.provider_id):
        # Unchanged since we looked: of two workers that both found the name free, one calls.
        mine = PoolIntent.objects.filter(
            provider=intent.provider_id, pk=intent.pk, state=intent.state, attempts=intent.attempts
        )
        claimed = mine.update(state=IntentState.CALLED, called_at=now, attempts=intent.attempts + 1)
    intent.attempts, intent.called_at, intent.state = intent.attempts + 1, now, IntentState.CALLED
    return bool(claimed)


def _uncall(intent: PoolIntent) -> None:
    with tenancy.provider_context(intent.provider_id):
        _same_call(intent).update(state=IntentState.PLANNED, called_at=None, attempts=intent.attempts - 1)


def _same_call(intent: PoolIntent) -> tenancy.TenantQuerySet[PoolIntent]:
    return PoolIntent.objects.filter(
        provider=intent.provider_id, pk=intent.pk, state=IntentState.CALLED, attempts=intent.attempts
    )


def _refused(intent: PoolIntent, refusal: RequestRefused, *, now: datetime) -> None:
    if "name" in refusal.fields and intent.attempts > 1:
        # Free before our first call, taken now: an earlier call of ours arrived late, or somebody was quicker.
        sentence = f"The account {intent.account_name!r} appeared at the pool meanwhile. Look whether it is yours."
        _close(intent, IntentState.UNKNOWN, sentence, now=now)
    elif "name" in refusal.fields:
        _fail(intent, _taken(intent.account_name, intent.label), now=now)
    elif any("maxAccounts" in word for words in refusal.fields.values() for word in words):
        _fail(intent, f"The login {intent.label!r} has as many accounts as the pool allows.", now=now)
    else:
        _fail(intent, refusal.sentence, now=now)


def _not_there(intent: PoolIntent) -> str:
    return f"There is no account {intent.account_name!r} at {intent.label!r}. Check the name: capitals count."


def _done(intent: PoolIntent, found: PoolAccount, *, now: datetime) -> None:
    with tenancy.provider_context(intent.provider_id):
        _finish(intent, IntentState.DONE, "", now=now)
        _placeholder(intent).update(state=State.ACTIVE, created_at_pool=found.created_at)


def _close(intent: PoolIntent, state: PoolIntent.State, problem: str, *, now: datetime) -> None:
    with tenancy.provider_context(intent.provider_id):
        _finish(intent, state, problem, now=now)


def _fail(intent: PoolIntent, problem: str, *, now: datetime) -> None:
    """Surely nothing of ours is at the pool: take the account that was to be away, so the customer can have another."""
    with tenancy.provider_context(intent.provider_id):
        if _finish(intent, IntentState.FAILED, problem, now=now, mining_account=None):
            _placeholder(intent).delete()


def _placeholder(intent: PoolIntent) -> tenancy.TenantQuerySet[MiningAccount]:
    account = intent.mining_account
    return MiningAccount.objects.filter(
        provider=intent.provider_id, pk=account.pk if account else 0, state=State.CREATING
    )


def _finish(
    intent: PoolIntent, state: PoolIntent.State, problem: str, *, now: datetime, **more: MiningAccount | None
) -> int:
    still_open = _open_intents(intent.provider_id).filter(Q(pk=intent.pk))
    return still_open.update(state=state, problem=problem[:500], settled_at=now, **more)


def _note_problem(intent: PoolIntent, problem: str) -> None:
    with tenancy.provider_context(intent.provider_id):
        _open_intents(intent.provider_id).filter(pk=intent.pk).exclude(problem=problem[:500]).update(
            problem=problem[:500]
        )
