"""Where the pool pays each account's rewards to, against what was agreed: it can be changed behind our back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import structlog
from django.db import transaction

from customers import audit, tenancy
from customers.errors import Refused
from customers.tenancy import Access
from mining import dispatch, runs
from mining.models import Credential, MiningAccount, PayoutAgreement, PoolIntent, SyncRun
from mining.models.rewards import Destination
from mining.models.runs import Subject
from mining.payouts.words import agreed_words, in_words
from mining.pool.addresses import is_same, problem_of

log = structlog.get_logger(__name__)

Source = PayoutAgreement.Source
IntentState = PoolIntent.State
# Written together: what it says and since when, since when it is not as agreed, and when it was read.
SAID = ["payout_destination", "payout_address", "payout_first_seen_at", "payout_drift_since", "payout_read_at"]
AGREED_OTHERWISE = "A person agreed to another destination instead."


def record_agreement(
    account: MiningAccount, *, destination: str, address: str | None, source: Source, by: str, now: datetime
) -> PayoutAgreement:
    """From now on this is agreed, and the pool has said that it does so: nothing drifts any more.

    Inside the provider's context. `now`: a moment after the pool's answer, because readings that were asked for before
    it do not count. Raises Refused for an account without a customer.
    """
    with transaction.atomic():
        (locked,) = locked_accounts(account.provider_id, [account.pk])
        agreement = add_agreement(locked, destination, address, source=source, by=by, now=now)
        end_drift(locked, now=now)
        if says_anew(locked, destination, address, now=now):
            locked.payout_read_at = now
        locked.save(update_fields=SAID)
    for field in SAID:
        setattr(account, field, getattr(locked, field))
    return agreement


def accept(
    access: Access, account: MiningAccount, *, destination: str, address: str | None, now: datetime
) -> PayoutAgreement:
    """A person agrees to what the pool says now, as it was shown: anything else is refused, and so is no address.

    The login's destinations are read once more at once, or as soon as a reading that is under way has ended.
    """
    with transaction.atomic():
        # Runs, then edits, then accounts: planner and workers take them in this order too.
        _read_again(account.provider_id, account.login_id, now=now)
        edits = _unsettled_edits(access, account)
        (locked,) = locked_accounts(access.provider.pk, [account.pk])
        if any(edit.state == IntentState.CALLED for edit in edits):
            raise Refused(
                "A change of ours is being made at this moment: wait a minute, and look again.",
                code="payout.being_changed",
            )
        if (why := why_not_acceptable(locked)) is not None:
            raise why
        if (destination, address) != (locked.payout_destination, locked.payout_address):
            raise Refused(
                "The pool says something else by now. Look at it once more before you agree.",
                code="payout.changed_meanwhile",
            )
        before = newest_agreements(access.provider.pk, [locked.pk]).get(locked.pk)
        if before is not None and agrees_with(before, destination, address):
            return before  # clicked twice: a change that was approved after the first click stands
        by = access.actor
        agreement = record_agreement(
            account, destination=destination, address=address, source=Source.ACCEPTED, by=by, now=now
        )
        words = {"agreed": in_words(destination, address), "before": agreed_words(before)}
        audit.record(access, "payout.accepted", account.code, now=now, **words)
        _end_edits(access, edits, agreement, now=now)
    return agreement


def _read_again(provider_id: int, login_id: int, *, now: datetime) -> None:
    """What the person agreed to was read a while ago, and the pool may have gone on to another place since."""
    keys = Credential.objects.filter(provider=provider_id, login=login_id)
    if keys.filter(state=Credential.State.ACTIVE).exists():
        of_login = SyncRun.objects.filter(provider=provider_id, login=login_id, subject=Subject.PAYOUTS)
        # Held, so that one under way ends after this is committed, and then finds it (read_once_more).
        of_login.filter(state__in=SyncRun.OPEN).select_for_update(no_key=True).first()
        run, _ = runs.open_run(provider_id, login_id, Subject.PAYOUTS, now=now)
        if of_login.filter(pk=run.pk, state=SyncRun.State.QUEUED, asked=False, turns=0).update(asked=True):
            dispatch.after_commit("mining.tasks.run_asked_sync", provider_id, run.pk, run.turns)


def read_once_more(run: SyncRun, *, now: datetime) -> None:
    """After a run that has ended: what it asked before a person agreed did not count. Opens its own context."""
    with tenancy.provider_context(run.provider_id):
        accepted = PayoutAgreement.objects.filter(provider=run.provider_id, source=Source.ACCEPTED)
        if accepted.filter(mining_account__login=run.login_id, agreed_at__gte=run.started_at).exists():
            _read_again(run.provider_id, run.login_id, now=now)


def _unsettled_edits(access: Access, account: MiningAccount) -> list[PoolIntent]:
    """The account's edits that are not settled, locked until the transaction ends."""
    edits = PoolIntent.objects.visible_to(access).filter(kind=PoolIntent.Kind.EDIT_PAYOUT, mining_account=account.pk)
    unsettled = (IntentState.PLANNED, IntentState.CALLED, IntentState.UNKNOWN)
    return list(edits.filter(state__in=unsettled).order_by("pk").select_for_update(no_key=True))


