"""What a person has to know of opens once, stays while nothing is known, ends with its cause, and opens anew."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from customers.models import Provider, Role
from mining import accounts, alerts, dispatch, planner, tasks
from mining.keys import store as key_store
from mining.models import Alert, Credential, PoolIntent, WatcherLink
from portal.alerts.mails import mail_alerts
from tests.mining.hosting import Hosting, writes, written_between
from tests.mining.links.watching import watched
from tests.world import NOW, Tenant, World, person

Kind, State = Alert.Kind, Credential.State
MAIN, EXTERNAL = "main_balance", "external_address"
ADDRESS = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"


def refresh(whose: Hosting | Tenant, *, now: datetime = NOW) -> None:
    alerts.refresh(whose.provider.pk, now=now)


def found(whose: Hosting | Tenant) -> list[tuple[str, bool]]:
    """Kind, and whether it is open; oldest first."""
    with whose.context():
        return [(alert.kind, alert.is_open) for alert in Alert.objects.order_by("pk")]


def set_key(tenant: Tenant, **fields: Any) -> None:
    with tenant.context():
        Credential.objects.update(**fields)


# --- Told by the pool


def test_a_drift_is_told_once_until_it_is_put_back_and_once_more_when_it_comes_again(
    north: Hosting, south: Hosting
) -> None:
    begun = timezone.now()
    north.sync("accounts")
    with north.context():
        person(north.access, "owner@north.example", Role.OWNER)
        accounts.onboard_customer(
            north.access, name="Alder", email="", account_name="north", adopt=True, now=timezone.now()
        )
    with south.context():
        person(south.access, "owner@south.example", Role.OWNER)

    def read(destination: str, *, hours: int) -> list[tuple[str, bool]]:
        """The pool has been read, and beat comes round."""
        to = {"address": ADDRESS} if destination == EXTERNAL else {}
        north.pool.edit("set_payout", login="alpha", account="north", destination=destination, **to)
        north.sync("payouts")
        for hosting in (north, south):
            refresh(hosting, now=begun + timedelta(hours=hours))
            mail_alerts(hosting.provider.pk, now=begun + timedelta(hours=hours))
        return found(north)

    assert read(MAIN, hours=0) == []
    assert read(EXTERNAL, hours=1) == [("payout_drift", True)]
    with north.context():
        alert = Alert.objects.select_related("customer", "mining_account").get()
    assert (alert.customer and alert.customer.name, alert.mining_account and alert.mining_account.name) == (
        "Alder",
        "north",
    )
    assert (alert.level, alert.opened_at, alert.told_at, alert.ended_at) == (
        "alarm",
        begun + timedelta(hours=1),
        begun + timedelta(hours=1),
        None,
    )
    counted = writes()
    assert read(EXTERNAL, hours=2) == [("payout_drift", True)]
    assert set(written_between(counted, writes())) == {"mining_syncrun"}

    north.pool.fault("http_503", endpoint="payout-destination")
    assert read(MAIN, hours=3) == [("payout_drift", True)]  # nothing is known, so nothing has ended
    north.calm()
    assert [message.to for message in mail.outbox] == [["owner@north.example"]]

    assert read(MAIN, hours=4) == [("payout_drift", False)]
    assert len(mail.outbox) == 1
    assert read(EXTERNAL, hours=5) == [("payout_drift", False), ("payout_drift", True)]
    assert [message.to for message in mail.outbox] == [["owner@north.example"]] * 2
    assert found(south) == []


def test_a_refused_key_is_an_alarm_until_it_works_again_and_a_check_tells_nothing(north: Hosting) -> None:
    api_key = north.pool.key("alpha").api_key
    north.pool.edit("set_key", api_key=api_key, enabled=False)
    north.sync("accounts")
    refresh(north)
    assert found(north) == [("key_refused", True)]

    with north.context():
        key_store.ask_verification(north.access, north.credential(), now=timezone.now() + key_store.TRIED_AGAIN_AFTER)
    refresh(north)
    assert (north.credential().state, found(north)) == (State.CHECKING, [("key_refused", True)])

    north.pool.edit("set_key", api_key=api_key, enabled=True)
    north.verify(north.credential())
    refresh(north)
    assert found(north) == [("key_refused", False)]


def test_an_act_in_doubt_is_an_alarm_until_it_is_settled(north: Hosting, monkeypatch: pytest.MonkeyPatch) -> None:
    account = watched(north)
    monkeypatch.setattr(dispatch, "_send", lambda task, ids, countdown=0: None)
    north.pool.fault("reset", endpoint="watcher-links/create", phase="after", times=1)
    north.pool.fault("captive_page", endpoint="watcher-links/list", skip=1)
    link = account.settle(account.issue())
    refresh(north)
    assert (link.state, found(north)) == (WatcherLink.State.CREATING, [])

    planner.plan(north.provider.pk, now=account.now + timedelta(seconds=61))
    refresh(north)
    assert (account.link(link).state, found(north)) == (WatcherLink.State.UNKNOWN, [("act_in_doubt", True)])
    with north.context():
        alert = Alert.objects.select_related("intent").get()
    assert (alert.customer_id, alert.level) == (link.customer_id, "alarm")
    assert alert.intent is not None
    assert alert.intent.watcher_link_id == link.pk

    north.calm()
    assert account.settle(link, after=timedelta(minutes=5)).state == WatcherLink.State.ACTIVE
    refresh(north)
    assert found(north) == [("act_in_doubt", False)]


# --- Told by the rows


def test_silence_is_a_warning_then_an_alarm_and_ends_with_an_answer(world: World) -> None:
    north = world.north
    over: list[tuple[str, bool]] = [("key_quiet", False), ("key_silent", False)]
    for days, expected in (
        (2.99, []),
        (3, [("key_quiet", True)]),
        (6.99, [("key_quiet", True)]),
        (7, [("key_quiet", False), ("key_silent", True)]),
        (30, [("key_quiet", False), ("key_silent", True)]),
        (0, over),
        (4, [*over, ("key_quiet", True)]),
    ):
        set_key(north, last_success_at=NOW - timedelta(days=days))
        refresh(north)
        assert found(north) == expected, days
    with north.context():
        assert {alert.kind: alert.level for alert in Alert.objects.all()} == {
            "key_quiet": "warning",
            "key_silent": "alarm",
        }


def test_a_silent_key_that_is_refused_is_told_as_that_until_it_is_withdrawn(world: World) -> None:
    north = world.north
    set_key(north, last_success_at=NOW - timedelta(days=8))
    refresh(north)
    set_key(north, state=State.REFUSED)
    refresh(north)
    assert found(north) == [("key_silent", False), ("key_refused", True)]
    with north.context():
        key_store.withdraw(north.system, north.credential, now=NOW)
    refresh(north)
    assert found(north) == [("key_silent", False), ("key_refused", False)]


def test_a_key_that_never_worked_and_one_that_never_answered_raise_no_alarm(world: World) -> None:
    set_key(world.north, state=State.REFUSED, verified_at=None)
    set_key(world.south, last_success_at=None)
    for tenant in (world.north, world.south):
        refresh(tenant)
        assert found(tenant) == []


@pytest.mark.parametrize("state", ["planned", "called"])
def test_an_act_that_is_looked_up_once_more_is_still_in_doubt(world: World, state: str) -> None:
    north = world.north
    doubts(north, 1)
    refresh(north)
    with north.context():
        PoolIntent.objects.update(state=state)
    refresh(north)
    assert found(north) == [("act_in_doubt", True)]


def test_many_causes_cost_the_queries_of_one_and_nothing_new_writes_nothing(world: World) -> None:
    north, costs = world.north, []
    refresh(north)  # makes the rules
    for count in (1, 3, 0):
        doubts(north, count)
        with CaptureQueriesContext(connection) as captured:
            refresh(north)
        costs.append((len(captured), sum(query["sql"].startswith("INSERT") for query in captured)))
    assert costs[0] == costs[1]
    assert [inserts for _, inserts in costs] == [1, 1, 0]
    assert found(north) == [("act_in_doubt", True)] * 4


def doubts(tenant: Tenant, count: int) -> None:
    with tenant.context():
        for _ in range(count):
            PoolIntent.objects.create(
                provider=tenant.provider, kind="create_account", state="unknown", login=tenant.login,
                account_name="wanted",
                customer=tenant.clients[0].customer, created_at=NOW,
            )  # fmt: skip


def test_the_database_keeps_one_open_alert_about_exactly_one_row(world: World) -> None:
    north = world.north
    row: dict[str, Any] = {"provider": north.provider, "kind": Kind.KEY_REFUSED, "stood_at": NOW, "opened_at": NOW}
    key, account = {"credential": north.credential}, {"mining_account": north.clients[0].account}
    with north.context():
        Alert.objects.create(**row, **key, ended_at=NOW)
        Alert.objects.create(**row, **key)
        Alert.objects.create(**row | {"kind": Kind.KEY_SILENT}, **key)
        for name, wrong in (
            ("mining_alert_one_open", key),
            ("mining_alert_one_subject", {}),
            ("mining_alert_one_subject", {**key, **account}),
        ):
            with pytest.raises(IntegrityError, match=name), transaction.atomic():
                Alert.objects.create(**row, **wrong)


def test_beat_refreshes_every_active_provider_and_one_in_trouble_stops_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = alerts.refresh

    def refresh_one(provider_id: int, *, now: datetime) -> None:
        if provider_id == world.north.provider.pk:
            raise ZeroDivisionError
        whole(provider_id, now=now)

    for tenant in (world.north, world.south):
        set_key(tenant, state=State.REFUSED)
    monkeypatch.setattr(alerts, "refresh", refresh_one)
    tasks.refresh_alerts()
    assert (found(world.north), found(world.south)) == ([], [("key_refused", True)])

    monkeypatch.undo()
    Provider.objects.filter(pk=world.north.provider.pk).update(status=Provider.Status.SUSPENDED)
    tasks.refresh_alerts()
    assert found(world.north) == []
