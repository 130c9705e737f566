"""Lost answers by the hundred: every round a customer gets an account, a link and another payout destination, and each
of the three answers is lost in one way or another. What came of it is counted from the pool's truth and its log.

Time is an argument: a round is a hundred seconds on the clock of the pool's data and on ours, and takes none.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

from mining import accounts, dispatch, intents
from mining.links import issuing
from mining.models import MiningAccount, PayoutAgreement, PoolIntent, WatcherLink
from mining.payouts import agreements
from mining.pool.transport import http
from tests.mining.hosting import Hosting
from tests.waiting import until

State, Kind = PoolIntent.State, PoolIntent.Kind

ROUND = timedelta(seconds=100)
# Seconds after the call at which workers look again; a person takes over after the last.
LOOKS = (5, 30, 56, 59.6, 61)
TAKEN_AFTER = timedelta(seconds=40)  # somebody else takes the name of an account whose call was lost
OVER = "has ended by now"
HOUR = timedelta(hours=1)  # ... or the pool is back, and a look settles it all the same
READ_SECONDS, LATE_SECONDS, SILENT_SECONDS = 0.15, 0.25, 0.05

# Everything that loses an answer, before the pool acted and after. A delayed act is done when nobody listens any more.
LOSSES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("reset", {"phase": "before"}),
    ("reset", {"phase": "after"}),
    ("reset_mid_body", {}),
    ("http_500", {"phase": "before"}),
    ("http_500", {"phase": "after"}),
    ("http_502", {"phase": "after"}),
    ("http_504", {"phase": "before"}),
    ("http_504", {"phase": "after"}),
    ("empty_body", {"phase": "before"}),
    ("empty_body", {"phase": "after"}),
    ("captive_page", {"phase": "after"}),
    ("reset", {"phase": "after"}),
    ("http_504", {"phase": "after"}),
    ("silence", {"phase": "before", "seconds": SILENT_SECONDS}),
    ("silence", {"phase": "after", "seconds": SILENT_SECONDS}),
    ("delay", {"phase": "before", "seconds": LATE_SECONDS}),
)
NEVER_ACTS: tuple[str, dict[str, Any]] = ("reset", {"phase": "before"})
CALL = {
    Kind.CREATE_ACCOUNT: "accounts/create",
    Kind.CREATE_LINK: "watcher-links/create",
    Kind.EDIT_PAYOUT: "payout-destination/edit",
}
LOOK = {
    Kind.CREATE_ACCOUNT: "accounts",
    Kind.CREATE_LINK: "watcher-links/list",
    Kind.EDIT_PAYOUT: "payout-destination",
}
LISTS = {Kind.CREATE_ACCOUNT, Kind.CREATE_LINK}
ADDRESSES = (
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
    "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
    "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
)


@dataclass
class Proof:
    """`at_60_s`: how each lost answer stood a minute after its call. The rest must be zero, but for the last."""

    at_60_s: Counter[tuple[str, str]] = field(default_factory=Counter)
    at_the_end: Counter[tuple[str, str]] = field(default_factory=Counter)
    calls: int = 0
    blind_retries: int = 0
    duplicate_links: int = 0
    adopted_of_others: int = 0
    told_wrongly: int = 0
    over_unseen: int = 0  # links of which it is only said that they would have ended by now; need not be zero

    @property
    def lost(self) -> int:
        return self.at_60_s.total()


class LostAnswers:
    def __init__(self, hosting: Hosting, *, seed: int) -> None:
        self.hosting, self.pool, self.provider_id = hosting, hosting.pool, hosting.provider.pk
        self.dice = random.Random(seed)
        self.now = datetime.now(UTC)
        self.proof = Proof()
        self.lost: set[int] = set()
        self.of_others: set[str] = set()
        self.wanted: dict[str, tuple[str, str | None]] = {}  # the destination that ours last said it is, by account
        self.pool.clear_log()  # what a key's verification asked for is not counted
        self.pool.edit("set_account_cap", login=hosting.login, cap=1_000_000)

    def run(self, losses: int) -> Proof:
        number = 0
        with _alone():
            while len(self.lost) < losses:
                number += 1
                self._round(number)
        self._compare()
        return self.proof

    # --- One round

    def _round(self, number: int) -> None:
        self._at(self.now + ROUND)
        account = self._account(f"hall_{number}")
        if account is not None:
            self._link(account)
            self._payout(account)

    def _at(self, now: datetime) -> None:
        self.now = now
        self.pool.clock(now=now)

    def _account(self, name: str) -> MiningAccount | None:
        fate = self.dice.random()
        others, late = fate < 0.05, 0.05 <= fate < 0.1
        if others:  # somebody else's, made so lately that the list does not show it: the name looks free
            self.pool.edit("add_account", login=self.hosting.login, account=name)
            self.of_others.add(name)
            self._at(self.now + timedelta(seconds=15))
            self.pool.fault("lagging_list", endpoint="accounts", seconds=30)
        with self.hosting.context():
            customer = accounts.onboard_customer(
                self.hosting.access, name=name, email="a@b.example", account_name=name, adopt=False, now=self.now
            )
            intent = PoolIntent.objects.get(customer=customer)
        if self._lose(intent, taken=late) != State.DONE:
            # A person asks again, by another name where this one is somebody else's; nothing is lost this time.
            with self.hosting.context():
                again = f"{name}_again" if others or late else name
                accounts.assign_account(self.hosting.access, customer, account_name=again, adopt=False, now=self.now)
                second = PoolIntent.objects.filter(customer=customer).latest("pk")
            self._settle(second)
        with self.hosting.context():
            return MiningAccount.objects.filter(customer=customer, state=MiningAccount.State.ACTIVE).first()

    def _link(self, account: MiningAccount) -> None:
        shown = self.dice.sample(["dashboard", "rewards", "workers"], self.dice.randint(1, 3))
        with self.hosting.context():
            link = issuing.issue_link(
                self.hosting.access,
                account,
                permissions=shown,
                lifetime=self.dice.choice(["1h", "24h", "7d"]),
                now=self.now,
            )
            intent = PoolIntent.objects.get(watcher_link=link)
        self._lose(intent)

    def _payout(self, account: MiningAccount) -> None:
        address = self.dice.choice(ADDRESSES)
        with self.hosting.context():
            # As the first reading finds it; to read all accounts each time would take too long.
            agreements.record_agreement(
                account,
                destination="main_balance",
                address=None,
                source=PayoutAgreement.Source.FOUND,
                by="worker",
                now=self.now,
            )
            intent = intents.plan_edit(
                self.hosting.access,
                account,
                destination="external_address",
                address=address,
                approved_by="two@north.example",
                now=self.now,
            )
        done = self._lose(intent) == State.DONE
        self.wanted[account.name] = ("external_address", address) if done else ("main_balance", None)

    # --- One lost answer

    def _lose(self, intent: PoolIntent, *, taken: bool = False) -> str:
        """How it ended. `taken`: it is lost before the pool acted, and somebody else takes the name a little later."""
        name, options = NEVER_ACTS if taken else self.dice.choice(LOSSES)
        kind = Kind(intent.kind)
        called_at = self.now
        self.pool.fault(name, endpoint=CALL[kind], times=1, **options)
        if kind in LISTS and self.dice.random() < 0.3:
            self.pool.fault("lagging_list", endpoint=LOOK[kind], seconds=30)
        silent = self.dice.random() < 0.1  # nothing can be looked up for a minute
        if silent:
            self.pool.fault("captive_page", endpoint=LOOK[kind], skip=1)
        called = self.pool.calls().get(CALL[kind], 0)
        # A pool that acts late is given up sooner than by a real worker, so that the proof takes minutes and not hours.
        with patch.object(http, "READ_SECONDS", READ_SECONDS) if name == "delay" else nullcontext():
            state = self._settle(intent)
        if name == "delay":
            until(lambda: self.pool.calls().get(CALL[kind], 0) > called)  # well before a real worker's last look
        for seconds in LOOKS:
            if state != State.CALLED:
                break
            if taken and seconds > TAKEN_AFTER.total_seconds() and intent.account_name not in self.of_others:
                self._take(intent.account_name, at=called_at + TAKEN_AFTER)
            self._at(called_at + timedelta(seconds=seconds))
            state = self._settle(intent)
        self.lost.add(intent.pk)
        self.proof.at_60_s[kind, state] += 1
        self.pool.clear_faults()
        # One look that finds nothing is not believed, so the planner's two after it: what has ended by then is told so.
        for later in (HOUR, 2 * HOUR):
            if state == State.UNKNOWN:
                self._at(called_at + later)
                state = self._settle(intent)
        if state == State.UNKNOWN:
            with self.hosting.context():
                intents.decide_intent(self.hosting.access, intent, ours=False, now=self.now)
            state = State.FAILED
        self.proof.at_the_end[kind, state] += 1
        return state

    def _take(self, name: str, *, at: datetime) -> None:
        self._at(at)
        self.pool.edit("add_account", login=self.hosting.login, account=name)
        self.of_others.add(name)

    def _settle(self, intent: PoolIntent) -> str:
        """As a worker's task, and again when the breaker held the call back: then it surely did not go out."""
        states: list[str] = []

        def is_out() -> bool:
            settled = intents.settle_intent(self.provider_id, intent.pk, now=self.now)
            states.append(State.PLANNED if settled is None else settled.state)
            return states[-1] != State.PLANNED

        until(is_out)
        return states[-1]

    # --- What came of it, by the pool's own word

    def _compare(self) -> None:
        calls = self.pool.calls()
        users = self.pool.truth()["users"]
        user = next(user for user in users if user["login"] == self.hosting.login)
        with self.hosting.context():
            called = Counter(PoolIntent.objects.exclude(called_at=None).values_list("kind", flat=True))
            made = set(WatcherLink.objects.exclude(pool_id=None).values_list("pool_id", flat=True))
            over = set(WatcherLink.objects.filter(problem__contains=OVER).values_list("name", flat=True))
            adopted = MiningAccount.objects.filter(name__in=self.of_others).exclude(customer=None)
            self.proof.adopted_of_others = adopted.count()
            ours = set(MiningAccount.objects.exclude(customer=None).values_list("name", flat=True))
        self.proof.calls = sum(calls.get(endpoint, 0) for endpoint in CALL.values())
        self.proof.blind_retries = sum(abs(calls.get(CALL[kind], 0) - called[kind]) for kind in CALL)
        names = Counter(link["name"] for link in user["links"])
        self.proof.duplicate_links = sum(count - 1 for count in names.values())
        true_names = {account["name"] for account in user["accounts"]}
        wrong_links = {link["id"] for link in user["links"] if link["name"] not in over} ^ made
        self.proof.over_unseen = len(over)
        wrong_accounts = {name for name in true_names ^ (ours | self.of_others) if name.startswith("hall_")}
        payouts = {
            account["name"]: (account["payout_destination"], account["payout_address"]) for account in user["accounts"]
        }
        wrong_payouts = {name for name, said in self.wanted.items() if payouts.get(name) != said}
        self.proof.told_wrongly = len(wrong_links) + len(wrong_accounts) + len(wrong_payouts)


@contextmanager
def _alone() -> Iterator[None]:
    """No other worker is told of anything: the looks are made here, at their times."""
    with patch.object(dispatch, "_send"):
        yield
