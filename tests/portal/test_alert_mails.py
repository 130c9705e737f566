"""What is new goes to the owners in one mail; a mail server that is away delays it, and loses and repeats nothing."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import timedelta
from smtplib import SMTPRecipientsRefused
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend

from customers.models import Membership, Provider, User
from mining import alerts, dispatch
from mining.models import Alert, Credential, MiningAccount, PoolIntent
from portal import tasks
from portal.alerts import mails as alert_mails
from portal.celery import app
from tests.world import NOW, Tenant, World

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def trouble(tenant: Tenant, **fields: Any) -> None:
    """The first client's payout drifts."""
    with tenant.context():
        MiningAccount.objects.filter(pk=tenant.clients[0].account.pk).update(
            payout_drift_since=NOW, payout_destination="external_address",
            payout_address="bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        )  # fmt: skip


def more_trouble(tenant: Tenant) -> None:
    with tenant.context():
        Credential.objects.filter(pk=tenant.credential.pk).update(last_success_at=NOW - timedelta(days=4))
        PoolIntent.objects.create(
            provider=tenant.provider, kind="edit_payout", state="unknown", login=tenant.login, account_name="client_1",
            customer=tenant.clients[1].customer, created_at=NOW,
        )  # fmt: skip


def tick(tenant: Tenant, *, minutes: int = 0) -> int:
    """What beat does each minute; how many mails went out."""
    before, now = len(mail.outbox), NOW + minutes * MINUTE
    alerts.refresh(tenant.provider.pk, now=now)
    alert_mails.mail_alerts(tenant.provider.pk, now=now)
    return len(mail.outbox) - before


def rows(tenant: Tenant) -> list[Alert]:
    with tenant.context():
        return list(Alert.objects.order_by("pk"))


@pytest.fixture
def mail_server_is_away(settings: Any) -> Iterator[None]:
    """The real client, at a port that is taken and where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = taken.getsockname()
        yield


def test_the_owner_gets_one_sentence_and_the_way_to_the_page(world: World, settings: Any) -> None:
    settings.PORTAL_URL = "https://portal.example.com"
    north = world.north
    trouble(north)
    assert tick(north) == 1
    (message,) = mail.outbox
    customer = north.clients[0].customer
    assert message.to == ["owner@north.example"]
    assert message.subject == ("Northmere Hosting: Alder & Finch: the pool pays the rewards elsewhere than was agreed")
    assert message.body == (
        "Hello,\n\n"
        "this needs a person at Northmere Hosting:\n\n"
        "ALARM: Alder & Finch: the pool pays the rewards elsewhere than was agreed\n"
        "Found on 4 November 2026, 14:32 UTC. See to it:"
        f" https://portal.example.com/staff/customers/{customer.code}/#payout\n\n"
        "All that is open now, and what you are mailed: https://portal.example.com/staff/alerts/\n\n"
    )
    assert tick(north, minutes=1) == 0
    assert [(row.told_at, row.problem) for row in rows(north)] == [(NOW, "")]


def test_what_is_new_at_one_tick_is_one_mail(world: World) -> None:
    north = world.north
    trouble(north)
    more_trouble(north)
    assert tick(north) == 1
    (message,) = mail.outbox
    assert message.subject.endswith("elsewhere than was agreed, and 2 more")
    told = [line for line in str(message.body).splitlines() if line.startswith(("ALARM", "WARNING"))]
    assert told == [
        "ALARM: Alder & Finch: the pool pays the rewards elsewhere than was agreed",
        "ALARM: Birch Mining: was the payout destination changed?",
        "WARNING: The pool has not answered the key of main for 3 days",
    ]
    for page in (f"/staff/customers/{north.clients[1].customer.code}/\n", "/staff/keys/\n"):
        assert page in message.body


def test_a_mail_of_very_many_is_cut_short_and_tells_of_all(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_mails, "MOST", 2)
    north = world.north
    more_trouble(north)
    trouble(north)
    assert tick(north) == 1
    (message,) = mail.outbox
    assert message.subject.endswith(", and 2 more")
    told = [line for line in str(message.body).splitlines() if line.startswith(("ALARM", "WARNING", "And"))]
    assert told == [
        "ALARM: Alder & Finch: the pool pays the rewards elsewhere than was agreed",
        "ALARM: Birch Mining: was the payout destination changed?",
        "And 1 more.",
    ]
    assert [row.told_at for row in rows(north)] == [NOW] * 3


def test_a_payout_that_goes_on_to_another_place_is_told_again_once_an_hour_at_most(world: World) -> None:
    north = world.north
    trouble(north)

    def goes_on(*, minutes: int) -> None:
        with north.context():
            account = MiningAccount.objects.filter(pk=north.clients[0].account.pk)
            account.update(payout_first_seen_at=NOW + minutes * MINUTE)

    goes_on(minutes=0)
    assert [tick(north, minutes=minutes) for minutes in (0, 120)] == [1, 0]
    goes_on(minutes=130)
    assert [tick(north, minutes=minutes) for minutes in (131, 132, 180)] == [1, 0, 0]
    assert mail.outbox[1].subject == f"{mail.outbox[0].subject}, now to yet another place"
    for minutes in (135, 140, 150):  # to and fro
        goes_on(minutes=minutes)
        assert tick(north, minutes=minutes) == 0
    assert [tick(north, minutes=minutes) for minutes in (190, 191, 192, 300)] == [0, 1, 0, 0]
    assert [row.told_at for row in rows(north)] == [NOW + 191 * MINUTE]


@pytest.mark.usefixtures("mail_server_is_away")
def test_going_on_that_could_not_be_mailed_is_tried_again(world: World, settings: Any) -> None:
    north = world.north
    trouble(north)
    away, settings.EMAIL_BACKEND = settings.EMAIL_BACKEND, "django.core.mail.backends.locmem.EmailBackend"
    assert tick(north) == 1
    with north.context():
        MiningAccount.objects.update(payout_first_seen_at=NOW + 120 * MINUTE)
    locmem, settings.EMAIL_BACKEND = settings.EMAIL_BACKEND, away
    assert tick(north, minutes=121) == 0
    (row,) = rows(north)
    assert (row.told_at, row.problem) == (NOW, "The mail server did not take the mail. (ConnectionRefusedError)")
    settings.EMAIL_BACKEND = locmem
    assert [tick(north, minutes=minutes) for minutes in (136, 137, 138)] == [0, 1, 0]
    assert [(row.told_at, row.problem) for row in rows(north)] == [(NOW + 137 * MINUTE, "")]


def test_every_owner_is_told_and_nobody_else(world: World) -> None:
    north = world.north
    trouble(north)
    with north.context():
        Membership.objects.filter(pk=north.finance.membership.pk).update(role="owner")
        Membership.objects.filter(pk=north.support.membership.pk).update(role="owner", is_active=False)
    tick(north)
    tick(world.south)
    assert [message.to for message in mail.outbox] == [["owner@north.example"], ["finance@north.example"]]


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Addresses that the mail server takes nothing for."""
    addresses: set[str] = set()
    whole = EmailBackend.send_messages

    def send(backend: EmailBackend, messages: Any) -> int:
        if to := addresses.intersection(*(message.to for message in messages)):
            raise SMTPRecipientsRefused(dict.fromkeys(to, (550, b"No such user here")))
        return whole(backend, messages)

    monkeypatch.setattr(EmailBackend, "send_messages", send)
    return addresses


def two_owners(tenant: Tenant) -> None:
    with tenant.context():
        Membership.objects.filter(pk=tenant.finance.membership.pk).update(role="owner")


def test_one_refused_owner_of_two_does_not_count_as_told(world: World, refused: set[str]) -> None:
    north = world.north
    two_owners(north)
    trouble(north)
    refused.add("owner@north.example")

    assert [tick(north, minutes=minute) for minute in (0, 1, 4)] == [1, 0, 0]

    assert [message.to for message in mail.outbox] == [["finance@north.example"]]
    said = "The mail server did not take the mail to owner@north.example. (SMTPRecipientsRefused)"
    assert [(row.told_at, row.problem) for row in rows(north)] == [(None, said)]

    refused.clear()
    assert [tick(north, minutes=minute) for minute in (8, 9, 16)] == [1, 0, 0]
    assert mail.outbox[1].to == ["owner@north.example"]
    assert [(row.told_at, row.problem, row.mailed_to) for row in rows(north)] == [(NOW + 8 * MINUTE, "", [])]


def test_an_owner_who_is_refused_delays_nothing_new_for_the_others(world: World, refused: set[str]) -> None:
    north = world.north
    two_owners(north)
    trouble(north)
    refused.add("owner@north.example")
    tick(north, minutes=0)
    more_trouble(north)

    assert tick(north, minutes=1) == 1
    assert "and 1 more" in mail.outbox[1].subject


def test_an_address_that_cannot_be_written_down_is_told_on_the_alert(world: World) -> None:
    north = world.north
    two_owners(north)
    trouble(north)
    User.objects.filter(pk=north.owner.user.pk).update(email="owner@north.example\nbcc: all@x.example")

    assert tick(north) == 1

    said = "The mail server did not take the mail to owner@north.example bcc: all@x.example. (BadHeaderError)"
    assert [(row.told_at, row.problem) for row in rows(north)] == [(None, said)]


def test_a_name_with_a_line_break_writes_no_line_of_its_own(world: World) -> None:
    north = world.north
    trouble(north)
    with north.context():
        customer = north.clients[0].customer
        customer.name = "Alder\nBcc: all@x.example\n\nALARM: pay here"
        customer.save(update_fields=["name"])
    assert tick(north) == 1
    message = mail.outbox[0]
    assert "\n" not in message.subject
    assert [line for line in str(message.body).splitlines() if line.startswith(("Bcc", "ALARM"))] == [
        "ALARM: Alder Bcc: all@x.example ALARM: pay here: the pool pays the rewards elsewhere than was agreed"
    ]


def test_what_has_ended_before_it_was_told_is_not_told(world: World) -> None:
    north = world.north
    trouble(north)
    alerts.refresh(north.provider.pk, now=NOW)
    with north.context():
        MiningAccount.objects.update(payout_drift_since=None)
    assert tick(north, minutes=1) == 0
    assert [(row.is_open, row.told_at) for row in rows(north)] == [(False, None)]


def test_a_mail_server_that_is_away_is_tried_less_and_less_often_until_it_is_back(
    world: World, mail_server_is_away: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    north = world.north
    trouble(north)
    tried: list[int] = []
    whole = mail.send_mail
    minute = 0

    def counted(*args: Any) -> int:
        tried.append(minute)
        return whole(*args)

    monkeypatch.setattr("portal.alerts.mails.send_mail", counted)
    tick(north)
    more_trouble(north)  # waits for the next try, and is told with it
    alerts.refresh(north.provider.pk, now=NOW + MINUTE)
    for minute in range(1, 61):
        alert_mails.mail_alerts(north.provider.pk, now=NOW + minute * MINUTE)
    assert tried == [0, 4, 8, 16, 32, 48]
    assert {row.problem for row in rows(north)} == {"The mail server did not take the mail. (ConnectionRefusedError)"}
    assert [row.told_at for row in rows(north)] == [None] * 3

    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert [tick(north, minutes=minute) for minute in (63, 64, 65)] == [0, 1, 0]
    assert "and 2 more" in mail.outbox[0].subject
    assert {(row.told_at, row.problem) for row in rows(north)} == {(NOW + 64 * MINUTE, "")}


def test_without_an_owner_it_waits_for_one(world: World) -> None:
    north = world.north
    trouble(north)
    with north.context():
        Membership.objects.filter(pk=north.owner.membership.pk).update(is_active=False)
    assert tick(north) == 0
    assert [row.problem for row in rows(north)] == ["There is nobody who wants to be mailed of it."]
    with north.context():
        Membership.objects.filter(pk=north.owner.membership.pk).update(is_active=True)
    assert tick(north, minutes=4) == 1


def test_while_one_worker_sends_another_sends_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    north = world.north
    trouble(north)
    whole = EmailBackend.send_messages
    during: list[int] = []

    def send(backend: EmailBackend, messages: Any) -> int:
        monkeypatch.setattr(EmailBackend, "send_messages", whole)
        during.append(tick(north, minutes=3))
        return whole(backend, messages)

    monkeypatch.setattr(EmailBackend, "send_messages", send)
    assert tick(north) == 1
    assert during == [0]


def test_alarms_do_not_wait_in_the_line_of_what_is_due() -> None:
    app.loader.import_default_modules()  # as a worker does
    beat = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert {"mining.tasks.refresh_alerts", "portal.tasks.mail_new_alerts"} <= beat
    for task in ("mining.tasks.refresh_alerts", "portal.tasks.mail_new_alerts", "portal.tasks.mail_alerts"):
        assert app.amqp.router.route({}, task)["queue"].name == "people"
        assert task in app.tasks


def test_beat_queues_a_task_for_each_active_provider_that_has_news(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued: list[int] = []
    monkeypatch.setattr(dispatch, "after_commit", lambda _task, provider_id: queued.append(provider_id))
    tasks.mail_new_alerts()
    assert queued == []

    for tenant in (world.north, world.south):
        trouble(tenant)
        alerts.refresh(tenant.provider.pk, now=NOW)
    Provider.objects.filter(pk=world.south.provider.pk).update(status=Provider.Status.SUSPENDED)
    tasks.mail_new_alerts()
    assert queued == [world.north.provider.pk]

    tasks.mail_alerts(world.north.provider.pk)
    tasks.mail_alerts(999_999)
    assert [message.to for message in mail.outbox] == [["owner@north.example"]]
    queued.clear()
    tasks.mail_new_alerts()
    assert queued == []