def _end_edits(access: Access, edits: list[PoolIntent], agreed: PayoutAgreement, *, now: datetime) -> None:
    """A person agreed since: what an edit wanted has come about, or must neither come about nor be taken for agreed."""
    for edit in edits:
        is_so = agrees_with(agreed, edit.payout_destination, edit.payout_address)
        edit.state, edit.problem = (IntentState.DONE, "") if is_so else (IntentState.FAILED, AGREED_OTHERWISE)
        edit.settled_at = now
        edit.save(update_fields=["state", "settled_at", "problem"])
        wanted = in_words(edit.payout_destination, edit.payout_address)
        audit.record(
            access, f"intent.{edit.state}", edit.code, now=now, kind=edit.kind, account=edit.account_name, wanted=wanted
        )


def add_agreement(
    account: MiningAccount, destination: str, address: str | None, *, source: Source, by: str, now: datetime
) -> PayoutAgreement:
    if account.customer_id is None:
        raise Refused(
            "The account %(account)r has no customer yet with whom anything could be agreed.",
            code="account.no_customer",
            params={"account": account.name},
        )
    return PayoutAgreement.objects.create(
        provider_id=account.provider_id,
        mining_account=account,
        customer_id=account.customer_id,
        destination=destination,
        # The pool may go on naming an address that it does not use.
        address=address if destination == Destination.EXTERNAL_ADDRESS else None,
        source=source,
        agreed_by=by,
        agreed_at=now,
    )


def why_not_acceptable(account: MiningAccount) -> Refused | None:
    """Why nobody can agree to what the pool says now; None when one can."""
    if account.payout_destination is None:
        return Refused(
            "The payout destination of %(account)r has not been read yet. Read it first.",
            code="payout.not_read",
            params={"account": account.name},
        )
    if account.payout_destination == Destination.MAIN_BALANCE:
        return None
    if account.payout_destination != Destination.EXTERNAL_ADDRESS:
        return Refused(
            "The pool names a payout destination that we do not know. Look at the pool, and change it there.",
            code="payout.destination_unknown",
        )
    if account.payout_address is None:
        return Refused(
            "The pool says that it pays to an address, but not to which. Look at the pool, and change it there.",
            code="payout.address_unknown",
        )
    return why_not_payable(account.payout_address)


def why_not_payable(address: str) -> Refused | None:
    """Why nothing can be paid to an address; None when it is good."""
    if (problem := problem_of(address)) is None:
        return None
    return Refused("%(problem)s", code="payout.address_invalid", params={"problem": problem})


def end_alarm(access: Access, account: MiningAccount, *, now: datetime) -> None:
    """A person ends the drift of an account that the pool does not answer for any more: no reading can.

    Nothing is agreed by it. What the pool said last counts no more, so the account drifts anew should it come back and
    be paid elsewhere than was agreed; and each reward is held against its own destination all the same (billing).
    """
    with transaction.atomic():
        (locked,) = locked_accounts(access.provider.pk, [account.pk])
        if locked.payout_drift_since is None:
            raise Refused("The alarm has ended already: there is nothing to do.", code="payout.not_drifting")
        if not is_lost(locked):
            raise Refused(
                "The pool answers for %(account)r: agree to what it says, or have it put back there.",
                code="account.answered_for",
                params={"account": locked.name},
            )
        words = {"at_pool": in_words(locked.payout_destination, locked.payout_address)}
        locked.payout_destination, locked.payout_address = Destination.UNKNOWN, None
        locked.payout_first_seen_at = locked.payout_drift_since = None
        locked.save(update_fields=SAID)
        audit.record(access, "payout.alarm_ended", locked.code, now=now, **words)


def is_lost(account: MiningAccount) -> bool:
    """Whether its destination cannot be read: not listed by the pool any more, or asked for and not known there."""
    return account.unlisted_since is not None or account.refused_since is not None


def newest_agreements(provider_id: int, accounts: Iterable[int]) -> dict[int, PayoutAgreement]:
    """By account's primary key. Inside the provider's context. One query."""
    newest = (
        PayoutAgreement.objects.filter(provider=provider_id, mining_account__in=list(accounts))
        .order_by("mining_account", "-pk")
        .distinct("mining_account")
    )
    return {agreement.mining_account_id: agreement for agreement in newest}


def agrees_with(agreement: PayoutAgreement, destination: str | None, address: str | None) -> bool:
    if agreement.destination != destination:
        return False
    if agreement.address is None:
        return True  # to the main balance, whatever address the pool may still remember
    return address is not None and is_same(agreement.address, address)


def says_anew(account: MiningAccount, destination: str, address: str | None, *, now: datetime) -> bool:
    """Whether the pool said something else before."""
    if (account.payout_destination, account.payout_address) == (destination, address):
        return False
    account.payout_destination, account.payout_address, account.payout_first_seen_at = destination, address, now
    return True


def end_drift(account: MiningAccount, *, now: datetime) -> None:
    if account.payout_drift_since is not None:
        account.payout_drift_since = None
        log.info("payout.as_agreed", account=account.code)
        tell(account, "payout.as_agreed", now=now)


def tell(account: MiningAccount, action: str, *, now: datetime, **details: str) -> None:
    audit.record_by_worker(account.provider_id, action, account.code, now=now, **details)


def locked_accounts(provider_id: int, accounts: Iterable[int]) -> list[MiningAccount]:
    rows = MiningAccount.objects.filter(provider=provider_id, pk__in=list(accounts))
    return list(rows.order_by("pk").select_for_update(no_key=True))
