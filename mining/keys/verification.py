"""Whether a key works, is its login's, and what it may use: a worker asks the pool before the key is used for more."""

from __future__ import annotations

from datetime import datetime

import psycopg
import structlog
from django.db import IntegrityError

from customers import tenancy
from customers.errors import Refused
from mining import runs
from mining.errors import NoKey, NotOpened, RunLost, Unfit
from mining.keys import health as key_health
from mining.keys import store as key_store
from mining.keys.rights import ask_rights
from mining.models import Credential, MiningAccount, Reward, SyncRun
from mining.models.accounts import ONE_PROVIDER
from mining.models.runs import Subject
from mining.pool.answers.types import RewardRecord
from mining.pool.client import PoolClient
from mining.pool.errors import KeyRefused, PoolError
from mining.pool.limits.rate_limit import Priority
from mining.pool.listings.accounts import AccountList, list_surely

log = structlog.get_logger(__name__)

State = Credential.State
RIGHT_DEADLINE_SECONDS = 3.0  # with each question about a right: what is not told now can be asked again


def verify(provider_id: int, credential_id: int, *, now: datetime) -> Credential:
    """Ask the pool whether the key works and is this login's; then it takes over from the former one in one step.

    Outside any transaction. Raises Refused with what is wrong; the credential then says the same.
    """
    watch = runs.Watch(now)
    with tenancy.provider_context(provider_id):
        credential = _stored(provider_id).filter(pk=credential_id).first()
        if credential is None or credential.state == State.RETIRED:
            raise Refused("This key was replaced by another one.", code="key.replaced")
        runs.give_up_lost(provider_id, now=now)
        queued, _ = runs.open_run(provider_id, credential.login_id, Subject.KEY, now=now)
    run = runs.claim(provider_id, queued.pk, watch)
    if run is None:
        raise Refused(
            "A key of %(login)r is being checked at this moment. Look again in a minute.",
            code="key.being_checked",
            params={"login": credential.login.name},
        )
    try:
        _verify(credential, run, watch)
    except Refused as refusal:
        if isinstance(refusal, Unfit):
            _set_refused(credential, str(refusal), now=watch.now())
        elif isinstance(refusal, NoKey):
            _note_nothing_known(credential, str(refusal), tried=not isinstance(refusal, NotOpened), now=watch.now())
        runs.finish(run, SyncRun.State.FAILED, error=str(refusal), watch=watch)
        raise
    except PoolError as error:
        _note_failure(credential, error, now=watch.now())
        runs.finish(run, SyncRun.State.FAILED, error=error.sentence, watch=watch)
        if isinstance(error, KeyRefused):
            raise Refused("%(pool)s", code="key.not_accepted", params={"pool": error.sentence}) from error
        raise Refused("%(pool)s", code="key.check_failed", params={"pool": error.sentence}) from error
    except RunLost as lost:
        raise Refused("The check took too long and was given up. Check the key again.", code="key.check_lost") from lost
    except Exception:
        runs.finish(run, SyncRun.State.FAILED, error="An error of ours stopped this; it is in the log.", watch=watch)
        raise
    runs.finish(run, SyncRun.State.OK, error="", watch=watch)
    with tenancy.provider_context(provider_id):
        runs.take_up_again(provider_id, credential.login_id, now=watch.now())
        return _stored(provider_id).get(pk=credential_id)


def _stored(provider_id: int) -> tenancy.TenantQuerySet[Credential]:
    return Credential.objects.select_related("provider", "login").filter(provider=provider_id)


