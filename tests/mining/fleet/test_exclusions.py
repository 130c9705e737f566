"""Exclusions are entered, ended and extended by staff, audited; what they cover counts for and against nobody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers import tenancy
from customers.models import AuditEntry
from mining.fleet import exclusions, expected, roster, states, uptime
from mining.fleet.states import State
from mining.models import Basis, Exclusion, MiningAccount, OpenCoverage, Outage, UptimeDay, Worker
from tests.mining.fleet.test_worked_month import NOVEMBER, OCTOBER, october, october_of
from tests.refusals import refused
from tests.world import Tenant, World

NOW = NOVEMBER + timedelta(hours=12)
POWER = Exclusion.Reason.POWER


@pytest.fixture
def north(world: World) -> Tenant:
    with world.north.context():
        for client in world.north.clients:
            october_of(client.account)
    return world.north


def excluded_s(north: Tenant, number: int = 0) -> int:
    account = north.clients[number].account
    return uptime.month(north.system, account, OCTOBER.date(), now=NOW).excluded_s


def test_an_exclusion_of_one_machine_takes_one_of_ten_and_first_one_that_is_down(north: Tenant) -> None:
    with north.context():
        account = north.clients[0].account
        before = uptime.month(north.system, account, OCTOBER.date(), now=NOW)
        machine = Worker.objects.get(mining_account=account, name="rig3")

        exclusions.enter(north.system, worker=machine, from_at=october(3), until_at=october(4), reason=POWER, now=NOW)

        after = uptime.month(north.system, account, OCTOBER.date(), now=NOW)
    assert after.excluded_s == 86_400
    assert before.down_s - after.down_s == 8 * 3_600  # the hours in which two of ten were down
    assert before.up_s - after.up_s == 16 * 3_600


def test_an_exclusion_of_a_site_is_that_of_machines_that_stand_there_alone(north: Tenant) -> None:
    with north.context():
        account = north.clients[0].account
        for name in ("rig3", "rig4"):
            machine = Worker.objects.get(mining_account=account, name=name)
            expected.set_worker_site(north.system, machine, site="annexe", now=NOW)
        for _ in range(2):  # one that is there twice counts once
            exclusions.enter(
                north.system, site="annexe", from_at=october(5), until_at=october(6), reason=POWER, now=NOW
            )
        by_counts = uptime.month(north.system, account, OCTOBER.date(), now=NOW)
        by_names = uptime.month(north.system, account, OCTOBER.date(), basis=Basis.NAMES, now=NOW)
        found = states.workers_of(north.system, account, now=october(5, 12))

    assert (by_counts.excluded_s, by_names.excluded_s, names_of_excluded(found)) == (172_800, 172_800, ["rig3", "rig4"])


def names_of_excluded(found: list[states.WorkerNow]) -> list[str]:
    return [row.worker.name for row in found if row.state == State.EXCLUDED]


def test_an_exclusion_of_all_is_every_customers_and_one_customers_only_its_own(north: Tenant) -> None:
    with north.context():
        exclusions.enter(north.system, from_at=october(5), until_at=october(6), reason=POWER, now=NOW)
        exclusions.enter(
            north.system,
            customer=north.clients[0].customer,
            from_at=october(7),
            until_at=october(8),
            reason=POWER,
            now=NOW,
        )
        found = [excluded_s(north, 0), excluded_s(north, 1)]

    assert found == [2 * 10 * 86_400, 10 * 86_400]


def test_entering_one_afterwards_changes_the_days_that_are_kept_already(north: Tenant, world: World) -> None:
    uptime.fill(north.provider.pk, now=NOW)
    with north.context():
        kept = UptimeDay.objects.count()
        assert excluded_s(north) == 0

        exclusion = exclusions.enter(
            north.system, from_at=october(5, 12), until_at=october(6, 12), reason=POWER, now=NOW
        )

        assert UptimeDay.objects.count() == kept - 2 * 2 * 2  # two days of two accounts, by counts and by names
        assert excluded_s(north) == 10 * 86_400
    uptime.fill(north.provider.pk, now=NOW)
    with north.context():
        assert (UptimeDay.objects.count(), excluded_s(north)) == (kept, 10 * 86_400)
        exclusions.change_end(north.system, exclusion, until_at=october(5, 18), now=NOW)
        assert excluded_s(north) == 10 * 6 * 3_600
        exclusions.change_end(north.system, exclusion, until_at=october(5, 12), now=NOW)
        assert excluded_s(north) == 0


def test_what_staff_do_is_audited(north: Tenant) -> None:
    with north.context():
        exclusion = exclusions.enter(
            north.owner.access, from_at=october(5), until_at=None, reason=POWER, note="grid", now=NOW
        )
        exclusions.end(north.owner.access, exclusion, now=NOW)

        acts = AuditEntry.objects.filter(subject=exclusion.code)
        told = sorted(acts.values_list("action", "actor"))
        exclusion.refresh_from_db()
    assert told == [
        ("exclusion.end_changed", north.owner.user.email),
        ("exclusion.entered", north.owner.user.email),
    ]
    assert exclusion.until_at == NOW


def test_what_cannot_be_entered_is_refused(north: Tenant) -> None:
    with north.context():
        client = north.clients[0]
        machine = Worker.objects.filter(mining_account=client.account).first()
        window = {"from_at": october(5), "until_at": october(6), "reason": POWER, "now": NOW}
        with refused("exclusion.scope_unclear"):
            exclusions.enter(north.system, worker=machine, site="hall 2", **window)  # type: ignore[arg-type]
        with refused("exclusion.ends_before_it_begins"):
            exclusions.enter(north.system, from_at=october(5), until_at=october(5), reason=POWER, now=NOW)
        with refused("exclusion.out_of_reach"):
            exclusions.enter(
                north.system, from_at=datetime(2020, 1, 1, tzinfo=UTC), until_at=october(5), reason=POWER, now=NOW
            )
        with refused("exclusion.reason_unknown"):
            exclusions.enter(north.system, from_at=october(5), until_at=october(6), reason="mood", now=NOW)
        over = exclusions.enter(north.system, **window)  # type: ignore[arg-type]
        with refused("exclusion.over"):
            exclusions.end(north.system, over, now=NOW)


def test_a_customer_reads_exclusions_of_all_but_not_the_neighbours_and_writes_none(north: Tenant) -> None:
    with north.context():
        for_all = exclusions.enter(north.system, from_at=october(5), until_at=october(6), reason=POWER, now=NOW)
        exclusions.enter(
            north.system,
            customer=north.clients[1].customer,
            from_at=october(5),
            until_at=october(6),
            reason=POWER,
            now=NOW,
        )

    with tenancy.access_context(north.clients[0].owner.access):
        seen = list(Exclusion.objects.all())
        changed = Exclusion.objects.update(note="mine") + Exclusion.objects.all().delete()[0]

    assert (seen, changed) == ([for_all], 0)


def test_a_contracted_number_is_what_uptime_is_measured_against(north: Tenant) -> None:
    with north.context():
        account = north.clients[0].account
        expected.set_expected(north.system, account, from_day=october(1).date(), workers=12, now=NOW)
        expected.set_expected(north.system, account, from_day=october(31).date(), workers=None, now=NOW)
        days = uptime.days(north.system, [account], first=october(30).date(), last=october(31).date(), now=NOW)

    of_day = days[account.pk]
    assert of_day[october(30).date()].down_s == 2 * 86_400  # two of twelve were never there
    assert of_day[october(31).date()].down_s == 0


def test_a_machine_is_retired_by_hand_only_while_it_is_known_to_be_offline(north: Tenant) -> None:
    with north.context():
        account = north.clients[0].account
        machine = Worker.objects.get(mining_account=account, name="rig3")
        with refused("worker.not_offline"):
            roster.retire(north.system, machine, now=NOW)
        Outage.objects.create(
            provider=north.provider,
            mining_account=account,
            worker=machine,
            from_at=october(30),
            from_not_before=october(30),
        )

        roster.retire(north.system, machine, now=NOW)

        machine.refresh_from_db()
        assert machine.retired_at == NOW
        found = states.workers_of(north.system, account, now=NOW)
    assert found[-1].worker == machine and found[-1].state == State.RETIRED


def read_now(account: MiningAccount, at: datetime) -> None:
    for subject in ("counts", "names"):
        OpenCoverage.objects.create(
            provider_id=account.provider_id, mining_account=account, subject=subject, from_at=october(31), until_at=at
        )
    MiningAccount.objects.filter(pk=account.pk).update(
        workers_online=9, workers_low=0, workers_offline=1, counts_since=october(31)
    )
    account.refresh_from_db()


def test_what_is_known_now_holds_as_long_as_a_reading_may_take(north: Tenant) -> None:
    with north.context():
        account = north.clients[0].account
        read_now(account, NOW)
        machine = Worker.objects.get(mining_account=account, name="rig3")
        found = {
            minutes: (
                states.account_state(north.system, account, now=NOW + timedelta(minutes=minutes)).state,
                states.worker_state(north.system, machine, account, now=NOW + timedelta(minutes=minutes)).state,
            )
            for minutes in (0, 12, 13)
        }
    assert found == {0: (State.LOW, State.UP), 12: (State.LOW, State.UP), 13: (State.UNKNOWN, State.UNKNOWN)}


def test_reads_take_as_many_queries_for_many_accounts_and_machines_as_for_one(north: Tenant) -> None:
    with north.context():
        accounts = [client.account for client in north.clients]
        read_now(accounts[0], NOW)
        day = OCTOBER.date()

        def queries(number: int) -> list[int]:
            counts = []
            for act in (
                lambda: states.account_states(north.system, accounts[:number], now=NOW),
                lambda: states.fleet_state(north.system, now=NOW),
                lambda: uptime.months(north.system, accounts[:number], day, now=NOW),
                lambda: states.workers_of(north.system, accounts[0], now=NOW),
                lambda: states.outages_of(north.system, accounts[0], from_at=OCTOBER, until_at=NOW),
            ):
                with CaptureQueriesContext(
                    connection,
                ) as captured:
                    act()
                counts.append(len(captured))
            return counts

        one = queries(1)
        Worker.objects.filter(mining_account=accounts[0], name__in=["rig1", "rig2"]).delete()
        assert queries(2) == one
        assert max(one) <= 4
