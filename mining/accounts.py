"""Mining accounts: make our rows agree with the pool's list, and give one to a customer."""

from __future__ import annotations

import re
from datetime import datetime

import structlog
from django.db import IntegrityError, transaction

from customers import audit
from customers.editing import reference_taken
from customers.errors import Refused
from customers.leaving import held_open
from customers.models import Customer
from customers.tenancy import Access, TenantQuerySet
from mining import dispatch
from mining.errors import name_taken
from mining.keys import logins
from mining.models import MiningAccount, PoolIntent, PoolLogin
from mining.models.runs import Subject
from mining.pool.listings.accounts import AccountList, list_surely
from mining.sync.quarantine import Quarantined, quarantine, records_quarantined
from mining.sync.reading import Outcome, Reading

log = structlog.get_logger(__name__)

State = MiningAccount.State
ACCOUNT_NAME = re.compile(r"[A-Za-z0-9_]{1,255}")


def sync(reading: Reading) -> Outcome:
    """Make our rows agree with the pool's list. What vanished is marked, never deleted."""

    def missing(listing: AccountList) -> set[str]:
        with reading.writing():
            known = set(_listed_before(reading).values_list("name", flat=True))
        return known - {account.name for account in listing.accounts}

    with reading.pool() as pool:
        listing = list_surely(pool, missing=missing, alive=reading.alive)
    with reading.writing():
        return _store(reading, listing, now=reading.now())


def any_listed(reading: Reading) -> bool:
    return _listed_before(reading).exists()


def _listed_before(reading: Reading) -> TenantQuerySet[MiningAccount]:
    rows = MiningAccount.objects.filter(provider=reading.provider_id, login=reading.login_id, unlisted_since=None)
    # One that is being created is left to its intent: only that can tell ours from somebody else's.
    return rows.exclude(state=State.CREATING)


def _store(reading: Reading, listing: AccountList, *, now: datetime) -> Outcome:
    rows = MiningAccount.objects.filter(provider=reading.provider_id, login=reading.login_id)
    known = {account.name: account for account in rows}
    listed = {account.name: account.created_at for account in listing.accounts}
    outcome = Outcome()
    outcome.note_unread(Subject.ACCOUNTS, (name for account in listing.accounts for name in account.unread))
    new = [
        MiningAccount(
            provider_id=reading.provider_id,
            login_id=reading.login_id,
            name=name,
            state=State.ACTIVE,
            first_seen_at=now,
            created_at_pool=created_at,
        )
        for name, created_at in sorted(listed.items())
        if name not in known
    ]
    MiningAccount.objects.bulk_create(new, ignore_conflicts=True)  # the reading of rewards may be quicker
    outcome.rows_new = len(new)
    settled = [account for account in known.values() if account.state != State.CREATING]
    back = [account for account in settled if account.name in listed and account.unlisted_since is not None]
    _sign(back, unlisted_since=None)
    outcome.rows_changed = len(back) + _store_creation_moments(settled, listed)
    gone = [account for account in settled if account.name not in listed and account.unlisted_since is None]
    if gone and not listed:
        outcome.problems.append(f"The pool listed no accounts, but {len(gone)} are known: nothing was changed.")
    elif gone and listing.whole and not listing.rejected:
        _sign(gone, unlisted_since=now)
        outcome.rows_changed += len(gone)
        log.warning("accounts.vanished", run=reading.run.code, accounts=len(gone))
    if listing.rejected:
        quarantine(reading, outcome, [Quarantined.unreadable(entry, "") for entry in listing.rejected])
        outcome.problems.append(records_quarantined(outcome.quarantined))
    if not listing.whole:
        outcome.problems.append("The pool repeats its list of accounts instead of ending it: there may be more.")
    return outcome


