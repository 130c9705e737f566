"""Terms that reach back are told to the customer's people once each, however the mail server is."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend

from billing import contracts
from billing.models import TermsNotice
from customers import tenancy
from customers.models import Membership
from mining import dispatch
from portal import tasks, terms_mails
from tests.world import NOW, Tenant, World

pytestmark = pytest.mark.django_db


def agree(tenant: Tenant, *, share_ppm: int = 190_000, valid_from: date = date(2026, 10, 2)) -> None:
    with tenancy.access_context(tenant.finance.access):
        contracts.new_version(
            tenant.finance.access,
            tenant.clients[0].contract,
            valid_from=valid_from,
            settle_in="btc",
            components=[{"kind": "revenue_share", "share_ppm": share_ppm, "basis": "net"}],
            now=NOW,
        )


def tick(tenant: Tenant, *, minutes: int = 0) -> list[str]:
    """To whom mails went out in this minute."""
    before = len(mail.outbox)
    terms_mails.mail_terms(tenant.provider.pk, now=NOW + timedelta(minutes=minutes))
    return [message.to[0] for message in mail.outbox[before:]]


def notice(tenant: Tenant) -> TermsNotice:
    with tenant.context():
        return TermsNotice.objects.get()


def test_each_of_the_customers_people_is_told_once_what_changes_for_them(world: World) -> None:
    north = world.north
    agree(north)
    people = [north.clients[0].owner.user.email, north.clients[0].viewer.user.email]
    assert tick(north) == people
    assert tick(north, minutes=60) == []
    assert notice(north).told_at == NOW
    told = mail.outbox[-1]
    assert told.subject == "Your terms at Northmere Hosting changed from 2 October 2026 on"
    assert "Until now: Customer 85 %, provider 15 % of the net reward" in told.body
    assert "Now: Customer 81 %, provider 19 % of the net reward" in told.body
    assert "2 rewards that are mined already are shared by them." in told.body
    assert "Your part of them is 0.00007800 BTC less than before." in told.body


def test_terms_that_do_not_reach_back_mail_nobody(world: World) -> None:
    agree(world.north, valid_from=NOW.date())
    assert tick(world.north) == []


def test_without_people_the_customers_own_address_is_told(world: World) -> None:
    north = world.north
    with north.context():
        Membership.objects.filter(customer=north.clients[0].customer).update(is_active=False)
    agree(north)
    assert tick(north) == ["office@0.example"]


def test_who_has_it_is_not_mailed_again_when_another_ones_server_is_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    north = world.north
    owner, viewer = (person.user.email for person in (north.clients[0].owner, north.clients[0].viewer))
    sent = EmailBackend.send_messages

    def away(self: EmailBackend, messages: Any) -> int:
        if messages[0].to == [owner]:
            raise OSError("away")
        return int(sent(self, messages))

    agree(north)
    with monkeypatch.context() as patched:
        patched.setattr(EmailBackend, "send_messages", away)
        assert tick(north) == [viewer]
    assert notice(north).problem == f"The mail server did not take the mail to {owner}. (OSError)"
    assert tick(north, minutes=1) == []  # tried just now
    assert tick(north, minutes=6) == [owner]
    assert (notice(north).told_at, notice(north).problem) == (NOW + timedelta(minutes=6), "")


def test_the_minute_queues_those_that_have_something_to_tell(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    queued: list[int] = []
    monkeypatch.setattr(dispatch, "after_commit", lambda _task, provider_id: queued.append(provider_id))
    agree(world.north)
    tasks.mail_new_terms()
    assert queued == [world.north.provider.pk]
