"""Whether a key works, is its login's, and what it may use: a worker asks the pool before the key is used for more."""

from __future__ import annotations

from datetime import datetime

import structlog

from customers import tenancy
from mining import keys, runs
from mining.account_list import AccountList, list_accounts
from mining.errors import NoKey, Refused, RunLost
from mining.keys import OpenKey
from mining.models import Credential, MiningAccount, Reward, SyncRun
from mining.models.runs import Subject
from mining.pool.budget import Priority
from mining.pool.client import PoolClient
from mining.pool.errors import AmbiguousOutcome, BadAnswer, KeyRefused, PoolError, PoolUnavailable
from mining.pool.rights import ACTING, ENDPOINTS
from mining.pool.types import RewardRecord

log = structlog.get_logger(__name__)

State = Credential.State
PATIENCE_SECONDS = 3.0  # with each question about a right: what is not told now can be asked again


def verify(provider_id: int, credential_id: int, *, now: datetime) -> Credential:
    """Ask the pool whether the key works and is this login's; then it takes over from the former one in one step.

    Outside any transaction. Raises Refused with what is wrong; the credential then says the same.
    """
    watch = runs.Watch(now)
    with tenancy.provider_context(provider_id):
        found = Credential.objects.select_related("provider").filter(provider=provider_id, pk=credential_id).first()
        if found is None or found.state == State.RETIRED:
            raise Refused("This key was replaced by another one.")
        runs.give_up_lost(provider_id, now=now)
        queued, _ = runs.open_run(provider_id, found.label, Subject.KEY, now=now)
    run = runs.claim(provider_id, queued.pk, watch)
    if run is None:
        raise Refused(f"A key of {found.label!r} is being verified at this moment. Look again in a minute.")
    try:
        _verify(found, run, watch)
    except Refused as refusal:
        runs.finish(run, SyncRun.State.FAILED, error=str(refusal), watch=watch)
        raise
    except PoolError as error:
        _note_failure(found, error, now=watch.now())
        runs.finish(run, SyncRun.State.FAILED, error=error.sentence, watch=watch)
        raise Refused(error.sentence) from error
    except RunLost as lost:
        raise Refused("The verification took too long and was given up. Ask for it again.") from lost
    except Exception:
        runs.finish(run, SyncRun.State.FAILED, error="An error of ours stopped this; it is in the log.", watch=watch)
        raise
    runs.finish(run, SyncRun.State.OK, error="", watch=watch)
    with tenancy.provider_context(provider_id):
        return Credential.objects.select_related("provider").get(provider=provider_id, pk=credential_id)


def _verify(credential: Credential, run: SyncRun, watch: runs.Watch) -> None:
    try:
        key = keys.opened(credential)
    except NoKey as error:
        _set_refused(credential, str(error), now=watch.now())
        raise
    with key.client(priority=Priority.PERSON) as pool:
        try:
            listing = list_accounts(pool, alive=lambda: runs.renew(run, watch))
            records = pool.rewards_page().records
        finally:
            run.calls = pool.calls
    rights = _rights(key, listing, run, watch)
    with runs.writing(run):
        stranger = _why_other_user(credential, {account.name for account in listing.accounts}, listing.whole, records)
        if stranger is None:
            _activate(credential, rights, len(listing.accounts) if listing.whole else None, now=watch.now())
    if stranger is not None:
        _set_refused(credential, stranger, now=watch.now())
        raise Refused(stranger)


def _rights(key: OpenKey, listing: AccountList, run: SyncRun, watch: runs.Watch) -> dict[str, bool]:
    """What the key may use, by endpoint; what the pool did not tell is left out."""
    account = listing.accounts[0].name if listing.accounts else None
    said: dict[str, bool | None] = dict.fromkeys(keys.NEEDED_ENDPOINTS, True)  # they have just been answered
    with key.client(priority=Priority.PERSON, patience_seconds=PATIENCE_SECONDS) as pool:
        try:
            for endpoint in [name for name in ENDPOINTS if name not in said]:
                runs.renew(run, watch)
                said |= _right(pool, endpoint, account)
        finally:
            run.calls += pool.calls
    # Nothing documents whether the pool looks at rights before parameters. Where it finds a right missing in a request
    # without one good parameter, it does: only then does its refusal of parameters tell that a right is there.
    rights_first = any(said.get(endpoint) is False for endpoint in ACTING)
    return {endpoint: bool(may or may is None) for endpoint, may in said.items() if may is not None or rights_first}


