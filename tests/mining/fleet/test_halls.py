"""An afternoon in the sandbox's halls, read every five minutes over HTTP: what is kept, and what it adds up to."""

from __future__ import annotations

from datetime import datetime, timedelta
from fractions import Fraction

import pytest

from customers.tenancy import Access
from mining.fleet import exclusions, expected, roster, states, uptime
from mining.fleet.states import State
from mining.fleet.uptime import Uptime
from mining.models import Basis, Counts, Exclusion, MiningAccount, Outage, Worker
from tests.mining.hosting import AFTERNOON, Hosting, set_up
from tests.sandbox import Sandbox

FIVE_MINUTES = timedelta(minutes=5)


def minute(number: float) -> datetime:
    return AFTERNOON + timedelta(minutes=number)


def minutes(moment: datetime | None) -> float | None:
    return None if moment is None else (moment - AFTERNOON) / timedelta(minutes=1)


@pytest.fixture
def halls(whitepool: Sandbox) -> Hosting:
    whitepool.reset(world="halls", now=AFTERNOON)
    hosting = set_up(whitepool, slug="halls", login="gamma")
    hosting.sync("accounts", now=AFTERNOON - FIVE_MINUTES)
    with hosting.context():
        MiningAccount.objects.update(first_seen_at=AFTERNOON)
    return hosting


def read(hosting: Hosting, *, first: int, last: int, step: int = 5) -> None:
    for number in range(first, last + 1, step):
        hosting.pool.clock(now=minute(number))
        hosting.sync("workers", now=minute(number))


def outages(hosting: Hosting, account: str, *, list_before: int = 70) -> list[tuple[str, float | None, float | None]]:
    """Machine, from, until; and each edge lies after a list that said otherwise, so many minutes older at the most."""
    with hosting.context():
        rows = Outage.objects.filter(mining_account__name=account).order_by("from_at", "worker__name")
        for row in rows:
            assert timedelta(0) < row.from_at - row.from_not_before <= timedelta(minutes=list_before)
            if row.until_at is not None and row.until_not_before is not None:
                assert timedelta(0) < row.until_at - row.until_not_before <= timedelta(minutes=list_before)
        return [(row.worker.name, minutes(row.from_at), minutes(row.until_at)) for row in rows.select_related("worker")]


def of_day(access: Access, account: MiningAccount, basis: Basis = Basis.COUNTS) -> Uptime:
    day = AFTERNOON.date()
    return uptime.days(access, [account], first=day, last=day, basis=basis, now=minute(240))[account.pk][day]


def share(access: Access, account: MiningAccount) -> Fraction | None:
    return of_day(access, account).share()


@pytest.mark.long
def test_an_afternoon_in_the_halls(halls: Hosting) -> None:
    read(halls, first=0, last=240)

    assert outages(halls, "steady") == []
    assert outages(halls, "dies") == [("rig_002", 65, None)]
    assert outages(halls, "flaps") == [("rig_001", 60 + 20 * n, 70 + 20 * n) for n in range(4)]
    assert outages(halls, "hall_west") == [("rig_001", 125, 165), ("rig_002", 125, 165)]

    with halls.context():
        account = {row.name: row for row in MiningAccount.objects.all()}
        assert share(halls.access, account["steady"]) == 1
        assert share(halls.access, account["dies"]) == Fraction(4 * 240 - 175, 4 * 240)
        # One of three is down for four times ten minutes, another low from 150 on: that is not up.
        assert share(halls.access, account["flaps"]) == Fraction(3 * 240 - 40 - 90, 3 * 240)
        assert share(halls.access, account["hall_east"]) == Fraction(200, 240)
        # By names too, as far as the last list goes: none is read after the counts have stood still.
        by_names = of_day(halls.access, account["hall_east"], Basis.NAMES)
        assert (by_names.down_s, by_names.up_s + by_names.unknown_s) == (6 * 40 * 60, 6 * 200 * 60)
        assert share(halls.access, account["curtailed"]) == Fraction(200, 240)

        expected.set_site(halls.access, account["curtailed"], site="grid", now=minute(240))
        exclusions.enter(
            halls.access,
            site="grid",
            from_at=minute(180),
            until_at=minute(220),
            reason=Exclusion.Reason.CURTAILMENT,
            now=minute(240),
        )
        assert share(halls.access, account["curtailed"]) == 1
        now = {row.name: states.account_state(halls.access, row, now=minute(241)) for row in account.values()}
        machines = states.workers_of(halls.access, account["dies"], now=minute(241))
        fleet = states.fleet_state(halls.access, now=minute(241))

    assert {name: row.state for name, row in now.items()} == {
        "steady": State.UP,
        "dies": State.LOW,
        "flaps": State.LOW,
        "hall_east": State.UP,
        "hall_west": State.UP,
        "curtailed": State.UP,
    }
    assert (now["dies"].expected, now["dies"].up, now["dies"].down, minutes(now["dies"].since)) == (4, 3, 1, 65)
    assert [(row.worker.name, row.state) for row in machines] == [
        ("rig_002", State.DOWN),
        ("rig_001", State.UP),
        ("rig_003", State.UP),
        ("rig_004", State.UP),
    ]
    assert minutes(machines[0].since) == 65
    assert machines[0].last_seen_at == machines[0].not_before
    assert (fleet.accounts, fleet.expected, fleet.up, fleet.low, fleet.down) == (6, 25, 23, 1, 1)


