"""One call for each account, several at once: HTTP in a few threads, no database in any of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Generic, TypeVar

from structlog.contextvars import bind_contextvars, get_contextvars

from mining.models import MiningAccount
from mining.pool.client import PoolClient
from mining.pool.errors import BadAnswer, KeyRefused, OurBug, PoolError, PoolUnavailable, RequestRefused
from mining.reading import Outcome, Reading

T = TypeVar("T")

# The pool's rate limit allows 90 calls a second; eight connections at 80 ms an answer reach it.
THREADS = 8
# One chunk is read, then written: what a later chunk runs into does not undo it.
CHUNK = 500
# So many accounts in a row without an answer are no accident of theirs: the pool is down, and the run ends.
MOST_SILENT_IN_A_ROW = 3
MOST_NAMES_IN_A_SENTENCE = 3


@dataclass
class Answers(Generic[T]):
    """What a chunk of accounts brought: answers, accounts that the pool says it does not know, other failures.

    `asked`: how many of them, in their order, before the turn was over.
    """

    by_account: dict[int, T] = field(default_factory=dict)
    unknown: list[MiningAccount] = field(default_factory=list)
    failed: list[tuple[MiningAccount, PoolError]] = field(default_factory=list)
    stopped_by: PoolError | None = None
    asked: int = 0


def accounts_to_read(reading: Reading) -> list[MiningAccount]:
    """All that the pool lists. Those it does not know at the moment would only bring errors; the list tells when."""
    done_up_to = reading.run.resume_after or 0
    with reading.writing():
        return list(
            MiningAccount.objects.filter(provider=reading.provider_id, label=reading.label, unlisted_since=None)
            .filter(pk__gt=done_up_to)
            .exclude(state=MiningAccount.State.CREATING)
            .order_by("pk")
        )


def for_each_account(
    reading: Reading,
    call: Callable[[PoolClient, MiningAccount], T],
    store: Callable[[Reading, list[MiningAccount], Answers[T], datetime], Outcome],
    *,
    is_sign_of_life: Callable[[T], bool] = lambda _answer: True,
) -> Outcome:
    """Call and store chunk by chunk, each chunk's rows in one transaction, and say what could not be read.

    Ends with the turn: what is left is read when the run's next turn comes.
    `is_sign_of_life`: whether the answer shows that the account is not disabled (an empty one may not).
    """
    outcome = Outcome()
    accounts = accounts_to_read(reading)
    unknown: list[MiningAccount] = []
    failed: list[tuple[MiningAccount, PoolError]] = []
    asked = 0
    for chunk in _chunks(accounts):
        answers = _ask(reading, chunk, call)
        read = [account for account in chunk if account.pk in answers.by_account]
        with reading.writing():
            now = reading.now()
            outcome.add(store(reading, read, answers, now))
            alive = [account for account in read if is_sign_of_life(answers.by_account[account.pk])]
            outcome.rows_changed += _note_signs(reading, alive, answers.unknown, now)
        # One that is known to be disabled is no news: a run is partial for what it could not do, not for what is so.
        unknown += [account for account in answers.unknown if account.refused_since is None]
        failed += answers.failed
        asked += answers.asked
        if answers.stopped_by is not None:
            outcome.failure = answers.stopped_by
            break
        if asked < len(accounts) and reading.watch.turn_is_over():
            outcome.resume_after = accounts[asked - 1].pk
            break
    if unknown:
        outcome.problems.append(f"The pool does not answer for {_names(unknown)} (disabled there?).")
    if failed:
        outcome.problems.append(f"Not read: {_names([a for a, _ in failed])}. {failed[0][1].sentence}")
    # One account that fails alone in a run's last turn does not make the whole run a failure.
    if failed and len(failed) == asked and reading.run.resume_after is None and outcome.failure is None:
        outcome.failure = failed[0][1]
        outcome.problems.clear()
    return outcome


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
        waiting = {executor.submit(clients.use, call, account): account for account in accounts}
        _collect(reading, waiting, answers)
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
        reading.run.calls += clients.close()
    return answers


def _collect(reading: Reading, waiting: dict[Future[T], MiningAccount], answers: Answers[T]) -> None:
    silent_in_a_row = 0
    for future in as_completed(waiting):
        reading.alive()
        if reading.watch.turn_is_over():
            # Those that have begun are waited for; they were begun in the accounts' order.
            for waiting_still in waiting:
                waiting_still.cancel()
        if future.cancelled():
            continue
        account = waiting[future]
        answers.asked += 1
        try:
            answers.by_account[account.pk] = future.result()
            silent_in_a_row = 0
        except (KeyRefused, OurBug) as error:
            answers.stopped_by = error
            return
        except RequestRefused as error:
            if {"user", "account"} & error.fields.keys():
                answers.unknown.append(account)
            else:
                answers.failed.append((account, error))
        except BadAnswer as error:
            answers.failed.append((account, error))
        except PoolUnavailable as error:
            answers.failed.append((account, error))
            silent_in_a_row += 1
            if silent_in_a_row >= MOST_SILENT_IN_A_ROW:
                answers.stopped_by = error
                return


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
        rows.filter(pk__in=answered).update(refused_since=None)
        rows.filter(pk__in=answered).follow_signs()
    return len(refused) + len(answered)


def _chunks(accounts: Iterable[MiningAccount]) -> Iterator[list[MiningAccount]]:
    rest = iter(accounts)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk


def _names(accounts: list[MiningAccount]) -> str:
    names = sorted(account.name for account in accounts)
    more = len(names) - MOST_NAMES_IN_A_SENTENCE
    return ", ".join(names[:MOST_NAMES_IN_A_SENTENCE]) + (f" and {more} more" if more > 0 else "")
