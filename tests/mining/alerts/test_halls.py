"""An afternoon in the halls: what is told of it, once for each cause, and by whom it is seen."""

from __future__ import annotations

import pytest
from django.core import mail

from customers.models import Role
from mining.alerts import handling, rules
from mining.fleet import exclusions
from mining.models import Alert, AlertKind, AlertRule, Exclusion
from tests.mining.alerts.halls import hosted, live, look, minute, told
from tests.mining.hosting import Hosting, writes, written_between
from tests.sandbox import Sandbox
from tests.world import person

pytestmark = pytest.mark.django_db
HALL = "8 machines of 2 customers went down together: hall_east, hall_west"
HALL_WEST = HALL.replace("2 customers", "2 customers in west")


@pytest.fixture
def halls(whitepool: Sandbox) -> Hosting:
    hosting = hosted(whitepool)
    with hosting.context():
        person(hosting.access, "owner@halls.example", Role.OWNER)
    return hosting


def subjects() -> list[str]:
    return [message.subject.removeprefix("halls hosting: ") for message in mail.outbox]


def only(halls: Hosting, *kinds: AlertKind, **fields: object) -> None:
    """Everything else is switched off."""
    with halls.context():
        rules.make_missing(halls.provider.pk)
        AlertRule.objects.filter(kind__in=rules.OF_FLEET).exclude(kind__in=kinds).update(is_on=False)
        AlertRule.objects.filter(kind__in=kinds).update(**fields)


@pytest.mark.long
def test_an_afternoon_is_told_without_any_set_up(halls: Hosting) -> None:
    live(halls, first=0, last=240)
    assert told(halls) == [
        # The machine that died is told of with its account; the one that flaps is never down for long enough.
        ("dies: 1 of 4 machines down", 75, None),
        (HALL, 135, 165),
        ("curtailed: 5 of 5 machines down", 190, 220),
    ]
    dies, curtailed = "dies: 1 of 4 machines down", "curtailed: 5 of 5 machines down"
    # Nobody has taken the one that died: it is told again each hour, with what else there is to tell.
    assert subjects() == [dies, f"{HALL}, and 1 more", f"over: {HALL}", f"{curtailed}", dies, f"over: {curtailed}"]


def test_a_dead_hall_is_one_alert_and_its_recovery_one_mail(halls: Hosting) -> None:
    only(halls, AlertKind.WORKERS_OFFLINE)
    live(halls, first=100, last=130)
    assert (told(halls), subjects()) == ([], [])  # in grace: it might be over with the next reading

    live(halls, first=135, last=150)
    assert (told(halls), subjects()) == ([(HALL, 135, None)], [HALL])
    with halls.context():
        hall = Alert.objects.get(is_group=True)
        handling.acknowledge(halls.access, hall, now=minute(150))

    live(halls, first=155, last=170)
    assert (told(halls), subjects()) == ([(HALL, 135, 165)], [HALL, f"over: {HALL}"])
    with halls.context():
        members = Alert.objects.filter(group=hall)
        assert [(row.told_at, row.end_told_at) for row in members] == [(None, None)] * 2


def test_a_hall_that_is_named_is_told_by_its_name_however_small_beside_the_rest(whitepool: Sandbox) -> None:
    halls = hosted(whitepool, site="west")
    only(halls, AlertKind.WORKERS_OFFLINE, group_percent=40)  # 8 of 25 machines, and all of the hall
    live(halls, first=100, last=140)
    assert told(halls) == [(HALL_WEST, 135, None)]


def test_fewer_machines_than_the_share_are_told_by_account(halls: Hosting) -> None:
    only(halls, AlertKind.WORKERS_OFFLINE, group_percent=40)
    live(halls, first=100, last=140)
    assert [(words, opened) for words, opened, _ in told(halls)] == [
        ("hall_east: 6 of 6 machines down", 135),
        ("hall_west: 2 of 2 machines down", 135),
    ]


@pytest.mark.long
def test_a_pool_that_does_not_answer_opens_and_ends_nothing(halls: Hosting) -> None:
    only(halls, AlertKind.WORKERS_OFFLINE, AlertKind.WORKER_DOWN)
    live(halls, first=100, last=135)
    halls.pool.fault("http_503")
    live(halls, first=140, last=205)  # the hall comes back at 164, the next goes dark at 180: nobody knows
    assert told(halls) == [(HALL, 135, None)]
    halls.calm()
    live(halls, first=210, last=225)
    assert told(halls) == [(HALL, 135, 210)]


@pytest.mark.long
def test_one_machine_is_told_of_when_it_has_been_down_for_longer_than_the_limit(halls: Hosting) -> None:
    only(halls, AlertKind.WORKER_DOWN)
    live(halls, first=0, last=100)
    assert told(halls) == []
    halls.pool.fault("http_503")
    live(halls, first=130, last=160, step=30)  # the hour is over, and nobody knows whether it is down still
    assert told(halls) == []
    halls.calm()
    live(halls, first=165, last=165)
    assert told(halls)[0] == ("dies: machine rig_002 has been down since 20 October, 16:05 UTC", 165, None)


def test_a_running_exclusion_silences_and_what_stands_after_it_waits_its_grace_anew(halls: Hosting) -> None:
    only(halls, AlertKind.WORKERS_OFFLINE, group_percent=100)
    live(halls, first=100, last=125)
    with halls.context():
        exclusions.enter(
            halls.access, from_at=minute(126), until_at=minute(150), reason=Exclusion.Reason.POWER, now=minute(126)
        )
    live(halls, first=130, last=155)
    assert (told(halls), subjects()) == ([], [])
    live(halls, first=160, last=160)
    assert [opened for _, opened, _ in told(halls)] == [160, 160]


def test_what_nobody_has_taken_is_told_again_and_what_somebody_has_is_not(halls: Hosting) -> None:
    only(halls, AlertKind.WORKERS_OFFLINE, group_percent=100, repeat_minutes=15)
    live(halls, first=100, last=135)
    with halls.context():
        handling.acknowledge(halls.access, Alert.objects.get(customer__name="hall_east"), now=minute(136))
    assert len(mail.outbox) == 1  # both in one
    look(halls, 149)
    assert len(mail.outbox) == 1
    look(halls, 151)
    assert subjects()[1:] == ["hall_west: 2 of 2 machines down"]
    assert "and nobody has taken it" in mail.outbox[1].body
    look(halls, 160)
    assert len(mail.outbox) == 2


def test_looking_again_writes_nothing_and_costs_the_same_for_any_number(halls: Hosting) -> None:
    live(halls, first=100, last=140)
    before = writes()
    look(halls, 141)
    assert written_between(before, writes()) == {}
