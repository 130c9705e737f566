"""A listing of rewards becomes rows: matched part by part, and only what is new or changed is written.

What is written is written in batches, each in one transaction. A run that is killed in the middle leaves nothing behind
that the next one would not reach (sync.py: it begins where this one was to).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import structlog

from customers.tenancy import TenantQuerySet
from mining.models import MiningAccount, Reward, RewardObservation
from mining.models.accounts import MiningAccountQuerySet
from mining.models.runs import Subject
from mining.pool.answers.strict_json import Fields, Unreadable, read_json
from mining.pool.answers.types import RejectedRecord
from mining.pool.listings.rewards import Listing
from mining.rewards import taking_in
from mining.rewards.matching import (
    MOVES_WITHIN,
    Candidate,
    Core,
    Leftover,
    Match,
    Place,
    Twin,
    candidate,
    doubt_fingerprint,
    groups,
    has_moved_to,
    match,
    settle,
    twin_fingerprint,
)
from mining.sync.quarantine import (
    MOVED_OR_NEW,
    TWIN,
    UNMATCHED,
    Quarantined,
    quarantine,
    records_quarantined,
    settle_taken_in,
)
from mining.sync.reading import READ_AT_GRAIN, Outcome, Reading

log = structlog.get_logger(__name__)

T = TypeVar("T")

BATCH_RECORDS = 2_000

COLUMNS = (
    *("total_raw", "net_raw", "fee_raw", "total_amount", "net_amount", "fee_amount", "total_sat", "net_sat", "fee_sat"),
    *("fpps_rate", "hashrate_hs", "status", "status_raw", "payout_destination", "payout_address"),
    *("transaction_hash", "paid_at"),
)
CHANGING = (*COLUMNS, "reward_at", "day", "occurrence", "fingerprint", "changed_at", "missing_since")


def in_window(
    reading: Reading, since: datetime | None, until: datetime | None = None, account: str | None = None
) -> TenantQuerySet[Reward]:
    """From `since` on, before `until`."""
    rows = Reward.objects.filter(provider=reading.provider_id, mining_account__login=reading.login_id)
    if account is not None:
        rows = rows.filter(mining_account__name=account)
    if since is not None:
        rows = rows.filter(day__gte=since.astimezone(UTC).date(), reward_at__gte=since)
    return rows if until is None else rows.filter(day__lte=until.astimezone(UTC).date(), reward_at__lt=until)


def note_reading(reading: Reading, *, only: MiningAccount | None = None) -> None:
    """Inside `reading.writing()`. Of an account that the pool does not answer for nothing was read: its documents are
    held for that (billing). The moment is the run's beginning: what the pool told since may not be in it."""
    moment = reading.run.started_at or reading.now()
    accounts = MiningAccount.objects.filter(provider=reading.provider_id, login=reading.login_id).readable()
    if only is not None:
        accounts = accounts.filter(pk=only.pk)
    accounts.exclude(rewards_read_at__gt=moment - READ_AT_GRAIN).update(rewards_read_at=moment)


