"""Alerts over the API: what each says, whole, and its filters."""

from __future__ import annotations

import pytest

from mining import alerts
from mining.alerts import rules
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
                "worker": None,
                "credential": None,
                "is_group": False,
                "group": None,
                "site": "",
                "is_silenced": False,
                "stood_at": SEEN,
                "opened_at": SEEN,
                "ended_at": None,
                "acknowledged_at": None,
                "acknowledged_by": None,
                "assigned_to": None,
                "note": None,
                "told_at": SEEN,
                "end_told_at": None,
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


def test_programs_take_give_and_note_an_alert_and_what_has_ended_is_not_taken(world: World, north: Caller) -> None:
    client, support = world.north.clients[0], world.north.support.user.email
    open_one, ended = alert_of(client).code, alert_of(world.north.clients[1], ended_at=NOW).code

    given = north.post(f"alerts/{open_one}/assign", {"member": support}).json()
    assert (given["assigned_to"], given["acknowledged_by"]) == (support, "token erp")
    assert north.post(f"alerts/{open_one}/note", {"note": "fuse blown"}).json()["note"] == "fuse blown"
    assert north.post(f"alerts/{ended}/acknowledge", {}).json()["type"] == "/problems/alert.ended"
    assert detail_of(north.post(f"alerts/{open_one}/assign", {"member": client.owner.user.email}), 400) == (
        "member: Nobody on the staff has this address."
    )


def test_a_rule_is_changed_as_far_as_it_goes(world: World, north: Caller) -> None:
    with world.north.context():
        rules.make_missing(world.north.provider.pk)
    (rule,) = north.data("alert-rules", kind="hashrate_low")
    assert rule["sentence"] == (
        "When hashrate is below 70 % of its own 24 h mean for 15 min; it ends above 75 % for 10 min."
    )

    changed = north.patch(f"alert-rules/{rule['id']}", {"threshold": "60.5", "repeat_minutes": 30}).json()
    assert {key: changed[key] for key in rule if changed[key] != rule[key]} == {
        "threshold": "60.5",
        "repeat_minutes": 30,
        "sentence": rule["sentence"].replace("70", "60.5"),
    }
    for body, code in (
        ({"threshold": "80"}, "rule.ends_before_it_begins"),
        ({"threshold": "101", "ends_at": "102"}, "rule.limit_out_of_range"),
        ({"unit": "minutes"}, "rule.unit_unknown"),
        ({"by_time": "12:00"}, "rule.no_limit"),
    ):
        assert north.patch(f"alert-rules/{rule['id']}", body).json()["type"] == f"/problems/{code}", body
    (drift,) = north.data("alert-rules", kind="payout_drift")
    assert north.patch(f"alert-rules/{drift['id']}", {"is_on": False}).json()["type"] == "/problems/rule.always_on"
