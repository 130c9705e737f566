"""A person settles what no reading can: what a quarantined record is. Once, for good, and with a note.

What is taken in is taken in as the pool told it; the next reading finds it listed and says what became of it since. The
caller is in the access's context.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from customers import audit
from customers.errors import Refused
from customers.tenancy import Access
from mining.models import MiningAccount, QuarantinedRecord, Reward, SyncRun
from mining.models.rewards import Settlement
from mining.models.runs import Subject
from mining.pool.answers.parsing import read_reward
from mining.pool.answers.strict_json import Unreadable
from mining.pool.listings.rewards import Listed
from mining.rewards import taking_in
from mining.rewards.matching import MOVES_WITHIN, Candidate, candidate
from mining.sync.quarantine import MOVED_OR_NEW, TWIN, UNMATCHED

IN_DOUBT = (TWIN, UNMATCHED, MOVED_OR_NEW)  # can be read: the question is which reward it is
LONGEST_NOTE = 500


def choices(record: QuarantinedRecord) -> tuple[Settlement, ...]:
    """What a person can say that this record is. Needs the record's run."""
    if record.sync_run.subject != Subject.REWARDS:
        return (Settlement.DISMISSED,)
    if record.reason in IN_DOUBT:
        return Settlement.ANOTHER, Settlement.SAME
    return Settlement.DISMISSED, Settlement.READ_AGAIN


def candidates(access: Access, records: Iterable[QuarantinedRecord]) -> dict[int, list[Reward]]:
    """By record: the rewards of ours that it may be. Of a twin it is the one that counts. One query, or none."""
    doubted: dict[int, tuple[QuarantinedRecord, Candidate]] = {}
    for record in records:
        with suppress(Refused):
            if record.reason in IN_DOUBT:
                doubted[record.pk] = record, _read(record)
    found: dict[int, list[Reward]] = defaultdict(list)
    if not doubted:
        return found
    near = Q()
    for record, one in doubted.values():
        moment = one.record.reward_at
        within = timedelta() if record.reason != MOVED_OR_NEW else MOVES_WITHIN
        near |= Q(
            mining_account__login=record.login_id,
            mining_account__name=record.account_name,
            currency=one.record.currency,
            day__range=((moment - within).date(), (moment + within).date()),
            reward_at__range=(moment - within, moment + within),
        )
    rewards = list(Reward.objects.visible_to(access).filter(near).select_related("mining_account").order_by("pk"))
    for pk, (record, one) in doubted.items():
        found[pk] = [reward for reward in rewards if _may_be(reward, record, one)]
    return found


def _may_be(reward: Reward, record: QuarantinedRecord, one: Candidate) -> bool:
    account = reward.mining_account
    if (account.login_id, account.name, reward.currency) != (
        record.login_id,
        record.account_name,
        one.record.currency,
    ):
        return False
    amounts = (reward.total_amount, reward.net_amount, reward.fee_amount) == one.amounts
    away = abs(reward.reward_at - one.record.reward_at)
    if record.reason == MOVED_OR_NEW:
        return amounts and timedelta() < away <= MOVES_WITHIN
    return away == timedelta() and (amounts or record.reason == UNMATCHED)


def settle(
    access: Access,
    record: QuarantinedRecord,
    *,
    decision: Settlement,
    note: str,
    reward: Reward | None = None,
    now: datetime,
) -> QuarantinedRecord:
    """What the record is, by a person's word. Saying the same again changes nothing; saying something else is refused.

    `reward`: which one, of several that it may be.
    """
    with transaction.atomic():
        rows = QuarantinedRecord.objects.visible_to(access).select_related("login", "sync_run", "reward")
        record = rows.select_for_update(of=("self",)).get(pk=record.pk)
        if record.settled_at is not None:
            return _settled_already(record, decision)
        if not note.strip():
            raise Refused("Say in a note why: it stays beside the record.", code="quarantine.note_missing")
        if decision not in choices(record):
            raise Refused("This cannot be said of such a record.", code="quarantine.decision_unfit")
        _refuse_while_read(access, record)
        record.reward = _apply(access, record, decision, reward, now)
        record.settled_as, record.settled_at = decision, now
        record.settled_by, record.note = access.actor, note.strip()[:LONGEST_NOTE]
        record.save(update_fields=["settled_as", "settled_at", "settled_by", "note", "reward"])
        audit.record(
            access,
            "quarantine.settled",
            record.code,
            now=now,
            settled_as=decision.value,
            reason=record.reason,
            reward=record.reward.code if record.reward else None,
            note=record.note,
        )
    return record