class Store:
    """Takes in a listing part by part, the newest part first; `finish` says how it went.

    A part is matched as a whole, save for what lies near the moment where the next one goes on: a record may have moved
    across it, so that is carried over.
    """

    def __init__(self, reading: Reading, *, only: MiningAccount | None = None) -> None:
        """`only`: whose rewards the listing holds; None: all of the login."""
        self.reading = reading
        self.only = only
        self.outcome = Outcome()
        self.names: set[str] = set()  # accounts that the listing names
        self._carried: list[Leftover] = []
        self._missing: list[tuple[int, int]] = []  # rows that vanished: account, row
        self._with_rewards: dict[int, str] = {}  # accounts of which we know rewards that should be listed
        self._doubtful_names: set[str | None] = set()  # None: nobody knows whose record it was that cannot be read
        self._torn: set[str] = set()
        self._quarantined: set[tuple[str, str]] = set()
        self._undecided = 0

    def take(self, part: Listing) -> None:
        with self.reading.writing():
            accounts = self._accounts({listed.record.account for listed in part.records})
            stored = self._stored(part, {account.pk: name for name, account in accounts.items()})
        match, left = self._match(part, stored)
        edge = None if part.since is None or part.is_last else part.since + MOVES_WITHIN
        waiting: list[Leftover] = []
        for group in groups([*self._carried, *left]):
            if edge is not None and any(leftover.moment < edge for leftover in group):
                waiting += group
            else:
                settle(match, group)
        self._carried = waiting
        if part.since is not None and part.is_last:
            self._set_apart_at_the_edge(part.since, match, accounts)
        self._write(match, accounts)

    def finish(self) -> Outcome:
        with self.reading.writing():
            silent = self._note_silence()
            self._mark_missing(silent)
            note_reading(self.reading, only=self.only)
        if self.outcome.quarantined:
            self.outcome.problems.append(records_quarantined(self.outcome.quarantined))
        if self._undecided:
            self.outcome.problems.append(
                f"{self._undecided} records may be new or have moved, and the list did not hold still: the next run"
                " reads them again."
            )
        return self.outcome

    # --- What is there, on both sides

    def _login_accounts(self) -> MiningAccountQuerySet:
        return MiningAccount.objects.filter(provider=self.reading.provider_id, login=self.reading.login_id)

    def _accounts(self, names: set[str]) -> dict[str, MiningAccount]:
        """The login's accounts; one that nobody has heard of is stored without a customer, and so reported."""
        known = self._login_accounts()
        if self.only is not None:
            known = known.filter(name__in=names | {self.only.name})
        accounts = {account.name: account for account in known}
        unheard = sorted(names - accounts.keys())
        if unheard:
            now = self.reading.now()
            new = [
                MiningAccount(
                    provider_id=self.reading.provider_id,
                    login_id=self.reading.login_id,
                    name=name,
                    state=MiningAccount.State.UNKNOWN,
                    first_seen_at=now,
                    unlisted_since=now,
                )
                for name in unheard
            ]
            # The reading of accounts may meet the same new name at this moment; then that row is taken.
            MiningAccount.objects.bulk_create(new, ignore_conflicts=True)
            accounts |= {account.name: account for account in self._login_accounts().filter(name__in=unheard)}
            self.outcome.rows_new += len(new)
            log.warning("rewards.unassigned_accounts", run=self.reading.run.code, accounts=len(new))
        return accounts

    def _stored(self, part: Listing, names: dict[int, str]) -> dict[Place, list[Reward]]:
        stored: dict[Place, list[Reward]] = defaultdict(list)
        for row in in_window(self.reading, part.since, part.until, part.account):
            name = names[row.mining_account_id]
            stored[name, row.reward_at, row.currency].append(row)
            if row.missing_since is None:
                self._with_rewards[row.mining_account_id] = name
        return stored

    def _match(self, part: Listing, stored: dict[Place, list[Reward]]) -> tuple[Match, list[Leftover]]:
        with self.reading.writing():
            creating = set(
                self._login_accounts().filter(state=MiningAccount.State.CREATING).values_list("name", flat=True)
            )
        listed: dict[Place, list[Candidate]] = defaultdict(list)
        for one in part.records:
            self.names.add(one.record.account)
            # Whose those of an account being taken over are is known in a minute; then it is read in full.
            if one.record.account not in creating:
                self.outcome.note_unread(Subject.REWARDS, one.record.unread)
                listed[one.place].append(candidate(one))
        # Places of records that could not be read: what we have there is listed, if not in a form we understand.
        doubtful = {_place_of(record) for record in part.rejected}
        self._doubtful_names |= {place and place[0] for place in doubtful}
        with self.reading.writing():
            self._quarantine(_rejected(record) for record in part.rejected)
        result, left = Match(), []
        for place in sorted({*listed, *stored}):
            rows, new = match(result, stored.get(place, []), listed.get(place, []))
            whole = part.is_whole_for(place[0])
            if not whole:
                self._torn.add(place[0])
            if rows or new:
                # Where nobody knows what it was that cannot be read, nothing has vanished; but what changed has.
                unsure = (place[0], place[1]) in doubtful
                left.append(Leftover(place, rows, new, doubtful=unsure, whole=whole and None not in doubtful))
        return result, left

    def _set_apart_at_the_edge(self, since: datetime, match: Match, accounts: dict[str, MiningAccount]) -> None:
        """What seems new near the beginning of the window may have moved there from before it, where nothing was read.
        Where something alike stands there nothing is taken in: the account is read in full, which tells."""
        near = [one for one in match.new if one.record.reward_at < since + MOVES_WITHIN]
        if not near:
            return
        with self.reading.writing():
            before: dict[int, list[Reward]] = defaultdict(list)
            rows = in_window(self.reading, since - MOVES_WITHIN, since)
            for row in rows.filter(mining_account__in={accounts[one.record.account].pk for one in near}):
                before[row.mining_account_id].append(row)
            doubted = {
                id(one): accounts[one.record.account].pk
                for one in near
                if any(has_moved_to(one, row) for row in before[accounts[one.record.account].pk])
            }
            match.new = [one for one in match.new if id(one) not in doubted]
            unsure = self._login_accounts().filter(pk__in=doubted.values())
            if unsure.update(rewards_read_in_full_at=None):
                log.warning("rewards.unsure_at_the_edge", run=self.reading.run.code, rewards=len(doubted))

    # --- What is written

    def _write(self, match: Match, accounts: dict[str, MiningAccount]) -> None:
        now = self.reading.now()
        self._missing += [(row.mining_account_id, row.pk) for row in match.missing if row.missing_since is None]
        back = [row.pk for row, one in match.pairs if _says_the_same(row, one) and row.missing_since is not None]
        changed = [(row, one) for row, one in match.pairs if not _says_the_same(row, one)]
        new = sorted(match.new, key=lambda one: (one.record.reward_at, one.listed.text))
        # Oldest first: what a run that is killed has written is what a reading of the newest days need not repeat.
        for batch in _batches(new):
            with self.reading.writing():
                provider = self.reading.provider_id
                new_rows = [taking_in.new_row(provider, one, accounts[one.record.account], now=now) for one in batch]
                taking_in.number(provider, new_rows)
                Reward.objects.bulk_create(new_rows)
                self._observe([(row, one, None) for row, one in zip(new_rows, batch, strict=True)], now)
        for changes in _batches([*changed, *match.moved]):
            self._change(changes, now)
        with self.reading.writing():
            if back:
                Reward.objects.filter(provider=self.reading.provider_id, pk__in=back).update(missing_since=None)
            self._quarantine(_twins(match.twins))
            self._quarantine(_in_doubt(UNMATCHED, match.unmatched))
            undecided = [one for leftover, one in match.moved_or_new if leftover.whole]
            self._quarantine(_in_doubt(MOVED_OR_NEW, undecided))
        self._undecided += len(match.moved_or_new) - len(undecided)
        self.outcome.rows_new += len(new)
        self.outcome.rows_changed += len(changed) + len(match.moved) + len(back)
        if match.moved:
            log.warning("rewards.moved", run=self.reading.run.code, rewards=len(match.moved))

    def _change(self, changes: Sequence[tuple[Reward, Candidate]], now: datetime) -> None:
        with self.reading.writing():
            seen, moved = [], []
            for row, one in changes:
                before, changes_day = taking_in.alter(row, one, now=now)
                seen.append((row, one, before))
                if changes_day:
                    moved.append(row)
            taking_in.number(self.reading.provider_id, moved)
            # An upsert and not bulk_update, whose CASE grows with the square of the rows: on a good day all change.
            Reward.objects.bulk_create(
                [row for row, _ in changes],
                update_conflicts=True,
                unique_fields=["provider", "id"],
                update_fields=CHANGING,
            )
            self._observe(seen, now)

    def _observe(self, seen: Sequence[tuple[Reward, Candidate, datetime | None]], now: datetime) -> None:
        """Inside `reading.writing()`."""
        run = self.reading.run
        RewardObservation.objects.bulk_create(
            taking_in.observation(row, one, run=run, moved_from=before, now=now) for row, one, before in seen
        )
        settle_taken_in(self.reading, {doubt_fingerprint(one) for _, one, _ in seen})

    def _quarantine(self, records: Iterable[Quarantined]) -> None:
        """Inside `reading.writing()`. Two parts may both meet what stands where they meet: counted once."""
        fresh = [one for one in records if (one.fingerprint, one.reason) not in self._quarantined]
        if fresh:
            self._quarantined |= {(one.fingerprint, one.reason) for one in fresh}
            quarantine(self.reading, self.outcome, fresh)

    def _mark_missing(self, silent: set[int]) -> None:
        missing = [pk for account, pk in self._missing if account not in silent]
        if missing:
            rows = Reward.objects.filter(provider=self.reading.provider_id, pk__in=missing)
            self.outcome.rows_changed += rows.update(missing_since=self.reading.now())

    # An account whose known rewards are all gone from the list is silent: disabled there, or out of the key's sight.
    # Nothing is known about its rewards then, so none of them is called missing.

    def _note_silence(self) -> set[int]:
        """The accounts that are silent now, by primary key."""
        unsure = self._torn | self._doubtful_names
        silent = {
            pk
            for pk, name in self._with_rewards.items()
            if name not in self.names and name not in unsure and None not in unsure
        }
        rows = self._login_accounts()
        turned = list(rows.filter(pk__in=silent, silent_since=None).values_list("pk", flat=True))
        heard = list(rows.filter(name__in=self.names, silent_since__isnull=False).values_list("pk", flat=True))
        now = self.reading.now()
        if turned:
            rows.filter(pk__in=turned).update(silent_since=now)
            rows.filter(pk__in=turned).follow_signs()
            self.outcome.problems.append(
                f"{len(turned)} accounts turned silent: the pool lists none of their rewards any more."
            )
        if heard:
            # Heard again: what it earned meanwhile may lie further back than what was read just now.
            rows.filter(pk__in=heard).update(silent_since=None, rewards_read_in_full_at=None)
            rows.filter(pk__in=heard).follow_signs()
        self.outcome.rows_changed += len(turned) + len(heard)
        if self._with_rewards and not self.names:
            self.outcome.problems.append(
                f"The pool lists no rewards at all, but {len(self._with_rewards)} accounts had some."
            )
        return silent


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[start : start + BATCH_RECORDS] for start in range(0, len(items), BATCH_RECORDS))