@pytest.mark.long
def test_time_that_was_not_read_is_unknown_and_nobodys_fault(halls: Hosting) -> None:
    read(halls, first=0, last=50)
    halls.pool.fault("http_503")
    read(halls, first=55, last=110)
    halls.calm()
    read(halls, first=120, last=180)

    with halls.context():
        account = MiningAccount.objects.get(name="dies")
        day = AFTERNOON.date()
        seconds = uptime.days(halls.access, [account], first=day, last=day, now=minute(180))[account.pk][day]
        spells = uptime.intervals(halls.access, account, from_at=minute(0), until_at=minute(180), now=minute(180))
    assert seconds.unknown_s == 4 * 70 * 60  # from the last reading to the first: no more, no less
    assert seconds.down_s == 60 * 60  # it died at 62 and was seen dead at 120
    assert [(minutes(row.from_at), row.up, row.down, row.unknown) for row in spells] == [
        (0, 4, 0, 0),
        (50, 0, 0, 4),
        (120, 3, 1, 0),
    ]
    assert outages(halls, "dies", list_before=130) == [("rig_002", 120, None)]


def test_a_quiet_reading_asks_for_no_names_but_once_an_hour(halls: Hosting) -> None:
    read(halls, first=0, last=5)
    halls.pool.clear_log()

    read(halls, first=10, last=55)

    calls = halls.pool.calls()
    assert calls["miners/info"] == 6 * 10
    assert calls["workers/names"] <= 6


def test_names_that_cannot_be_had_do_not_cost_the_counts(halls: Hosting) -> None:
    halls.pool.fault("http_503", endpoint="workers/names")

    run = halls.sync("workers", now=minute(0))

    with halls.context():
        assert Counts.objects.count() == 6
        assert Worker.objects.count() == 0
    assert run.state == "partial"
    assert "names of machines were not read" in run.error


def test_a_list_that_moves_is_not_taken_for_machines_that_fell(halls: Hosting) -> None:
    read(halls, first=0, last=0)
    halls.pool.fault("workers_shift", endpoint="workers/names")

    read(halls, first=60, last=60)

    with halls.context():
        assert not Outage.objects.filter(state=Outage.State.DOWN, mining_account__name="hall_east").exists()


def test_an_empty_list_while_some_are_online_is_no_reading(halls: Hosting) -> None:
    read(halls, first=0, last=0)
    halls.pool.fault("empty_listing", endpoint="workers/names")

    read(halls, first=60, last=60)

    with halls.context():
        assert Outage.objects.count() == 0


@pytest.mark.parametrize("fault", ["low_unlisted", None])
def test_a_machine_that_is_low_is_not_down_whether_it_is_listed_or_not(halls: Hosting, fault: str | None) -> None:
    if fault:
        halls.pool.fault(fault, endpoint="workers/names")
    read(halls, first=145, last=155)  # rig_003 of flaps is low from 150 on

    with halls.context():
        account = MiningAccount.objects.get(name="flaps")
        now = states.account_state(halls.access, account, now=minute(156))
        machines = states.workers_of(halls.access, account, now=minute(156))
    assert (now.up, now.low, now.down) == (2, 1, 0)
    assert {row.state for row in machines} == {State.UP}


def test_an_account_where_nobody_mines_is_read_every_half_hour(halls: Hosting) -> None:
    rigs = [f"rig_00{number}" for number in range(1, 5)]
    set_machines(halls, "dies", rigs, "offline")
    read(halls, first=5, last=5)
    read(halls, first=1_455, last=1_455)
    halls.pool.clear_log()

    read(halls, first=1_460, last=1_485)

    assert halls.pool.calls()["miners/info"] == 5 * 6 + 1


