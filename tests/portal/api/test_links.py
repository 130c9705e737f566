"""Watcher links over the API: what is told, what is made, and what nobody may do by mistake."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from customers.models import AuditEntry, Customer
from mining.models import Credential, MiningAccount, PoolIntent, WatcherLink
from tests.portal.api.conftest import Caller, code_of, detail_of, link_of, with_scopes
from tests.world import NOW, World

pytestmark = pytest.mark.django_db


def asked(world: World, **changes: Any) -> dict[str, Any]:
    customer = world.north.clients[0].customer.code
    return {"customer": customer, "permissions": ["workers", "dashboard"], "lifetime": "7d"} | changes


def test_a_link_says_what_it_shows_and_until_when(world: World, north: Caller) -> None:
    client = world.north.clients[0]
    link = link_of(client)
    assert link.live_until is not None

    assert north.get(f"watcher-links/{link.code}").json() == {
        "id": link.code,
        "customer": client.customer.code,
        "mining_account": client.account.code,
        "permissions": ["dashboard", "rewards"],
        "lifetime": "7d",
        "live_until": link.live_until.isoformat().replace("+00:00", "Z"),
        "url": "https://whitebit.com/mining-pool/watcher-link/7f3a",
        "state": "active",
        "origin": "portal",
        "shows_others": False,
        "renews": False,
        "created_at": "2026-11-04T14:32:00Z",
        "problem": None,
    }


def test_a_link_whose_time_is_over_has_ended(world: World, north: Caller) -> None:
    client = world.north.clients[0]
    live = link_of(client)
    over = link_of(client, name="over", pool_id="b", live_until=timezone.now() - timedelta(minutes=1))
    gone = link_of(client, name="gone", pool_id="c", state="gone")
    forever = link_of(client, name="forever", pool_id="d", live_until=None, lifetime="always")

    assert north.get(f"watcher-links/{over.code}").json()["state"] == "ended"
    assert north.ids("watcher-links", state="ended") == [gone.code, over.code]
    assert north.ids("watcher-links", state="active") == [forever.code, live.code]
    assert north.ids("watcher-links", state="unknown") == []


def test_links_are_filtered_by_whose_they_are(world: World, north: Caller) -> None:
    first, second = (link_of(client) for client in world.north.clients)

    assert north.ids("watcher-links") == [second.code, first.code]
    assert north.ids("watcher-links", customer=world.north.clients[0].customer.code) == [first.code]
    assert north.ids("watcher-links", mining_account=world.north.clients[1].account.code) == [second.code]
    assert north.ids("watcher-links", origin="pool") == []


def test_asking_for_a_link_plans_it_for_a_worker(world: World, north: Caller) -> None:
    answer = north.post("watcher-links", asked(world, renews=True))

    assert answer.status_code == 202
    made = answer.json()
    assert answer["Location"].endswith(f"/api/v1/watcher-links/{made['id']}")
    assert (made["state"], made["url"], made["permissions"]) == ("creating", None, ["dashboard", "workers"])
    assert (made["lifetime"], made["renews"], made["origin"]) == ("7d", True, "portal")
    with world.north.context():
        assert PoolIntent.objects.get().watcher_link is not None
        assert [entry.actor for entry in AuditEntry.objects.filter(action="link.issued")] == ["token erp"]


def test_asking_again_answers_the_same_link(world: World, north: Caller) -> None:
    first = north.post("watcher-links", asked(world)).json()

    assert north.post("watcher-links", asked(world, permissions=["dashboard", "workers"])).json() == first
    with world.north.context():
        assert WatcherLink.objects.count() == 1


def test_a_link_for_ever_needs_to_be_confirmed_and_a_scope_of_its_own(world: World, north: Caller) -> None:
    forever = asked(world, lifetime="always")
    weekly = with_scopes(world.north, "watcher-links:write", "*:read")

    assert detail_of(north.post("watcher-links", forever), 400).startswith("forever_confirmed: A link for ever")
    confirmed = forever | {"forever_confirmed": True}
    assert detail_of(weekly.post("watcher-links", confirmed), 403) == "This token lacks the scope watcher-links:always."
    assert weekly.post("watcher-links", asked(world)).status_code == 202
    allowed = with_scopes(world.north, "watcher-links:write", "watcher-links:always")
    assert allowed.post("watcher-links", confirmed).json()["lifetime"] == "always"


def test_the_fourth_link_is_refused_with_the_reason(world: World, north: Caller) -> None:
    for number in range(3):
        link_of(world.north.clients[0], name=f"n{number}", pool_id=str(number))

    assert code_of(north.post("watcher-links", asked(world)), 409) == "link.no_room"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"permissions": []}, "permissions: "),
        ({"permissions": ["payouts"]}, "permissions.0: "),
        ({"permissions": "dashboard"}, "permissions: A JSON list is needed."),
        ({"permissions": [{"a": 1}]}, "permissions.0: A text is needed, in quotes."),
        ({"lifetime": "1y"}, "lifetime: "),
        ({"lifetime": 7}, "lifetime: A text is needed, in quotes."),
        ({"customer": "cus_" + "a" * 20}, "customer: There is no customer"),
        ({"name": "x"}, "name: There is no such field here."),
        ({"renews": "yes"}, "renews: "),
    ],
)
def test_what_cannot_be_is_refused_with_one_sentence(
    world: World, north: Caller, changes: dict[str, Any], sentence: str
) -> None:
    assert detail_of(north.post("watcher-links", asked(world, **changes)), 400).startswith(sentence)
    with world.north.context():
        assert not PoolIntent.objects.exists()


def test_a_customer_of_the_neighbour_has_no_links_here(world: World, north: Caller) -> None:
    foreign = asked(world, customer=world.south.clients[0].customer.code)

    assert detail_of(north.post("watcher-links", foreign), 400) == "customer: There is no customer with this id."


def test_a_customer_whose_account_is_not_there_yet_can_have_no_link(world: World, north: Caller) -> None:
    with world.north.context():
        MiningAccount.objects.filter(pk=world.north.clients[0].account.pk).update(state="creating")
        newcomer = Customer.objects.create(
            provider=world.north.provider, name="Cedar", email="c@c.example", created_at=NOW
        )

    assert code_of(north.post("watcher-links", asked(world)), 409) == "account.being_created"
    none_yet = asked(world, customer=newcomer.code)
    assert code_of(north.post("watcher-links", none_yet), 409) == "customer.no_account"


def test_renewal_is_switched_on_and_off(world: World, north: Caller) -> None:
    path = f"watcher-links/{link_of(world.north.clients[0]).code}"

    assert north.patch(path, {"renews": True}).json()["renews"] is True
    assert north.patch(path, {"renews": False}).json()["renews"] is False
    assert detail_of(north.patch(path, {"live_until": None}), 400).startswith("live_until: ")
    daily = link_of(world.north.clients[1], lifetime="24h")
    assert code_of(north.patch(f"watcher-links/{daily.code}", {"renews": True}), 409) == "link.not_renewable"


def test_renewing_makes_another_link_once(world: World, north: Caller) -> None:
    near = timezone.now() + timedelta(days=3)
    path = f"watcher-links/{link_of(world.north.clients[0], live_until=near).code}/renew"

    renewed = north.post(path, {}).json()

    assert renewed["permissions"] == ["dashboard", "rewards"]
    assert north.post(path, {}).json()["id"] == renewed["id"]
    assert detail_of(north.post(path, {"lifetime": "always"}), 400).startswith("lifetime: ")


def test_renewing_a_young_link_is_refused_unless_it_is_meant(world: World, north: Caller) -> None:
    path = f"watcher-links/{link_of(world.north.clients[0]).code}/renew"

    for body in ({}, {"early_confirmed": False}):
        assert code_of(north.post(path, body), 409) == "link.still_works"
    with world.north.context():
        assert WatcherLink.objects.count() == 1
    assert detail_of(north.post(path, {"early_confirmed": "yes"}), 400).startswith("early_confirmed: ")
    assert north.post(path, {"early_confirmed": True}).json()["state"] == "creating"


def test_without_a_key_no_link_is_promised(world: World, north: Caller) -> None:
    with world.north.context():
        Credential.objects.update(state="refused")

    assert code_of(north.post("watcher-links", asked(world)), 409) == "key.refused"
