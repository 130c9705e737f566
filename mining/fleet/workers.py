"""Each account's counts of workers, its pool fee, and the names of who is online: kept as changes.

Counts are read each time. Names when the counts moved, and once an hour as proof: two workers that changed places
between two readings are seen then.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from mining.fleet import coverage, roster
from mining.fleet.coverage import PACE, Read, Span
from mining.fleet.idle import is_due
from mining.fleet.listing import AccountAnswer, nobody_mines, read_account
from mining.fleet.roster import Listed
from mining.models import Counts, Covered, MiningAccount
from mining.models.runs import Subject
from mining.pool.answers.types import MinersInfo
from mining.pool.client import PoolClient
from mining.pool.errors import KeyRefused, PoolError, PoolUnavailable
from mining.sync.fanout import Answers, for_each_account
from mining.sync.reading import READ_AT_GRAIN, Outcome, Reading

FIELDS = ("workers_online", "workers_low", "workers_offline", "pool_fee_percent")
FEE_STEP = Decimal("0.0001")
MOST_PERCENT = 100
# Counts that stay as they are for ever are written once a month: their old months are dropped like all others.
RESTATED_AFTER = timedelta(days=30)
# Spreads the hourly proofs over the hour: a multiplier without a factor in common with 3,600.
SPREAD = 2_654_435_761


@dataclass
class _Turn:
    """What a turn knows of its accounts' spans, and whether names can be had at all."""

    reading: Reading
    spans: dict[tuple[int, str], Span] = field(default_factory=dict)
    names_failed: PoolError | None = None

    def now(self) -> datetime:
        return self.reading.now().replace(microsecond=0)

    def look_up(self, accounts: list[MiningAccount]) -> None:
        self.spans = coverage.open_spans(self.reading.provider_id, [account.pk for account in accounts])

    def read(self, pool: PoolClient, account: MiningAccount) -> AccountAnswer:
        answer = read_account(
            pool, account.name, now=self.now, wants_names=lambda info: self._wants_names(account, info)
        )
        if isinstance(answer.names_failed, KeyRefused | PoolUnavailable):
            self.names_failed = answer.names_failed  # the others' names would fail alike: their counts do not
        return answer

    def _wants_names(self, account: MiningAccount, info: MinersInfo) -> bool:
        if self.names_failed is not None:
            return nobody_mines(info)  # that costs no call
        span = self.spans.get((account.pk, Covered.NAMES))
        if span is None or nobody_mines(info):
            return True
        moved = (info.online, info.low, info.offline) != (
            account.workers_online,
            account.workers_low,
            account.workers_offline,
        )
        behind = account.counts_since is not None and span.until_at < account.counts_since
        return moved or behind or proof_number(account.pk, self.now()) > proof_number(account.pk, span.until_at)

    def store(
        self, reading: Reading, accounts: list[MiningAccount], answers: Answers[AccountAnswer], now: datetime
    ) -> Outcome:
        outcome = Outcome()
        # An answer that is older than what is known says nothing new.
        news = [
            (account, answer, self.spans.get((account.pk, Covered.COUNTS)))
            for account in accounts
            for answer in [answers.by_account[account.pk]]
            if not _is_older(answer.at, self.spans.get((account.pk, Covered.COUNTS)))
        ]
        _store_counts(reading, news, outcome, now)
        self._store_names([(account, answer) for account, answer, _ in news], outcome)
        if self.names_failed is not None:
            outcome.problems.append(f"The names of machines were not read. {self.names_failed.sentence}")
        return outcome

    def _store_names(self, news: list[tuple[MiningAccount, AccountAnswer]], outcome: Outcome) -> None:
        provider_id = self.reading.provider_id
        listings: list[Listed] = []
        known: list[Read] = []
        new: list[Read] = []
        # At an idle account's pace too: half an hour is less than the hour between two proofs.
        apart = coverage.most_apart(Covered.NAMES, idle_since=None, before=None)
        for account, answer in news:
            if answer.names_failed is not None and self.names_failed is None:
                outcome.problems.append(f"The names of {account.name} were not read. {answer.names_failed.sentence}")
            span = self.spans.get((account.pk, Covered.NAMES))
            if answer.listing is None or _is_older(answer.listing.at, span):
                continue
            outcome.note_unread(Subject.WORKERS, ["name"] * answer.listing.unread)
            listings.append(
                Listed(account.pk, account.customer_id, answer.listing, None if span is None else span.until_at)
            )
            (new if span is None else known).append(Read(account.pk, account.customer_id, answer.listing.at, apart))
        moved = roster.store(provider_id, listings)
        coverage.note(provider_id, Covered.NAMES, known, new=new)
        outcome.rows_new += moved.new
        outcome.rows_changed += moved.back + moved.fallen


