"""The acts of a customer's page that are about people and about acts in doubt, done by programs."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail

from customers import onboarding, tenancy
from customers.models import AuditEntry, Invitation, MemberKind, Role
from mining.models import Credential, MiningAccount, PoolIntent
from tests.portal.api.conftest import Caller, code_of, detail_of, with_scopes
from tests.world import NOW, Tenant, World

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def at_the_worlds_moment() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def intent_of(tenant: Tenant, **facts: Any) -> PoolIntent:
    facts = {"kind": PoolIntent.Kind.CREATE_ACCOUNT, "state": PoolIntent.State.UNKNOWN, **facts}
    with tenancy.access_context(tenant.system):
        return PoolIntent.objects.create(
            provider=tenant.provider,
            customer=tenant.clients[0].customer,
            login=tenant.login,
            account_name="wanted",
            asked_by="robin@north.example",
            created_at=NOW,
            **facts,
        )


def test_somebody_of_a_customer_is_invited_and_the_link_is_in_the_mail_alone(
    world: World, north: Caller, django_capture_on_commit_callbacks: Any
) -> None:
    customer = world.north.clients[0].customer
    with django_capture_on_commit_callbacks(execute=True):
        answer = north.post("invitations", {"customer": customer.code, "email": "New@x.example", "role": "viewer"})

    made = answer.json()
    assert answer.status_code == 201
    assert made == {
        "id": made["id"],
        "customer": customer.code,
        "email": "new@x.example",
        "role": "viewer",
        "state": "open",
        "created_at": "2026-11-04T14:32:00Z",
        "expires_at": "2026-11-11T14:32:00Z",
    }
    link = re.search(r"/invite/(\S+)", str(mail.outbox[0].body))
    assert link is not None
    assert link[1] not in answer.content.decode()
    assert north.get(f"invitations/{made['id']}").json() == made
    assert north.post(f"invitations/{made['id']}/revoke", {}).json()["state"] == "revoked"
    assert (north.ids("invitations", state="open"), north.ids("invitations", state="revoked")) == ([], [made["id"]])


def test_nobody_comes_on_the_staff_by_the_api_and_no_invitation_to_it_is_seen(world: World, north: Caller) -> None:
    customer = world.north.clients[0].customer.code
    with tenancy.access_context(world.north.system):
        staff = onboarding.invite(
            world.north.system, email="s@x.example", kind=MemberKind.STAFF, role=Role.OWNER, now=NOW
        ).invitation

    for role in ("finance", "support", "auditor"):
        detail_of(north.post("invitations", {"customer": customer, "email": "a@x.example", "role": role}), 400)

    detail_of(north.post("invitations", {"email": "a@x.example", "role": "owner"}), 400)
    detail_of(north.post(f"invitations/{staff.code}/revoke", {}), 404)
    detail_of(north.post(f"members/{world.north.finance.membership.code}/end", {}), 404)
    assert north.ids("invitations") == []
    with tenancy.access_context(world.north.system):
        assert Invitation.objects.get().revoked_at is None


def test_a_customer_of_another_provider_gets_no_invitation(world: World, north: Caller) -> None:
    foreign = world.south.clients[0].customer.code
    answer = north.post("invitations", {"customer": foreign, "email": "a@x.example", "role": "owner"})
    assert answer.json()["errors"] == {"customer": ["There is no customer with this id."]}


def test_a_members_access_is_ended(world: World, north: Caller) -> None:
    client = world.north.clients[0]
    browser = client.viewer.browser()

    ended = north.post(f"members/{client.viewer.membership.code}/end", {}).json()

    assert ended == {
        "id": client.viewer.membership.code,
        "customer": client.customer.code,
        "name": "Viewer0",
        "email": "viewer0@client-of-north.example",
        "role": "viewer",
        "is_active": False,
        "created_at": "2026-11-04T14:32:00Z",
    }
    assert browser.get("/overview/").status_code == 302
    assert north.ids("members", customer=client.customer.code, is_active="true") == [client.owner.membership.code]


def test_an_act_in_doubt_is_decided_once(world: World, north: Caller) -> None:
    intent = intent_of(world.north)
    shown = north.get(f"intents/{intent.code}").json()
    assert (shown["kind"], shown["state"], shown["watcher_link"], shown["settled_at"]) == (
        "create_account",
        "unknown",
        None,
        None,
    )

    decided = north.post(f"intents/{intent.code}/decide", {"at_the_pool": False}).json()

    assert decided["state"] == "failed"
    assert code_of(north.post(f"intents/{intent.code}/decide", {"at_the_pool": False}), 409) == "intent.settled"
    with tenancy.access_context(world.north.system):
        assert AuditEntry.objects.get(action="intent.decided").details == {"ours": "no"}


def test_a_payout_in_doubt_asks_for_the_scope_of_money_besides(world: World) -> None:
    intent = intent_of(
        world.north,
        kind=PoolIntent.Kind.EDIT_PAYOUT,
        mining_account=world.north.clients[0].account,
        payout_destination="main_balance",
    )
    path, said = f"intents/{intent.code}/decide", {"at_the_pool": False}

    assert detail_of(with_scopes(world.north, "intents:write").post(path, said), 403).endswith("scope money:write.")
    assert with_scopes(world.north, "intents:write", "money:write").post(path, said).status_code == 200


def test_the_alarm_of_a_lost_account_is_ended_and_of_no_other(world: World, north: Caller) -> None:
    account = world.north.clients[0].account
    path = f"mining-accounts/{account.code}/end-payout-alarm"
    with tenancy.access_context(world.north.system):
        MiningAccount.objects.filter(pk=account.pk).update(payout_drift_since=NOW - timedelta(days=1))
    assert code_of(north.post(path, {}), 409) == "account.answered_for"
    with tenancy.access_context(world.north.system):
        MiningAccount.objects.filter(pk=account.pk).update(unlisted_since=NOW)

    assert north.post(path, {}).json()["payout_drift_since"] is None
    assert code_of(north.post(path, {}), 409) == "payout.not_drifting"


def test_a_key_in_use_is_thrown_away_when_that_is_confirmed(world: World, north: Caller) -> None:
    path = f"credentials/{world.north.credential.code}/withdraw"

    assert code_of(north.post(path, {}), 409) == "key.in_use"
    assert north.post(path, {"in_use_confirmed": True}).json()["state"] == "retired"

    assert code_of(north.post(path, {"in_use_confirmed": True}), 409) == "key.gone"
    with tenancy.access_context(world.north.system):
        assert not Credential.objects.get().sealed_secret
