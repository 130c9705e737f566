"""Evidence: every time in which not all machines were up, with what is known of it; its sums are the month's."""

from __future__ import annotations

from collections import Counter

from mining.fleet import exclusions, uptime
from mining.fleet.evidence import evidence
from mining.fleet.states import State
from mining.models import Exclusion
from tests.mining.fleet.test_history import missing
from tests.mining.fleet.test_worked_month import NOVEMBER, OCTOBER, october, october_of
from tests.world import World


def test_the_stops_of_the_worked_month_add_up_to_it_and_say_why(world: World) -> None:
    north = world.north
    client = north.clients[0]
    with north.context():
        october_of(client.account)
        missing(client, "rig3", october(3, 6, 5), october(3, 14, 5))
        missing(client, "rig8", october(3, 6, 5), october(3, 14, 5))
        missing(client, "rig9", october(4), october(4, 1), state="unknown")
        curtailed = exclusions.enter(
            north.system, site="hall 2", from_at=october(15, 18), until_at=october(15, 20),
            reason=Exclusion.Reason.CURTAILMENT, now=NOVEMBER,
        )  # fmt: skip
        exclusions.enter(
            north.system, site="hall 9", from_at=october(15, 18), until_at=october(15, 20),
            reason=Exclusion.Reason.POWER, note="none of theirs", now=NOVEMBER,
        )  # fmt: skip

        told = evidence(north.system, client.account, from_at=OCTOBER, until_at=NOVEMBER, now=NOVEMBER)
        month = uptime.month(north.system, client.account, OCTOBER.date(), now=NOVEMBER)

    sums: Counter[State] = Counter()
    for stop in told.stops:
        sums[stop.state] += stop.worker_seconds
    assert sums == {
        State.DOWN: month.down_s,
        State.LOW: month.low_s,
        State.EXCLUDED: month.excluded_s,
        State.UNKNOWN: month.unknown_s,
    }
    assert [(stop.from_at.day, stop.state, stop.workers, stop.machines, stop.exclusions) for stop in told.stops] == [
        (20, State.LOW, 1, (), ()),
        (15, State.EXCLUDED, 10, (), (curtailed,)),
        (9, State.UNKNOWN, 10, (), ()),
        (3, State.DOWN, 2, ("rig3", "rig8"), ()),
    ]
    assert told.expected == (10, 10)
