"""A listing of rewards becomes rows: matched place by place, and only what is new or changed is written.

Batches are written oldest first, each in one transaction. The next window counts back from the newest reward we know,
so a run that is killed in the middle leaves nothing behind that a later window would not reach.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby

import structlog

from customers.tenancy import TenantQuerySet
from mining.models import MiningAccount, Reward, RewardObservation
from mining.models.accounts import MiningAccountQuerySet
from mining.models.runs import Subject
from mining.pool.answers.strict_json import Fields, Unreadable, read_json
from mining.pool.answers.types import RejectedRecord
from mining.pool.listings.rewards import Listing
from mining.rewards.matching import Candidate, candidate, match, twin_fingerprint
from mining.sync.quarantine import TWIN, UNMATCHED, Quarantined, quarantine, records_quarantined
from mining.sync.reading import READ_AT_GRAIN, Outcome, Reading

log = structlog.get_logger(__name__)

BATCH_RECORDS = 2_000
Place = tuple[str, datetime, str]

COLUMNS = (
    *("total_raw", "net_raw", "fee_raw", "total_amount", "net_amount", "fee_amount", "total_sat", "net_sat", "fee_sat"),
    *("fpps_rate", "hashrate_hs", "status", "status_raw", "payout_destination", "payout_address"),
    *("transaction_hash", "paid_at"),
)
CHANGING = (*COLUMNS, "fingerprint", "changed_at", "missing_since")


def in_window(reading: Reading, since: datetime | None) -> TenantQuerySet[Reward]:
    rows = Reward.objects.filter(provider=reading.provider_id, mining_account__login=reading.login_id)
    return rows if since is None else rows.filter(day__gte=since.date(), reward_at__gte=since)


@dataclass
class _Plan:
    """What one batch writes."""

    new: list[tuple[Reward, Candidate]] = field(default_factory=list)
    changed: list[tuple[Reward, Candidate]] = field(default_factory=list)
    back: list[int] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)


class Store:
    def __init__(self, reading: Reading, listing: Listing, since: datetime | None) -> None:
        self.reading, self.listing, self.since = reading, listing, since
        self.outcome = Outcome()
        self.places: dict[Place, list[Candidate]] = defaultdict(list)
        self.quarantined = [_rejected(record) for record in listing.rejected]
        # Places of records that could not be read: what we have there is listed, if not in a form we understand.
        self.doubtful = {_place_of(record) for record in listing.rejected}
        self.names = {listed.record.account for listed in listing.records}

    def everything(self) -> Outcome:
        self._sort_in()
        silent = self._note_silence()
        for lower, upper, places in self._batches():
            self.reading.alive()
            with self.reading.writing():
                accounts = self._accounts({account for account, _, _ in places})
                self._write(self._plan(lower, upper, places, accounts, silent))
        with self.reading.writing():
            quarantine(self.reading, self.outcome, self.quarantined)
            self._note_reading(silent)
        if self.outcome.quarantined:
            self.outcome.problems.append(records_quarantined(self.outcome.quarantined))
        return self.outcome

    def _sort_in(self) -> None:
        creating = self._being_created()
        for listed in self.listing.records:
            if listed.record.account in creating:
                continue
            self.outcome.note_unread(Subject.REWARDS, listed.record.unread)
            self.places[listed.place].append(candidate(listed))
        if creating & self.names:
            # Whose they are is known in a minute. The run does not count as the deep reading that it was to be.
            self.reading.run.depth = ""
            self.outcome.problems.append("Rewards of accounts that are being taken over are read in the next run.")

    def _being_created(self) -> set[str]:
        with self.reading.writing():
            return set(self._login_accounts().filter(state=MiningAccount.State.CREATING).values_list("name", flat=True))

    def _login_accounts(self) -> MiningAccountQuerySet:
        return MiningAccount.objects.filter(provider=self.reading.provider_id, login=self.reading.login_id)

    def _batches(self) -> Iterator[tuple[datetime | None, datetime | None, dict[Place, list[Candidate]]]]:
        """The window cut at moments into batches, oldest first; together they cover all of it, gaps included."""
        lower, places, count = self.since, dict[Place, list[Candidate]](), 0
        by_moment = groupby(sorted(self.places, key=lambda place: (place[1], place[0], place[2])), lambda p: p[1])
        for moment, group in by_moment:
            if count >= BATCH_RECORDS:
                yield lower, moment, places
                lower, places, count = moment, {}, 0
            for place in group:
                places[place] = self.places[place]
                count += len(places[place])
        yield lower, None, places

    def _accounts(self, names: set[str]) -> dict[str, MiningAccount]:
        """The accounts of this batch; one that nobody has heard of is stored without a customer, and so reported."""
        known = {account.name: account for account in self._login_accounts().filter(name__in=names)}
        unheard = sorted(names - known.keys())
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
            known |= {account.name: account for account in self._login_accounts().filter(name__in=unheard)}
            self.outcome.rows_new += len(new)
            log.warning("rewards.unassigned_accounts", run=self.reading.run.code, accounts=len(new))
        return known

    def _plan(
        self,
        lower: datetime | None,
        upper: datetime | None,
        places: dict[Place, list[Candidate]],
        accounts: dict[str, MiningAccount],
        silent: set[int],
    ) -> _Plan:
        plan = _Plan()
        now = self.reading.now()
        stored: dict[Place, list[Reward]] = defaultdict(list)
        rows = in_window(self.reading, lower)
        if upper is not None:
            rows = rows.filter(day__lte=upper.date(), reward_at__lt=upper)
        for row in rows.select_related("mining_account"):
            stored[row.mining_account.name, row.reward_at, row.currency].append(row)
        for place in sorted({*places, *stored}):
            doubtful = (place[0], place[1]) in self.doubtful
            found = match(stored.get(place, []), places.get(place, []), doubtful=doubtful)
            for row, one in found.pairs:
                _compare(plan, row, one, now)
            occurrence = max((row.occurrence for row in stored.get(place, [])), default=0)
            for one in found.new:
                occurrence += 1
                plan.new.append((self._new(one, accounts[place[0]], occurrence, now), one))
            plan.missing += [row.pk for row in found.missing if self._is_missing(row, silent)]
            plan.quarantined += [
                Quarantined(TWIN, place[0], twin_fingerprint(one, number), one.listed.text)
                for number, one in enumerate(found.twins, start=2)
            ]
            plan.quarantined += [
                Quarantined(UNMATCHED, place[0], one.fingerprint, one.listed.text) for one in found.unmatched
            ]
        return plan

    def _new(self, one: Candidate, account: MiningAccount, occurrence: int, now: datetime) -> Reward:
        record = one.record
        return Reward(
            provider_id=self.reading.provider_id,
            mining_account=account,
            reward_at=record.reward_at,
            day=record.reward_at.astimezone(UTC).date(),
            currency=record.currency,
            occurrence=occurrence,
            fingerprint=one.fingerprint,
            first_seen_at=now,
            changed_at=now,
            **one.columns,
        )

    def _is_missing(self, row: Reward, silent: set[int]) -> bool:
        name = row.mining_account.name
        return (
            row.missing_since is None
            and row.mining_account_id not in silent
            and self.listing.is_whole_for(name)
            and not self.doubtful & {(name, row.reward_at), None}
        )

    def _write(self, plan: _Plan) -> None:
        now = self.reading.now()
        new = Reward.objects.bulk_create([row for row, _ in plan.new])
        # An upsert and not bulk_update, whose CASE grows with the square of the rows: on a good day all of them change.
        Reward.objects.bulk_create(
            [row for row, _ in plan.changed],
            update_conflicts=True,
            unique_fields=["provider", "mining_account", "reward_at", "currency", "occurrence"],
            update_fields=CHANGING,
        )
        RewardObservation.objects.bulk_create(
            RewardObservation(
                provider_id=self.reading.provider_id,
                reward_id=row.pk,
                sync_run=self.reading.run,
                seen_at=now,
                fingerprint=one.fingerprint,
                raw=one.listed.text,
            )
            for row, one in (*plan.new, *plan.changed)
        )
        mine = Reward.objects.filter(provider=self.reading.provider_id)
        if plan.missing:
            mine.filter(pk__in=plan.missing).update(missing_since=now)
        if plan.back:
            mine.filter(pk__in=plan.back).update(missing_since=None)
        quarantine(self.reading, self.outcome, plan.quarantined)
        self.outcome.rows_new += len(new)
        self.outcome.rows_changed += len(plan.changed) + len(plan.missing) + len(plan.back)

    # An account whose known rewards are all gone from the list is silent: disabled there, or out of the key's sight.
    # Nothing is known about its rewards then, so none of them is called missing.

    def _note_silence(self) -> set[int]:
        """The accounts that are silent now, by primary key."""
        with self.reading.writing():
            known = in_window(self.reading, self.since).filter(missing_since=None)
            with_rewards = dict(known.values_list("mining_account", "mining_account__name").distinct())
            silent = {
                pk
                for pk, name in with_rewards.items()
                if name not in self.names and self.listing.is_whole_for(name) and not self._is_doubtful(name)
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
                rows.filter(pk__in=heard).update(silent_since=None)
                rows.filter(pk__in=heard).follow_signs()
            self.outcome.rows_changed += len(turned) + len(heard)
        if with_rewards and not self.names:
            self.outcome.problems.append(
                f"The pool lists no rewards at all, but {len(with_rewards)} accounts had some."
            )
        return silent

    def _is_doubtful(self, name: str) -> bool:
        return any(place is None or place[0] == name for place in self.doubtful)

    def _note_reading(self, silent: set[int]) -> None:
        self._login_accounts().exclude(pk__in=silent).exclude(
            rewards_read_at__gt=self.reading.now() - READ_AT_GRAIN
        ).update(rewards_read_at=self.reading.now())


def _compare(plan: _Plan, row: Reward, one: Candidate, now: datetime) -> None:
    if row.fingerprint == one.fingerprint:
        if row.missing_since is not None:
            plan.back.append(row.pk)
        return
    for name, value in one.columns.items():
        setattr(row, name, value)
    row.fingerprint, row.changed_at, row.missing_since = one.fingerprint, now, None
    plan.changed.append((row, one))


# --- Records that are not taken in


def _rejected(record: RejectedRecord) -> Quarantined:
    place = _place_of(record)
    return Quarantined.unreadable(record, place[0] if place else "")


def _place_of(record: RejectedRecord) -> tuple[str, datetime] | None:
    """Where a record that could not be read would have stood; None when not even that can be told."""
    try:
        values = Fields(read_json(record.raw.encode()))
        name, moment = values.value("miningAccountName"), values.moment("date")
    except Unreadable:
        return None
    return (name[:255], moment) if isinstance(name, str) else None