def _verify(credential: Credential, run: SyncRun, watch: runs.Watch) -> None:
    try:
        key = key_store.opened(credential)
    except NoKey as error:
        # Another worker may open it; and one that works is not lost, whatever this worker cannot do.
        if isinstance(error, NotOpened) or credential.state == State.ACTIVE:
            raise
        raise Unfit(*error.args) from error
    # A key that is refused still is tried by the planner, once a day: nobody waits for it.
    priority = Priority.ACCOUNTS if credential.state == State.REFUSED else Priority.PERSON
    with key.client(priority=priority) as pool:
        try:
            listing = _listing(credential, pool, run, watch)
            records = pool.rewards_page().records
        finally:
            run.calls = pool.calls
    with key.client(priority=priority, deadline_seconds=RIGHT_DEADLINE_SECONDS) as pool:
        try:
            account = listing.accounts[0].name if listing.accounts else None
            rights, trouble = ask_rights(pool, account, alive=lambda: runs.renew(run, watch))
        finally:
            run.calls += pool.calls
    try:
        with runs.writing(run):
            row = _still_tried(credential)
            odd = _odd(row, _differs(credential, listing, records))
            _activate(row, rights, listing, problem=trouble or odd or key_health.lacks(rights), now=watch.now())
    except IntegrityError as error:
        if not _kept_elsewhere(error):
            raise
        raise key_store.kept_elsewhere() from error


def _still_tried(credential: Credential) -> Credential:
    """Its row as it is now, held. Raises Refused: it may have been thrown away or replaced while the pool was asked.

    Its sealed texts are not compared: they are erased with that, or sealed anew by another sealing key, and never
    exchanged.
    """
    row = Credential.objects.select_for_update().get(provider=credential.provider_id, pk=credential.pk)
    if row.state == State.RETIRED:
        raise Refused(
            "This key was thrown away or replaced while it was checked. Nothing was changed.", code="key.gone"
        )
    return row


def _odd(row: Credential, differs: str | None) -> str:
    """An API key never changes its user: of one that works already, an odd answer of the pool is only told."""
    if differs is None:
        return ""
    if row.state == State.ACTIVE:
        return f"This key works, but {differs}. Compare with what WhiteBIT shows, then check it again."
    raise Unfit(
        "This key %(differs)s, so it belongs to another WhiteBIT user. Paste it for a login of its own.",
        code="key.of_other_user",
        params={"differs": differs},
    )


def _kept_elsewhere(error: IntegrityError) -> bool:
    cause = error.__cause__
    return isinstance(cause, psycopg.errors.UniqueViolation) and cause.diag.constraint_name == ONE_PROVIDER


def _listing(credential: Credential, pool: PoolClient, run: SyncRun, watch: runs.Watch) -> AccountList:
    def missing(listing: AccountList) -> list[str]:
        with tenancy.provider_context(credential.provider_id):
            return _missing(credential, listing)

    return list_surely(pool, missing=missing, alive=lambda: runs.renew(run, watch))


def _differs(credential: Credential, listing: AccountList, rewards: tuple[RewardRecord, ...]) -> str | None:
    """No endpoint names a key's user, so what the key sees is held against what its login knows.

    Accounts can be neither deleted nor renamed at the pool: one that is missing belongs to somebody else's list.
    Names repeat across users; where all of them do, amounts tell the users apart.
    """
    if missing := _missing(credential, listing):
        return f"does not see the account {missing[0]!r} that {credential.login.name!r} has"
    if _no_amount_agrees(credential, rewards):
        return f"sees other rewards than {credential.login.name!r} has for the same accounts and days"
    return None


def _missing(credential: Credential, listing: AccountList) -> list[str]:
    accounts = MiningAccount.objects.filter(
        provider=credential.provider_id, login=credential.login_id, unlisted_since=None
    ).exclude(state=MiningAccount.State.CREATING)
    seen = {account.name for account in listing.accounts}
    return sorted(set(accounts.values_list("name", flat=True)) - seen) if listing.whole else []


def _no_amount_agrees(credential: Credential, rewards: tuple[RewardRecord, ...]) -> bool:
    if not rewards:
        return False
    stored = Reward.objects.filter(
        provider=credential.provider_id,
        mining_account__login=credential.login_id,
        reward_at__gte=min(record.reward_at for record in rewards),
    ).values_list("mining_account__name", "reward_at", "total_amount")
    listed = {(record.account, record.reward_at) for record in rewards}
    comparable = {row for row in stored if row[:2] in listed}
    return bool(comparable) and comparable.isdisjoint(
        (record.account, record.reward_at, record.total) for record in rewards
    )