def test_a_machine_that_stays_away_is_retired_and_comes_back_by_itself(halls: Hosting) -> None:
    with halls.context():
        roster.set_retirement(halls.access, days=1, now=minute(0))
    read(halls, first=0, last=90, step=30)  # rig_002 of dies is away from 90 on
    read(halls, first=60 * 24, last=60 * 27, step=30)

    with halls.context():
        machine = Worker.objects.get(mining_account__name="dies", name="rig_002")
        account = MiningAccount.objects.get(name="dies")
        away = states.account_state(halls.access, account, now=minute(60 * 27))
    assert machine.retired_at is not None
    assert (away.expected, away.up, away.down) == (3, 3, 0)

    halls.pool.edit("set_workers", login="gamma", account="dies", workers=["rig_002"], state="online")
    read(halls, first=60 * 27 + 5, last=60 * 27 + 5)

    with halls.context():
        machine.refresh_from_db()
        back = states.account_state(halls.access, account, now=minute(60 * 27 + 6))
    assert machine.retired_at is None
    assert (back.expected, back.up) == (4, 4)


def test_names_that_differ_in_case_alone_are_two_machines(halls: Hosting) -> None:
    set_machines(halls, "dies", ["RIG_001"])
    read(halls, first=5, last=5)

    with halls.context():
        names = set(Worker.objects.filter(mining_account__name="dies").values_list("name", flat=True))
    assert names == {"rig_001", "rig_002", "rig_003", "rig_004", "RIG_001"}


def set_machines(hosting: Hosting, account: str, names: list[str], state: str = "online") -> None:
    """From the first minute on, so read at the fifth: the sandbox's clock runs on, and a reading may set it back."""
    hosting.pool.clock(now=minute(1))
    hosting.pool.edit("set_workers", login="gamma", account=account, workers=names, state=state)


def names_of(hosting: Hosting, account: str) -> set[str]:
    with hosting.context():
        return set(Worker.objects.filter(mining_account__name=account).values_list("name", flat=True))


def test_hostile_names_are_kept_as_they_are_and_unreadable_ones_cost_no_other(halls: Hosting) -> None:
    hostile = ["'; DROP TABLE mining_worker; --", "<script>alert(1)</script>", "%s{0}", "ﬁle", "x" * 255, " "]
    set_machines(halls, "steady", [*hostile, "bell\u0007"])

    read(halls, first=5, last=5)

    assert names_of(halls, "steady") >= set(hostile)
    assert "bell\u0007" not in names_of(halls, "steady")
    with halls.context():
        assert Counts.objects.get(mining_account__name="steady").online == 5 + 7
        assert Outage.objects.count() == 0


def test_a_list_of_many_pages_that_moves_while_it_is_read_loses_no_machine(halls: Hosting) -> None:
    machines = [f"miner_{number:04d}" for number in range(250)]
    set_machines(halls, "steady", machines)
    read(halls, first=5, last=5)
    assert names_of(halls, "steady") >= set(machines)

    halls.pool.fault("workers_shift", endpoint="workers/names")
    read(halls, first=65, last=65)

    with halls.context():
        missing = Outage.objects.filter(mining_account__name="steady")
        down = missing.filter(state=Outage.State.DOWN).count()
        doubted = missing.filter(state=Outage.State.UNKNOWN).count()
        account = MiningAccount.objects.get(name="steady")
        seconds = uptime.days(halls.access, [account], first=AFTERNOON.date(), last=AFTERNOON.date(), now=minute(66))
    assert (down, doubted < 25) == (0, True)  # both lists leave a machine out by chance in one of a hundred cases
    assert seconds[account.pk][AFTERNOON.date()].down_s == 0


def test_a_key_that_may_not_read_names_still_reads_counts(halls: Hosting) -> None:
    endpoints = ["accounts", "miners/info", "hashrate", "rewards"]
    halls.pool.edit("set_key", api_key=halls.pool.key("gamma").api_key, endpoints=endpoints)

    run = halls.sync("workers", now=minute(0))

    with halls.context():
        assert (Counts.objects.count(), Worker.objects.count()) == (6, 0)
    assert run.state == "partial"
    assert halls.credential().state == "active"


def test_counts_that_never_change_are_written_again_once_a_month(halls: Hosting) -> None:
    read(halls, first=0, last=0)

    read(halls, first=60 * 24 * 31, last=60 * 24 * 31)
    read(halls, first=60 * 24 * 31 + 5, last=60 * 24 * 31 + 5)

    with halls.context():
        rows = Counts.objects.filter(mining_account__name="steady").order_by("at").values_list("at", "online")
        assert [(minutes(at), online) for at, online in rows] == [(0, 5), (60 * 24 * 31, 5)]