def _says_the_same(row: Reward, one: Candidate) -> bool:
    return row.fingerprint == one.fingerprint


# --- Records that are not taken in


def _rejected(record: RejectedRecord) -> Quarantined:
    place = _place_of(record)
    name, moment = place or ("", None)
    return Quarantined.unreadable(record, name, None if moment is None else moment.astimezone(UTC).date())


def _twins(twins: Iterable[Twin]) -> Iterator[Quarantined]:
    for one, ordinal in twins:
        yield Quarantined(TWIN, one.record.account, twin_fingerprint(one, ordinal), one.listed.text, one.day)


def _in_doubt(reason: str, doubted: Iterable[Candidate]) -> Iterator[Quarantined]:
    alike: Counter[tuple[Place, Core]] = Counter()
    for one in doubted:
        alike[one.listed.place, one.core] += 1
        fingerprint = doubt_fingerprint(one, alike[one.listed.place, one.core])
        yield Quarantined(reason, one.record.account, fingerprint, one.listed.text, one.day)


def _place_of(record: RejectedRecord) -> tuple[str, datetime] | None:
    """Where a record that could not be read would have stood; None when not even that can be told."""
    try:
        values = Fields(read_json(record.raw.encode()))
        name, moment = values.value("miningAccountName"), values.moment("date")
    except Unreadable:
        return None
    return (name[:255], moment) if isinstance(name, str) else None
