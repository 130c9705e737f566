"""Net 4 for staff: a list costs the same number of queries for one row and for many."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.contracts import agree
from billing.models import Document
from billing.settlement import close_period
from customers import onboarding, tenancy
from customers.models import Customer, MemberKind, Role
from mining.models import Credential, HashratePoint, MiningAccount, PoolIntent, QuarantinedRecord, SyncRun
from tests.logins import login_of
from tests.portal.watcher_links import make_link
from tests.world import FIRST_DAY, NOW, Tenant, make_reward, person

pytestmark = pytest.mark.django_db


def add_customer(tenant: Tenant, number: int) -> None:
    provider = tenant.provider
    customer = Customer.objects.create(
        provider=provider, name=f"Maple {number}", email="m@m.example", created_at=NOW, external_ref=f"M-{number}"
    )
    account = MiningAccount.objects.create(
        provider=provider,
        login=login_of(provider),
        name=f"maple_{number}",
        customer=customer,
        state="active",
        first_seen_at=NOW,
    )
    HashratePoint.objects.create(
        provider=provider, mining_account=account, customer=customer, at=NOW - timedelta(hours=1), hashrate_ths=5
    )
    terms = {"kind": "revenue_share", "share_ppm": 150_000, "basis": "net"}
    agree(tenant.system, customer=customer, valid_from=FIRST_DAY, settle_in="btc", components=[terms], now=NOW)
    for day in range(2):
        make_reward(account, FIRST_DAY + timedelta(days=day))
    make_reward(account, FIRST_DAY - timedelta(days=3))
    make_reward(account, NOW.date(), status="pending")
    person(tenant.system, f"m{number}@m.example", Role.OWNER, customer)
    make_link(tenant, account)


def add_trouble(tenant: Tenant, number: int) -> None:
    provider = tenant.provider
    person(tenant.system, f"staff{number}@m.example", Role.SUPPORT)
    onboarding.invite(tenant.system, email=f"i{number}@m.example", kind=MemberKind.STAFF, role=Role.SUPPORT, now=NOW)
    Credential.objects.create(
        provider=provider,
        login=login_of(provider, f"l{number}"),
        state="refused",
        key_digest=str(number),
        key_hint="x",
        created_at=NOW,
    )
    for subject in ("hashrate", "workers"):
        SyncRun.objects.create(
            provider=provider,
            login=login_of(provider, f"l{number}"),
            subject=subject,
            state="failed",
            queued_at=NOW,
            started_at=NOW,
        )
    QuarantinedRecord.objects.create(
        provider=provider, login=login_of(provider), sync_run=tenant.run, reason="twin", fingerprint=str(number),
        raw="{}",
        seen_at=NOW,
    )  # fmt: skip
    MiningAccount.objects.create(
        provider=provider, login=login_of(provider), name=f"stray_{number}", state="active", first_seen_at=NOW
    )
    bare = Customer.objects.create(provider=provider, name=f"Bare {number}", email="b@b.example", created_at=NOW)
    PoolIntent.objects.create(
        provider=provider, kind="create_account", state="failed", customer=bare, login=login_of(provider),
        account_name="b",
        created_at=NOW,
    )  # fmt: skip
    lost = Customer.objects.create(provider=provider, name=f"Lost {number}", email="b@b.example", created_at=NOW)
    MiningAccount.objects.create(
        provider=provider,
        login=login_of(provider),
        name=f"lost_{number}",
        state="unknown",
        customer=lost,
        first_seen_at=NOW,
    )


def queries_of(tenant: Tenant, address: str) -> int:
    browser = tenant.owner.browser()
    with CaptureQueriesContext(
        connection,
    ) as seen:
        assert browser.get(address).status_code == 200
    return len(seen)


LISTS: dict[str, Callable[[Tenant], str]] = {
    "overview": lambda _: "/staff/",
    "customers": lambda _: "/staff/customers/",
    "customers found": lambda _: "/staff/customers/?q=m",
    "new customer": lambda _: "/staff/customers/new/",
    "contracts": lambda _: "/staff/contracts/",
    "rewards": lambda _: "/staff/rewards/",
    "documents": lambda _: "/staff/documents/",
    "issue": lambda _: "/staff/documents/issue/?month=2026-10",
    "sync": lambda _: "/staff/sync/",
    "keys": lambda _: "/staff/keys/",
    "watcher links": lambda _: "/staff/watcher-links/",
    "team": lambda _: "/staff/team/",
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_costs_the_same_for_one_row_and_for_three(north: Tenant, name: str) -> None:
    with tenancy.access_context(north.system):
        add_customer(north, 0)
        add_trouble(north, 0)
        close_period(north.system, month=FIRST_DAY, now=NOW)
    few = queries_of(north, LISTS[name](north))
    with tenancy.access_context(north.system):
        for number in (1, 2):
            add_customer(north, number)
            add_trouble(north, number)
        close_period(north.system, month=FIRST_DAY, now=NOW)
        assert Document.objects.filter(provider=north.provider).count() == 5
    assert queries_of(north, LISTS[name](north)) == few


def test_drafts_that_are_held_cost_the_same_for_one_and_for_three(north: Tenant) -> None:
    def hold() -> list[int]:
        with tenancy.access_context(north.system):
            close_period(north.system, month=FIRST_DAY, now=NOW)
            MiningAccount.objects.filter(name__startswith="maple").update(payout_drift_since=NOW)
        return [queries_of(north, LISTS[name](north)) for name in ("overview", "documents", "issue")]

    with tenancy.access_context(north.system):
        add_customer(north, 0)
    few = hold()
    with tenancy.access_context(north.system):
        for number in (1, 2):
            add_customer(north, number)
    assert hold() == few


def test_one_customer_and_one_document_cost_the_same_however_much_they_hold(north: Tenant) -> None:
    client = north.clients[0]
    with tenancy.access_context(north.system):
        draft = close_period(north.system, month=FIRST_DAY, now=NOW)[0]
    addresses = [f"/staff/customers/{client.customer.code}/", f"/staff/documents/{draft.code}/"]
    few = [queries_of(north, address) for address in addresses]
    with tenancy.access_context(north.system):
        for day in range(5, 20):
            make_reward(client.account, FIRST_DAY + timedelta(days=day))
        person(north.system, "more@m.example", Role.VIEWER, client.customer)
        old = make_link(north, client.account, number=1)
        for state in ("active", "unknown", "gone"):
            make_link(north, client.account, number=state, state=state, successor=old)
        close_period(north.system, month=FIRST_DAY, now=NOW)
    assert [queries_of(north, address) for address in addresses] == few