def _right(pool: PoolClient, endpoint: str, account: str | None) -> dict[str, bool | None]:
    try:
        return {endpoint: pool.may_use(endpoint, account=account)}
    except (PoolUnavailable, BadAnswer, AmbiguousOutcome):
        return {}  # not known; the endpoint may be out of order, and the key is good without it


def _why_other_user(
    credential: Credential, seen: set[str], whole: bool, rewards: tuple[RewardRecord, ...]
) -> str | None:
    """No endpoint names a key's user, so what the key sees is held against what its label knows.

    Accounts can be neither deleted nor renamed at the pool: one that is missing belongs to somebody else's list.
    Names repeat across users; where all of them do, amounts tell the users apart.
    """
    known = MiningAccount.objects.filter(
        provider=credential.provider_id, label=credential.label, unlisted_since=None
    ).exclude(state=MiningAccount.State.CREATING)
    missing = sorted(set(known.values_list("name", flat=True)) - seen) if whole else []
    other = "so it belongs to another WhiteBIT user. Paste it under a label of its own."
    if missing:
        return f"This key does not see the account {missing[0]!r} that {credential.label!r} has, {other}"
    if _no_amount_agrees(credential, rewards):
        return f"This key sees other rewards than {credential.label!r} has for the same accounts and days, {other}"
    return None


def _no_amount_agrees(credential: Credential, rewards: tuple[RewardRecord, ...]) -> bool:
    if not rewards:
        return False
    stored = Reward.objects.filter(
        provider=credential.provider_id,
        mining_account__label=credential.label,
        reward_at__gte=min(record.reward_at for record in rewards),
    ).values_list("mining_account__name", "reward_at", "total_amount")
    listed = {(record.account, record.reward_at) for record in rewards}
    comparable = {row for row in stored if row[:2] in listed}
    return bool(comparable) and comparable.isdisjoint(
        (record.account, record.reward_at, record.total) for record in rewards
    )


def _activate(credential: Credential, rights: dict[str, bool], accounts_seen: int | None, *, now: datetime) -> None:
    """The new key takes over in one transaction: there is no moment without an active key, and none with two."""
    siblings = Credential.objects.filter(provider=credential.provider_id, label=credential.label)
    siblings.filter(state=State.ACTIVE).exclude(pk=credential.pk).update(**keys.RETIRED)
    siblings.filter(pk=credential.pk).update(
        state=State.ACTIVE,
        problem=_lacks(rights),
        endpoints=rights,
        accounts_seen=accounts_seen,
        checked_at=now,
        verified_at=now,
        last_success_at=now,
    )
    # What was tried and refused before under this label is settled now.
    siblings.filter(state=State.REFUSED, pk__lt=credential.pk).update(**keys.RETIRED)
    if credential.state != State.ACTIVE:
        keys.tell(credential.provider, credential.pk, "activated", now=now)


def _lacks(rights: dict[str, bool]) -> str:
    missing = [endpoint for endpoint, may in rights.items() if not may]
    if not missing:
        return ""
    return f"This key may not use {', '.join(missing)}: allow that in WhiteBIT's API settings, then verify it again."


def _note_failure(credential: Credential, error: PoolError, *, now: datetime) -> None:
    if isinstance(error, KeyRefused):
        _set_refused(credential, error.sentence, now=now)
        return
    with tenancy.provider_context(credential.provider_id):
        # Nothing is known about the key: it stays what it was, and the next look may tell.
        mine = Credential.objects.filter(provider=credential.provider_id, pk=credential.pk)
        mine.exclude(state__in=[State.RETIRED, State.ACTIVE]).update(problem=error.sentence[:500])
        mine.exclude(state=State.RETIRED).update(checked_at=now)


def _set_refused(credential: Credential, sentence: str, *, now: datetime) -> None:
    with tenancy.provider_context(credential.provider_id):
        mine = Credential.objects.filter(provider=credential.provider_id, pk=credential.pk)
        mine.exclude(state=State.RETIRED).update(state=State.REFUSED, problem=sentence[:500], checked_at=now)
        if credential.state != State.REFUSED:
            keys.tell(credential.provider, credential.pk, "refused", now=now)


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
        key = keys.opened(credential)
    except NoKey as error:
        # Nothing is wrong with the key: this worker cannot open it, and its readings say so.
        log.warning("key.not_opened", credential_id=credential_id, why=str(error))
        return
    try:
        with key.client() as pool:
            pool.accounts_page(limit=1)
    except KeyRefused as refusal:
        keys.note_refusal(key, refusal, now=now)
    except PoolError as error:
        _note_failure(credential, error, now=now)
    else:
        keys.note_success(key, now=now)
