"""Alerts over the API: what each says, whole, and its filters."""

from __future__ import annotations

import pytest

from mining import alerts
from mining.models import Credential, PoolIntent
from tests.portal.api.conftest import Caller, alert_of, detail_of, with_scopes
from tests.world import NOW, World

pytestmark = pytest.mark.django_db
SEEN = "2026-11-04T14:32:00Z"


def test_an_alert_about_a_customer(world: World, north: Caller) -> None:
    client = world.north.clients[0]
    alert = alert_of(client, told_at=NOW)
    assert north.get("alerts").json() == {
        "data": [
            {
                "id": alert.code,
                "kind": "payout_drift",
                "level": "alarm",
                "state": "open",
                "sentence": "Alder & Finch: the pool pays the rewards elsewhere than was agreed",
                "customer": client.customer.code,
                "mining_account": client.account.code,
                "credential": None,
                "opened_at": SEEN,
                "ended_at": None,
                "told_at": SEEN,
                "problem": None,
            }
        ],
        "next": None,
    }


def test_every_kind_says_what_it_is_about(world: World, north: Caller) -> None:
    tenant = world.north
    with tenant.context():
        for kind in PoolIntent.Kind:
            PoolIntent.objects.create(
                provider=tenant.provider, kind=kind, state="unknown", login=tenant.login, account_name="a",
                customer=tenant.clients[1].customer, created_at=NOW,
            )  # fmt: skip
    key = Credential.objects.visible_to(tenant.system).filter(pk=tenant.credential.pk)
    for fields in (
        {"last_success_at": "2026-11-01T00:00Z"},
        {"last_success_at": "2026-10-20T00:00Z"},
        {"state": "refused"},
    ):
        with tenant.context():
            key.update(**fields)
        alerts.refresh(tenant.provider.pk, now=NOW)

    told = north.data("alerts")
    assert [(row["kind"], row["level"], row["state"], row["sentence"]) for row in reversed(told)] == [
        ("key_quiet", "warning", "ended", "The pool has not answered the key of main for 3 days"),
        ("act_in_doubt", "alarm", "open", "Birch Mining: was the mining account created?"),
        ("act_in_doubt", "alarm", "open", "Birch Mining: is the mining account there?"),
        ("act_in_doubt", "alarm", "open", "Birch Mining: was the watcher link made?"),
        ("act_in_doubt", "alarm", "open", "Birch Mining: was the payout destination changed?"),
        ("key_silent", "alarm", "ended", "The pool has not answered the key of main for 7 days"),
        ("key_refused", "alarm", "open", "The pool refuses the key of main"),
    ]
    assert [(row["credential"], row["customer"]) for row in told[:1]] == [("main", None)]


def test_alerts_are_filtered_by_whose_they_are_of_what_kind_and_whether_they_are_open(
    world: World, north: Caller
) -> None:
    one, other = world.north.clients
    ended, stands, others = alert_of(one, ended_at=NOW).code, alert_of(one).code, alert_of(other).code
    alert_of(world.south.clients[0])

    assert north.ids("alerts") == [others, stands, ended]
    assert north.ids("alerts", state="open") == [others, stands]
    assert north.ids("alerts", state="ended") == [ended]
    assert north.ids("alerts", customer=one.customer.code) == [stands, ended]
    assert north.ids("alerts", customer=one.customer.code, state="open", kind="payout_drift") == [stands]
    assert north.ids("alerts", kind="key_silent") == []
    assert north.ids("alerts", customer=world.south.clients[0].customer.code) == []
    assert detail_of(north.get("alerts", state="told"), 400) == 'state: "told" is not a valid choice.'


def test_reading_alerts_needs_its_scope(world: World) -> None:
    assert with_scopes(world.north, "alerts:read").get("alerts").status_code == 200
    lacking = with_scopes(world.north, "alerts:write", "alert-rules:read").get("alerts")
    assert detail_of(lacking, 403) == "This token lacks the scope alerts:read."