def _activate(
    credential: Credential, rights: dict[str, bool], listing: AccountList, *, problem: str, now: datetime
) -> None:
    """The new key takes over in one transaction: there is no moment without an active key, and none with two."""
    siblings = Credential.objects.filter(provider=credential.provider_id, login=credential.login_id)
    siblings.filter(state=State.ACTIVE).exclude(pk=credential.pk).update(**key_store.RETIRED)
    siblings.filter(pk=credential.pk).update(
        state=State.ACTIVE,
        problem=problem[:500],
        endpoints=_used(credential) | rights,
        accounts_seen=len(listing.accounts) if listing.whole else None,
        checked_at=now,
        verified_at=now,
        last_success_at=now,
    )
    # What was pasted before it is settled now, also what waits to be checked: an older key never replaces a newer one.
    siblings.filter(state__in=[State.CHECKING, State.REFUSED], pk__lt=credential.pk).update(**key_store.RETIRED)
    if credential.state != State.ACTIVE:
        key_health.tell(credential.provider_id, credential.pk, "activated", now=now)


def _used(credential: Credential) -> dict[str, bool | str]:
    """What no question tells: the acts that the pool has done with this key, by their last day."""
    return {endpoint: told for endpoint, told in credential.endpoints.items() if isinstance(told, str)}


def _note_failure(credential: Credential, error: PoolError, *, now: datetime) -> None:
    if isinstance(error, KeyRefused):
        _set_refused(credential, error.sentence, now=now)
    else:
        _note_nothing_known(credential, error.sentence, tried=True, now=now)


def _note_nothing_known(credential: Credential, sentence: str, *, tried: bool, now: datetime) -> None:
    """Nothing is known about the key: it stays what it was (and why it was refused), and the next look may tell.

    `tried`: this worker could open it. Where it could not, a refused key's try of the day is left to another one.
    """
    with tenancy.provider_context(credential.provider_id):
        credentials = Credential.objects.filter(provider=credential.provider_id, pk=credential.pk)
        credentials.filter(state=State.CHECKING).update(problem=sentence[:500], checked_at=now)
        if tried:
            credentials.exclude(state=State.RETIRED).update(checked_at=now)


def _set_refused(credential: Credential, sentence: str, *, now: datetime) -> None:
    with tenancy.provider_context(credential.provider_id):
        credentials = Credential.objects.filter(provider=credential.provider_id, pk=credential.pk)
        kept = credentials.exclude(state=State.RETIRED)
        refused = kept.update(state=State.REFUSED, problem=sentence[:500], checked_at=now)
        if refused and credential.state != State.REFUSED:
            key_health.tell(credential.provider_id, credential.pk, "refused", now=now)


# --- Once a day


def touch(provider_id: int, credential_id: int, *, now: datetime) -> None:
    """One signed call with a key that had no success for a while: the pool switches off what is not used.

    Nothing else is judged by it: a key that works is not thrown away because a list was odd for once.
    """
    with tenancy.provider_context(provider_id):
        active = Credential.objects.select_related("provider").filter(provider=provider_id, state=State.ACTIVE)
        credential = active.filter(pk=credential_id).first()
    if credential is None:
        return
    try:
        key = key_store.opened(credential)
    except NoKey as error:
        # Nothing is wrong with the key: this worker cannot open it, and its readings say so.
        log.warning("key.not_opened", credential_id=credential_id, why=str(error))
        return
    try:
        with key.client() as pool:
            pool.accounts_page(limit=1)
    except KeyRefused as refusal:
        key_health.note_refusal(key, refusal, now=now)
    except PoolError as error:
        _note_failure(credential, error, now=now)
    else:
        key_health.note_success(key, now=now)