def _settled_already(record: QuarantinedRecord, decision: Settlement) -> QuarantinedRecord:
    if record.settled_as != decision:
        raise Refused(
            "%(who)s has settled this record already, and as something else.",
            code="quarantine.settled",
            params={"who": record.settled_by},
        )
    return record


def _refuse_while_read(access: Access, record: QuarantinedRecord) -> None:
    """A reading that is under way has looked at our rows already."""
    runs = SyncRun.objects.visible_to(access).filter(login=record.login_id, subject=record.sync_run.subject)
    if runs.filter(state=SyncRun.State.RUNNING).exists():
        raise Refused("The pool is being read at this moment. Try again in a minute.", code="quarantine.being_read")


def _apply(
    access: Access, record: QuarantinedRecord, decision: Settlement, reward: Reward | None, now: datetime
) -> Reward | None:
    match decision:
        case Settlement.ANOTHER:
            return _take_in(access, record, now)
        case Settlement.SAME if record.reason != TWIN:
            return _make_agree(access, record, reward, now)
        case Settlement.READ_AGAIN:
            _read_again(access, record)
    return None


def _take_in(access: Access, record: QuarantinedRecord, now: datetime) -> Reward:
    """As the next of its date."""
    one = _read(record)
    if record.reason != TWIN:
        _refuse_taken_in(access, record, one)
    # Locked, so that two who take in records of one account number them one after the other.
    accounts = MiningAccount.objects.visible_to(access).select_for_update(no_key=True)
    account = accounts.filter(login=record.login_id, name=record.account_name).first()
    if account is None:
        raise Refused("There is no such account any more.", code="quarantine.account_gone")
    row = taking_in.new_row(record.provider_id, one, account, now=now)
    taking_in.number(record.provider_id, [row])
    row.save()
    taking_in.observation(row, one, run=record.sync_run, moved_from=None, now=now).save()
    return row


def _refuse_taken_in(access: Access, record: QuarantinedRecord, one: Candidate) -> None:
    """The list may have held still since, and a reading known where the record belongs."""
    listed = one.record
    here = Reward.objects.visible_to(access).filter(
        mining_account__login=record.login_id,
        mining_account__name=record.account_name,
        reward_at=listed.reward_at,
        currency=listed.currency,
    )
    if any(
        (row.payout_destination, row.total_amount, row.net_amount, row.fee_amount) == one.money
        and listed.transaction_hash in (None, row.transaction_hash)
        for row in here
    ):
        raise Refused(
            "There is such a reward at this very moment already, taken in since. It may be the same one.",
            code="quarantine.taken_in",
        )


def _make_agree(access: Access, record: QuarantinedRecord, chosen: Reward | None, now: datetime) -> Reward:
    """The reward says from now on what the record says."""
    may_be = candidates(access, [record])[record.pk]
    if chosen is None:
        if len(may_be) != 1:
            raise Refused("Say which reward it is.", code="quarantine.reward_missing")
        chosen = may_be[0]
    if chosen.pk not in {reward.pk for reward in may_be}:
        raise Refused("The record cannot be this reward.", code="quarantine.reward_unfit")
    row, one = Reward.objects.visible_to(access).select_for_update(of=("self",)).get(pk=chosen.pk), _read(record)
    before, changes_day = taking_in.alter(row, one, now=now)
    if changes_day:
        taking_in.number(record.provider_id, [row])
    row.save()
    taking_in.observation(row, one, run=record.sync_run, moved_from=before, now=now).save()
    return row


def _read_again(access: Access, record: QuarantinedRecord) -> None:
    """The parser was mended since: the account is read in full once more."""
    account = _read(record).record.account
    accounts = MiningAccount.objects.visible_to(access).filter(login=record.login_id, name=account)
    accounts.update(rewards_read_in_full_at=None)


def _read(record: QuarantinedRecord) -> Candidate:
    try:
        return candidate(Listed(read_reward(record.raw), record.raw))
    except Unreadable as unreadable:
        raise Refused(
            "It still cannot be read: %(why)s.", code="quarantine.unreadable", params={"why": str(unreadable)}
        ) from unreadable