def _sign(accounts: list[MiningAccount], *, unlisted_since: datetime | None) -> None:
    if accounts:
        chosen = MiningAccount.objects.filter(
            provider__in={account.provider_id for account in accounts}, pk__in=[account.pk for account in accounts]
        )
        if unlisted_since is None:
            # Back: what it earned meanwhile may lie further back than what is read each day.
            chosen.update(unlisted_since=None, rewards_read_in_full_at=None)
        else:
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
    login: PoolLogin | None = None,
    now: datetime,
) -> Customer:
    """A new customer and its mining account, taken over from the pool or to be created there by a worker."""
    name, email, external_ref = name.strip(), email.strip().lower(), (external_ref or "").strip() or None
    if not name:
        raise Refused("Give the customer a name.", code="customer.name_missing")
    login = _login_to_use(access, login)
    _check_account(access, login, account_name, adopt=adopt)
    try:
        with transaction.atomic():
            customer = Customer.objects.create(
                provider=access.provider, name=name, email=email, external_ref=external_ref, created_at=now
            )
    except IntegrityError as error:
        raise reference_taken(external_ref) from error
    audit.record(access, "customer.created", customer.code, now=now)
    assign_account(access, customer, account_name=account_name, adopt=adopt, login=login, now=now)
    return customer


def assign_account(
    access: Access, customer: Customer, *, account_name: str, adopt: bool, login: PoolLogin | None = None, now: datetime
) -> MiningAccount:
    """Give this customer its one mining account: also the way on for a customer whose first try failed."""
    held_open(access, customer)
    login = _login_to_use(access, login)
    if MiningAccount.objects.visible_to(access).filter(customer=customer).exists():
        raise Refused(
            "%(customer)s has a mining account already, and keeps it.",
            code="customer.has_account",
            params={"customer": customer.name},
        )
    listed = _check_account(access, login, account_name, adopt=adopt)
    kind = PoolIntent.Kind.ADOPT_ACCOUNT if adopt else PoolIntent.Kind.CREATE_ACCOUNT
    audit.record(access, f"account.{kind}", customer.code, now=now, login=login.code, account=account_name)
    if listed is not None:
        return _take_over(listed, customer)
    try:
        with transaction.atomic():
            account = MiningAccount.objects.create(
                provider=access.provider,
                login=login,
                name=account_name,
                customer=customer,
                state=State.CREATING,
                first_seen_at=now,
            )
    except IntegrityError as error:
        raise name_taken(account_name, login.name) from error
    intent = PoolIntent.objects.create(
        provider=access.provider,
        kind=kind,
        customer=customer,
        login=login,
        account_name=account_name,
        mining_account=account,
        asked_by=access.actor,
        created_at=now,
    )
    dispatch.after_commit("mining.tasks.settle_intent", access.provider.pk, intent.pk)
    return account


def _take_over(account: MiningAccount, customer: Customer) -> MiningAccount:
    # Conditional: of two people who give the same account away at once, one is told.
    free = MiningAccount.objects.filter(provider=account.provider_id, pk=account.pk, customer=None)
    if not free.update(customer=customer):
        raise Refused(
            "The account %(account)r has just been given to another customer.",
            code="account.just_given",
            params={"account": account.name},
        )
    account.customer = customer
    return account


def _login_to_use(access: Access, login: PoolLogin | None) -> PoolLogin:
    if login is not None:
        if (why := logins.why_unread(access, login)) is not None:
            raise why
        return login
    read = logins.read_now(access)
    if not read:
        raise logins.why_nothing_read(access)
    if len(read) > 1:
        raise Refused(
            "Say at which login the account is: %(logins)s.",
            code="login.ambiguous",
            params={"logins": ", ".join(login.name for login in read)},
        )
    return read[0]


def _check_account(access: Access, login: PoolLogin, name: str, *, adopt: bool) -> MiningAccount | None:
    """The account to take over when we know it already; None when the pool has to be asked."""
    if not ACCOUNT_NAME.fullmatch(name):
        raise Refused(
            "An account name has letters, digits and _ only, and at most 255 of them.", code="account.name_invalid"
        )
    account = MiningAccount.objects.visible_to(access).select_related("customer").filter(login=login, name=name).first()
    if account is None:
        return None
    if account.customer is not None:
        raise Refused(
            "The account %(account)r is that of the customer %(customer)s (%(code)s).",
            code="account.has_customer",
            params={"account": name, "customer": account.customer.name, "code": account.customer.code},
        )
    if not adopt:
        raise name_taken(name, login.name)
    if account.unlisted_since is not None:
        raise Refused(
            "The pool does not list the account %(account)r of %(login)r now. Read the accounts again first.",
            code="account.not_listed",
            params={"account": name, "login": login.name},
        )
    return account
