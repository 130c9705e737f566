"""One call for each account, several at once: HTTP in a few threads, no database in any of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Generic, TypeVar

from django.db.models import BooleanField, ExpressionWrapper, Q
from structlog.contextvars import bind_contextvars, get_contextvars

from mining.models import MiningAccount
from mining.pool.client import PoolClient
from mining.pool.errors import BadAnswer, KeyRefused, OurBug, PoolError, PoolUnavailable, RequestRefused
from mining.sync.reading import Outcome, Reading

T = TypeVar("T")

# The pool's rate limit allows 90 calls a second; eight connections at 80 ms an answer reach it.
THREADS = 8
# One chunk is read, then written: what a later chunk runs into does not undo it. As many as a turn of 5 s can ask for.
CHUNK = 500
# So many accounts in a row without an answer are no accident of theirs: the pool is down, and no more are asked.
MOST_SILENT_IN_A_ROW = 3
MOST_NAMES_IN_A_SENTENCE = 3


@dataclass
class Answers(Generic[T]):
    """What a chunk of accounts brought: answers, accounts that the pool says it does not know, other failures.

    `asked`: how many of them, in their order. `refused`: the key or our request, so that nothing more may be asked.
    """

    by_account: dict[int, T] = field(default_factory=dict)
    unknown: list[MiningAccount] = field(default_factory=list)
    failed: list[tuple[MiningAccount, PoolError]] = field(default_factory=list)
    refused: PoolError | None = None
    silent_in_a_row: int = 0
    asked: int = 0

    @property
    def is_stopped(self) -> bool:
        return self.refused is not None or self.silent_in_a_row >= MOST_SILENT_IN_A_ROW

    def take(self, account: MiningAccount, future: Future[T]) -> None:
        try:
            self.by_account[account.pk] = future.result()
            self.silent_in_a_row = 0
        except (KeyRefused, OurBug) as error:
            self.refused = error
        except RequestRefused as error:
            if {"user", "account"} & error.fields.keys():
                self.unknown.append(account)
            else:
                self.failed.append((account, error))
        except BadAnswer as error:
            self.failed.append((account, error))
        except PoolUnavailable as error:
            self.failed.append((account, error))
            self.silent_in_a_row += 1


@dataclass
class _Turn:
    """What all chunks of a turn came to. `has_more`: accounts of the run that were not asked yet."""

    done_up_to: int | None
    answered: bool = False
    has_more: bool = False
    refused: PoolError | None = None
    fell_silent: bool = False
    unknown: list[MiningAccount] = field(default_factory=list)
    failed: list[tuple[MiningAccount, PoolError]] = field(default_factory=list)


def for_each_account(
    reading: Reading,
    call: Callable[[PoolClient, MiningAccount], T],
    store: Callable[[Reading, list[MiningAccount], Answers[T], datetime], Outcome],
    *,
    look_up: Callable[[list[MiningAccount]], None] = lambda _accounts: None,
    is_sign_of_life: Callable[[T], bool] = lambda _answer: True,
    due: Q | None = None,
) -> Outcome:
    """Call and store chunk by chunk, each chunk's rows in one transaction, and say what could not be read.

    Ends with the turn: what is left is read when the run's next turn comes.
    `look_up`: what the calls need from the database, before a chunk is asked.
    `due`: which of the accounts are to be read at all in this run; None: all of them.
    `is_sign_of_life`: whether the answer shows that the account is not disabled (an empty one may not).
    """
    outcome = Outcome()
    turn = _Turn(done_up_to=reading.run.resume_after)
    while True:
        with reading.writing():
            chunk, more_behind = accounts_to_read(reading, turn.done_up_to, due)
            look_up(chunk)
        if not chunk:
            break
        answers = _ask(reading, chunk, call)
        read = [account for account in chunk if account.pk in answers.by_account]
        with reading.writing():
            now = reading.now()
            outcome.add(store(reading, read, answers, now))
            alive = [account for account in read if is_sign_of_life(answers.by_account[account.pk])]
            outcome.rows_changed += _note_signs(reading, alive, answers.unknown, now)
        _add(turn, chunk, answers)
        turn.has_more = more_behind or answers.asked < len(chunk)
        if not turn.has_more or answers.is_stopped or reading.watch.turn_is_over():
            break
    _judge(reading, turn, outcome)
    return outcome


def accounts_to_read(
    reading: Reading, done_up_to: int | None, due: Q | None = None
) -> tuple[list[MiningAccount], bool]:
    """The run's next accounts, and whether more come after them. Inside the provider's context.

    All that the pool lists: those it does not know at the moment would only bring errors; the list tells when. By
    key, from where the run before this one failed, and at the end from the lowest on: accounts that break every run
    at the same place must not keep those behind them unread.
    """
    begins_after = reading.run.begins_after
    second_lap = Q(pk__lte=begins_after)
    left = Q()
    if done_up_to is not None:
        left = Q(pk__gt=done_up_to) & second_lap if done_up_to <= begins_after else Q(pk__gt=done_up_to) | second_lap
    listed = MiningAccount.objects.filter(provider=reading.provider_id, login=reading.login_id, unlisted_since=None)
    rows = (
        listed.filter(left)
        .filter(due or Q())
        .exclude(state=MiningAccount.State.CREATING)
        .order_by(ExpressionWrapper(second_lap, output_field=BooleanField()), "pk")
    )
    accounts = list(rows[: CHUNK + 1])
    return accounts[:CHUNK], len(accounts) > CHUNK


def _add(turn: _Turn, chunk: list[MiningAccount], answers: Answers[T]) -> None:
    turn.done_up_to = chunk[answers.asked - 1].pk
    turn.answered = turn.answered or bool(answers.by_account or answers.unknown)
    # One that is known to be disabled is no news: a run is partial for what it could not do, not for what is so.
    turn.unknown += [account for account in answers.unknown if account.refused_since is None]
    turn.failed += answers.failed
    turn.refused = answers.refused
    turn.fell_silent = answers.silent_in_a_row >= MOST_SILENT_IN_A_ROW


def _judge(reading: Reading, turn: _Turn, outcome: Outcome) -> None:
    """Whether the run failed, goes on in another turn, or is done; and what is to be told of its accounts."""
    outcome.answered = turn.answered
    reading.run.accounts_answered |= turn.answered
    if turn.has_more:
        outcome.resume_after = turn.done_up_to
    if turn.unknown:
        outcome.problems.append(f"The pool does not answer for {_names(turn.unknown)} (disabled there?).")
    if turn.failed:
        outcome.problems.append(f"Not read: {_names([a for a, _ in turn.failed])}. {turn.failed[0][1].sentence}")
    if turn.refused is not None:
        outcome.failure = turn.refused
    elif turn.failed and not turn.answered:
        # Where the pool answers for some, those behind have their turn. Some that fail at the end of a long run do not
        # make the whole run a failure; all of its accounts do, and so many in a row that the pool must be down.
        all_of_them = not reading.run.accounts_answered and not turn.has_more
        outcome.failure = turn.failed[0][1] if turn.fell_silent or all_of_them else None


def _ask(reading: Reading, accounts: list[MiningAccount], call: Callable[[PoolClient, MiningAccount], T]) -> Answers[T]:
    answers: Answers[T] = Answers()
    clients = _Clients(reading)
    executor = ThreadPoolExecutor(
        max_workers=min(THREADS, len(accounts)),
        thread_name_prefix="pool",
        # A thread begins without the task's id, and a call's line in the log would belong to nobody.
        initializer=partial(bind_contextvars, **get_contextvars()),
    )
    try:
        _collect(reading, accounts, answers, lambda account: executor.submit(clients.use, call, account))
    finally:
        executor.shutdown(wait=True)
        reading.run.calls += clients.close()
    return answers


def _collect(
    reading: Reading,
    accounts: list[MiningAccount],
    answers: Answers[T],
    begin: Callable[[MiningAccount], Future[T]],
) -> None:
    """One call more for each that came back, so that those that were asked are the first ones, without a gap."""
    waiting: dict[Future[T], MiningAccount] = {}
    free = THREADS
    while True:
        begun = accounts[answers.asked : answers.asked + free]
        waiting |= {begin(account): account for account in begun}
        answers.asked += len(begun)
        if not waiting:
            return
        done, _ = wait(waiting, return_when=FIRST_COMPLETED)
        reading.alive()
        for future in done:
            answers.take(waiting.pop(future), future)
        # What has begun is waited for.
        free = 0 if answers.is_stopped or reading.watch.turn_is_over() else len(done)


class _Clients:
    """One client for each thread, made by the thread that uses it."""

    def __init__(self, reading: Reading) -> None:
        self._make = partial(reading.key.client, priority=reading.priority)
        self._local = threading.local()
        self._lock = threading.Lock()
        self._made: list[PoolClient] = []

    def use(self, call: Callable[[PoolClient, MiningAccount], T], account: MiningAccount) -> T:
        client: PoolClient | None = getattr(self._local, "client", None)
        if client is None:
            client = self._local.client = self._make()
            with self._lock:
                self._made.append(client)
        return call(client, account)

    def close(self) -> int:
        """Ends all connections; how many calls were made."""
        for client in self._made:
            client.close()
        return sum(client.calls for client in self._made)


def _note_signs(reading: Reading, alive: list[MiningAccount], unknown: list[MiningAccount], now: datetime) -> int:
    """An account that the pool lists but does not answer for is disabled there; one that it answers for is not."""
    rows = MiningAccount.objects.filter(provider=reading.provider_id)
    refused = [account.pk for account in unknown if account.refused_since is None]
    answered = [account.pk for account in alive if account.refused_since is not None]
    if refused:
        rows.filter(pk__in=refused).update(refused_since=now)
        rows.filter(pk__in=refused).follow_signs()
    if answered:
        # Enabled again: what it earned meanwhile may lie further back than what is read each day.
        rows.filter(pk__in=answered).update(refused_since=None, rewards_read_in_full_at=None)
        rows.filter(pk__in=answered).follow_signs()
    return len(refused) + len(answered)


def _names(accounts: list[MiningAccount]) -> str:
    names = sorted(account.name for account in accounts)
    more = len(names) - MOST_NAMES_IN_A_SENTENCE
    return ", ".join(names[:MOST_NAMES_IN_A_SENTENCE]) + (f" and {more} more" if more > 0 else "")
