"""Random histories of readings: what is stored and summed in the database equals what the oracle works out by itself.

All histories are one provider's accounts, so that the set-based statements meet them together. More and others:
    FLEET_HISTORIES=1000 FLEET_SEED=7 make test-long ARGS=tests/mining/fleet/test_oracle.py
The seed of a history is in each failure's message.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from customers import onboarding, tenancy
from customers.models import Customer
from customers.tenancy import Access
from mining.fleet import exclusions, expected, roster, uptime
from mining.fleet.listing import AccountAnswer, Listing, Missing, missing
from mining.fleet.uptime import Uptime
from mining.fleet.workers import _Turn
from mining.models import Basis, Exclusion, FleetSettings, MiningAccount, Outage, PoolLogin, SyncRun, UptimeDay, Worker
from mining.pool.answers.types import MinersInfo
from mining.runs import Watch
from mining.sync.fanout import Answers
from mining.sync.reading import Reading
from tests.mining.fleet.oracle import DAY, Counted, History, Named, by_day

HISTORIES = int(os.environ.get("FLEET_HISTORIES", "60"))
SEED = int(os.environ.get("FLEET_SEED", "1"))
START = datetime(2026, 10, 1, tzinfo=UTC)
LENGTH = int(1.9 * DAY)
TICK = 540  # seconds from one round of readings to the next


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def second(moment: datetime) -> int:
    return int((moment - START).total_seconds())


@dataclass
class Hall:
    """One account's machines as they really are, and what was told of them so far."""

    seed: int
    account: MiningAccount
    history: History = field(default_factory=History)
    states: dict[str, str] = field(default_factory=dict)
    begins: int = 0
    silent_until: int = 0
    idle_until: int = 0
    names_at: int | None = None
    told: AccountAnswer | None = None
    told_before: AccountAnswer | None = None

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.lists_low = self.random.random() < 0.6
        self.begins = self.random.choice([0, 0, self.random.randrange(DAY)])
        self.history.begins = self.begins
        self.restless = self.random.choice([0.0, 0.02, 0.2])
        self.states = {f"rig{number}": "online" for number in range(self.random.randint(0, 6))}

    def live(self, now: int) -> None:
        """A machine falls, limps, comes back, is new or renamed; now and then the whole hall goes dark."""
        chance = self.random
        if chance.random() < 0.002:
            self.idle_until = now + chance.randrange(600, int(1.8 * DAY))
        for name in list(self.states):
            if chance.random() < self.restless:
                self.states[name] = chance.choice(["online", "online", "low", "offline", "offline"])
        if chance.random() < 0.004:
            self.states[chance.choice(["Rig0", "rig0", f"new{now}"])] = "online"
        if self.states and chance.random() < 0.002:
            self.states.pop(chance.choice(sorted(self.states)))

    def answer(self, now: int) -> AccountAnswer | None:
        """What the pool answers to a reading, if it is read at all."""
        chance = self.random
        if chance.random() < 0.004:
            self.silent_until = now + chance.randrange(600, DAY // 3)  # the pool, the portal or its servers are away
        if now < max(self.silent_until, self.begins) or chance.random() < 0.1:
            return None
        moment = now + chance.randrange(0, 60)
        states = {} if now < self.idle_until else self.states
        count = list(states.values()).count
        gone = len(self.states) if now < self.idle_until else count("offline")
        info = MinersInfo(None, count("online"), gone, count("low"), ())
        return AccountAnswer(at(moment), info, self._listing(info, states, moment))

    def _listing(self, info: MinersInfo, states: dict[str, str], moment: int) -> Listing | None:
        chance = self.random
        moved = self.told is not None and (info.online, info.low, info.offline) != (
            self.told.info.online,
            self.told.info.low,
            self.told.info.offline,
        )
        is_due = self.names_at is None or moment - self.names_at >= 3_600
        if (info.online + info.low and not (moved or is_due)) or chance.random() < 0.1:
            return None
        shown = ("online", "low") if self.lists_low else ("online",)
        names = [name for name, state in states.items() if state in shown]
        if names and chance.random() < 0.1:
            names.remove(chance.choice(names))  # the list moved while it was read
        if not names and info.online + info.low:
            return None
        moment += chance.randrange(0, 5)
        listed = Listing(at(moment), frozenset(names), Missing.UNKNOWN)
        return replace(listed, missing=missing(info, listed))

    def hear(self, answer: AccountAnswer) -> None:
        self.told_before, self.told = self.told, answer
        self.history.counts.append((second(answer.at), answer.info.online, answer.info.low))
        if answer.listing is None:
            return
        self.names_at = second(answer.listing.at)
        self.history.names.append((self.names_at, answer.listing.names, answer.listing.missing.value))


@pytest.fixture
def access() -> Iterator[Access]:
    system = onboarding.create_provider(slug="oracle", name="Oracle", now=START)
    with tenancy.access_context(system):
        yield system


def build(access: Access, histories: int) -> list[Hall]:
    FleetSettings.objects.create(provider=access.provider, retire_after_days=1)
    login = PoolLogin.objects.create(provider=access.provider, name="main", created_at=START)
    customers = Customer.objects.bulk_create(
        [
            Customer(provider=access.provider, name=f"C{n}", email=f"c{n}@c.example", created_at=START)
            for n in range(histories)
        ]
    )
    halls = []
    accounts = [
        MiningAccount(
            provider=access.provider,
            login=login,
            name=f"hall_{number}",
            customer=customer,
            state="active",
            first_seen_at=START,
            site=Random(number).choice(["", "", "north"]),
        )
        for number, customer in enumerate(customers)
    ]
    for number, account in enumerate(accounts):
        hall = Hall(SEED * 1_000_000 + number, account)
        account.first_seen_at = at(hall.begins)
        halls.append(hall)
    MiningAccount.objects.bulk_create(accounts)
    return halls


def tell(access: Access, halls: list[Hall]) -> None:
    """Round by round, as runs of the sync would store it; some answers come twice, some late."""
    reading = Reading(SyncRun(provider=access.provider), None, Watch(START))  # type: ignore[arg-type]
    for now in range(0, LENGTH, TICK):
        roster.retire_due(access.provider.pk, login_id=halls[0].account.login_id, now=at(now))
        answers: Answers[AccountAnswer] = Answers()
        read = []
        for hall in halls:
            hall.live(now)
            late = hall.random.choice([hall.told, hall.told_before]) if hall.random.random() < 0.02 else None
            answer = late or hall.answer(now)
            if answer is None:
                continue
            if late is None:
                hall.hear(answer)
            answers.by_account[hall.account.pk] = answer
            read.append(hall.account)
        turn = _Turn(reading)
        turn.look_up(read)
        turn.store(reading, read, answers, at(now + 60))
    retirements = Outage.objects.filter(retired_at__isnull=False).values_list(
        "mining_account", "worker__name", "retired_at"
    )
    by_account = {hall.account.pk: hall for hall in halls}
    for account_id, name, retired_at in retirements:
        by_account[account_id].history.retired.append((second(retired_at or START), name))


def say(access: Access, halls: list[Hall]) -> None:
    """What staff enter: exclusions of all kinds, and contracted numbers."""
    chance = Random(SEED)
    now = at(LENGTH)

    def window(longest: int = DAY) -> tuple[int, int]:
        begins = chance.randrange(-3_600, LENGTH)
        return begins, begins + chance.randrange(1, longest)

    def enter(begins: int, ends: int, **scope: Any) -> None:
        exclusions.enter(
            access, from_at=at(begins), until_at=at(ends), reason=Exclusion.Reason.CURTAILMENT, now=now, **scope
        )

    everywhere, north = window(3_600), window(7_200)
    enter(*everywhere)
    enter(*north, site="north")
    machines = {(w.mining_account_id, w.name): w for w in Worker.objects.select_related("customer")}
    for hall in halls:
        hall.history.excluded.append(everywhere)
        if hall.account.site == "north":
            hall.history.excluded.append(north)
        if chance.random() < 0.3:
            spell = window()
            enter(*spell, customer=hall.account.customer)
            hall.history.excluded.append(spell)
        for (account_id, name), worker in machines.items():
            if account_id == hall.account.pk and chance.random() < 0.1:
                spell = window()
                enter(*spell, worker=worker)
                hall.history.excluded_workers.append((name, spell))
        if chance.random() < 0.3:
            for day in sorted(chance.sample(range(2), 2)):
                workers = chance.choice([None, chance.randint(0, 8)])
                expected.set_expected(access, hall.account, from_day=at(day * DAY).date(), workers=workers, now=now)
                hall.history.contracted.append((day * DAY, workers))


def computed(access: Access, basis: Basis, from_at: datetime = START) -> dict[tuple[int, int], Uptime]:
    found = uptime.compute(access.provider.pk, None, basis=basis, from_at=from_at, until_at=at(LENGTH))
    return {(account_id, (day - START.date()).days): seconds for (account_id, day), seconds in found.items()}


def told(seconds: Uptime) -> tuple[int, ...]:
    return tuple(getattr(seconds, name) for name in seconds.__slots__)


@pytest.mark.long
@pytest.mark.django_db
def test_the_database_and_the_oracle_agree_to_the_second(access: Access) -> None:
    halls = build(access, HISTORIES)
    tell(access, halls)
    say(access, halls)

    for basis, of in ((Basis.COUNTS, Counted), (Basis.NAMES, Named)):
        ours = computed(access, basis)
        # A day by itself: what stood at its beginning was told before, however long ago.
        assert computed(access, basis, at(DAY)) == {key: ours[key] for key in ours if key[1] == 1}
        wrong = []
        for hall in halls:
            theirs = by_day(hall.history, of(hall.history), until=LENGTH)
            for day, seconds in theirs.items():
                mine = ours.pop((hall.account.pk, day))
                if told(mine) != seconds.told() or mine.share() != seconds.share():
                    wrong.append(f"{basis} seed {hall.seed} day {day}: {told(mine)} is not {seconds.told()}")
        assert not wrong, "\n".join(wrong[:20])
        assert ours == {}
    # It was no quiet month: every state, and days with room between their bounds.
    sums = uptime.total(computed(access, Basis.COUNTS).values())
    assert min(told(sums)) > 0 and sums.up_least_s < sums.up_s < sums.up_most_s


@pytest.mark.long
@pytest.mark.django_db
def test_kept_days_days_worked_out_anew_and_the_evidence_say_the_same(access: Access) -> None:
    halls = build(access, 12)
    tell(access, halls)
    say(access, halls)
    accounts = [hall.account for hall in halls]
    now, first, last = at(LENGTH), START.date(), at(LENGTH).date()
    asked = {basis: uptime.days(access, accounts, first=first, last=last, basis=basis, now=now) for basis in Basis}

    written = uptime.fill(access.provider.pk, now=now)

    assert written == UptimeDay.objects.count() > 12
    for basis in Basis:
        assert asked[basis] == uptime.days(access, accounts, first=first, last=last, basis=basis, now=now)
    assert uptime.fill(access.provider.pk, now=now) == 0
    for account in accounts:
        sums = uptime.total(asked[Basis.COUNTS][account.pk].values())
        spells = uptime.intervals(access, account, from_at=START, until_at=now, now=now)
        for name in ("expected", "up", "low", "down", "excluded", "unknown"):
            assert sum(getattr(spell, name) * spell.seconds for spell in spells) == getattr(sums, f"{name}_s"), name
        assert all(before.until_at == after.from_at for before, after in pairwise(spells))