def sync(reading: Reading) -> Outcome:
    turn = _Turn(reading)
    with reading.writing():
        roster.retire_due(reading.provider_id, login_id=reading.login_id, now=reading.now())
    return for_each_account(
        reading, turn.read, turn.store, look_up=turn.look_up, due=is_due(Covered.COUNTS, now=reading.now())
    )


def proof_number(account_id: int, moment: datetime) -> int:
    pace_s = int(PACE[Covered.NAMES].total_seconds())
    return (int(moment.timestamp()) + account_id * SPREAD % pace_s) // pace_s


def _is_older(at: datetime, span: Span | None) -> bool:
    return span is not None and at < span.until_at


def _store_counts(
    reading: Reading,
    news: list[tuple[MiningAccount, AccountAnswer, Span | None]],
    outcome: Outcome,
    now: datetime,
) -> None:
    changed, as_before, rows = [], [], []
    known: list[Read] = []
    new: list[Read] = []
    for account, answer, span in news:
        before = None if span is None else span.until_at
        read = Read(
            account.pk,
            account.customer_id,
            answer.at,
            coverage.most_apart(Covered.COUNTS, idle_since=account.idle_since, before=before),
        )
        (new if span is None else known).append(read)
        outcome.note_unread(Subject.WORKERS, answer.info.unread)
        fee = _fee(account, answer.info, outcome)
        counts = dict(zip(FIELDS, (answer.info.online, answer.info.low, answer.info.offline, fee), strict=True))
        is_as_before = before is not None and all(getattr(account, name) == value for name, value in counts.items())
        if is_as_before and account.counts_since is not None and answer.at - account.counts_since < RESTATED_AFTER:
            as_before.append(account.pk)
            continue
        for name, value in counts.items():
            setattr(account, name, value)
        account.workers_read_at, account.counts_since = now, answer.at
        account.idle_since = (account.idle_since or answer.at) if nobody_mines(answer.info) else None
        changed.append(account)
        rows.append(_row(account, answer, before))
    Counts.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["provider", "mining_account", "at"],
        update_fields=["online", "low", "offline", "fee_ppm"],
    )
    MiningAccount.objects.bulk_update(
        changed, [*FIELDS, "workers_read_at", "counts_since", "idle_since"], batch_size=100
    )
    MiningAccount.objects.filter(provider=reading.provider_id, pk__in=as_before).exclude(
        workers_read_at__gt=now - READ_AT_GRAIN
    ).update(workers_read_at=now)
    coverage.note(reading.provider_id, Covered.COUNTS, known, new=new)
    outcome.rows_changed += len(changed)


def _fee(account: MiningAccount, info: MinersInfo, outcome: Outcome) -> Decimal | None:
    fee = info.fee_percent
    if fee is not None and fee > MOST_PERCENT:
        outcome.problems.append(f"The pool names a fee of {fee:.3g} % for {account.name}.")
        fee = None
    return None if fee is None else fee.quantize(FEE_STEP)


def _row(account: MiningAccount, answer: AccountAnswer, before: datetime | None) -> Counts:
    fee = account.pool_fee_percent
    return Counts(
        provider_id=account.provider_id,
        mining_account_id=account.pk,
        customer_id=account.customer_id,
        at=answer.at,
        not_before=before or answer.at,
        online=answer.info.online,
        low=answer.info.low,
        offline=answer.info.offline,
        fee_ppm=None if fee is None else int(fee * 10_000),
    )
